"""dlib's CNN face detector: seven convolutions that score every 80 x 80 window of a pyramid.

It finds faces of 80 pixels and more, also turned and half hidden ones, so small images are
enlarged first. Boxes are squares from the eyebrows to the chin, on a grid of 8 pixels of their
level.

Source: King, "Max-Margin Object Detection", arXiv:1502.00046; reference implementation: dlib's
``cnn_face_detection_model_v1``, which packs the pyramid into one picture; here its levels are
looked at one by one. dlib itself is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np

from mien.detect.net import Floats, NetDetector
from mien.detect.windows import LONG_SIDE, fitted, margin_score
from mien.models import ModelCard, Session
from mien.types import RGB

__all__ = ["DlibCnn"]

WINDOW = 80  # pixels
STEP = 5 / 6  # from one level of the pyramid to the next
LAST = 40  # long side of the last level: a face twice as large as the image
THINNEST = 7  # short side of which the net leaves anything
CELL = 8  # pixels from one cell of the scores to the next
FIRST = 3.5  # centre of the first cell's window: 14 by three strides, less a border of 11


class DlibCnn(NetDetector):
    """Finds faces of 40 pixels and more in an image of up to 640, boxes only.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` RGB 0..255, output ``(1, 1, rows, columns)`` margins.
        long_side: of the pyramid's first level, from and to: smaller images are enlarged, at
            most twice, larger ones are made smaller.
        min_margin: windows below are no faces; 0 is dlib's own threshold. Scores are
            :func:`~mien.detect.windows.margin_score`.

    Example:
        >>> detector = DlibCnn(card, session)      # doctest: +SKIP
        >>> faces, = detector.detect([image])      # doctest: +SKIP
    """

    scales = None
    MIN_SCORE = 0.5  # what margin_score makes of dlib's own threshold
    OVERLAP = 0.338  # written in the weight file

    def __init__(
        self,
        card: ModelCard,
        session: Session,
        *,
        long_side: tuple[int, int] = LONG_SIDE,
        min_margin: float = 0.0,
    ) -> None:
        super().__init__(card, session)
        self._long_side = long_side
        self._min_margin = min_margin

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, None]:
        first, scale = fitted(image, self._long_side)
        found = [self._look(level, scale * more) for level, more in _pyramid(first)]
        box = np.concatenate([np.zeros((0, 4), np.float32), *(boxes for boxes, _ in found)])
        margin = np.concatenate([np.zeros(0, np.float32), *(margins for _, margins in found)])
        return margin_score(margin), box, None

    def _look(self, level: RGB, scale: float) -> tuple[Floats, Floats]:
        """Boxes ``(n, 4)`` in the image's pixels and margins ``(n,)`` of one level's windows."""
        blob = np.ascontiguousarray(level.transpose(2, 0, 1)[None], np.float32)
        margins = self._session.run({self._input: blob})[self._session.output_names[0]][0, 0]
        row, column = np.nonzero(margins > self._min_margin)
        centre = np.column_stack([column, row]).astype(np.float32) * CELL + FIRST
        box = np.hstack([centre - WINDOW / 2, centre + WINDOW / 2]) * np.float32(scale)
        return box.astype(np.float32), margins[row, column]


def _pyramid(image: RGB) -> Iterator[tuple[RGB, float]]:
    """The image smaller and smaller, and how many of its pixels one of the level's is."""
    level, scale = image, 1.0
    while max(level.shape[:2]) >= LAST and min(level.shape[:2]) >= THINNEST:
        yield level, scale
        size = (int(level.shape[1] * STEP), int(level.shape[0] * STEP))
        level = cv2.resize(level, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        scale /= STEP
