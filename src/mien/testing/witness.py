"""A witness of a vector index: it knows what the index may answer while it is being written to."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index import Entries, VectorIndex

__all__ = ["Witness"]

_ROUNDING = 1e-5


@dataclass(slots=True, eq=False)
class _Stay:
    """How long an id had a vector: when its write began and returned, and the one that ended it."""

    vector: NDArray[np.float32]
    began: int
    returned: int | None = None
    ending: int | None = None
    ended: int | None = None

    def surely_there(self, before: int, after: int) -> bool:
        is_there = self.returned is not None and self.returned <= before
        return is_there and (self.ending is None or self.ending > after)

    def possibly_there(self, before: int, after: int) -> bool:
        return self.began <= after and (self.ended is None or self.ended >= before)


class Witness:
    """Writes to one group of an index, and checks what searches find in it meanwhile.

    Every id is its own owner. A search may answer from any state between its beginning and its
    end: what was there all the time has to be found, what was never there must not be. Safe to
    use from several threads; two of them must not write one id at once.

    Args:
        index: what is looked at.
        group: number of the group; it should be empty.
        dim: length of the vectors.

    Example:
        >>> from mien.gallery.index import ExactIndex
        >>> witness = Witness(ExactIndex(), 1, 2)
        >>> witness.upsert([5], np.array([[1, 0]], np.float32))
        >>> witness.problems(np.array([[0, 1]], np.float32), k=1)
        []
    """

    def __init__(self, index: VectorIndex, group: int, dim: int) -> None:
        self.index = index
        self.group = group
        self.dim = dim
        self._stays: dict[int, list[_Stay]] = {}
        self._alive: dict[int, _Stay] = {}
        self._clock = 0
        self._lock = threading.Lock()

    @property
    def ids(self) -> list[int]:
        """What is there now, in order."""
        with self._lock:
            return sorted(self._alive)

    def upsert(self, ids: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Add or replace entries ``(n,)`` by vectors ``(n, dim)``."""
        vectors = np.array(vectors, np.float32)
        numbers = np.array(ids, np.int64)
        with self._lock:
            began = self._tick()
            old = [self._alive[number] for number in ids if number in self._alive]
            for stay in old:
                stay.ending = began
            new = [_Stay(vector, began) for vector in vectors.copy()]
            for number, stay in zip(ids, new, strict=True):
                self._stays.setdefault(number, []).append(stay)
                self._alive[number] = stay
        self.index.upsert(self.group, Entries(numbers, numbers.copy(), vectors))
        with self._lock:
            now = self._tick()
            for stay in new:
                stay.returned = now
            for stay in old:
                stay.ended = now

    def delete(self, ids: Sequence[int]) -> None:
        """Delete entries; the index must say rightly how many of them were there."""
        with self._lock:
            began = self._tick()
            old = [self._alive.pop(number) for number in ids if number in self._alive]
            for stay in old:
                stay.ending = began
        gone = self.index.delete(self.group, np.array(ids, np.int64))
        assert gone == len(old), f"{gone} were deleted, not {len(old)}"
        with self._lock:
            now = self._tick()
            for stay in old:
                stay.ended = now

    def problems(self, probes: NDArray[np.float32], *, k: int, whole: bool = True) -> list[str]:
        """Search for probes ``(n, dim)`` and say what is wrong with the answer; nothing: [].

        Args:
            probes: ``(n, dim)``.
            k: how many.
            whole: all of the k nearest have to be found, not only the nearest.
        """
        with self._lock:
            before = self._tick()
        found = self.index.search(self.group, probes, k=k)
        with self._lock:
            after = self._tick()
            there = [
                (number, stay.vector)
                for number, stays in self._stays.items()
                for stay in stays[-1:]
                if stay.surely_there(before, after)
            ]
            returned = {int(number) for number in found.ids[found.ids >= 0]}
            possible = {
                number: [s.vector for s in self._stays[number] if s.possibly_there(before, after)]
                for number in returned & self._stays.keys()
            }
        wrong: list[str] = []
        ids = np.array([number for number, _ in there], np.int64)
        vectors = np.array([vector for _, vector in there], np.float32).reshape(-1, self.dim)
        for probe, numbers, scores in zip(probes, found.ids, found.similarity, strict=True):
            wrong += _false(probe, numbers, scores, possible)
            wrong += _missing(numbers, scores, ids, vectors @ probe, 1 if not whole else k)
        return wrong

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def _false(
    probe: NDArray[np.float32],
    ids: NDArray[np.int64],
    scores: NDArray[np.float32],
    possible: dict[int, list[NDArray[np.float32]]],
) -> list[str]:
    """What was found and was not there, or not with that similarity, or twice."""
    wrong = []
    answer = [(int(i), float(s)) for i, s in zip(ids, scores, strict=True) if i >= 0]
    if len({number for number, _ in answer}) < len(answer):
        wrong.append(f"found twice: {answer}")
    for number, score in answer:
        values = [float(vector @ probe) for vector in possible.get(number, [])]
        if not any(abs(score - value) < _ROUNDING for value in values):
            wrong.append(f"{number} has {values}, not {score}")
    return wrong


def _missing(
    ids: NDArray[np.int64],
    scores: NDArray[np.float32],
    there: NDArray[np.int64],
    similarity: NDArray[np.float32],
    count: int,
) -> list[str]:
    """What was there all the time, should be among the first ``count``, and was not found."""
    full = ids[count - 1] >= 0
    least = float(scores[count - 1]) if full else -np.inf
    missing = set(there[similarity > least + _ROUNDING].tolist()) - set(ids.tolist())
    return [f"{number} is missing" for number in sorted(missing)]
