"""Haar cascades: OpenCV's classical detector of frontal faces, boxes only.

Source: Viola and Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR
2001; Lienhart and Maydt 2002; implementation: OpenCV's ``CascadeClassifier`` with the cascade that
its wheel carries.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mien.detect.multiscale import MultiScaleOptions
from mien.errors import ModelUnavailable
from mien.models import ModelCard, ModelStore
from mien.types import RGB, Faces

__all__ = ["HaarCascade"]

CASCADE = "haarcascade_frontalface_alt.xml"
SCALE_STEP = 1.1
MIN_SIDE = 24
HALF_SURE = 5  # windows that agree on a face, for the score 0.5


class HaarCascade:
    """Finds upright frontal faces of 24 pixels and more.

    Args:
        card: the detector's card.
        file: the cascade, an XML file of OpenCV.
        min_neighbours: overlapping windows that must agree on a face. The score is
            ``n / (n + 5)`` for n of them: it grows with the agreement and is no probability.

    Raises:
        ModelUnavailable: there is no such cascade.
    """

    scales = MultiScaleOptions(fine_above=1_000_000, weak_score=0.0)  # one look, of 640 pixels

    def __init__(self, card: ModelCard, file: Path, *, min_neighbours: int = 4) -> None:
        self.name = card.name
        self._file = file
        self._min_neighbours = min_neighbours
        self._own = threading.local()  # a classifier works on one image at a time
        _ = self._classifier

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> HaarCascade:
        """Open the cascade of the installed OpenCV."""
        return cls(card, Path(cv2.__file__).parent / "data" / CASCADE)

    @property
    def _classifier(self) -> cv2.CascadeClassifier:
        classifier: cv2.CascadeClassifier | None = getattr(self._own, "classifier", None)
        if classifier is None:
            classifier = cv2.CascadeClassifier(str(self._file)) if self._file.is_file() else None
            if classifier is None or classifier.empty():
                raise ModelUnavailable(
                    f"The installed OpenCV has no {self._file.name}: install "
                    "opencv-python-headless below version 5."
                )
            self._own.classifier = classifier
        return classifier

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image, without landmarks."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        found, agreeing = self._classifier.detectMultiScale2(
            grey, SCALE_STEP, self._min_neighbours, 0, (MIN_SIDE, MIN_SIDE)
        )
        box = np.asarray(found, np.float32).reshape(-1, 4)
        box[:, 2:] += box[:, :2]
        count = np.asarray(agreeing, np.float32).reshape(-1)
        score = count / (count + HALF_SURE)
        return Faces.ordered(box, score, None, size_hw=(image.shape[0], image.shape[1]))
