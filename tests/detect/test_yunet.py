"""YuNet against OpenCV's own FaceDetectorYN, on real photos."""

import cv2
import numpy as np
import pytest

from mien import config, detect
from mien.detect.yunet import YuNet
from mien.image import open_photo
from mien.models import ModelStore


@pytest.fixture(scope="module")
def at_float32(weights):
    settings = weights.model_copy(update={"precision": "float32"})
    return ModelStore(settings)


@pytest.fixture(scope="module")
def yunet(at_float32):
    return YuNet.load(at_float32.card("yunet", "detect"), at_float32)


def photos(people):
    return [open_photo(path).pixels() for paths in people.values() for path in paths]


@pytest.mark.parametrize("long_side", [320, 640, 801])
def test_boxes_and_landmarks_agree_with_opencv(people, at_float32, yunet, long_side):
    published = at_float32.source_path(at_float32.card("yunet", "detect"))
    reference = cv2.FaceDetectorYN.create(str(published), "", (32, 32), 0.6, 0.3, 5000)
    compared = 0
    for photo in photos(people):
        scale = long_side / max(photo.shape[:2])
        size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
        image = cv2.resize(photo, size)
        reference.setInputSize(size)
        rows = reference.detect(np.ascontiguousarray(image[..., ::-1]))[1]
        rows = np.zeros((0, 15), np.float32) if rows is None else rows
        faces = yunet.detect([image])[0]
        assert len(faces) == len(rows)
        for face in faces:
            row = min(rows, key=lambda row: abs(row[0] - face.box.x0) + abs(row[1] - face.box.y0))
            box = np.array([*row[:2], *(row[:2] + row[2:4])]).clip(0, [*size, *size])
            np.testing.assert_allclose(face.box.to_list(), box, atol=2)
            np.testing.assert_allclose(face.landmarks, row[4:14].reshape(5, 2), atol=2)
            assert face.score == pytest.approx(row[14], abs=0.01)
            compared += 1
    assert compared >= 5


def test_every_sample_photo_shows_its_person(people, at_float32):
    detector = detect.create("yunet", at_float32)
    for paths in people.values():
        for path in paths:
            faces = detector.detect([open_photo(path).pixels()])[0]
            assert len(faces) >= 1, path.name
            assert faces.score[0] > 0.7, path.name


def test_a_12_megapixel_photo_and_a_60_pixel_face(people, at_float32):
    """The same face at 60 pixels somewhere in a 4000 x 3000 photo, and filling it."""
    detector = detect.create("yunet", at_float32)
    portrait = open_photo(people["Barack Obama"][0]).pixels()
    face = detector.detect([portrait])[0][0]
    scale = 60 / face.box.width
    small = cv2.resize(portrait, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    large = np.full((3000, 4000, 3), 127, np.uint8)
    large[2000 : 2000 + small.shape[0], 3100 : 3100 + small.shape[1]] = small
    found = detector.detect([large])[0]
    assert len(found) == 1
    expected = np.array(face.box.to_list()) * scale + [3100, 2000, 3100, 2000]
    np.testing.assert_allclose(found.box_xyxy[0], expected, atol=6)

    filling = cv2.resize(portrait, (3000, 3750), interpolation=cv2.INTER_CUBIC)
    (only,) = detector.detect([filling])[0]
    stretch = np.array([3000 / portrait.shape[1], 3750 / portrait.shape[0]] * 2)
    np.testing.assert_allclose(only.box.to_list(), np.array(face.box.to_list()) * stretch, rtol=0.1)


def test_unknown_detectors_are_named():
    from mien.errors import UnknownModel

    with pytest.raises(UnknownModel, match="yunet"):
        detect.create("yunett", ModelStore(config.load()))


def test_names_lists_the_detectors():
    assert "yunet" in detect.names()
