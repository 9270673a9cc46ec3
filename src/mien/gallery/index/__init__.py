"""The vector index: disposable, rebuilt from the records whenever it is not there."""

from mien.gallery.index.exact import ExactIndex
from mien.gallery.index.protocol import Consistency, Entries, Neighbours, VectorIndex
from mien.gallery.index.shelf import Plan

__all__ = ["Consistency", "Entries", "ExactIndex", "Neighbours", "Plan", "VectorIndex"]
