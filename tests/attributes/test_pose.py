"""Head pose of real faces: a picture, its mirror, and the picture turned."""

import numpy as np
import pytest

from mien.attributes import FaceView, create
from mien.image import open_photo


@pytest.fixture(scope="module")
def pose(engine):
    model = create("pose", engine.models)

    def measure(pixels):
        image = np.ascontiguousarray(pixels)
        return model.measure(FaceView(image, engine.detect(image)[0]))

    return measure


def test_a_mirror_turns_yaw_and_roll_round(pose, people):
    for photos in people.values():
        pixels = open_photo(photos[0]).pixels()
        seen, mirrored = pose(pixels), pose(pixels[:, ::-1])
        assert mirrored.yaw == pytest.approx(-seen.yaw, abs=5)
        assert mirrored.roll == pytest.approx(-seen.roll, abs=3)
        assert mirrored.pitch == pytest.approx(seen.pitch, abs=5)


def test_the_signs(pose, people):
    import cv2

    pixels = open_photo(people["Barack Obama"][0]).pixels()
    upright = pose(pixels)
    height, width = pixels.shape[:2]
    anticlockwise = cv2.getRotationMatrix2D((width / 2, height / 2), 20, 1)
    turned = pose(cv2.warpAffine(pixels, anticlockwise, (width, height)))
    assert turned.roll - upright.roll == pytest.approx(20, abs=4)
    assert abs(upright.yaw) < 20
    assert set(upright.to_dict()) == {"yaw", "pitch", "roll"}
