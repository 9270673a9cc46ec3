"""Bring a face's landmarks to where a net expects them, and its pixels to what it expects."""

from mien.align.context import context_crop
from mien.align.cropping import (
    Preprocessing,
    crop_box,
    crop_eyes,
    crop_face,
    crop_landmarks,
    expanded,
    letterbox,
)
from mien.align.normalisation import MODES, normalise
from mien.align.similarity import similarity_transform, warp
from mien.align.square import cut_square
from mien.align.templates import template

__all__ = [
    "MODES",
    "Preprocessing",
    "context_crop",
    "crop_box",
    "crop_eyes",
    "crop_face",
    "crop_landmarks",
    "cut_square",
    "expanded",
    "letterbox",
    "normalise",
    "similarity_transform",
    "template",
    "warp",
]
