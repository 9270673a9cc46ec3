"""Looking: the faces of one photo, and the embeddings of faces that were found in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.image import Photo
from mien.results import Detection
from mien.stages import stage
from mien.types import RGB, Embeddings, Face, Faces

if TYPE_CHECKING:
    from mien.engine.photos import PhotoEngine

__all__ = ["DETECTION_SIDE", "detect", "detection_pixels", "embed"]

# Large JPEGs are decoded down to this long side: what the detector's finest look needs.
DETECTION_SIDE = 1920


def detection_pixels(photo: Photo) -> RGB:
    """The photo as detection gets to see it: a large JPEG is decoded smaller."""
    return photo.scaled(DETECTION_SIDE)


def detect(engine: PhotoEngine, photo: Photo) -> Detection:
    """The faces of ``photo``, in its pixels, largest first."""
    with stage("decode"):
        pixels = detection_pixels(photo)
    with stage("detect"):
        found = engine.detector.detect([pixels])[0]
    scale = (photo.width / pixels.shape[1], photo.height / pixels.shape[0])
    faces = found.scaled(*scale, size_hw=(photo.height, photo.width))
    return Detection(photo.width, photo.height, faces, engine.detector.name, pixels)


def embed(engine: PhotoEngine, photo: Photo, faces: Faces) -> Embeddings:
    """The embeddings of ``faces``, in their order."""
    embedder = engine.embedder
    if not len(faces):
        height, width = embedder.size_hw
        return embedder.embed(np.zeros((0, height, width, 3), np.uint8))
    with stage("embed"):
        parts = engine.map(lambda face: embedder.embed(_crop(engine, photo, face)[None]), faces)
    return Embeddings(
        np.concatenate([part.vector for part in parts]),
        np.concatenate([part.norm for part in parts]),
    )


def _crop(engine: PhotoEngine, photo: Photo, face: Face) -> NDArray[np.uint8]:
    """The aligned crop, from the full-size photo where a smaller decode would cost detail."""
    embedder = engine.embedder
    pixels = detection_pixels(photo)
    scale = pixels.shape[1] / photo.width
    if scale < 1 and face.box.width * scale < embedder.size_hw[1]:
        pixels, scale = photo.pixels(), 1.0
    return embedder.crop(pixels, face.scaled(scale))
