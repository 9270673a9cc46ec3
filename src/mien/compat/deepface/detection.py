"""extract_faces: the faces of a photo, cut out; and detectFace, its ancestor."""

from __future__ import annotations

import warnings
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align.cropping import letterbox
from mien.compat.deepface import faces
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.exceptions import UnimplementedError, error
from mien.compat.deepface.images import load, split
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.errors import InvalidArgument
from mien.types import RGB

__all__ = ["detectFace", "extract_faces"]


@public("prog_bar", "return_type", "target_size")
def extract_faces(
    img_path: Any,  # noqa: ANN401 - see mien.compat.deepface.images.load
    detector_backend: str | None = None,
    enforce_detection: bool = True,
    align: bool = True,
    expand_percentage: int = 0,
    grayscale: bool = False,
    color_face: str = "rgb",
    normalize_face: bool = True,
    anti_spoofing: bool = False,
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """The faces of a photo, cut out, largest first.

    Args:
        img_path: an image, or several: a list, a tuple or an array ``(n, H, W, 3)``.
        detector_backend, enforce_detection, expand_percentage, anti_spoofing: see
            :func:`mien.compat.deepface.verify`.
        align: turn the box until the eyes lie level.
        grayscale: use ``color_face="gray"``.
        color_face: ``rgb``, ``bgr`` or ``gray``.
        normalize_face: 0..1; False: ``uint8``.

    Returns:
        For each face ``face``, an array; ``facial_area``; ``confidence``; with ``anti_spoofing``
        also ``is_real`` and ``antispoof_score``. For several images a list of such lists.

    Raises:
        NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.
    """
    options = Options(
        detector_backend=detector_backend,
        enforce_detection=enforce_detection,
        align=align,
        expand_percentage=expand_percentage,
        anti_spoofing=anti_spoofing,
    )
    if grayscale:
        warnings.warn(
            "extract_faces(grayscale=...) is called color_face='gray' now.",
            DeprecationWarning,
            stacklevel=3,
        )
        color_face = "gray"
    if color_face not in ("rgb", "bgr", "gray"):
        raise error(
            InvalidArgument,
            UnimplementedError,
            f"The color_face can be rgb, bgr or gray, but it is {color_face}.",
        )
    chosen = backend(options)
    images, several = split(img_path)
    answers = [
        _extracted(chosen, image, options, color_face, zero_to_one=normalize_face)
        for image in images
    ]
    return answers if several else answers[0]


@public("grayscale")
def detectFace(  # noqa: N802 - DeepFace's name
    img_path: Any,  # noqa: ANN401
    target_size: tuple[int, int] = (224, 224),
    detector_backend: str | None = None,
    enforce_detection: bool = True,
    align: bool = True,
) -> NDArray[np.float32]:
    """The largest face of a photo, letterboxed. Deprecated: use :func:`extract_faces`.

    Args:
        img_path: an image.
        target_size: height and width of the answer, pixels.
        detector_backend, enforce_detection, align: as for :func:`extract_faces`.

    Returns:
        RGB 0..1, ``(1, height, width, 3)`` float32.

    Raises:
        NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.
    """
    warnings.warn(
        "detectFace is deprecated: use extract_faces instead.", DeprecationWarning, stacklevel=3
    )
    options = Options(
        detector_backend=detector_backend, enforce_detection=enforce_detection, align=align
    )
    found = _extracted(backend(options), img_path, options, "rgb", zero_to_one=True)
    size_hw = _size(target_size)
    return letterbox(found[0]["face"], size_hw).astype(np.float32)[None]


def _extracted(
    chosen: Backend,
    image: Any,  # noqa: ANN401
    options: Options,
    colour: str,
    *,
    zero_to_one: bool,
) -> list[dict[str, Any]]:
    photo = load(image, chosen.engine)
    return [
        {
            "face": _painted(faces.crop(chosen, photo, one.face, options), colour, zero_to_one),
            "facial_area": one.area,
            "confidence": one.confidence,
            **_liveness(one, options),
        }
        for one in faces.look(chosen, photo, options, on_spoof="tell")
    ]


def _liveness(one: faces.SeenFace, options: Options) -> dict[str, Any]:
    if not options.anti_spoofing:
        return {}
    return {"is_real": one.is_real, "antispoof_score": one.antispoof_score}


def _painted(crop: RGB, colour: str, zero_to_one: bool) -> NDArray[Any]:
    painted: NDArray[Any] = crop
    if colour == "bgr":
        painted = np.ascontiguousarray(crop[..., ::-1])
    elif colour == "gray":
        painted = np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY))
    return painted / 255 if zero_to_one else painted


def _size(target_size: tuple[int, int]) -> tuple[int, int]:
    try:
        height, width = (int(side) for side in target_size)
    except (TypeError, ValueError):
        height = width = 0
    if not (1 <= height <= 2048 and 1 <= width <= 2048):
        raise InvalidArgument("target_size is (height, width), each 1 to 2048 pixels.")
    return height, width
