"""MiniFASNet: a face with its surroundings in, how alive it looks out.

Source: minivision-ai, Silent-Face-Anti-Spoofing (Apache-2.0): ``src/anti_spoof_predict.py`` and
``src/data_io/functional.py``, which keeps the pixels' 0..255 and OpenCV's order blue, green, red.
"""

from __future__ import annotations

import numpy as np

from mien.errors import UnknownModel
from mien.liveness.crop import cut_context
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Box

__all__ = ["MiniFASNet"]

SIDE = 80
LIVE = 1
FACTORS = {"minifasnet-v2": 2.7, "minifasnet-v1se": 4.0}
"""How much of the surroundings each net was trained with."""


class MiniFASNet:
    """One of the two published nets.

    Args:
        name: of its card.
        session: input ``image`` (n, 3, 80, 80), output ``logit`` (n, 3).

    Raises:
        UnknownModel: it is not known how much of the surroundings the net wants.
    """

    def __init__(self, name: str, session: Session) -> None:
        if name not in FACTORS:
            raise UnknownModel(f"MiniFASNet has no net {name!r}; there are: {', '.join(FACTORS)}.")
        self.name = name
        self.factor = FACTORS[name]
        self._session = session

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> MiniFASNet:
        """Fetch the weights, if need be, and open them."""
        return cls(card.name, models.open(card, streams=models.settings.thread_budget))

    def live_score(self, image: RGB, box: Box) -> float:
        """The net's belief that the face is a live one, 0..1 (softmax, not calibrated).

        Args:
            image: RGB ``(height, width, 3)`` uint8.
            box: of the face, pixels of ``image``.

        Raises:
            InvalidArgument: the box is empty.
        """
        crop = cut_context(image, box, self.factor, SIDE)
        bgr = crop[..., ::-1].transpose(2, 0, 1)[None]
        logit = self._session.run({"image": np.ascontiguousarray(bgr, np.float32)})["logit"][0]
        belief = np.exp(logit.astype(np.float64) - logit.max())
        return float(belief[LIVE] / belief.sum())
