"""The vector index: disposable, rebuilt from the records whenever it is not there."""

from mien.gallery.index.exact import ExactIndex
from mien.gallery.index.protocol import Consistency, Entries, Neighbours, VectorIndex

__all__ = ["Consistency", "Entries", "ExactIndex", "Neighbours", "VectorIndex"]
