"""Run a detector at the scales where it works, and merge what it finds.

A detector has a range of face sizes. ``MultiScale`` looks at a photo

1. at ``base_side`` (never enlarged): enough for most photos;
2. in photos longer than ``fine_above``, at ``fine_side`` too: small faces in large photos;
3. when nothing or only a weak face was found: padded (a face that fills the photo leaves the
   detector's largest anchors), at ``small_side``, and enlarged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from mien.detect.protocol import Detector
from mien.detect.suppression import keep_best
from mien.types import RGB, Faces

__all__ = ["MultiScale", "MultiScaleOptions"]


@dataclass(frozen=True, slots=True)
class MultiScaleOptions:
    """The scales, as long sides in pixels.

    Attributes:
        base_side: of the first look.
        fine_above: photos longer than this get a second look at ``fine_side``.
        fine_side: of the second look; the smallest frontal face that is found measures about
            ``16 * long side / fine_side`` pixels.
        small_side: of the last look for a face that is too large.
        padding: black border of the padded look, as a share of the long side.
        weak_score: the last looks are taken when no face reaches this score.
        overlap: intersection over union above which two boxes are one face.
    """

    base_side: int = 640
    fine_above: int = 1280
    fine_side: int = 1920
    small_side: int = 320
    padding: float = 0.3
    weak_score: float = 0.8
    overlap: float = 0.3


class MultiScale:
    """A :class:`Detector` that calls another one at several scales.

    Args:
        detector: finds faces at an image's own scale.
        options: the scales.
    """

    def __init__(self, detector: Detector, options: MultiScaleOptions | None = None) -> None:
        self.name = detector.name
        self.options = options or MultiScaleOptions()
        self._detector = detector

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image, in the image's own pixels."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        options = self.options
        long_side = max(image.shape[:2])
        found = [self._look(image, options.base_side)]
        if long_side > options.fine_above:
            found.append(self._look(image, options.fine_side))
        if _best_score(found) < options.weak_score:
            found.extend(self._last_looks(image))
        return self._merge(found, image.shape[:2])

    def _look(self, image: RGB, long_side: int, *, enlarge: bool = False) -> Faces:
        """The faces at ``long_side``, in the coordinates of ``image``."""
        height, width = image.shape[:2]
        scale = long_side / max(height, width)
        if scale == 1 or (scale > 1 and not enlarge):
            return self._detector.detect([image])[0]
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small: RGB = cv2.resize(_averaged(image, scale), size, interpolation=cv2.INTER_LINEAR)  # type: ignore[assignment]
        faces = self._detector.detect([small])[0]
        return faces.scaled(width / size[0], height / size[1], size_hw=(height, width))

    def _last_looks(self, image: RGB) -> Iterator[Faces]:
        options = self.options
        height, width = image.shape[:2]
        long_side = max(height, width)
        border = round(long_side * options.padding)
        padded: RGB = np.pad(image, ((border, border), (border, border), (0, 0)))
        yield self._look(padded, options.base_side).shifted(-border, -border)
        if long_side > options.small_side:
            yield self._look(image, options.small_side)
        if long_side <= options.fine_above:
            yield self._look(image, min(2 * long_side, options.fine_above), enlarge=True)

    def _merge(self, found: list[Faces], size_hw: tuple[int, ...]) -> Faces:
        if len(found) == 1:
            return found[0]
        box = np.concatenate([faces.box_xyxy for faces in found])
        score = np.concatenate([faces.score for faces in found])
        points = [faces.landmarks for faces in found if faces.landmarks is not None]
        keep = keep_best(box, score, overlap=self.options.overlap)
        landmarks = np.concatenate(points)[keep] if len(points) == len(found) else None
        return Faces.ordered(box[keep], score[keep], landmarks, size_hw=(size_hw[0], size_hw[1]))


def _best_score(found: list[Faces]) -> float:
    return max((float(faces.score.max(initial=0)) for faces in found), default=0.0)


def _averaged(image: RGB, scale: float) -> RGB:
    """``image`` at less than twice the wanted size, by averaging whole blocks of pixels.

    Bilinear sampling skips pixels below a scale of one half; averaging by a whole factor is
    cheap, by a fraction (``INTER_AREA`` to the final size) it costs as much as the net.
    """
    factor = int(1 / scale)
    if factor < 2:
        return image
    size = (max(1, image.shape[1] // factor), max(1, image.shape[0] // factor))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]
