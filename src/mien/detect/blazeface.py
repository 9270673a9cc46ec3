"""BlazeFace: the face detectors of Google's MediaPipe, for short, long and full range.

Source: Bazarevsky, Kartynnik, Vakunov, Raveendran, Grundmann, "BlazeFace: Sub-millisecond Neural
Face Detection on Mobile GPUs", 2019, https://arxiv.org/abs/1907.05047; reference implementation:
``face_detection`` of MediaPipe, whose anchors and weighted suppression are used here.

The nets point at eyes, nose, the middle of the mouth and the ears. The mouth's corners come from
the landmark model, and with them all five points, so that they belong together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.align import similarity_transform
from mien.detect.multiscale import MultiScale, MultiScaleOptions
from mien.detect.suppression import keep_blended
from mien.landmarks.mediapipe478 import TEMPLATE, MediaPipe478
from mien.models import ModelCard, ModelStore, Session
from mien.types import RGB, Faces

__all__ = ["LAYOUTS", "BlazeFace", "Layout", "MediaPipe"]

MULTIPLE = 32
MIN_PRESENCE = 0.5  # as face_landmarker has it
MIN_BLENDED = 0.5  # weaker candidates take no part in the blending
MIDDLE = np.float32(127.5)
# Eyes, nose and the middle of the mouth, as the net gives them, in an upright face.
FOUR = np.vstack([TEMPLATE[:3], TEMPLATE[3:].mean(axis=0, keepdims=True)])

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layout:
    """What distinguishes the nets.

    Attributes:
        layers: stride and faces a cell of each map, in the order of the outputs.
        scales: the sides at which it is shown a photo. MediaPipe shows the whole photo at 128, 256
            or 192 pixels only; here small faces get a second look, and weak ones more.
        min_score: faces below are dropped, 0..1.
    """

    layers: tuple[tuple[int, int], ...]
    scales: MultiScaleOptions
    min_score: float


# Chosen on photos with 89 labelled faces and 61 portraits: the least cost without a false face.
LAYOUTS = {
    "mediapipe": Layout(
        ((4, 1),),
        MultiScaleOptions(
            base_side=192, fine_above=384, fine_side=384, small_side=96, weak_score=0.6
        ),
        min_score=0.5,
    ),
    "mediapipe-back": Layout(
        ((16, 2), (32, 6)),
        MultiScaleOptions(
            base_side=256, fine_above=512, fine_side=512, small_side=128, weak_score=0.7
        ),
        min_score=0.6,
    ),
    "mediapipe-short": Layout(
        ((8, 2), (16, 6)),
        MultiScaleOptions(
            base_side=256, fine_above=512, fine_side=512, small_side=128, weak_score=0.7
        ),
        min_score=0.7,
    ),
}


class BlazeFace:
    """Finds faces at an image's own scale; their landmarks are rough.

    Args:
        card: the model's card.
        session: input ``(1, 3, H, W)`` RGB -1..1, H and W multiples of 32; outputs, one row an
            anchor: 16 numbers in pixels from the anchor (centre of the box, its width and height,
            six points), and log-odds of a face.
        layout: see :class:`Layout`.
        overlap: intersection over union above which boxes are blended to one.
    """

    def __init__(
        self, card: ModelCard, session: Session, layout: Layout, *, overlap: float = 0.3
    ) -> None:
        self.name = card.name
        self._session = session
        self._input = session.input_names[0]
        self._layers = layout.layers
        self._min_score = layout.min_score
        self._overlap = overlap

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image."""
        return [self._detect_one(image) for image in images]

    def _detect_one(self, image: RGB) -> Faces:
        table, score = self.find(image)
        five = np.array([_five(row) for row in table[:, 4:12].reshape(-1, 4, 2)], np.float32)
        size_hw = (image.shape[0], image.shape[1])
        return Faces.ordered(table[:, :4], score, five.reshape(-1, 5, 2), size_hw=size_hw)

    def find(self, image: RGB) -> tuple[Floats, Floats]:
        """What the net itself says of one image.

        Returns:
            ``(n, 16)`` pixels: the box's corners, and six points, image-left first: eyes, nose tip,
            middle of the mouth, ears; and ``(n,)`` scores, best first.
        """
        height, width = image.shape[:2]
        rows, columns = -(-height // MULTIPLE) * MULTIPLE, -(-width // MULTIPLE) * MULTIPLE
        blob = np.full((1, 3, rows, columns), -1, np.float32)  # black, as MediaPipe pads
        for channel, plane in enumerate(cv2.split(image)):
            blob[0, channel, :height, :width] = plane / MIDDLE - 1
        outputs = self._session.run({self._input: blob})
        pairs, logit = (outputs[name][0] for name in self._session.output_names[:2])
        score = 1 / (1 + np.exp(-logit[:, 0].clip(-80, 80)))
        index = np.flatnonzero(score > MIN_BLENDED)
        anchor = self._anchors(rows, columns)[index]
        pairs = pairs[index].reshape(-1, 8, 2)
        centre, half = pairs[:, 0] + anchor, pairs[:, 1] / 2
        points = (pairs[:, 2:] + anchor[:, None]).reshape(-1, 12)
        table = np.hstack([centre - half, centre + half, points])
        table, score = keep_blended(table, score[index], overlap=self._overlap)
        sure = score >= self._min_score
        return table[sure], score[sure]

    def _anchors(self, rows: int, columns: int) -> Floats:
        """``(n, 2)``: the middles of the cells of all maps, pixels."""
        found = []
        for stride, faces in self._layers:
            y, x = np.indices((rows // stride, columns // stride), np.float32)
            middle = (np.stack([x.ravel(), y.ravel()], axis=1) + np.float32(0.5)) * stride
            found.append(middle.repeat(faces, axis=0))
        return np.concatenate(found)


def _five(four: Floats) -> NDArray[np.float64]:
    """Five points from eyes, nose and the middle of the mouth, by an upright face's shape."""
    matrix = similarity_transform(FOUR, four)
    return TEMPLATE @ matrix[:, :2].T + matrix[:, 2]


class MediaPipe:
    """A :class:`~mien.detect.Detector`: BlazeFace at several scales, then the face mesh's points.

    Args:
        detector: finds the faces.
        mesh: places their five points; where it sees no face, the rough ones stay.
    """

    scales = None

    def __init__(self, detector: MultiScale, mesh: MediaPipe478) -> None:
        self.name = detector.name
        self._detector = detector
        self._mesh = mesh

    @classmethod
    def load(cls, card: ModelCard, models: ModelStore) -> MediaPipe:
        """Fetch the weights, if need be, and open them."""
        layout = LAYOUTS[card.name]
        session = models.open(card, streams=models.settings.thread_budget)
        detector = MultiScale(BlazeFace(card, session, layout), layout.scales)
        mesh = MediaPipe478.load(models.card("mediapipe478", "landmarks"), models)
        return cls(detector, mesh)

    def detect(self, images: Sequence[RGB]) -> list[Faces]:
        """The faces of each image."""
        return [
            self._with_points(image, faces)
            for image, faces in zip(images, self._detector.detect(images), strict=True)
        ]

    def _with_points(self, image: RGB, faces: Faces) -> Faces:
        rough = faces.landmarks
        if rough is None or not len(faces):
            return Faces.empty()
        found = self._mesh.mesh(image, faces)
        sure = (found.presence >= MIN_PRESENCE)[:, None, None]
        return Faces(faces.box_xyxy, faces.score, np.where(sure, found.points5, rough))
