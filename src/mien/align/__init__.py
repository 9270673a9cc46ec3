"""Bring a face's landmarks to where a net expects them."""

from mien.align.similarity import similarity_transform, warp
from mien.align.square import cut_square
from mien.align.templates import template

__all__ = ["cut_square", "similarity_transform", "template", "warp"]
