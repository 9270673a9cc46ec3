"""Azure's 27 names: all of them, in their places, by the image's sides."""

import json

import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.image import open_photo
from mien.landmarks.named import NAMED, FaceLandmarks

AZURE = """
pupilLeft pupilRight noseTip mouthLeft mouthRight eyebrowLeftOuter eyebrowLeftInner eyeLeftOuter
eyeLeftTop eyeLeftBottom eyeLeftInner eyebrowRightInner eyebrowRightOuter eyeRightInner eyeRightTop
eyeRightBottom eyeRightOuter noseRootLeft noseRootRight noseLeftAlarTop noseRightAlarTop
noseLeftAlarOutTip noseRightAlarOutTip upperLipTop upperLipBottom underLipTop underLipBottom
"""


@pytest.fixture(scope="module")
def found(engine, people):
    pixels = open_photo(people["Barack Obama"][0]).pixels()
    mirrored = np.ascontiguousarray(pixels[:, ::-1])
    here, there = (engine.landmarks(one, max_faces=1)[0]["landmarks"] for one in (pixels, mirrored))
    return here, there, pixels.shape[1]


def test_the_names_are_azures():
    assert list(NAMED) == AZURE.split()
    used = [index for part in NAMED.values() for index in part]
    assert len(set(used)) == len(used)


def test_left_is_the_left_of_the_image(found):
    points = found[0].named()
    for left in (name for name in NAMED if "Left" in name):
        right = left.replace("Left", "Right")
        assert points[left][0] < points[right][0], left


def test_a_mirrored_photo_exchanges_left_and_right(found):
    here, there, width = found
    eyes = np.linalg.norm(np.subtract(here.named()["pupilLeft"], here.named()["pupilRight"]))
    for name, (x, y) in here.named().items():
        if "Left" in name or "Right" in name:
            swap = {"Left": "Right", "Right": "Left"}
            other = next(name.replace(a, b) for a, b in swap.items() if a in name)
        else:
            other = name
        mirrored = there.named()[other]
        away = np.hypot(width - mirrored[0] - x, mirrored[1] - y)
        assert away < 0.12 * eyes, name


def test_parts_lie_in_order_from_the_brow_to_the_chin(found):
    points = {name: y for name, (_, y) in found[0].named().items()}
    for column in (
        ("eyebrowLeftInner", "eyeLeftTop", "pupilLeft", "eyeLeftBottom", "noseLeftAlarTop"),
        ("eyebrowRightInner", "eyeRightTop", "pupilRight", "eyeRightBottom", "noseRightAlarTop"),
        ("noseRootLeft", "noseLeftAlarTop", "noseLeftAlarOutTip", "mouthLeft"),
        ("noseTip", "upperLipTop", "upperLipBottom", "underLipTop", "underLipBottom"),
    ):
        heights = [points[name] for name in column]
        assert heights == sorted(heights), column


def test_the_document(found):
    document = json.loads(found[0].to_json())
    assert document["model"] == "mediapipe478"
    assert np.shape(document["points"]) == (478, 3)
    assert list(document["named"]) == list(NAMED)
    assert set(document["named"]["noseTip"]) == {"x", "y"}


def test_too_few_points_have_no_names(engine, people):
    few = engine.landmarks(people["Barack Obama"][0], model="landmarks68")[0]["landmarks"]
    assert len(few) == 68
    assert "named" not in few.to_dict()
    with pytest.raises(InvalidArgument, match="choose mediapipe478"):
        few.named()


def test_no_face_has_no_points(engine):
    found = engine.landmarks(np.full((60, 80, 3), 127, np.uint8))
    assert found.to_dict() == {"faces": []}


def test_points_are_the_photos_own_pixels():
    assert FaceLandmarks("x", np.full((478, 3), 7.126, np.float32)).named()["noseTip"] == (
        pytest.approx(7.126),
        pytest.approx(7.126),
    )
