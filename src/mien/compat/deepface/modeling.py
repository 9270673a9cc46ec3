"""build_model: one model by name, for callers who feed it themselves."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.compat.deepface import faces
from mien.compat.deepface.demography import told
from mien.compat.deepface.engines import Backend, backend
from mien.compat.deepface.exceptions import (
    DataTypeError,
    InvalidEmbeddingsShapeError,
    UnimplementedError,
    error,
)
from mien.compat.deepface.images import load, split
from mien.compat.deepface.literal import forward
from mien.compat.deepface.options import Options
from mien.compat.deepface.surface import public
from mien.engine import LivenessCheck, living
from mien.errors import InvalidArgument
from mien.types import Box, Face

__all__ = [
    "AttributeClient",
    "DetectorClient",
    "FacialAreaRegion",
    "RecognitionClient",
    "SpoofingClient",
    "build_model",
]

TASKS = ("facial_recognition", "facial_attribute", "face_detector", "spoofing")

Client = Any


@public()
def build_model(model_name: str, task: str = "facial_recognition") -> Client:
    """A model, loaded; the same object whenever it is asked for.

    Args:
        model_name: a recognition model, a detector, ``Age``, ``Gender``, ``Emotion`` or ``Race``,
            or ``Fasnet``.
        task: ``facial_recognition``, ``facial_attribute``, ``face_detector`` or ``spoofing``.

    Returns:
        A :class:`RecognitionClient`, :class:`DetectorClient`, :class:`AttributeClient` or
        :class:`SpoofingClient`.

    Raises:
        UnknownModel, InvalidArgument: no such model or task; also ``UnimplementedError``.
        ModelError: it cannot be had or run.
    """
    if task not in TASKS:
        raise error(InvalidArgument, UnimplementedError, f"unimplemented task - {task}")
    return _client(model_name, task)


@functools.cache
def _client(model_name: str, task: str) -> Client:
    if task == "facial_recognition":
        return RecognitionClient(backend(Options(model_name=model_name)))
    if task == "face_detector":
        return DetectorClient(backend(Options(detector_backend=model_name)))
    if (task, model_name) == ("spoofing", "Fasnet"):
        return SpoofingClient(backend(Options(detector_backend="skip")))
    action = "" if task == "spoofing" else str(model_name).lower()
    if action not in ("age", "gender", "emotion", "race"):
        raise error(
            InvalidArgument, UnimplementedError, f"Invalid model_name passed - {task}/{model_name}"
        )
    return AttributeClient(backend(Options(detector_backend="skip")), action)


@dataclass
class FacialAreaRegion:
    """DeepFace's face: a box and points, pixels; left and right as the person has them."""

    x: int
    y: int
    w: int
    h: int
    left_eye: tuple[int, int] | None = None
    right_eye: tuple[int, int] | None = None
    confidence: float | None = None
    nose: tuple[int, int] | None = None
    mouth_right: tuple[int, int] | None = None
    mouth_left: tuple[int, int] | None = None


class RecognitionClient:
    """A recognition net, fed as DeepFace's client of it is.

    Attributes:
        model_name: as it was asked for.
        input_shape: height and width of its input, pixels.
        output_shape: length of an embedding.
    """

    def __init__(self, chosen: Backend) -> None:
        self._embedder = chosen.engine.embedder
        self.model_name = chosen.model_name
        self.input_shape = self._embedder.size_hw
        self.output_shape = self._embedder.contract.dim

    def forward(self, img: NDArray[Any]) -> list[float] | list[list[float]]:
        """The embedding of one input, or of each of several.

        Args:
            img: BGR ``(H, W, 3)`` or ``(n, H, W, 3)``, normalised by the caller; 0..1 for ``base``.

        Raises:
            InvalidArgument: another shape; also ``InvalidEmbeddingsShapeError``.
        """
        inputs = np.asarray(img, np.float32)
        inputs = inputs[None] if inputs.ndim == 3 else inputs
        if inputs.shape[1:] != (*self.input_shape, 3) or not len(inputs):
            raise error(
                InvalidArgument,
                InvalidEmbeddingsShapeError,
                f"Input image must be (n, {self.input_shape[0]}, {self.input_shape[1]}, 3) shaped "
                f"but it is {inputs.shape}",
            )
        found: list[list[float]] = forward(self._embedder, inputs).tolist()
        return found[0] if len(found) == 1 else found


class DetectorClient:
    """A detector."""

    def __init__(self, chosen: Backend) -> None:
        self._chosen = chosen
        _ = chosen.engine.detector

    def detect_faces(self, img: NDArray[Any]) -> list[FacialAreaRegion]:
        """The faces of a BGR image, largest first."""
        options = Options(detector_backend=self._chosen.detector, enforce_detection=False)
        seen = faces.look(self._chosen, load(img, self._chosen.engine), options)
        found = [one for one in seen if one.confidence or self._chosen.detector == "skip"]
        return [FacialAreaRegion(**one.area, confidence=one.confidence) for one in found]


class AttributeClient:
    """An attribute of crops of faces."""

    def __init__(self, chosen: Backend, action: str) -> None:
        self._chosen = chosen
        self._action = action
        _ = chosen.engine.attribute(action)

    def predict(self, img: NDArray[Any] | list[NDArray[Any]]) -> Any:  # noqa: ANN401
        """The age, or the scores of each class 0..1; for several crops a list or an array.

        Args:
            img: BGR crops, 0..255 or 0..1: one, a list, or ``(n, H, W, 3)``.
        """
        crops, several = split(img)
        answers = [self._one(crop) for crop in crops]
        found = np.array(answers)
        return found if several and len(answers) > 1 else found[0]

    def _one(self, crop: NDArray[Any]) -> float | list[float]:
        photo = load(np.asarray(crop), self._chosen.engine)
        detected = self._chosen.engine.detect(photo, liveness="off").faces
        (analysis,) = self._chosen.engine.analyze_faces(photo, detected, actions=[self._action])
        if self._action == "age":
            return float(analysis["age"].value)
        scores = told(self._action, analysis[self._action])[self._action]
        return [value / 100 for value in scores.values()]


class SpoofingClient:
    """The liveness check, asked as DeepFace's ``Fasnet`` is."""

    def __init__(self, chosen: Backend) -> None:
        self._engine = chosen.engine
        _ = chosen.engine.liveness

    def analyze(
        self, img: NDArray[Any], facial_area: list[float] | tuple[float, ...]
    ) -> tuple[bool, float]:
        """Whether the face is a live one, and how sure that is, 0..1.

        Args:
            img: the whole image, BGR.
            facial_area: x, y, width and height of the face, pixels.

        Raises:
            InvalidArgument: no such area.
        """
        try:
            x, y, width, height = (float(side) for side in facial_area)
        except (TypeError, ValueError):
            raise error(
                InvalidArgument, DataTypeError, "facial_area is x, y, width and height."
            ) from None
        photo = load(img, self._engine)
        face = Face(Box(x, y, x + width, y + height), 1.0)
        check = LivenessCheck("observe", self._engine.settings.liveness_condition)
        (told,) = living.verdicts(self._engine, photo, [face], check)
        seen = faces.SeenFace(face, 1.0, {}, told)
        return seen.is_real, seen.antispoof_score
