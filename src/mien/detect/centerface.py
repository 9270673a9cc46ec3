"""CenterFace: an anchor-free face detector that marks faces' centres on a heat map.

Source: Xu, Yan, Yang, Gui and Liu, "CenterFace: Joint Face Detection and Alignment Using Face as
Point", 2019, https://arxiv.org/abs/1911.03599; reference implementation:
https://github.com/Star-Clouds/CenterFace.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.detect.blob import padded_blob
from mien.detect.multiscale import MultiScaleOptions
from mien.detect.net import Floats, NetDetector
from mien.types import RGB

__all__ = ["CenterFace"]

STRIDE = 4
MULTIPLE = 32


class CenterFace(NetDetector):
    """Finds faces of about 8 to 500 pixels in an image, at the image's own scale.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` RGB 0..255, H and W multiples of 32; outputs, in this
            order and at a quarter of the size: heat map (1, 1, h, w), ln of height and width in
            cells (1, 2, h, w), offset of the centre in cells (y, x), and five points (y, x) in
            units of the box from its top-left corner (1, 10, h, w).
        min_score, overlap: see :class:`~mien.detect.net.NetDetector`.
    """

    scales = MultiScaleOptions(weak_score=0.5)  # clear faces score 0.9 here, not 0.99: one look
    MIN_SCORE = 0.5
    OVERLAP = 0.3

    def _candidates(self, image: RGB) -> tuple[Floats, Floats, Floats]:
        blob = padded_blob(image, multiple=MULTIPLE, colour="rgb")
        outputs = self._session.run({self._input: blob})
        return self._decode([outputs[name] for name in self._session.output_names])

    def _decode(self, outputs: Sequence[Floats]) -> tuple[Floats, Floats, Floats]:
        """A hot cell (row, column) holds a face centred at ``(cell + offset + 0.5) * 4``.

        The points are counted from the box's corner before it is clipped to the image; the
        reference counts from the clipped one, which moves them on faces that the border cuts.
        """
        heat, size, offset, points = (output[0] for output in outputs)
        cell = np.argwhere(heat[0] >= self._min_score)
        row, column = cell.T
        side = np.exp(size[:, row, column].T) * STRIDE
        centre = (cell + offset[:, row, column].T + np.float32(0.5)) * STRIDE
        corner = centre - side / 2
        place = corner[:, None] + points[:, row, column].T.reshape(-1, 5, 2) * side[:, None]
        box = np.hstack([corner[:, ::-1], (corner + side)[:, ::-1]])
        return heat[0, row, column], box.astype(np.float32), place[..., ::-1].astype(np.float32)
