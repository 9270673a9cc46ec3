"""How many threads FAISS may use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["at_most"]


@contextmanager
def at_most(threads: int) -> Iterator[None]:
    """FAISS on so many threads at most, as long as this lasts, and for the calling thread only.

    For little work, and beside other work, threads of OpenMP would only spin while they wait.
    """
    import faiss

    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(min(before, threads))
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
