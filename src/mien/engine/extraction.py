"""Extract: the faces of a photo as crops, cut out and prepared as the caller says.

What ``extract_faces`` and the options of ``represent`` are in the field, on Mien's detectors and
with Mien's limits. The options themselves are :class:`mien.align.Preprocessing`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mien.align import Preprocessing, crop_face, expanded, normalise
from mien.embed.preprocessed import prepared
from mien.engine import looking
from mien.errors import InvalidArgument, NoFaceFound
from mien.image import Photo
from mien.results import Detection, Representation
from mien.types import RGB, Embeddings, Face, Faces

if TYPE_CHECKING:
    from mien.engine.photos import PhotoEngine

__all__ = ["ExtractedFace", "Extraction", "extract_faces", "find_faces", "represent"]

Crop = NDArray[np.uint8] | NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class ExtractedFace:
    """One face, cut out.

    Attributes:
        face: where it is in the photo.
        crop: ``(H, W, 3)`` RGB: uint8, or float32 where a normalisation was asked for.
    """

    face: Face
    crop: Crop

    @property
    def score(self) -> float:
        """The detector's, 0..1; 0 for a photo that was taken whole."""
        return self.face.score


@dataclass(frozen=True, slots=True, eq=False)
class Extraction:
    """The faces of one photo, cut out, largest first.

    Attributes:
        detection: the faces.
        cut: one crop a face, in the same order.
    """

    detection: Detection
    cut: tuple[Crop, ...]

    def __len__(self) -> int:
        return len(self.cut)

    def __iter__(self) -> Iterator[ExtractedFace]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> ExtractedFace:
        return ExtractedFace(self.detection[index], self.cut[index])

    @property
    def crops(self) -> Crop:
        """All crops, ``(n, H, W, 3)``.

        Raises:
            InvalidArgument: there is none, or they differ in size.
        """
        if len({crop.shape for crop in self.cut}) != 1:
            raise InvalidArgument(
                "The crops cannot be stacked: there are none, or they differ in size; "
                "ask for a target_size_hw."
            )
        stacked: Crop = np.stack(self.cut)  # type: ignore[assignment]
        return stacked


def find_faces(
    engine: PhotoEngine, photo: Photo, *, enforce: bool, max_faces: int | None = None
) -> Detection:
    """The faces of a photo; where there is none, an error, or the photo as one face.

    Raises:
        NoFaceFound: there is none, and ``enforce``.
    """
    detection = looking.detect(engine, photo)
    if not len(detection):
        if enforce:
            raise NoFaceFound(
                "There is no face in the photo; to take a photo whole where none is found, "
                "give enforce_detection=False."
            )
        whole = np.array([[0, 0, photo.width, photo.height]], np.float32)
        faces = Faces(whole, np.zeros(1, np.float32))
        return Detection(photo.width, photo.height, faces, detection.detector, detection.image)
    return detection if max_faces is None else detection.first(max_faces)


def extract_faces(
    engine: PhotoEngine, photo: Photo, options: Preprocessing, *, max_faces: int | None = None
) -> Extraction:
    """See :meth:`mien.Engine.extract_faces`."""
    _check(options)
    detection = find_faces(engine, photo, enforce=options.enforce_detection, max_faces=max_faces)

    def extracted(face: Face) -> Crop:
        crop = crop_face(*_view(engine, photo, face, options), options)
        if options.normalisation is None:
            return crop
        pixels = crop.astype(np.float32) / np.float32(255)
        normalised: Crop = normalise(pixels[None], options.normalisation)[0]
        return normalised

    return Extraction(detection, tuple(engine.map(extracted, detection.faces)))


def represent(
    engine: PhotoEngine, photo: Photo, options: Preprocessing, *, max_faces: int | None = None
) -> Representation:
    """See :meth:`mien.Engine.represent`."""
    _check(options)
    detection = find_faces(engine, photo, enforce=options.enforce_detection, max_faces=max_faces)
    if detection.faces.landmarks is None:  # a photo taken whole: nothing to align by
        options = dataclasses.replace(options, align="none")
    embedder = prepared(engine.embedder, options, engine.models)
    if embedder is engine.embedder:
        embeddings = engine.embed(photo, detection.faces)
        return Representation(detection, embeddings, embedder.contract)
    sized = dataclasses.replace(options, target_size_hw=embedder.size_hw)

    def embedded(face: Face) -> Embeddings:
        return embedder.embed(embedder.crop(*_view(engine, photo, face, sized))[None])

    parts = engine.map(embedded, detection.faces)
    height, width = embedder.size_hw
    none = embedder.embed(np.zeros((0, height, width, 3), np.uint8))
    embeddings = Embeddings(
        np.concatenate([none.vector, *(part.vector for part in parts)]),
        np.concatenate([none.norm, *(part.norm for part in parts)]),
    )
    return Representation(detection, embeddings, embedder.contract)


def _check(options: object) -> None:
    if not isinstance(options, Preprocessing):
        raise InvalidArgument(
            f"preprocessing is a mien.Preprocessing, not a {type(options).__name__}."
        )


def _view(
    engine: PhotoEngine, photo: Photo, face: Face, options: Preprocessing
) -> tuple[RGB, Face]:
    """The pixels to cut the face from, and the face in them.

    The decode that detection used, where that is a smaller one and still has all the detail that
    the crop will show.
    """
    pixels = engine.detection_pixels(photo)
    scale = pixels.shape[1] / photo.width
    wanted = options.target_size_hw
    if scale < 1 and wanted is not None:
        box = expanded(face.box, options.expand_percentage)
        if min(box.width, box.height) * scale >= max(wanted):
            return pixels, face.scaled(scale)
    return (pixels, face) if scale == 1 else (photo.pixels(), face)
