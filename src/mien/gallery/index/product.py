"""Product codes: a quarter of a byte a number, which a first look at a large segment scans.

Two neighbouring numbers of a vector share 4 bits: the nearest of 16 pairs (Jegou, Douze, Schmid
2011, Product quantization for nearest neighbor search), laid out so that FAISS reads 32 vectors
with one table look-up in registers (Andre, Kermarrec, Le Scouarnec 2015; IndexPQFastScan). What
looks best by the codes is compared by bytes, in the same call.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.gallery.index.threads import at_most

__all__ = ["Codebook", "ProductCodes", "code_bytes"]

_PAIR = 2
_BITS = 4
_SEED = 1


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """The 16 pairs of every two numbers, which all product codes of a group share.

    Attributes:
        centroids: ``(d/2 * 16 * 2,)`` float32, as FAISS orders them.
        dim: length of the vectors; even.
    """

    centroids: NDArray[np.float32]
    dim: int

    @classmethod
    def fits(cls, dim: int) -> bool:
        """Whether vectors of this length can have product codes."""
        return dim % _PAIR == 0

    @classmethod
    def trained(cls, sample: NDArray[np.float32]) -> Codebook:
        """The codebook of a sample ``(n, d)``; some thousand vectors are enough."""
        empty = _fast_scan(sample.shape[1])
        empty.pq.cp.seed = _SEED
        empty.pq.cp.min_points_per_centroid = 1  # a warning for small samples, on stderr
        with at_most(1):
            empty.train(np.ascontiguousarray(sample))
        return cls(_centroids(empty.pq), sample.shape[1])

    @property
    def code_bytes(self) -> int:
        """Bytes of one vector's code."""
        return code_bytes(self.dim)

    def nothing(self) -> NDArray[np.uint8]:
        """The code ``(code_bytes,)`` of the shortest vector that has one.

        Any other would be near to some probes, which would look at wiped rows first.
        """
        pairs = self.centroids.reshape(-1, 1 << _BITS, _PAIR)
        shortest = np.einsum("mcp,mcp->mc", pairs, pairs).argmin(axis=1).astype(np.uint8)
        if len(shortest) % 2:
            shortest = np.append(shortest, np.uint8(0))
        packed: NDArray[np.uint8] = shortest[::2] | (shortest[1::2] << _BITS)
        return packed

    def empty(self) -> Any:  # noqa: ANN401 - faiss.IndexPQFastScan, which has no types
        """An index of FAISS with this codebook."""
        return self._given(_fast_scan(self.dim))

    def plain(self) -> Any:  # noqa: ANN401 - faiss.IndexPQ, which has no types
        """The same without the interleaved layout."""
        import faiss

        made = faiss.IndexPQ(self.dim, self.dim // _PAIR, _BITS, faiss.METRIC_INNER_PRODUCT)
        return self._given(made)

    def _given(self, index: Any) -> Any:  # noqa: ANN401
        import faiss

        faiss.copy_array_to_vector(self.centroids, index.pq.centroids)
        index.is_trained = True
        return index


class ProductCodes:
    """The product codes of the rows of one segment.

    Args:
        codebook: of the group.
        index: FAISS's index with a code for each row.
        bytes_of_rows: FAISS's index of the same rows as bytes; it must live as long as this.
    """

    def __init__(self, codebook: Codebook, index: Any, bytes_of_rows: Any) -> None:  # noqa: ANN401
        import faiss

        self.codebook = codebook
        self._index = index
        self._bytes = bytes_of_rows
        self._both = faiss.IndexRefine(index, bytes_of_rows)
        self._packer = index.get_CodePacker()
        packed = faiss.rev_swig_ptr(index.codes.get(), index.codes.size())
        self._blocks = packed.reshape(-1, self._packer.block_size)

    @classmethod
    def of_codes(cls, codebook: Codebook, codes: NDArray[np.uint8], of: Any) -> ProductCodes:  # noqa: ANN401
        """From the codes ``(n, code_bytes)`` of rows in their order."""
        import faiss

        plain = codebook.plain()
        plain.codes.resize(codes.size)
        plain.ntotal = len(codes)
        if codes.size:
            faiss.rev_swig_ptr(plain.codes.data(), codes.size)[:] = codes.reshape(-1)
        return cls(codebook, faiss.IndexPQFastScan(plain), of)

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self._blocks.nbytes + self.codebook.centroids.nbytes)

    def nearest(
        self, probes: NDArray[np.float32], fetch: int, *, looked_at: int
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """The best by bytes among the ``looked_at`` best by codes.

        Returns:
            Products and rows, ``(n, fetch)``; a row is -1 where there are fewer.
        """
        import faiss

        options = faiss.IndexRefineSearchParameters()
        options.k_factor = max(1.0, looked_at / fetch)
        products, rows = self._both.search(probes, fetch, params=options)
        return products, rows

    def codes(self, start: int, stop: int) -> NDArray[np.uint8]:
        """The codes ``(stop - start, code_bytes)``; ``start`` is a multiple of 32."""
        import faiss

        width = self._packer.nvec
        first, last = start // width, -(-stop // width)
        codes = np.zeros(((last - first) * width, self.codebook.code_bytes), np.uint8)
        for i, block in enumerate(self._blocks[first:last]):
            self._packer.unpack_all(faiss.swig_ptr(block), faiss.swig_ptr(codes[i * width :]))
        return codes[: stop - start]

    def wipe(self, rows: NDArray[np.intp]) -> None:
        """Overwrite the codes of some rows, with what no probe is like."""
        import faiss

        nothing = self.codebook.nothing()
        for row in rows.tolist():
            block, offset = divmod(row, self._packer.nvec)
            target = faiss.swig_ptr(self._blocks[block])
            self._packer.pack_1_c(faiss.swig_ptr(nothing), offset, target)


def code_bytes(dim: int) -> int:
    """Bytes of a product code of vectors of that length."""
    return -(-dim // _PAIR * _BITS // 8)


def _fast_scan(dim: int) -> Any:  # noqa: ANN401 - faiss.IndexPQFastScan, which has no types
    import faiss

    return faiss.IndexPQFastScan(dim, dim // _PAIR, _BITS, faiss.METRIC_INNER_PRODUCT)


def _centroids(quantiser: Any) -> NDArray[np.float32]:  # noqa: ANN401
    import faiss

    centroids: NDArray[np.float32] = faiss.vector_to_array(quantiser.centroids)
    return centroids
