"""Choice: which runtime and which arithmetic is fastest for a net on this machine, measured.

Neither is always faster: the same CPU can run one net best in ONNX Runtime and another in
OpenVINO, and bf16 is slower than float32 on some CPUs that have it. So the candidates are timed
once, on the card's reference input, and the winner is kept in the cache folder. A choice changes
speed only: every candidate has passed the card's accuracy gate.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from mien.models.card import ModelCard
from mien.models.machine import cpu_facts, version_of
from mien.models.session import Array, Session

__all__ = ["Candidate", "Choice", "Timing", "machine_digest", "measure"]

_MIN_ROUNDS = 4
_MAX_ROUNDS = 15
_BUDGET_S = 0.5
_GAIN = 0.9
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to run a net.

    Attributes:
        runtime: ``openvino`` or ``onnxruntime``.
        precision: ``float32``, ``bf16`` or ``int8``.
    """

    runtime: str
    precision: str


@dataclass(frozen=True, slots=True)
class Timing:
    """What a candidate cost: CPU milliseconds of one run on one thread, the least of several."""

    runtime: str
    precision: str
    cpu_ms: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The winner, and the table that it was chosen from (the incumbent first)."""

    runtime: str
    precision: str
    timings: tuple[Timing, ...]

    def to_json(self) -> bytes:
        """As it is kept in the cache."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Choice:
        """Read what :meth:`to_json` gives.

        Raises:
            ValueError: it is something else.
        """
        try:
            table = json.loads(data)
            timings = tuple(Timing(**row) for row in table["timings"])
            return cls(str(table["runtime"]), str(table["precision"]), timings)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a choice: {error}") from error


def measure(
    shapes: Mapping[str, Sequence[int]],
    candidates: Sequence[Candidate],
    opener: Callable[[Candidate], Session],
) -> Choice:
    """Time the candidates in turn and take the fastest.

    The first candidate is the incumbent: another wins only if it is more than 10 % faster, so
    that noise does not decide. A candidate that cannot be opened or run is left out.

    Args:
        shapes: of the reference input, by name.
        candidates: at least one.
        opener: opens a candidate on one thread.

    Raises:
        Exception: what the last candidate raised, where none of them runs.
    """
    inputs = _reference_inputs(shapes)
    sessions: dict[Candidate, Session] = {}
    for candidate in candidates:
        try:
            session = opener(candidate)
            session.run(inputs)  # the first run allocates and compiles
            sessions[candidate] = session
        except Exception:
            if candidate == candidates[-1] and not sessions:
                raise
    best = dict.fromkeys(sessions, float("inf"))
    end = time.monotonic() + _BUDGET_S
    for done in range(_MAX_ROUNDS):
        if done >= _MIN_ROUNDS and time.monotonic() > end:
            break
        for candidate, session in sessions.items():
            begin = time.process_time()
            session.run(inputs)
            best[candidate] = min(best[candidate], time.process_time() - begin)
    timings = tuple(Timing(c.runtime, c.precision, round(s * 1e3, 3)) for c, s in best.items())
    winner = _winner(timings)
    return Choice(winner.runtime, winner.precision, timings)


def _winner(timings: Sequence[Timing]) -> Timing:
    fastest = min(timings, key=lambda timing: timing.cpu_ms)
    return fastest if fastest.cpu_ms < _GAIN * timings[0].cpu_ms else timings[0]


def _reference_inputs(shapes: Mapping[str, Sequence[int]]) -> dict[str, Array]:
    """Noise of these shapes, 0..255, the same in every process."""
    random = np.random.default_rng(0)
    return {name: random.random(shape, np.float32) * 255 for name, shape in shapes.items()}


def machine_digest(card: ModelCard, sha256: str, candidates: Sequence[Candidate]) -> str:
    """A name for a choice: the net, the candidates, the CPU and the runtimes' versions."""
    facts = [
        _FORMAT,
        card.key,
        sha256,
        card.converter,
        {name: list(shape) for name, shape in card.inputs.items()},
        [[c.runtime, c.precision] for c in candidates],
        cpu_facts(),
        [version_of(name) for name in ("openvino", "onnxruntime", "onnxruntime-gpu")],
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
