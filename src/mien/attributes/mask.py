"""Mask: is the mouth covered by a face mask?

Source: senofsky, face-mask-detector 0.2.3 (MIT), a MobileNetV2; its ``lib.py`` is the reference.
There the detector's box is stretched to 224 x 224; here it is taken a fifth larger, which
separates MFR2's masks better (docs/reference/attributes.md).
"""

from __future__ import annotations

import numpy as np

from mien.analysis import Presence
from mien.attributes.chips import box_chip
from mien.attributes.protocol import FaceView
from mien.models import ModelStore, Session

__all__ = ["MaskNet"]

SIDE = 224
MARGIN = 1.2


class MaskNet:
    """Mask or no mask.

    Args:
        session: input ``(n, 3, 224, 224)``, output ``(n, 2)``: mask, no mask.
    """

    name = "mask"

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def load(cls, models: ModelStore) -> MaskNet:
        """Fetch the weights, if need be, and open them."""
        card = models.card("mask", "attributes")
        return cls(models.open(card, streams=models.settings.thread_budget))

    def measure(self, view: FaceView) -> Presence:
        """Whether the face wears a mask; the net looks once at a view, whoever asks."""
        return view.once("mask", lambda: self._look(view))

    def _look(self, view: FaceView) -> Presence:
        chip = box_chip(view, SIDE, margin=MARGIN)
        blob = np.ascontiguousarray(chip.transpose(2, 0, 1)[None], np.float32)
        blob = blob / np.float32(127.5) - 1
        (output,) = self._session.run({self._session.input_names[0]: blob}).values()
        score = float(output[0, 0])
        return Presence(score >= 0.5, score)
