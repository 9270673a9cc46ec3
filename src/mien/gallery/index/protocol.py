"""VectorIndex: what finds the nearest vectors, in this process or in another system."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument

__all__ = ["Consistency", "Entries", "Neighbours", "VectorIndex"]

Consistency = Literal["read_your_writes", "eventual"]
"""What a search must see: every write that has returned, or those of a moment ago."""


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Vectors and the numbers that they are found under.

    Attributes:
        ids: ``(n,)`` int64, not negative, without repetition.
        owners: ``(n,)`` int64, whose each vector is.
        vectors: ``(n, d)`` float32, C-contiguous, unit length.
    """

    ids: NDArray[np.int64]
    owners: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = (len(self.vectors),)
        if self.vectors.ndim != 2 or self.ids.shape != n or self.owners.shape != n:
            raise InvalidArgument(
                f"Entries need ids (n,), owners (n,) and vectors (n, d), not {self.ids.shape}, "
                f"{self.owners.shape} and {self.vectors.shape}."
            )

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """What a search found: the best entry of each owner, most similar first.

    Attributes:
        ids: ``(n, k)`` int64, -1 where there are fewer than k.
        similarity: ``(n, k)`` float32, -inf where the id is -1.
    """

    ids: NDArray[np.int64]
    similarity: NDArray[np.float32]


@runtime_checkable
class VectorIndex(Protocol):
    """Finds the nearest vectors of a group. Safe to call from several threads at once.

    A group is a number; one that was never written is empty. The index never holds the only copy
    of anything: :meth:`rebuild` makes it anew from the records. Similarity is the inner product.
    """

    def upsert(self, group: int, entries: Entries) -> None:
        """Add entries; one whose id is there replaces the old one."""
        ...

    def delete(self, group: int, ids: NDArray[np.int64]) -> int:
        """Forget ids; those that are not there are passed over. Returns how many were."""
        ...

    def search(
        self,
        group: int,
        probes: NDArray[np.float32],
        *,
        k: int,
        consistency: Consistency = "read_your_writes",
    ) -> Neighbours:
        """The k nearest owners of each probe, ``(n, d)`` float32, by their nearest entry."""
        ...

    def rebuild(self, group: int, batches: Iterable[Entries]) -> None:
        """Replace all that the group holds; no batches: forget the group."""
        ...
