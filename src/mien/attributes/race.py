"""Race, as FairFace names it: off by default, and only for those who have accepted its card.

Race is a sensitive trait; in many places the law forbids to infer it from a face, or allows it for
few ends (docs/reference/attributes.md). The net says which of seven groups a face resembles among
its training photos, which is no fact about a person. It is there to measure whether recognition
errs more on some groups than on others.

Source: Karkkainen and Joo, "FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age
for Bias Measurement and Mitigation", WACV 2021; the ONNX file of github.com/yakhyo/fairface-onnx;
its preprocessing as in uniface 4.2.1, ``uniface/attribute/fairface.py``.
"""

from __future__ import annotations

import typing

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.analysis import Race, RaceName
from mien.attributes.protocol import FaceView
from mien.errors import ModelUnavailable
from mien.models import ModelStore, Session
from mien.types import RGB

__all__ = ["RACES", "RaceNet"]

RACES: tuple[RaceName, ...] = typing.get_args(RaceName)
SIDE = 224
PADDING = 0.25  # around the box, on each side, as a share of it; not beyond the photo
MEAN = np.array([0.485, 0.456, 0.406], np.float32)  # ImageNet's
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class RaceNet:
    """Seven scores.

    Args:
        session: input ``(n, 3, 224, 224)``; its first output of seven columns is the race's
            log-odds, in the order of RACES (the others are gender's two and age's nine).

    Raises:
        ModelUnavailable: a net without such an output.
    """

    name = "race"

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def load(cls, models: ModelStore) -> RaceNet:
        """Fetch the weights, if need be, and open them.

        Raises:
            LicenceNotAccepted: accept it with ``--accept-licence race``.
        """
        card = models.card("race", "attributes")
        return cls(models.open(card, streams=models.settings.thread_budget))

    def measure(self, view: FaceView) -> Race:
        """Which group the face resembles to the net."""
        chip = _chip(view)
        blob = (chip.astype(np.float32) / np.float32(255) - MEAN) / DEVIATION
        blob = np.ascontiguousarray(blob.transpose(2, 0, 1)[None])
        outputs = self._session.run({self._session.input_names[0]: blob})
        logits = self._race_of(outputs)
        scores = np.exp(logits - logits.max())
        scores = scores / scores.sum()
        named = {name: float(score) for name, score in zip(RACES, scores, strict=True)}
        return Race(max(named, key=named.__getitem__), named)

    def _race_of(self, outputs: typing.Mapping[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        for name in self._session.output_names:
            if outputs[name].shape == (1, len(RACES)):
                logits: NDArray[np.float64] = outputs[name][0].astype(np.float64)
                return logits
        raise ModelUnavailable("The race net has no output of seven groups: it is another net.")


def _chip(view: FaceView) -> RGB:
    """The box and a quarter of it around, as far as the photo goes, stretched to a square."""
    box, (height, width) = view.face.box, view.image.shape[:2]
    x0, y0 = int(box.x0), int(box.y0)
    x1, y1 = max(int(box.x1), x0 + 1), max(int(box.y1), y0 + 1)
    pad_x, pad_y = int((x1 - x0) * PADDING), int((y1 - y0) * PADDING)
    rows = slice(max(0, y0 - pad_y), min(height, y1 + pad_y))
    columns = slice(max(0, x0 - pad_x), min(width, x1 + pad_x))
    return np.asarray(cv2.resize(view.image[rows, columns], (SIDE, SIDE)), np.uint8)
