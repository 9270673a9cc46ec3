"""Session: a challenge in one process, from its steps to its result."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING

from mien.challenge.judging import ChallengeResult, judge, person_check, standing
from mien.challenge.plan import Plan
from mien.challenge.steps import Progress, follow
from mien.engine.watching import observe
from mien.errors import SessionOver
from mien.image import ImageInput
from mien.liveness.sequence import SequenceFrame

if TYPE_CHECKING:
    from mien.engine import Engine
    from mien.gallery import Gallery

__all__ = ["Session", "State"]


class State(StrEnum):
    """Where a session stands.

    ``waiting`` -> ``running`` (with the first frame) -> ``passed`` or ``failed``; ``expired`` from
    either of the first two. Nothing leads out of the last three.
    """

    WAITING = "waiting"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"

    @property
    def over(self) -> bool:
        """Whether no frame is taken any more."""
        return self in (State.PASSED, State.FAILED, State.EXPIRED)


class Session:
    """One challenge, single-use. Not for several threads at once.

    Args:
        engine: whose models watch.
        plan: None: three steps drawn by chance, passive liveness enforced.
        gallery: where the plan's person is enrolled, if it names one.
        clock: seconds that never go back; tests put their own in.

    Example:
        >>> session = Session(Engine())                            # doctest: +SKIP
        >>> session.plan.steps                                     # doctest: +SKIP
        ('nod', 'turn_left', 'blink')
        >>> session.add([(0.0, "0.jpg"), (0.1, "1.jpg")])          # doctest: +SKIP
        >>> session.finish().passed                                # doctest: +SKIP
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan | None = None,
        *,
        gallery: Gallery | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.plan = plan or Plan()
        self.frames: list[SequenceFrame] = []
        self.result: ChallengeResult | None = None
        self._engine = engine
        self._gallery = gallery
        self._clock = clock
        self._began = clock()

    @property
    def state(self) -> State:
        """Where it stands now."""
        if self.result is not None:
            return State.PASSED if self.result.passed else State.FAILED
        if self._clock() - self._began > self.plan.ttl_s:
            return State.EXPIRED
        return State.RUNNING if self.frames else State.WAITING

    @property
    def progress(self) -> Progress:
        """Which steps have been done."""
        return follow(self.plan.steps, self.frames, step_limit_s=self.plan.step_limit_s)

    def add(self, frames: Iterable[tuple[float, ImageInput]]) -> State:
        """Watch frames, each with the camera's time in seconds; ends when all steps are done.

        Raises:
            SessionOver: it has ended or expired.
            ImageError: a frame cannot be used; those of the call are not taken then.
            ModelError: a model cannot be had or run.
        """
        self._still_open()
        room = self.plan.max_frames - len(self.frames)
        given = list(frames)[:room]
        received = self._clock() - self._began
        self.frames += watch(self._engine, self.plan, given, received_s=received)
        if standing(self.plan, self.frames).over:
            self.finish()
        return self.state

    def finish(self, *, known: Collection[bytes] = (), compressed: bool = False) -> ChallengeResult:
        """End the session and judge it; steps that were not done have failed.

        Args:
            known: digests of frames that must not come again.
            compressed: the frames come from a video file.

        Raises:
            SessionOver: it has ended or expired.
        """
        self._still_open()
        more = []
        if self._gallery is not None:
            more = person_check(self._engine, self._gallery, self.plan, self.frames)
        self.result = judge(
            self._engine, self.plan, self.frames, known=known, compressed=compressed, more=more
        )
        return self.result

    def _still_open(self) -> None:
        if self.state.over:
            raise SessionOver(f"The session is over ({self.state}): begin another one.")


def watch(
    engine: Engine, plan: Plan, frames: Iterable[tuple[float, ImageInput]], *, received_s: float
) -> list[SequenceFrame]:
    """Frames as the plan wants them looked at.

    Args:
        engine: whose models look.
        plan: of the session.
        frames: the camera's time in seconds, and the frame.
        received_s: seconds since the session was made.
    """
    return engine.map(
        lambda pair: observe(
            engine,
            pair[1],
            time_s=pair[0],
            received_s=received_s,
            check=plan.liveness,
            mirrored=plan.mirrored,
        ),
        list(frames),
    )
