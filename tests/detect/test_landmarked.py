"""Detectors that give boxes only: their landmarks come from elsewhere."""

import numpy as np
import pytest

from mien import detect
from mien.detect.haar import HaarCascade
from mien.detect.landmarked import Landmarked
from mien.detect.multiscale import MultiScale
from mien.errors import ModelUnavailable
from mien.image import open_photo
from mien.testing import MockDetector, drawn_face
from mien.types import Faces


class BoxesOnly(MockDetector):
    def detect(self, images):
        found = super().detect(images)
        return [Faces(faces.box_xyxy, faces.score) for faces in found]


class Corners:
    """Five times the box's corner."""

    name = "corners"

    def points5(self, image, faces):
        return np.repeat(faces.box_xyxy[:, None, :2], 5, axis=1)


PHOTO = drawn_face(1)
BLANK = np.full_like(PHOTO, 255)


@pytest.mark.parametrize("wrapped", [BoxesOnly(), MultiScale(BoxesOnly())])
def test_faces_get_landmarks_in_their_order(wrapped):
    detector = Landmarked(wrapped, Corners())
    faces, none = detector.detect([PHOTO, BLANK])
    assert detector.name == "mock"
    np.testing.assert_array_equal(faces.landmarks[0, 4], faces.box_xyxy[0, :2])
    assert none.landmarks.shape == (0, 5, 2)


def test_landmarks_that_are_there_are_kept():
    expected = MockDetector().detect([PHOTO])[0].landmarks
    found = Landmarked(MockDetector(), Corners()).detect([PHOTO])[0].landmarks
    np.testing.assert_array_equal(found, expected)


def test_several_looks_without_landmarks_are_merged():
    (faces,) = MultiScale(BoxesOnly()).detect([np.zeros((700, 900, 3), np.uint8)])
    assert len(faces) == 0
    large = np.repeat(np.repeat(PHOTO, 6, axis=0), 6, axis=1)  # two looks
    (faces,) = MultiScale(BoxesOnly()).detect([large])
    assert len(faces) == 1
    assert faces.landmarks is None


def test_a_crop_is_one_face_with_landmarks_that_fit(models, people):
    yunet, skip = (detect.create(name, models) for name in ("yunet", "skip"))
    for paths in people.values():
        photo = open_photo(paths[0]).pixels()
        face = yunet.detect([photo])[0][0]
        x0, y0, x1, y1 = (round(v) for v in face.box.to_list())
        (found,) = skip.detect([photo[y0:y1, x0:x1]])
        np.testing.assert_array_equal(found.box_xyxy, [[0, 0, x1 - x0, y1 - y0]])
        away = np.linalg.norm(found.landmarks[0] + [x0, y0] - face.landmarks, axis=1)
        assert away.max() < 0.2 * np.linalg.norm(face.landmarks[1] - face.landmarks[0])


def test_a_cascade_that_is_not_there(models, tmp_path):
    card = models.card("opencv", "detect")
    with pytest.raises(ModelUnavailable, match="opencv-python-headless"):
        HaarCascade(card, tmp_path / "missing.xml")
