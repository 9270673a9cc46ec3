"""Segment: rows of a group in 24-bit fixed point, whose upper bytes are scanned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.fixed import LEVELS, OFFSET, join, split
from mien.gallery.index.product import Codebook, ProductCodes
from mien.gallery.index.protocol import Entries

__all__ = ["ROW_BYTES", "Segment"]

ROW_BYTES = 3
"""Bytes of a number, without ids and product codes."""

_CHUNK = 8192  # rows that are taken apart or put together at a time
_SLACK = 1e-5  # rounding of float32 sums, in similarity


class Segment:
    """Rows that are never moved or added to, only wiped. Read without a lock.

    A new one has no numbers yet: its arrays are to be filled.

    Attributes:
        ids: ``(n,)`` int64, ascending; an id stays where its vector was wiped.
        owners: ``(n,)`` int64.
        alive: ``(n,)`` bool.
        high: ``(n, d)`` uint8, what FAISS scans.
        low: ``(n, d)`` int16.
        scale: what a step of the high plane is worth.
        error: the largest distance of a vector from its high plane.
        reach: the greatest length of a high plane.
        dead: rows that were wiped.
        product: codes for a first look, or None.
    """

    def __init__(self, count: int, dim: int, *, scale: float) -> None:
        self.ids = np.empty(count, np.int64)
        self.owners = np.empty(count, np.int64)
        self.alive = np.ones(count, np.bool_)
        self.high = np.empty((count, dim), np.uint8)
        self.low = np.empty((count, dim), np.int16)
        self.scale = scale
        self.error = 0.0
        self.reach = 0.0
        self.dead = 0
        self.product: ProductCodes | None = None
        self.scan = _scan_of(self.high)

    @classmethod
    def of(cls, entries: Entries) -> Segment:
        """Of at least one entry, in any order."""
        largest = float(np.abs(entries.vectors).max())
        count, dim = entries.vectors.shape
        made = cls(count, dim, scale=largest / LEVELS if largest > 0 else 1.0)
        order = np.argsort(entries.ids, kind="stable")
        made.ids[:] = entries.ids[order]
        made.owners[:] = entries.owners[order]
        for start in range(0, count, _CHUNK):
            rows = order[start : start + _CHUNK]
            high, low, error, reach = split(entries.vectors[rows], made.scale)
            made.high[start : start + _CHUNK] = high
            made.low[start : start + _CHUNK] = low
            made.error, made.reach = max(made.error, error), max(made.reach, reach)
        return made

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.low.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        rows = self.ids.nbytes + self.owners.nbytes + self.alive.nbytes
        planes = self.high.nbytes + self.low.nbytes
        return rows + planes + (self.product.nbytes if self.product else 0)

    def nearest(
        self,
        probes: NDArray[np.float32],
        steps: NDArray[np.float32],
        *,
        fetch: int,
        looked_at: int | None,
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Similarities by the high plane, and rows, of the ``fetch`` nearest rows, best first.

        Args:
            probes: ``(n, d)`` whole numbers (:func:`fixed.quantised`).
            steps: ``(n,)``, what a step of each probe is worth.
            fetch: how many, at most as many as there are rows.
            looked_at: rows that are chosen by their product codes, where they have some, before
                bytes decide; None: bytes decide among all.

        Returns:
            Similarities ``(n, fetch)`` and rows ``(n, fetch)``, of which some may be dead.
        """
        if self.product is not None and looked_at is not None and looked_at < len(self):
            products, rows = self.product.nearest(probes, fetch, looked_at=looked_at)
        else:
            products, rows = self.scan.search(probes, fetch)
        products *= steps[:, None] * np.float32(self.scale)
        return products, rows

    def doubt(
        self, probe_lengths: NDArray[np.float32], lost: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """By how much a similarity of :meth:`nearest` may be wrong at most, for each probe.

        Args:
            probe_lengths: ``(n,)``.
            lost: ``(n,)``, how far the whole numbers are from the probes.
        """
        return (probe_lengths * self.error + lost * self.reach + _SLACK).astype(np.float32)

    def vectors(self, rows: NDArray[np.intp] | slice) -> NDArray[np.float32]:
        """The vectors ``(n, d)`` of some rows; look at :attr:`alive` afterwards."""
        return join(self.high[rows], self.low[rows], self.scale)

    def living(self) -> Iterator[Entries]:
        """All rows that are alive, some thousand at a time."""
        for start in range(0, len(self), _CHUNK):
            part = slice(start, start + _CHUNK)
            vectors = self.vectors(part)
            alive = self.alive[part]
            yield Entries(self.ids[part][alive], self.owners[part][alive], vectors[alive])

    def find(self, ids: NDArray[np.int64]) -> NDArray[np.intp]:
        """The rows that are alive of those ids, in the order of their ids."""
        if not len(self.ids) or not len(ids):
            return np.zeros(0, np.intp)
        at = np.searchsorted(self.ids, ids).clip(max=len(self.ids) - 1)
        at = at[(self.ids[at] == ids) & self.alive[at]]
        return np.sort(at)

    def wipe(self, rows: NDArray[np.intp]) -> None:
        """Forget rows that are alive, and overwrite their vectors.

        First they are dead, then they are overwritten: a search that read a half-wiped vector
        reads :attr:`alive` afterwards and drops the row.
        """
        self.alive[rows] = False
        self.high[rows] = OFFSET
        self.low[rows] = 0
        if self.product is not None:
            self.product.wipe(rows)
        self.dead += len(rows)

    def encode(self, codebook: Codebook) -> ProductCodes:
        """Product codes of all rows; a wiped row's are those of nothing."""
        index = codebook.empty()
        for start in range(0, len(self), _CHUNK):
            index.add(self.vectors(slice(start, start + _CHUNK)))
        return ProductCodes(codebook, index, self.scan)


def _scan_of(codes: NDArray[np.uint8]) -> Any:  # noqa: ANN401 - FAISS has no types
    """FAISS's index over codes ``(n, d)`` that stay where they are.

    NumPy asks the system for large pages where it can, which FAISS does not: scans are a tenth
    faster, and a snapshot is read without filling the memory twice.
    """
    import faiss

    count, dim = codes.shape
    kind = faiss.ScalarQuantizer.QT_8bit_direct_signed
    scan: Any = faiss.IndexScalarQuantizer(dim, kind, faiss.METRIC_INNER_PRODUCT)
    vector: Any = faiss.MaybeOwnedVectorUInt8
    nobody = scan.codes.owner  # the memory is freed with the array, not by FAISS
    scan.codes = vector.create_view(faiss.swig_ptr(codes.reshape(-1)), codes.size, nobody)
    scan.ntotal = count
    scan.referenced_objects = [codes]
    return scan
