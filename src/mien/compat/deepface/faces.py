"""The faces of one photo in DeepFace's terms, and their embeddings as DeepFace gives them: raw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mien.align.cropping import Preprocessing, crop_face
from mien.compat.deepface.engines import Backend
from mien.compat.deepface.exceptions import FaceNotDetected, SpoofDetected, error
from mien.compat.deepface.literal import literal_embeddings
from mien.compat.deepface.options import Options
from mien.engine import LivenessCheck, living
from mien.errors import NoFaceFound, SpoofSuspected
from mien.image import Photo
from mien.types import RGB, Box, Embeddings, Face, Faces
from mien.verdict import LivenessVerdict

__all__ = ["SeenFace", "crop", "embed", "look", "unit_length"]

Vectors = NDArray[np.float32]
Area = dict[str, Any]

# DeepFace names eyes and mouth corners from the person's side, Mien's landmarks are in the order
# of the image: the person's left eye is the second.
_POINTS = {"left_eye": 1, "right_eye": 0, "nose": 2, "mouth_left": 4, "mouth_right": 3}


@dataclass(frozen=True, slots=True, eq=False)
class SeenFace:
    """A face, or the whole photo where none was looked for or found.

    Attributes:
        face: in the photo's pixels.
        confidence: the detector's, to hundredths; 0 where the photo is taken whole.
        area: DeepFace's ``facial_area``.
        liveness: where liveness was asked for.
    """

    face: Face
    confidence: float
    area: Area
    liveness: LivenessVerdict | None = None

    @property
    def is_real(self) -> bool:
        """Whether it is taken for live; True where liveness was not asked for."""
        return self.liveness is None or self.liveness.live

    @property
    def antispoof_score(self) -> float:
        """How sure ``is_real`` is, 0..1."""
        score = 1.0 if self.liveness is None else self.liveness.score
        return score if self.is_real else 1 - score


def look(
    backend: Backend,
    photo: Photo,
    options: Options,
    *,
    max_faces: int | None = None,
    what: str = "the image",
    on_spoof: Literal["refuse", "tell", "ignore"] = "refuse",
) -> list[SeenFace]:
    """The faces of the photo, largest first.

    Args:
        max_faces: only the largest so many; None: all.
        what: what to call the photo in an error.
        on_spoof: with ``anti_spoofing``, whether a face that is not taken for live is an error, is
            told, or is not looked for. Settings that enforce liveness count as ``anti_spoofing``.

    Raises:
        SpoofSuspected: a face is not taken for live; also DeepFace's ``SpoofDetected``.
        NoFaceFound: there is none, and ``enforce_detection``; also DeepFace's
            ``FaceNotDetected``.
    """
    seen = _seen(backend, photo, options, max_faces=max_faces, what=what)
    engine = backend.engine
    asked = options.anti_spoofing or engine.settings.liveness == "enforce"
    if not asked or on_spoof == "ignore":
        return seen
    check = LivenessCheck("enforce", engine.settings.liveness_condition)
    told = living.verdicts(engine, photo, [one.face for one in seen], check)
    seen = [replace(one, liveness=verdict) for one, verdict in zip(seen, told, strict=True)]
    if on_spoof == "refuse" and not all(one.is_real for one in seen):
        raise error(SpoofSuspected, SpoofDetected, f"Spoof detected in {what}.")
    return seen


def _seen(
    backend: Backend, photo: Photo, options: Options, *, max_faces: int | None, what: str
) -> list[SeenFace]:
    """See :func:`look`."""
    detection = backend.engine.detect(photo, liveness="off")
    if max_faces is not None:
        detection = detection.first(max(1, max_faces))
    size_wh = (photo.width, photo.height)
    if backend.detector == "skip":
        return [SeenFace(face, 0.0, _whole(face, size_wh)) for face in detection]
    if len(detection):
        return [
            SeenFace(face, round(float(face.score), 2), _area(face, size_wh)) for face in detection
        ]
    if options.enforce_detection:
        raise error(
            NoFaceFound,
            FaceNotDetected,
            f"Face could not be detected in {what}. Confirm that it shows a face, or set "
            "enforce_detection to False to take the whole picture for one.",
        )
    face = Face(Box(0.0, 0.0, float(photo.width), float(photo.height)), 0.0)
    return [SeenFace(face, 0.0, _whole(face, size_wh))]


def crop(backend: Backend, photo: Photo, face: Face, options: Options) -> RGB:
    """What ``extract_faces`` shows of a face: its box, turned until the eyes lie level.

    With the detector ``skip`` it is the photo as it is.
    """
    return crop_face(photo.pixels(), face, _cutting(backend, options))


def embed(backend: Backend, photo: Photo, faces: list[SeenFace], options: Options) -> Vectors:
    """Raw embeddings ``(n, d)`` of faces of the photo: not brought to unit length.

    Without a ``normalization`` the model is fed as its card says: aligned by five landmarks. A
    face that has none, one that is not to be aligned and one that is to be expanded is cut out
    as DeepFace does it and fed as the card says. With a ``normalization`` all is DeepFace's.
    """
    engine = backend.engine
    if options.mode is not None:
        found = [one.face for one in faces]
        cutting = _cutting(backend, options)
        return literal_embeddings(engine.embedder, photo.pixels(), found, cutting, options.mode)
    as_trained = options.align and not options.expand_percentage
    if as_trained and all(one.face.landmarks is not None for one in faces):
        return _raw(engine.embed(photo, Faces.of([one.face for one in faces])), backend)
    crops = [
        crop_face(photo.pixels(), one.face, _cutting(backend, options, engine.embedder.size_hw))
        for one in faces
    ]
    return _raw(engine.embedder.embed(np.stack(crops)), backend)


def unit_length(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """Each row divided by its length; a row of zeros stays."""
    rows = np.asarray(vectors, np.float64)
    length = np.linalg.norm(rows, axis=-1, keepdims=True)
    return np.asarray(rows / np.where(length == 0, 1.0, length))


def _raw(found: Embeddings, backend: Backend) -> Vectors:
    if backend.engine.embedder.metric in ("cosine", "angular"):
        return np.asarray(found.vector * found.norm[:, None], np.float32)
    return found.vector


def _cutting(
    backend: Backend, options: Options, size_hw: tuple[int, int] | None = None
) -> Preprocessing:
    if backend.detector == "skip":  # nothing is known of the face but the picture
        return Preprocessing(align="none", target_size_hw=size_hw)
    return Preprocessing(
        align="eyes" if options.align else "none",
        expand_percentage=options.expand_percentage,
        target_size_hw=size_hw,
    )


def _whole(face: Face, size_wh: tuple[int, int]) -> Area:
    return {"x": 0, "y": 0, "w": size_wh[0], "h": size_wh[1], **_landmarks(face, size_wh)}


def _area(face: Face, size_wh: tuple[int, int]) -> Area:
    """Whole pixels inside the photo: ``x + w < width`` and ``y + h < height``, as in DeepFace."""
    x, y = max(0, round(face.box.x0)), max(0, round(face.box.y0))
    width = min(size_wh[0] - x - 1, round(face.box.x1) - x)
    height = min(size_wh[1] - y - 1, round(face.box.y1) - y)
    return {"x": x, "y": y, "w": width, "h": height, **_landmarks(face, size_wh)}


def _landmarks(face: Face, size_wh: tuple[int, int]) -> Area:
    """The points by name; None for an eye that is not known, or a point outside the photo."""
    if face.landmarks is None:
        return {"left_eye": None, "right_eye": None}
    named: Area = {}
    for name, index in _POINTS.items():
        x, y = (int(v) for v in face.landmarks[index])
        named[name] = (x, y) if 0 <= x < size_wh[0] and 0 <= y < size_wh[1] else None
    return named
