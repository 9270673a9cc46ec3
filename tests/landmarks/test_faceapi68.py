"""68 points: on real faces, against the mesh's own points, turned, small, and absent."""

import numpy as np
import pytest

from mien import detect, landmarks
from mien.image import open_photo
from mien.landmarks import LandmarkModel
from mien.landmarks.faceapi68 import FROM_MESH
from mien.types import Faces


@pytest.fixture(scope="module")
def net(models):
    return landmarks.create("landmarks68", models)


@pytest.fixture(scope="module")
def portraits(people, models):
    detector = detect.create("yunet", models)
    images = [open_photo(path).pixels() for paths in people.values() for path in paths]
    return [(image, detector.detect([image])[0].take([0])) for image in images]


def apart(points, others):
    """Mean distance, as a share of the eyes' outer distance."""
    eyes = np.linalg.norm(others[36] - others[45])
    return float(np.linalg.norm(points - others, axis=1).mean() / eyes)


def test_every_landmark_model_keeps_the_protocol(models, portraits):
    image, faces = portraits[0]
    for name, count in {"mediapipe478": 478, "landmarks68": 68, "dlib5": 5}.items():
        net = landmarks.create(name, models)
        assert isinstance(net, LandmarkModel)
        assert net.points(image, faces).shape[:2] == (1, count)
        assert net.points(image, faces).dtype == np.float32
        assert net.points5(image, faces).shape == (1, 5, 2)
        assert net.points(image, Faces.empty()).shape[0] == 0
    assert set(landmarks.names()) >= {"mediapipe478", "landmarks68", "dlib5"}


def test_two_independent_nets_see_the_same_face(models, net, portraits):
    mesh = landmarks.create("mediapipe478", models)
    for image, faces in portraits:
        theirs = mesh.points(image, faces)[0][FROM_MESH, :2]
        for given in (faces, Faces(faces.box_xyxy, faces.score, None)):
            away = np.linalg.norm(net.points(image, given)[0] - theirs, axis=1)
            eyes = np.linalg.norm(theirs[36] - theirs[45])
            assert away[17:].mean() / eyes < 0.07  # within the face; the jaw is another line


def test_the_order_is_that_of_ibug(net, portraits):
    for image, faces in portraits:
        points = net.points(image, faces)[0]
        assert points[0, 0] < points[16, 0]  # the jaw from the image's left to its right
        assert points[8, 1] == points[:, 1].max()  # the chin
        assert points[36, 0] < points[39, 0] < points[42, 0] < points[45, 0]
        assert points[27, 1] < points[30, 1] < points[51, 1] < points[57, 1]


def test_a_lying_face_is_found_by_its_landmarks(net, portraits):
    image, faces = portraits[0]
    upright = net.points(image, faces)[0]
    height = image.shape[0]
    turned = np.ascontiguousarray(np.rot90(image, -1))
    marks = np.stack([height - faces.landmarks[..., 1], faces.landmarks[..., 0]], axis=-1)
    lying = Faces(faces.box_xyxy, faces.score, marks.astype(np.float32))
    expected = np.stack([height - upright[:, 1], upright[:, 0]], axis=-1)
    assert apart(net.points(turned, lying)[0], expected) < 0.02
