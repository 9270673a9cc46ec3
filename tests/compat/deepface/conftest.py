"""Drawn faces instead of weights: everything but the nets is real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from mien import config
from mien.align import template
from mien.analysis import Age, Emotion, Gender
from mien.attributes import FaceView
from mien.compat.deepface import engines, folder_index, modeling
from mien.engine import Engine
from mien.testing import MockDetector, MockEmbedder, drawn_face, mock_calibration
from mien.types import RGB, Faces


class Whole:
    """The detector ``skip`` for drawn faces that have been cut out."""

    name = "skip"
    scales = None

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        return [self._one(*image.shape[:2]) for image in images]

    @staticmethod
    def _one(height: int, width: int) -> Faces:
        points = template("arcface112") / np.float32(112) * np.array([width, height], np.float32)
        box = np.array([[0, 0, width, height]], np.float32)
        return Faces(box, np.ones(1, np.float32), points[None].astype(np.float32))


@dataclass
class Told:
    """An attribute that says what it was told to say, and remembers what it saw."""

    name: str
    value: Any
    seen: list[FaceView]

    def measure(self, view: FaceView) -> Any:
        self.seen.append(view)
        return self.value


@pytest.fixture
def attributes() -> list[Told]:
    scores = {"angry": 0.1, "disgust": 0, "fear": 0, "happy": 0.7, "sad": 0.2, "surprise": 0}
    return [
        Told("age", Age(31.7, 25, 38), []),
        Told("gender", Gender("male", 0.8), []),
        Told("emotion", Emotion("happy", {**scores, "neutral": 0.0}), []),  # type: ignore[arg-type]
    ]


@pytest.fixture(autouse=True)
def drawn(
    monkeypatch: pytest.MonkeyPatch, attributes: list[Told], tmp_path: Path
) -> dict[str, Engine]:
    """The compat module finds and knows drawn faces; ``skip`` takes a photo whole."""
    settings = config.load(detector="mock", embedder="mock", data_dir=tmp_path / "data")
    detectors = {"mock": MockDetector(), "skip": Whole()}
    made = {
        name: Engine(
            detector=detector,
            embedder=MockEmbedder(),
            settings=settings,
            calibration=mock_calibration(),
            attributes=attributes,
        )
        for name, detector in detectors.items()
    }
    monkeypatch.setattr(engines, "default_engine", lambda d="mock", e="mock": made[d or "mock"])
    monkeypatch.setattr(engines, "detector_names", lambda: ["mock", "skip"])
    monkeypatch.setattr(engines, "embedder_names", lambda: ["mock"])
    modeling._client.cache_clear()
    folder_index._KEPT.clear()
    return made


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """A folder with a photo each of drawn people 1 to 4."""
    folder = tmp_path / "people"
    folder.mkdir()
    for identity in range(1, 5):
        assert cv2.imwrite(str(folder / f"{identity}.png"), drawn_face(identity)[..., ::-1])
    return folder
