import numpy as np
import pytest

from mien import detect, landmarks
from mien.errors import UnknownModel
from mien.image import open_photo
from mien.landmarks import LandmarkModel
from mien.types import Faces


@pytest.fixture(scope="module")
def net(models):
    return landmarks.create("mediapipe478", models)


@pytest.fixture(scope="module")
def portraits(people, models):
    """Photos with the largest face that the default detector finds in each."""
    detector = detect.create("yunet", models)
    images = [open_photo(path).pixels() for paths in people.values() for path in paths]
    return [(image, detector.detect([image])[0].take([0])) for image in images]


def eye_distance(points5):
    return float(np.linalg.norm(points5[0, 0] - points5[0, 1]))


def boxes_only(faces):
    return Faces(faces.box_xyxy, faces.score, None)


def test_it_keeps_the_protocol(net):
    assert isinstance(net, LandmarkModel)
    assert landmarks.names()[0]


def test_five_points_lie_where_the_detector_sees_them(net, portraits):
    for image, faces in portraits:
        for given in (faces, boxes_only(faces)):
            points = net.points5(image, given)
            assert points.shape == (1, 5, 2)
            apart = np.linalg.norm(points - faces.landmarks, axis=2) / eye_distance(points)
            assert apart.max() < 0.25
            assert apart.mean() < 0.12


def test_a_box_is_as_good_as_landmarks(net, portraits):
    """The second look is turned upright by the first, so where it started hardly matters."""
    for image, faces in portraits:
        one, other = net.mesh(image, faces), net.mesh(image, boxes_only(faces))
        apart = np.linalg.norm(one.points[..., :2] - other.points[..., :2], axis=2)
        assert apart.max() / eye_distance(one.points5) < 0.08
        assert one.presence.min() > 0.99
        assert other.presence.min() > 0.99


@pytest.mark.parametrize("turns", [1, 3])
def test_a_lying_face_is_found_by_its_landmarks(net, portraits, turns):
    image, faces = portraits[0]
    turned, turned_faces = image, faces.landmarks
    for _ in range(turns):
        height = turned.shape[0]
        turned = np.ascontiguousarray(np.rot90(turned, -1))
        turned_faces = np.stack([height - turned_faces[..., 1], turned_faces[..., 0]], axis=-1)
    lying = Faces(faces.box_xyxy, faces.score, turned_faces.astype(np.float32))
    points = net.points5(turned, lying)
    apart = np.linalg.norm(points - turned_faces, axis=2) / eye_distance(points)
    assert apart.max() < 0.25


def test_no_face_and_several(net, portraits):
    image, faces = portraits[0]
    assert net.points5(image, Faces.empty()).shape == (0, 5, 2)
    assert net.mesh(image, Faces.empty()).points.shape == (0, 478, 3)
    twice = net.mesh(image, faces.take([0, 0]))
    np.testing.assert_array_equal(twice.points[0], twice.points[1])


def test_presence_is_low_where_there_is_no_face(net, portraits):
    image, _ = portraits[0]
    box = np.array([[0, 0, 80, 80]], np.float32)
    blank = np.full_like(image, 127)
    assert net.mesh(blank, Faces(box, np.ones(1, np.float32), None)).presence[0] < 0.5


def test_unknown_models_are_named(models):
    with pytest.raises(UnknownModel, match="mediapipe478"):
        landmarks.create("mediapipe", models)
