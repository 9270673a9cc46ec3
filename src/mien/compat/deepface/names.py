"""DeepFace's names of models and what they are called in Mien; Mien's own are names too."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from mien.compat.deepface.exceptions import UnimplementedError, error
from mien.errors import UnknownModel

__all__ = ["DETECTORS", "RECOGNISERS", "detector_name", "recogniser_name", "spelled"]

RECOGNISERS = {
    "VGG-Face": "vgg-face",
    "Facenet": "facenet",
    "Facenet512": "facenet512",
    "OpenFace": "openface",
    "DeepFace": "deepface",
    "DeepID": "deepid",
    "ArcFace": "arcface",
    "Dlib": "dlib",
    "SFace": "sface",
    "GhostFaceNet": "ghostfacenet",
    "Buffalo_L": "buffalo_l",
}
"""DeepFace's recognition models, and the names of their cards."""

DETECTORS = {
    "opencv": "opencv",
    "ssd": "ssd",
    "dlib": "dlib",
    "mtcnn": "mtcnn",
    "fastmtcnn": "mtcnn",  # the same nets: the difference is in DeepFace's two packages
    "retinaface": "retinaface",
    "mediapipe": "mediapipe",
    "yunet": "yunet",
    "centerface": "centerface",
    "yolov8n": "yolov8n-face",
    "skip": "skip",
}
"""DeepFace's detectors that Mien has, and the names of their cards."""


def recogniser_name(name: str | None, known: Sequence[str], default: str) -> str:
    """The card's name of a recognition model.

    Args:
        name: DeepFace's or Mien's name; None: ``default``.
        known: the names of Mien's cards.

    Raises:
        UnknownModel: there is none of that name; the message names close ones.
    """
    return default if name is None else _lookup(name, RECOGNISERS, known, "recognition model")


def detector_name(name: str | None, known: Sequence[str], default: str) -> str:
    """The card's name of a detector; see :func:`recogniser_name`."""
    return default if name is None else _lookup(name, DETECTORS, known, "detector")


def spelled(card: str) -> str:
    """How DeepFace spells the recognition model of that card; Mien's own name where it has none."""
    return next((theirs for theirs, ours in RECOGNISERS.items() if ours == card), card)


def _lookup(name: str, table: Mapping[str, str], known: Sequence[str], kind: str) -> str:
    if not isinstance(name, str):
        raise error(
            UnknownModel, UnimplementedError, f"The name of a {kind} is a string, not {name!r}."
        )
    card = table.get(name) or {spelling.lower(): own for spelling, own in table.items()}.get(
        name.lower(), name
    )
    if card in known:
        return card
    names = list(dict.fromkeys([*(theirs for theirs in table if table[theirs] in known), *known]))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(close)}?" if close else f"There are: {', '.join(names)}."
    raise error(
        UnknownModel, UnimplementedError, f"Invalid model_name passed: no {kind} {name!r}. {hint}"
    )
