"""Analyse: each face of a photo, attribute by attribute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from mien.analysis import FaceAnalysis
from mien.attributes import Attribute, FaceView
from mien.image import Photo
from mien.landmarks import LandmarkModel
from mien.landmarks.named import FaceLandmarks
from mien.stages import stage
from mien.types import Face, Faces, Result

if TYPE_CHECKING:
    from mien.engine.photos import PhotoEngine

__all__ = ["analyze_faces", "landmarks_of"]

# Faces smaller than this are looked at in the full-size photo where a smaller decode is at hand:
# the largest input of an attribute's net.
DETAIL_SIDE = 224


def analyze_faces(
    engine: PhotoEngine, photo: Photo, faces: Faces, attributes: Sequence[Attribute]
) -> tuple[FaceAnalysis, ...]:
    """See :meth:`mien.Engine.analyze_faces`."""
    with stage("attributes"):
        return tuple(engine.map(lambda face: _answer(engine, photo, face, attributes), faces))


def landmarks_of(
    engine: PhotoEngine, photo: Photo, faces: Faces, model: LandmarkModel
) -> tuple[FaceAnalysis, ...]:
    """See :meth:`mien.Engine.landmarks`."""

    def points(face: Face) -> FaceAnalysis:
        view = _view(engine, photo, face)
        found = model.points(view.image, Faces.of([view.face]))[0] / np.float32(view.scale)
        return FaceAnalysis(face, {"landmarks": FaceLandmarks(model.name, found)})

    with stage("landmarks"):
        return tuple(engine.map(points, faces))


def _answer(
    engine: PhotoEngine, photo: Photo, face: Face, attributes: Sequence[Attribute]
) -> FaceAnalysis:
    view = _view(engine, photo, face)
    values: dict[str, Result] = {}
    for one in attributes:
        whole = view.scale != 1 and getattr(one, "full_size", False)
        values[one.name] = one.measure(FaceView(photo.pixels(), face) if whole else view)
    return FaceAnalysis(face, values)


def _view(engine: PhotoEngine, photo: Photo, face: Face) -> FaceView:
    """The face in the decode that detection used, or in the full-size photo if it is small."""
    pixels = engine.detection_pixels(photo)
    scale = pixels.shape[1] / photo.width
    if scale < 1 and face.box.width * scale < DETAIL_SIDE:
        pixels, scale = photo.pixels(), 1.0
    return FaceView(pixels, face.scaled(scale), scale)
