import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.detect import MultiScale, MultiScaleOptions
from mien.detect.suppression import keep_best
from mien.testing import MockDetector, drawn_photo
from mien.types import Faces


class Watching:
    """Records the sizes that a detector is shown, and finds only faces within its range."""

    name = "watching"

    def __init__(self, smallest=0, largest=10_000, score=0.99):
        self.sizes = []
        self.range = (smallest, largest)
        self.score = score

    def detect(self, images):
        self.sizes += [image.shape[:2] for image in images]
        return [self._in_range(faces) for faces in MockDetector().detect(images)]

    def _in_range(self, faces):
        side = faces.box_xyxy[:, 2] - faces.box_xyxy[:, 0]
        kept = faces.take(np.flatnonzero((side >= self.range[0]) & (side <= self.range[1])))
        return Faces(kept.box_xyxy, np.full(len(kept), self.score, np.float32), kept.landmarks)


def test_an_ordinary_photo_is_looked_at_once():
    base = Watching()
    faces = MultiScale(base).detect([drawn_photo([(1, 300, 200, 200)], (900, 1100))])[0]
    assert base.sizes == [(524, 640)]
    np.testing.assert_allclose(faces.box_xyxy[0], [300, 200, 500, 400], atol=3)


def test_a_small_photo_is_not_enlarged_when_a_face_is_clear():
    base = Watching()
    assert len(MultiScale(base).detect([drawn_photo([(1, 20, 20, 100)], (200, 220))])[0]) == 1
    assert base.sizes == [(200, 220)]


def test_a_large_photo_is_looked_at_finely_too():
    base = Watching(smallest=20)
    photo = drawn_photo([(1, 100, 100, 900), (2, 2500, 1500, 60)], (2000, 3000))
    faces = MultiScale(base).detect([photo])[0]
    assert base.sizes == [(427, 640), (1280, 1920)]
    assert len(faces) == 2
    np.testing.assert_allclose(faces.box_xyxy[1], [2500, 1500, 2560, 1560], atol=4)


def test_a_face_that_fills_the_photo_is_found_padded():
    base = Watching(largest=350)
    photo = drawn_photo([(1, 20, 20, 560)], (600, 600))
    faces = MultiScale(base).detect([photo])[0]
    assert len(faces) == 1
    np.testing.assert_allclose(faces.box_xyxy[0], [20, 20, 580, 580], atol=6)


def test_a_weak_find_is_improved_not_doubled():
    base = Watching(score=0.7)
    faces = MultiScale(base).detect([drawn_photo([(1, 100, 100, 120)], (400, 500))])[0]
    assert len(base.sizes) == 4
    assert len(faces) == 1


def test_a_photo_without_a_face_gets_every_look_and_no_face():
    base = Watching()
    faces = MultiScale(base).detect([np.full((700, 900, 3), 127, np.uint8)])[0]
    assert len(faces) == 0
    assert faces.landmarks.shape == (0, 5, 2)
    assert len(base.sizes) == 4


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 3000), (3000, 1), (17, 4000)])
def test_extreme_shapes(size_hw):
    assert len(MultiScale(Watching()).detect([np.zeros((*size_hw, 3), np.uint8)])[0]) == 0


def test_scales_are_options():
    base = Watching()
    MultiScale(base, MultiScaleOptions(base_side=320)).detect(
        [drawn_photo([(1, 100, 100, 300)], (640, 640))]
    )
    assert base.sizes == [(320, 320)]


boxes = st.lists(
    st.tuples(
        st.floats(0, 100, width=32),
        st.floats(0, 100, width=32),
        st.floats(1, 50, width=32),
        st.floats(1, 50, width=32),
        st.floats(0.0625, 1, width=32),
    ),
    max_size=20,
)


def overlap(a, b):
    side = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = max(side[0], 0) * max(side[1], 0)
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return common / (area - common)


@given(boxes, st.floats(0.1, 0.9))
def test_suppression_keeps_the_best_and_nothing_that_overlaps(found, limit):
    rows = np.array(found, np.float32).reshape(-1, 5)
    box = np.hstack([rows[:, :2], rows[:, :2] + rows[:, 2:4]])
    score = rows[:, 4]
    kept = keep_best(box, score, overlap=limit)
    assert list(score[kept]) == sorted(score[kept], reverse=True)
    for i in kept:
        for j in kept:
            assert i == j or overlap(box[i], box[j]) <= limit + 1e-3
    for i in set(range(len(score))) - set(kept.tolist()):
        assert any(overlap(box[i], box[j]) > limit - 1e-3 and score[j] >= score[i] for j in kept)
