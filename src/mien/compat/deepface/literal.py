"""DeepFace's own preprocessing, to the letter, for callers who name a ``normalization``.

The face's box, turned until the eyes lie level; letterboxed; 0..1; channels blue, green, red; the
mode; then what DeepFace's client of the net does. Accuracy is lost on the way (the nets were
trained otherwise); it is for those who need DeepFace's numbers.

Sources: ``modules/detection.py``, ``modules/preprocessing.py`` and ``models/facial_recognition``
of DeepFace 0.0.103; for Buffalo_L also ``get_feat`` of InsightFace's ``ArcFaceONNX``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.align.cropping import Preprocessing, crop_face, letterbox
from mien.align.normalisation import Normalisation, normalise
from mien.embed import Embedder
from mien.errors import InvalidArgument
from mien.types import RGB, Embeddings, Face

__all__ = ["forward", "literal_embeddings", "prepared"]

Floats = NDArray[np.float32]


def literal_embeddings(
    embedder: Embedder,
    image: RGB,
    faces: Sequence[Face],
    cutting: Preprocessing,
    mode: Normalisation,
) -> Floats:
    """Raw embeddings ``(n, d)`` of faces of the image, made as DeepFace makes them.

    Args:
        cutting: how the faces are cut out, at their own size.
        mode: what is done to them then.

    Raises:
        InvalidArgument: the recognition model takes no input of its caller's.
    """
    inputs = np.stack([prepared(image, face, embedder.size_hw, cutting) for face in faces])
    return forward(embedder, normalise(inputs, mode, colour="bgr"))


def prepared(image: RGB, face: Face, size_hw: tuple[int, int], cutting: Preprocessing) -> Floats:
    """One face as DeepFace hands it to a mode: BGR, 0..1, ``(H, W, 3)``."""
    cut = crop_face(image, face, cutting)
    return letterbox(cut[..., ::-1] / 255, size_hw).astype(np.float32)


def forward(embedder: Embedder, inputs: Floats) -> Floats:
    """What DeepFace's client of this net answers to ``inputs``.

    Args:
        inputs: ``(n, H, W, 3)`` BGR, after the mode.

    Raises:
        InvalidArgument: the recognition model takes no input of its caller's.
    """
    run: Callable[[Floats], Embeddings] | None = getattr(embedder, "forward", None)
    if run is None:
        raise InvalidArgument(
            f"{embedder.name} cannot be fed as DeepFace feeds its nets: leave normalization out."
        )
    client = _CLIENTS.get(embedder.name)
    found = run(inputs if client is None else client(inputs))
    if embedder.metric in ("cosine", "angular"):
        return np.asarray(found.vector * found.norm[:, None], np.float32)
    return found.vector


def _sface(inputs: Floats) -> Floats:
    """SFace's client: times 255 whatever the mode, whole numbers that wrap around, RGB."""
    return _wrapped_rgb(inputs * np.float32(255))


def _dlib(inputs: Floats) -> Floats:
    """Dlib's client: times 255 where nothing is above 1, whole numbers that wrap around, RGB."""
    return _wrapped_rgb(inputs * np.float32(255) if inputs.max(initial=0) <= 1 else inputs)


def _wrapped_rgb(pixels: Floats) -> Floats:
    whole = np.trunc(pixels).astype(np.int64).astype(np.uint8)  # -1 is 255, as in DeepFace
    return np.ascontiguousarray(whole[..., ::-1], np.float32)


def _buffalo(inputs: Floats) -> Floats:
    """Buffalo_L's client: to 0..255, then InsightFace's ``(x - 127.5) / 127.5``, RGB."""
    scaled: NDArray[Any] = (inputs * np.float32(255) - np.float32(127.5)) / np.float32(127.5)
    return np.ascontiguousarray(scaled[..., ::-1])


_CLIENTS: dict[str, Callable[[Floats], Floats]] = {
    "sface": _sface,
    "dlib": _dlib,
    "buffalo_l": _buffalo,
}
