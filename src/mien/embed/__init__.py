"""Recognition models: aligned crops in, templates out."""

from mien.embed.protocol import Embedder
from mien.embed.registry import create, names

__all__ = ["Embedder", "create", "names"]
