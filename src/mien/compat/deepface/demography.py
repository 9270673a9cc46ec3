"""analyze: emotion, age, gender and race of the faces of a photo."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mien.attributes import names as attribute_names
from mien.compat.deepface import faces
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.exceptions import DataTypeError, UnimplementedError, error
from mien.compat.deepface.images import load, split
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.errors import InvalidArgument
from mien.image import Photo
from mien.landmarks import create as create_landmarks
from mien.types import Faces

__all__ = ["ACTIONS", "analyze", "told"]

ACTIONS = ("emotion", "age", "gender", "race")
"""What DeepFace can be asked for. ``race`` is not among the defaults here."""

# FairFace's two kinds of Asian are one in DeepFace's words.
_RACES = {"east asian": "asian", "southeast asian": "asian"}
RACES = ("asian", "indian", "black", "white", "middle eastern", "latino hispanic")


@public("model_name", "models", "prog_bar", "target_size")
def analyze(
    img_path: Any,  # noqa: ANN401 - see mien.compat.deepface.images.load
    actions: tuple[str, ...] | list[str] | str = ("emotion", "age", "gender"),
    enforce_detection: bool = True,
    detector_backend: str | None = None,
    align: bool = True,
    expand_percentage: int = 0,
    silent: bool = False,
    anti_spoofing: bool = False,
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """Emotion, age, gender and race of the faces of a photo, largest first.

    What a face shows, not what a person is or feels. ``race`` is answered only where it is asked
    for by name and the licence of its model has been accepted.

    Args:
        img_path: an image, or several: a list, a tuple or an array ``(n, H, W, 3)``.
        actions: of ``emotion``, ``age``, ``gender``, ``race``.
        enforce_detection, detector_backend, anti_spoofing, silent: see
            :func:`mien.compat.deepface.verify`.
        align, expand_percentage: accepted; each of Mien's nets cuts the crop that it wants.

    Returns:
        For each face ``region``, ``face_confidence``, ``age``, ``gender`` and ``emotion`` with
        percentages, ``dominant_gender``, ``dominant_emotion``, and for ``race`` likewise. For
        several images a list of such lists.

    Raises:
        NoFaceFound, ImageError, InvalidArgument, ModelError: as for ``verify``.

    Example:
        >>> DeepFace.analyze("a.jpg", ["age"])[0]["age"]         # doctest: +SKIP
        31
    """
    wanted = _checked(actions)
    options = Options(
        detector_backend=detector_backend,
        enforce_detection=enforce_detection,
        align=align,
        expand_percentage=expand_percentage,
        anti_spoofing=anti_spoofing,
    )
    chosen = backend(options)
    images, several = split(img_path)
    answers = [_analysed(chosen, image, wanted, options) for image in images]
    return answers if several else answers[0]


def told(action: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - each has its own result
    """One attribute's answer in DeepFace's terms."""
    return _TOLD[action](value)


def _checked(actions: Iterable[str] | str) -> tuple[str, ...]:
    wanted = (actions,) if isinstance(actions, str) else actions
    if not isinstance(wanted, list | tuple | np.ndarray) or not len(wanted):
        raise error(InvalidArgument, DataTypeError, "`actions` must be a list of strings.")
    for action in wanted:
        if action not in ACTIONS:
            raise error(
                InvalidArgument,
                UnimplementedError,
                f"Invalid action passed ({action!r}). Valid actions are `emotion`, `age`, "
                "`gender`, `race`; mien.analyze has more.",
            )
        if action not in attribute_names():
            raise error(
                InvalidArgument,
                UnimplementedError,
                f"{action} is not among the attributes of this installation of Mien.",
            )
    return tuple(dict.fromkeys(str(action) for action in wanted))


def _analysed(
    chosen: Backend,
    image: Any,  # noqa: ANN401
    wanted: tuple[str, ...],
    options: Options,
) -> list[dict[str, Any]]:
    photo = load(image, chosen.engine)
    seen = [_with_landmarks(chosen, photo, one) for one in faces.look(chosen, photo, options)]
    found = chosen.engine.analyze_faces(photo, Faces.of([one.face for one in seen]), actions=wanted)
    answer: list[dict[str, Any]] = []
    for one, analysis in zip(seen, found, strict=True):
        entry: dict[str, Any] = {}
        for action in wanted:
            entry |= told(action, analysis[action])
        answer.append({**entry, "region": one.area, "face_confidence": one.confidence})
    return answer


def _with_landmarks(chosen: Backend, photo: Photo, one: faces.SeenFace) -> faces.SeenFace:
    """A photo that is taken whole for a face gets its points from the face mesh."""
    if one.face.landmarks is not None:
        return one
    mesh = create_landmarks("landmarks/mediapipe478", chosen.engine.models)
    (points,) = mesh.points5(photo.pixels(), Faces.of([one.face]))
    return replace(one, face=replace(one.face, landmarks=points))


def _percentages(scores: Mapping[str, float]) -> dict[str, float]:
    return {name: 100 * float(score) for name, score in scores.items()}


def _age(value: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"age": int(value.value)}


def _gender(value: Any) -> dict[str, Any]:  # noqa: ANN401
    woman = value.confidence if value.value == "female" else 1 - value.confidence
    return {
        "gender": _percentages({"Woman": woman, "Man": 1 - woman}),
        "dominant_gender": "Woman" if value.value == "female" else "Man",
    }


def _emotion(value: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"emotion": _percentages(value.scores), "dominant_emotion": str(value.value)}


def _race(value: Any) -> dict[str, Any]:  # noqa: ANN401
    scores = dict.fromkeys(RACES, 0.0)
    for name, score in value.scores.items():
        plain = str(name).lower().replace("_", " ")
        scores[_RACES.get(plain, plain)] += float(score)
    return {
        "race": _percentages(scores),
        "dominant_race": max(scores, key=scores.__getitem__),
    }


_TOLD: dict[str, Callable[[Any], dict[str, Any]]] = {
    "age": _age,
    "gender": _gender,
    "emotion": _emotion,
    "race": _race,
}
