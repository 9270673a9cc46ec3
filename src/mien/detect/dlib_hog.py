"""dlib's frontal face detector: five linear filters on histograms of gradients, boxes only.

Source: Dalal and Triggs, "Histograms of Oriented Gradients for Human Detection", CVPR 2005; King,
"Max-Margin Object Detection", arXiv:1502.00046; implementation: dlib's
``get_frontal_face_detector``, whose filters are compiled into dlib. So this one needs dlib: the
extra ``mien[dlib]``.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from mien.detect.windows import LONG_SIDE, fitted, margin_score
from mien.errors import ModelUnavailable
from mien.models import ModelCard, ModelStore
from mien.types import RGB, Faces

__all__ = ["DlibHog"]

SMALLEST = 16  # pixels of a side; in less there is no face


class DlibHog:
    """Finds upright faces, frontal to half profile, of 40 pixels and more in images up to 640.

    Args:
        card: the detector's card.
        long_side: of the image that is looked at, from and to: smaller ones are enlarged, at
            most twice, larger ones are made smaller.
        min_margin: windows below are no faces; 0 is dlib's own threshold. Scores are
            :func:`~mien.detect.windows.margin_score`.

    Raises:
        ModelUnavailable: dlib is not installed.

    Example:
        >>> faces, = DlibHog(card).detect([image])      # doctest: +SKIP
    """

    scales = None

    def __init__(
        self,
        card: ModelCard,
        *,
        long_side: tuple[int, int] = LONG_SIDE,
        min_margin: float = 0.0,
    ) -> None:
        self.name = card.name
        self._long_side = long_side
        self._min_margin = min_margin
        self._dlib = _dlib()
        self._own = threading.local()  # a detector of dlib's works on one image at a time

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> DlibHog:
        """There is nothing to fetch: the filters are in dlib."""
        return cls(card)

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image, without landmarks."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        height, width = image.shape[:2]
        fitting, scale = fitted(image, self._long_side)
        if min(fitting.shape[:2]) < SMALLEST:
            return Faces(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))
        found, margins, _ = self._detector.run(np.ascontiguousarray(fitting), 0, self._min_margin)
        # dlib's boxes include their last pixel.
        edges = [[box.left(), box.top(), box.right() + 1, box.bottom() + 1] for box in found]
        box = np.array(edges, np.float32).reshape(-1, 4) * np.float32(scale)
        score = margin_score(np.array(margins, np.float32))
        return Faces.ordered(box, score, None, size_hw=(height, width))

    @property
    def _detector(self) -> Any:  # noqa: ANN401  # dlib has no types
        if not hasattr(self._own, "detector"):
            self._own.detector = self._dlib.get_frontal_face_detector()
        return self._own.detector


def _dlib() -> Any:  # noqa: ANN401  # dlib has no types
    try:
        return importlib.import_module("dlib")
    except ImportError:
        raise ModelUnavailable(
            "The detector dlib needs dlib, which is not installed: pip install 'mien[dlib]', or "
            "choose dlib-cnn, which does without."
        ) from None
