"""MTCNN: a cascade of three nets, coarse to fine, over a pyramid of scales.

Source: Zhang, Zhang, Li, Qiao, "Joint Face Detection and Alignment using Multi-task Cascaded
Convolutional Networks", IEEE SPL 23(10), 2016; reference implementation: ``detect_face`` of
facenet-pytorch, whose rounding, one-pixel shifts and area sampling are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.detect.multiscale import MultiScaleOptions
from mien.detect.suppression import keep_best
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Faces

__all__ = ["Mtcnn", "MtcnnOptions"]

CELL = 12  # PNet looks at squares of 12 pixels, two pixels apart
STRIDE = 2
BATCH = 64  # candidates that go through RNet or ONet at once

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class MtcnnOptions:
    """The cascade's settings; facenet-pytorch's own, except where said.

    Attributes:
        min_size: side of the smallest face that is looked for, pixels (theirs: 20).
        factor: step of the pyramid.
        min_scores: of the three nets, 0..1.
    """

    min_size: int = 20
    factor: float = 0.709
    min_scores: tuple[float, float, float] = (0.6, 0.7, 0.7)


class Mtcnn:
    """Finds faces of ``min_size`` pixels up to the whole image, with five landmarks.

    Args:
        card: the model's card.
        nets: PNet, RNet and ONet, each from ``image`` to ``box``, ``probability`` (and
            ``points``): see :mod:`mien.models.convert.mtcnn`.
        options: of the cascade.
    """

    scales = MultiScaleOptions()

    def __init__(
        self,
        card: ModelCard,
        nets: tuple[Session, Session, Session],
        options: MtcnnOptions | None = None,
    ) -> None:
        self.name = card.name
        self.options = options or MtcnnOptions()
        self._pnet, self._rnet, self._onet = nets

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> Mtcnn:
        """Fetch the weights, if need be, and open them."""
        streams = models.settings.thread_budget
        cards = [card, *(models.card(key) for key in card.needs)]
        pnet, rnet, onet = (models.open(one, streams=streams) for one in cards)
        return cls(card, (pnet, rnet, onet))

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        sums = _Sums(image)
        box = self._propose(sums)
        box = self._refine(sums, box)
        box, score, points = self._finish(sums, box)
        return Faces.ordered(box, score, points, size_hw=sums.size_hw)

    # ------------------------------------------------------------------ the three stages

    def _propose(self, sums: _Sums) -> Floats:
        """Square candidates ``(n, 4)`` from PNet at every scale."""
        found = [self._propose_at(sums, scale) for scale in self._pyramid(sums.size_hw)]
        if not found:
            return np.zeros((0, 4), np.float32)
        rows = np.concatenate(found)
        rows = rows[keep_best(rows[:, :4], rows[:, 4], overlap=0.7)]
        side = np.tile(rows[:, 2:4] - rows[:, :2], 2)
        return _square(rows[:, :4] + rows[:, 5:] * side)

    def _pyramid(self, size_hw: tuple[int, int]) -> Iterator[float]:
        scale = CELL / self.options.min_size
        while min(size_hw) * scale >= CELL:
            yield scale
            scale *= self.options.factor

    def _propose_at(self, sums: _Sums, scale: float) -> Floats:
        """``(n, 9)``: box, score and correction."""
        height, width = sums.size_hw
        size = (int(height * scale + 1), int(width * scale + 1))
        whole = np.array([[0, 0, width, height]])
        outputs = self._pnet.run({"image": sums.resized(whole, size)})
        score = outputs["probability"][0, 1]
        row, column = np.nonzero(score >= self.options.min_scores[0])
        corner = STRIDE * np.column_stack([column, row]).astype(np.float32) + 1
        rows = np.column_stack(
            [
                np.floor(corner / np.float32(scale)),
                np.floor((corner + (CELL - 1)) / np.float32(scale)),
                score[row, column],
                outputs["box"][0, :, row, column],
            ]
        )
        return rows[keep_best(rows[:, :4], rows[:, 4], overlap=0.5)]

    def _refine(self, sums: _Sums, box: Floats) -> Floats:
        """Square candidates that RNet lets pass."""
        box, outputs = self._look(self._rnet, sums, box, 24)
        score = outputs["probability"][:, 1]
        passed = np.flatnonzero(score > self.options.min_scores[1])
        passed = passed[keep_best(box[passed], score[passed], overlap=0.7)]
        return _square(_corrected(box[passed], outputs["box"][passed]))

    def _finish(self, sums: _Sums, box: Floats) -> tuple[Floats, Floats, Floats]:
        """Boxes, scores and landmarks of the faces that ONet lets pass."""
        box, outputs = self._look(self._onet, sums, box, 48)
        score = outputs["probability"][:, 1]
        passed = np.flatnonzero(score > self.options.min_scores[2])
        box, score = box[passed], score[passed]
        relative = outputs["points"][passed].reshape(-1, 2, 5).transpose(0, 2, 1)
        side = box[:, 2:] - box[:, :2] + 1
        points = side[:, None] * relative + box[:, None, :2] - 1
        box = _corrected(box, outputs["box"][passed])
        keep = _keep_outer(box, score, overlap=0.7)
        return box[keep], score[keep], points[keep]

    def _look(
        self, net: Session, sums: _Sums, box: Floats, side: int
    ) -> tuple[Floats, dict[str, Floats]]:
        """The candidates that lie in the image, and what ``net`` says of each."""
        height, width = sums.size_hw
        inside = np.trunc(box).astype(np.int64)
        inside = np.column_stack(
            [np.maximum(inside[:, :2], 1) - 1, np.minimum(inside[:, 2:], [width, height])]
        )
        there = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        box, inside = box[there], inside[there]
        parts = [
            net.run({"image": sums.resized(inside[at : at + BATCH], (side, side))})
            for at in range(0, len(inside), BATCH)
        ]
        widths = {"box": 4, "probability": 2, "points": 10}
        return box, {
            name: np.concatenate(
                [np.zeros((0, widths[name]), np.float32), *(part[name] for part in parts)]
            )
            for name in net.output_names
        }


class _Sums:
    """An image as running sums, from which the mean of any rectangle is four look-ups."""

    def __init__(self, image: RGB) -> None:
        self.size_hw = (image.shape[0], image.shape[1])
        sums = np.asarray(cv2.integral(image), np.int32)  # where it wraps, differences are right
        self._stride = sums.shape[1]
        self._sums = sums.reshape(-1, 3)

    def resized(self, box: NDArray[np.int64], size: tuple[int, int]) -> Floats:
        """Parts of the image as a net's input ``(n, 3, height, width)``.

        An output pixel is the mean of all input pixels that it touches, as in PyTorch's area
        interpolation.

        Args:
            box: ``(n, 4)`` whole pixels, inside the image, not empty.
            size: height and width.
        """
        top, bottom = _bins(box[:, 1], box[:, 3], size[0])
        left, right = _bins(box[:, 0], box[:, 2], size[1])
        total = self._at(bottom, right) - self._at(top, right)
        total -= self._at(bottom, left)
        total += self._at(top, left)
        area = (bottom - top)[:, :, None] * (right - left)[:, None, :]
        blob = np.empty((len(box), 3, *size), np.float32)
        np.divide(total.transpose(0, 3, 1, 2), area[:, None], out=blob, casting="unsafe")
        blob -= np.float32(127.5)
        blob *= np.float32(1 / 128)
        return blob

    def _at(self, row: NDArray[np.int64], column: NDArray[np.int64]) -> NDArray[np.int32]:
        index = row[:, :, None] * self._stride + column[:, None, :]
        found: NDArray[np.int32] = self._sums.take(index, axis=0, mode="wrap")  # all are inside
        return found


def _bins(
    start: NDArray[np.int64], end: NDArray[np.int64], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and behind-the-last pixel of each of ``count`` bins between ``start`` and ``end``."""
    length = (end - start)[:, None]
    index = np.arange(count)[None]
    first = start[:, None] + index * length // count
    last = start[:, None] - (-(index + 1) * length // count)
    return first, last


def _square(box: Floats) -> Floats:
    """Boxes grown to squares of the longer side, about the same centre."""
    side = box[:, 2:] - box[:, :2]
    longer = side.max(axis=1, keepdims=True, initial=0)
    corner = box[:, :2] + side * np.float32(0.5) - longer * np.float32(0.5)
    return np.hstack([corner, corner + longer])


def _corrected(box: Floats, correction: Floats) -> Floats:
    """Boxes with their edges moved by shares of their (inclusive) sides."""
    return box + correction * np.tile(box[:, 2:] - box[:, :2] + 1, 2)


def _keep_outer(box: Floats, score: Floats, *, overlap: float) -> list[int]:
    """Indices of what survives suppression by intersection over the *smaller* area.

    So a box inside a better one goes, however small it is.
    """
    area = (box[:, 2:] - box[:, :2] + 1).prod(axis=1)
    waiting = np.argsort(score)
    keep = []
    while len(waiting):
        best, waiting = waiting[-1], waiting[:-1]
        keep.append(int(best))
        corner = np.maximum(box[best, :2], box[waiting, :2])
        common = np.minimum(box[best, 2:], box[waiting, 2:]) - corner + 1
        shared = common.clip(0).prod(axis=1) / np.minimum(area[best], area[waiting])
        waiting = waiting[shared <= overlap]
    return keep
