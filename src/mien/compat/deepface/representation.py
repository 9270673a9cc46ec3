"""represent: the embeddings of the faces of one photo or several."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.compat.deepface import faces
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.images import load, split
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.errors import InvalidArgument

__all__ = ["represent", "represented"]

# What a number of an embedding is at least and at most: ``deepface/config/minmax.py`` of 0.0.103.
_RANGES = {
    "vgg-face": (0.0, 0.27054874177488775),
    "facenet": (-3.541942596435547, 3.247769594192505),
    "facenet512": (-4.388302803039551, 3.643190622329712),
    "openface": (-0.34191709756851196, 0.26318004727363586),
    "deepface": (0.0, 17.294939041137695),
    "deepid": (0.0, 127.86836242675781),
    "dlib": (-0.41398656368255615, 0.5201137661933899),
    "arcface": (-2.945136308670044, 2.087090015411377),
}


@public("model", "prog_bar", "target_size")
def represent(
    img_path: Any,  # noqa: ANN401 - see mien.compat.deepface.images.load
    model_name: str | None = None,
    enforce_detection: bool = True,
    detector_backend: str | None = None,
    align: bool = True,
    expand_percentage: int = 0,
    normalization: str | None = None,
    anti_spoofing: bool = False,
    max_faces: int | None = None,
    l2_normalize: bool = False,
    minmax_normalize: bool = False,
    return_face: bool = False,
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """The embeddings of the faces of a photo, largest face first.

    Args:
        img_path: an image, or several: a list, a tuple or an array ``(n, H, W, 3)``.
        model_name, enforce_detection, detector_backend, align, expand_percentage, normalization,
            anti_spoofing: see :func:`mien.compat.deepface.verify`.
        max_faces: only the largest so many.
        l2_normalize: embeddings of unit length; otherwise they are as the net gives them.
        minmax_normalize: numbers from 0 to 1, by the ranges that DeepFace has measured for its
            models; others are not changed.
        return_face: add ``face``: the crop, RGB 0..1.

    Returns:
        For each face ``embedding``, ``facial_area`` and ``face_confidence``; for several images
        a list of such lists, except that a list of one image is answered like that image.

    Raises:
        NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.
    """
    options = Options(
        model_name=model_name,
        detector_backend=detector_backend,
        enforce_detection=enforce_detection,
        align=align,
        expand_percentage=expand_percentage,
        normalization=normalization,
        anti_spoofing=anti_spoofing,
    )
    images, _ = split(img_path)
    if not images:
        raise InvalidArgument("img_path holds no image.")
    chosen = backend(options)
    answers = [
        represented(
            chosen,
            image,
            options,
            max_faces=max_faces,
            l2_normalize=l2_normalize,
            minmax_normalize=minmax_normalize,
            return_face=return_face,
        )
        for image in images
    ]
    return answers[0] if len(answers) == 1 else answers


def represented(
    chosen: Backend,
    image: Any,  # noqa: ANN401
    options: Options,
    *,
    max_faces: int | None = None,
    l2_normalize: bool = False,
    minmax_normalize: bool = False,
    return_face: bool = False,
) -> list[dict[str, Any]]:
    """The answer for one image; see :func:`represent`."""
    photo = load(image, chosen.engine)
    seen = faces.look(chosen, photo, options, max_faces=max_faces)
    vectors: NDArray[np.floating] = faces.embed(chosen, photo, seen, options)
    if minmax_normalize:
        vectors = _squeezed(vectors, chosen)
    if l2_normalize:
        vectors = faces.unit_length(vectors)
    answer: list[dict[str, Any]] = []
    for vector, one in zip(vectors, seen, strict=True):
        entry = {
            "embedding": vector.tolist(),
            "facial_area": one.area,
            "face_confidence": one.confidence,
        }
        if return_face:
            entry["face"] = faces.crop(chosen, photo, one.face, options) / 255
        answer.append(entry)
    return answer


def _squeezed(vectors: NDArray[np.floating], chosen: Backend) -> NDArray[np.floating]:
    if chosen.recogniser not in _RANGES:
        return vectors
    low, high = _RANGES[chosen.recogniser]
    return (np.clip(vectors.astype(np.float64), low, high) - low) / (high - low)
