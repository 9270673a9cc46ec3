"""Analyse: each face of a photo, attribute by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mien.analysis import FaceAnalysis
from mien.attributes import Attribute, FaceView
from mien.image import Photo
from mien.types import Face, Faces, Result

if TYPE_CHECKING:
    from mien.engine.core import Engine

__all__ = ["analyze_faces"]

# Faces smaller than this are looked at in the full-size photo where a smaller decode is at hand:
# the largest input of an attribute's net.
DETAIL_SIDE = 224


def analyze_faces(
    engine: Engine, photo: Photo, faces: Faces, attributes: Sequence[Attribute]
) -> tuple[FaceAnalysis, ...]:
    """See :meth:`mien.Engine.analyze_faces`."""
    return tuple(engine.map(lambda face: _answer(engine, photo, face, attributes), faces))


def _answer(
    engine: Engine, photo: Photo, face: Face, attributes: Sequence[Attribute]
) -> FaceAnalysis:
    view = _view(engine, photo, face)
    values: dict[str, Result] = {one.name: one.measure(view) for one in attributes}
    return FaceAnalysis(face, values)


def _view(engine: Engine, photo: Photo, face: Face) -> FaceView:
    """The face in the decode that detection used, or in the full-size photo if it is small."""
    pixels = engine.detection_pixels(photo)
    scale = pixels.shape[1] / photo.width
    if scale < 1 and face.box.width * scale < DETAIL_SIDE:
        pixels, scale = photo.pixels(), 1.0
    return FaceView(pixels, face.scaled(scale), scale)
