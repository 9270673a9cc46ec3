"""Steps: the movements that are asked for, how they are drawn, and when one has been done.

Left and right are the person's own. Frames must not be mirror images; where a front camera gives
mirror images, say so (``mirrored``), or left and right change places and every turn fails.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.landmarks.blendshapes import MOVEMENTS
from mien.liveness.sequence import Reason, SequenceFrame
from mien.types import Result

__all__ = ["STEPS", "TEXTS", "Progress", "Step", "StepOutcome", "choose", "follow"]

Step = Literal["blink", "turn_left", "turn_right", "nod", "smile", "move_closer"]
STEPS: tuple[Step, ...] = get_args(Step)

TEXTS: Mapping[Step, Mapping[str, str]] = MappingProxyType(
    {
        "blink": {
            "en": "Close your eyes for a moment, then open them.",
            "ko": "눈을 잠깐 감았다가 뜨세요.",
        },
        "turn_left": {
            "en": "Turn your head to your left, then look ahead.",
            "ko": "고개를 왼쪽으로 돌렸다가 정면을 보세요.",
        },
        "turn_right": {
            "en": "Turn your head to your right, then look ahead.",
            "ko": "고개를 오른쪽으로 돌렸다가 정면을 보세요.",
        },
        "nod": {
            "en": "Nod: look down, then ahead.",
            "ko": "고개를 숙였다가 정면을 보세요.",
        },
        "smile": {"en": "Smile.", "ko": "웃어 주세요."},
        "move_closer": {
            "en": "Slowly come closer to the camera.",
            "ko": "카메라에 천천히 다가오세요.",
        },
    }
)
"""What to tell the person, by language."""

TURN, NOD, CLOSER = 15.0, 10.0, 1.2
WRONG_TURN, WRONG_NOD = 20.0, 18.0
BACK_TURN, BACK_NOD = 8.0, 5.0
CLOSED, OPEN = 0.453, 0.35
SMILES, NEUTRAL = 0.407, 0.3
FRONTAL = (20.0, 25.0)  # degrees of yaw and pitch in which a session may begin
FIRST = 3  # frames whose median is what the head does by itself

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StepOutcome(Result):
    """One step that was asked for.

    Attributes:
        step: which.
        done: None: not yet.
        started_s, ended_s: camera's seconds; ``ended_s`` is None until it is done.
        value: how far it went: degrees, share of a movement, or factor of the size.
        limit: how far it had to go.
    """

    step: Step
    done: bool | None
    started_s: float | None = None
    ended_s: float | None = None
    value: float | None = None
    limit: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """``{"step", "done", "started_s", "ended_s", "value", "limit"}``."""
        rounded = {
            name: None if value is None else round(float(value), 3)
            for name, value in (
                ("started_s", self.started_s),
                ("ended_s", self.ended_s),
                ("value", self.value),
            )
        }
        return {"step": self.step, "done": self.done, **rounded, "limit": self.limit}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sequence got.

    Attributes:
        outcomes: one a step.
        failure: why it cannot pass any more, or None.
    """

    outcomes: tuple[StepOutcome, ...]
    failure: Reason | None = None

    @property
    def done(self) -> int:
        """Steps that were done."""
        return sum(one.done is True for one in self.outcomes)

    @property
    def complete(self) -> bool:
        """Every step was done."""
        return self.done == len(self.outcomes)


def choose(count: int, *, among: Sequence[Step] = STEPS) -> tuple[Step, ...]:
    """Steps in an order that cannot be guessed, none twice, at least one turn among them.

    A turn has depth, which no other step shows: where one of the turns is among the steps to
    choose from, one is always asked for.

    Args:
        count: how many, at least 1.
        among: to choose from.

    Raises:
        InvalidArgument: more than there are, less than one, or a step that there is not.
    """
    known = list(dict.fromkeys(among))
    wrong = [step for step in known if step not in STEPS]
    if wrong:
        raise InvalidArgument(f"There is no step {str(wrong[0])[:40]!r}: {', '.join(STEPS)}.")
    if not 1 <= count <= len(known):
        raise InvalidArgument(f"A challenge has 1 to {len(known)} steps, not {count}.")
    draw = secrets.SystemRandom()
    turns = [step for step in known if step.startswith("turn_")]
    first = [draw.choice(turns)] if turns else []
    rest = [step for step in known if step not in first]
    drawn = [*first, *draw.sample(rest, count - len(first))]
    draw.shuffle(drawn)
    return tuple(drawn)


def follow(
    steps: Sequence[Step], frames: Sequence[SequenceFrame], *, step_limit_s: float
) -> Progress:
    """Which steps the frames show, in the order that was asked for.

    A step begins where the one before ended. It fails when it takes longer than ``step_limit_s``
    (``step_missed``), or when the head turns or nods meanwhile as nobody has asked
    (``wrong_movement``). Blinks and smiles come by themselves and are never wrong.

    Args:
        steps: in order.
        frames: with finite times.
        step_limit_s: for each step, by the camera's clock.
    """
    outcomes = [StepOutcome(step, None) for step in steps]
    seen = [frame for frame in frames if frame.has_face]
    if len(seen) < FIRST:
        return Progress(tuple(outcomes))
    track = _Track.of(seen)
    if not track.frontal:
        return Progress(tuple(outcomes), "not_frontal")
    begin, began_s = 0, float(track.time[0])
    for number, step in enumerate(steps):
        window = slice(begin, int(np.searchsorted(track.time, began_s + step_limit_s, "right")))
        part = track.part(window)
        value, end, limit = _DETECTORS[step](part)
        until = part.part(slice(0, len(part.time) if end is None else end + 1))
        outcome = StepOutcome(step, None, began_s, None, value, limit)
        if until.wrong(step):
            outcomes[number] = _ended(outcome, False)
            return Progress(tuple(outcomes), "wrong_movement")
        if end is None:
            missed = window.stop < len(track.time)
            outcomes[number] = _ended(outcome, False) if missed else outcome
            return Progress(tuple(outcomes), "step_missed" if missed else None)
        began_s = float(part.time[end])
        outcomes[number] = StepOutcome(step, True, outcome.started_s, began_s, value, limit)
        begin += end + 1
    return Progress(tuple(outcomes))


def _ended(outcome: StepOutcome, done: bool) -> StepOutcome:
    return StepOutcome(outcome.step, done, outcome.started_s, None, outcome.value, outcome.limit)


@dataclass(frozen=True, slots=True, eq=False)
class _Track:
    """What the head does, frame by frame; angles from where it began."""

    time: Float64
    yaw: Float64
    pitch: Float64
    closed: Float64
    smile: Float64
    scale: Float64
    frontal: bool

    @classmethod
    def of(cls, frames: Sequence[SequenceFrame]) -> _Track:
        pose = np.array([frame.pose for frame in frames], np.float64)
        moves = np.array([frame.movements for frame in frames], np.float64)
        lids = [MOVEMENTS.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
        corners = [MOVEMENTS.index(name) for name in ("mouthSmileLeft", "mouthSmileRight")]
        base = np.median(pose[:FIRST], axis=0)
        return cls(
            np.array([frame.time_s for frame in frames]),
            pose[:, 0] - base[0],
            pose[:, 1] - base[1],
            moves[:, lids].min(axis=1),
            moves[:, corners].mean(axis=1),
            np.array([frame.scale for frame in frames]),
            bool((np.abs(base[:2]) <= FRONTAL).all()),
        )

    def part(self, window: slice) -> _Track:
        """Some of the frames."""
        return _Track(
            self.time[window],
            self.yaw[window],
            self.pitch[window],
            self.closed[window],
            self.smile[window],
            self.scale[window],
            self.frontal,
        )

    def wrong(self, step: Step) -> bool:
        """Whether the head turns or nods as this step does not ask."""
        left = step != "turn_left" and bool((self.yaw >= WRONG_TURN).any())
        right = step != "turn_right" and bool((self.yaw <= -WRONG_TURN).any())
        nod = step != "nod" and bool((self.pitch >= WRONG_NOD).any())
        return left or right or nod


_Found = tuple[float | None, int | None, float]
"""How far it went, the frame in which it was done, how far it has to go."""


def _there_and_back(signal: Float64, far: float, near: float) -> _Found:
    """Up to ``far``, and down to ``near`` again."""
    if not len(signal):
        return None, None, far
    peak = float(signal.max())
    out = np.flatnonzero(signal >= far)
    if not len(out):
        return peak, None, far
    back = np.flatnonzero(signal[out[0] :] <= near)
    end = int(out[0] + back[0]) if len(back) else None
    return float(signal[: None if end is None else end + 1].max()), end, far


def _blink(track: _Track) -> _Found:
    """Eyes that were open are closed, and open again."""
    awake = np.flatnonzero(track.closed <= OPEN)
    if not len(awake):
        return None, None, CLOSED
    value, end, limit = _there_and_back(track.closed[awake[0] :], CLOSED, OPEN)
    return value, None if end is None else int(awake[0]) + end, limit


def _smile(track: _Track) -> _Found:
    """A face that did not smile begins to."""
    sober = np.flatnonzero(track.smile <= NEUTRAL)
    if not len(sober):
        return None, None, SMILES
    rest = track.smile[sober[0] :]
    done = np.flatnonzero(rest >= SMILES)
    return float(rest.max()), int(sober[0] + done[0]) if len(done) else None, SMILES


def _closer(track: _Track) -> _Found:
    """The head is larger than when the step began."""
    if not len(track.scale):
        return None, None, CLOSER
    grown = track.scale / max(float(np.median(track.scale[:FIRST])), 1e-6)
    done = np.flatnonzero(grown >= CLOSER)
    return float(grown.max()), int(done[0]) if len(done) else None, CLOSER


_DETECTORS = {
    "blink": _blink,
    "turn_left": lambda track: _there_and_back(track.yaw, TURN, BACK_TURN),
    "turn_right": lambda track: _there_and_back(-track.yaw, TURN, BACK_TURN),
    "nod": lambda track: _there_and_back(track.pitch, NOD, BACK_NOD),
    "smile": _smile,
    "move_closer": _closer,
}
