"""dlib's shape predictor: cascades of regression trees that move a mean face onto a face.

Source: Kazemi and Sullivan, "One Millisecond Face Alignment with an Ensemble of Regression
Trees", CVPR 2014; reference implementation and file format: dlib's
``image_processing/shape_predictor.h``. Evaluated with NumPy, all trees of a cascade at once.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.errors import ConversionError
from mien.types import RGB

__all__ = ["ShapePredictor"]

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

_NOT_ONE = "The weight file is not a shape predictor of dlib's."


@dataclass(frozen=True, slots=True, eq=False)
class ShapePredictor:
    """Trees that agree in their depth, and the pixels that they compare.

    With C cascades of T trees, each of S splits and S + 1 leaves, F pixels and P points:

    Attributes:
        mean: ``(P, 2)`` the mean face in a square of side 1.
        pixels: ``(C, T, S, 2)`` numbers of the two pixels whose difference a split looks at.
        thresholds: ``(C, T, S)``; a larger difference goes to child ``2 s + 1``, else ``2 s + 2``.
        leaves: ``(C, T, S + 1, P, 2)`` by how much each point moves.
        anchors: ``(C, F)`` the point that each pixel goes along with.
        offsets: ``(C, F, 2)`` from that point in the mean face to the pixel.
    """

    mean: Floats
    pixels: Integers
    thresholds: Floats
    leaves: Floats
    anchors: Integers
    offsets: Floats

    @classmethod
    def parse(cls, data: bytes) -> ShapePredictor:
        """Read a ``.dat`` file of dlib's.

        Raises:
            ConversionError: not a shape predictor.
        """
        try:
            return _parse(_integers(data))
        except (IndexError, ValueError) as error:
            raise ConversionError(_NOT_ONE) from error

    def __call__(self, image: RGB, box_xyxy: NDArray[np.float32]) -> Floats:
        """The points of one face.

        Args:
            image: RGB.
            box_xyxy: ``(4,)`` the face's box as dlib's detectors give it: a square from the
                eyebrows to the chin.

        Returns:
            ``(P, 2)`` float32 pixels.
        """
        # dlib counts from the centre of a pixel, and its boxes include their last pixel.
        corner, far = box_xyxy[:2].astype(np.float64), box_xyxy[2:].astype(np.float64) - 1
        size = np.maximum(far - corner, 1)
        shape = self.mean
        for cascade in range(len(self.pixels)):
            shape = self._step(image, cascade, shape, corner, size)
        return (shape * size + corner + 0.5).astype(np.float32)

    def _step(
        self,
        image: RGB,
        cascade: int,
        shape: Floats,
        corner: NDArray[np.float64],
        size: NDArray[np.float64],
    ) -> Floats:
        """The points after one cascade."""
        turn = similarity_transform(self.mean, shape)[:, :2].astype(np.float32)
        places = (self.offsets[cascade] @ turn.T + shape[self.anchors[cascade]]).astype(np.float64)
        grey = _intensities(image, np.floor(places * size + corner + 0.5).astype(np.int64))
        pixels, thresholds = self.pixels[cascade], self.thresholds[cascade]
        trees, splits = thresholds.shape
        every = np.arange(trees)
        node = np.zeros(trees, np.int64)
        while node[0] < splits:  # all leaves are equally deep
            first, second = pixels[every, node].T
            larger = grey[first] - grey[second] > thresholds[every, node]
            node = 2 * node + np.where(larger, 1, 2)
        moves = self.leaves[cascade][every, node - splits]
        # One after the other, as dlib does: the last bit decides which pixels are looked at next.
        moved: Floats = np.cumsum(np.concatenate([shape[None], moves]), axis=0)[-1]
        return moved


def _intensities(image: RGB, places: Integers) -> Floats:
    """The mean of red, green and blue, rounded down; 0 outside of the image.

    Args:
        image: RGB.
        places: ``(n, 2)`` x and y.
    """
    height, width = image.shape[:2]
    x, y = places.T
    inside = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    values = np.zeros(len(places), np.float32)
    colours = image[y[inside], x[inside]].astype(np.int64)
    values[inside] = colours.sum(axis=1) // 3
    return values


def _integers(data: bytes) -> Integers:
    """All integers of a file that holds nothing else (a number with a point is two of them).

    The three million of them are found one after the other and decoded together.
    """
    starts = array("q")
    position, end = 0, len(data)
    while position < end:
        starts.append(position)
        position += 1 + (data[position] & 0x0F)
    if position != end or not starts:
        raise ConversionError(_NOT_ONE)
    raw = np.frombuffer(data + bytes(8), np.uint8)
    start = np.frombuffer(starts, np.int64)
    control = raw[start]
    if ((control & 0x70) != 0).any() or ((control & 0x0F) > 8).any():
        raise ConversionError(_NOT_ONE)
    values = np.zeros(len(start), np.int64)
    for byte in range(int((control & 0x0F).max())):
        has = (control & 0x0F) > byte
        values[has] |= raw[start[has] + 1 + byte].astype(np.int64) << (8 * byte)
    return np.where(control & 0x80, -values, values)


def _parse(v: Integers) -> ShapePredictor:
    """Take the numbers apart; every vector begins with its length, every matrix with its shape."""
    if v[0] != 1 or v[2] != -1:
        raise ConversionError(_NOT_ONE)
    numbers = -int(v[1])
    mean = _floats(v[3 : 3 + 2 * numbers]).reshape(-1, 2)
    p = 3 + 2 * numbers
    cascades, trees, splits = (int(n) for n in v[p : p + 3])
    tree = 1 + 4 * splits + 1 + (splits + 1) * (2 + 2 * numbers)
    forest = 1 + trees * tree
    blocks = v[p + 1 : p + 1 + cascades * forest].reshape(cascades, forest)
    every = blocks[:, 1:].reshape(cascades, trees, tree)
    split = every[..., 1 : 1 + 4 * splits].reshape(cascades, trees, splits, 4)
    leaf = every[..., 2 + 4 * splits :].reshape(cascades, trees, splits + 1, 2 + 2 * numbers)
    _agree(blocks[:, 0] == trees, every[..., 0] == splits)
    _agree(every[..., 1 + 4 * splits] == splits + 1, leaf[..., 0] == -numbers, leaf[..., 1] == -1)
    p += 1 + cascades * forest
    anchors, p = _vectors(v, p, cascades, width=1)
    offsets, p = _vectors(v, p, cascades, width=4)
    features = anchors.shape[1]
    pixels = split[..., :2].copy()
    _agree(p == len(v), (splits + 1) & splits == 0, pixels >= 0, pixels < features)
    _agree(anchors >= 0, anchors < numbers // 2, offsets.shape[1] == features)
    return ShapePredictor(
        mean,
        pixels,
        _floats(split[..., 2:])[..., 0],
        _floats(leaf[..., 2:]).reshape(cascades, trees, splits + 1, -1, 2),
        anchors[..., 0],
        _floats(offsets),
    )


def _vectors(v: Integers, p: int, count: int, *, width: int) -> tuple[Integers, int]:
    """``count`` vectors of one length in a vector, each element ``width`` numbers; and the end."""
    length = int(v[p + 1])
    block = v[p + 1 : p + 1 + count * (1 + length * width)].reshape(count, 1 + length * width)
    _agree(v[p] == count, block[:, 0] == length)
    return block[:, 1:].reshape(count, length, width), p + 1 + block.size


def _floats(pairs: Integers) -> Floats:
    """Mantissas and powers of two, in turn along the last axis."""
    mantissa, power = pairs[..., 0::2], pairs[..., 1::2]
    with np.errstate(over="ignore"):  # what overflows is refused
        values = np.ldexp(mantissa.astype(np.float64), power.astype(np.int32)).astype(np.float32)
    _agree(np.isfinite(values))
    return values


def _agree(*conditions: NDArray[np.bool_] | np.bool_ | bool) -> None:
    if not all(np.all(condition) for condition in conditions):
        raise ConversionError(_NOT_ONE)
