"""Mesh, movements and pose against MediaPipe's own ``face_landmarker``.

``golden_face_landmarker.json``: mediapipe 0.10.21 with the same ``face_landmarker.task``, on the
sample photos at a long side of 512 and on their mirror images: some points in pixels, yaw, pitch
and roll of its transformation matrix (signs as ``head_pose`` has them), smile and jaw; and all
points and movements of one photo. MediaPipe looks once, at a square by its own detector, and
fits the head in perspective, so the numbers are close and not equal.
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien import detect, landmarks
from mien.errors import InvalidArgument
from mien.image import open_photo
from mien.landmarks.blendshapes import MOVEMENTS, POINTS, Blendshapes
from mien.landmarks.mediapipe478 import FaceMesh
from mien.landmarks.pose import MODEL, WEIGHT, head_pose
from mien.landmarks.pose import POINTS as RIGID

GOLDEN = json.loads((Path(__file__).parent / "golden_face_landmarker.json").read_text())


@pytest.fixture(scope="module")
def net(models):
    return landmarks.create("mediapipe478", models)


@pytest.fixture(scope="module")
def blendshapes(models):
    return Blendshapes.load(models.card("mediapipe-blendshapes", "landmarks"), models)


@pytest.fixture(scope="module")
def looked_at(people, models, net):
    """``(golden row, mesh)`` of every photo and its mirror image."""
    detector = detect.create("yunet", models)
    files = {path.name: path for paths in people.values() for path in paths}
    found = []
    for row in GOLDEN["photos"]:
        photo = open_photo(files[row["photo"]]).pixels()
        scale = 512 / max(photo.shape[:2])
        size = (round(photo.shape[1] * scale), round(photo.shape[0] * scale))
        image = cv2.resize(photo, size, interpolation=cv2.INTER_AREA)
        image = np.ascontiguousarray(image[:, ::-1]) if row["mirrored"] else image
        found.append((row, net.mesh(image, detector.detect([image])[0].take([0]))))
    return found


def test_points_are_mediapipes(looked_at):
    for row, mesh in looked_at:
        points = mesh.points[0]
        eyes = np.linalg.norm(points[33, :2] - points[263, :2])
        index = [int(i) for i in row["points"]]
        away = np.linalg.norm(points[index, :2] - list(row["points"].values()), axis=1)
        assert away.mean() < 0.03 * eyes, row["photo"]
        assert away.max() < 0.08 * eyes, row["photo"]


def test_pose_is_mediapipes(looked_at):
    apart = np.array([head_pose(mesh)[0] - row["pose"] for row, mesh in looked_at])
    assert np.abs(apart[:, 0]).max() < 3
    assert np.abs(apart[:, 1]).max() < 8
    assert np.abs(apart[:, 2]).max() < 4


def test_signs_of_the_pose_turn_with_the_photo(looked_at):
    """A mirrored photo looks the other way and leans the other way, and no higher."""
    turned = 0
    for (row, mesh), (_, mirrored) in zip(looked_at[::2], looked_at[1::2], strict=True):
        pose, other = head_pose(mesh)[0], head_pose(mirrored)[0]
        np.testing.assert_allclose(other, pose * [-1, 1, -1], atol=2.5)
        if abs(row["pose"][0]) > 10:  # the nose's side of the middle between the eyes says it too
            nose, left, right = mesh.points[0, [1, 33, 263], :2]
            aside = (nose - (left + right) / 2) @ (right - left)
            assert np.sign(aside) == np.sign(pose[0])
            turned += 1
    assert turned >= 3


@pytest.mark.parametrize(
    ("yaw", "pitch", "roll"), [(0, 0, 0), (30, 0, 0), (-30, 10, 5), (50, -20, -40), (0, 35, 120)]
)
def test_a_turned_model_has_the_pose_it_was_turned_by(yaw, pitch, roll):
    a, b, c = np.radians([yaw, pitch, roll])
    turn_yaw = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    turn_pitch = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn_roll = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    turned = MODEL @ (turn_yaw @ turn_pitch @ turn_roll).T
    points = np.zeros((1, 478, 3), np.float32)
    points[0, RIGID] = turned * 7 * (1, -1, -1) + (300, 200, 0)
    pose = head_pose(FaceMesh(points, np.ones(1, np.float32)))[0]
    np.testing.assert_allclose(pose, [yaw, pitch, roll], atol=1e-3)


def test_a_yaw_to_the_subjects_left_moves_the_nose_to_the_images_right():
    nose = int(np.flatnonzero(RIGID == 4)[0])
    points = np.zeros((1, 478, 3), np.float32)
    a = np.radians(20)
    turned = MODEL @ np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]).T
    points[0, RIGID] = turned * (1, -1, -1)
    assert points[0, RIGID[nose], 0] > 0
    assert head_pose(FaceMesh(points, np.ones(1, np.float32)))[0, 0] == pytest.approx(20, abs=1e-3)
    assert WEIGHT.sum() == pytest.approx(1)


def test_movements_from_mediapipes_points_are_mediapipes(blendshapes):
    points = np.zeros((1, 478, 3), np.float32)
    points[0, :, :2] = GOLDEN["mesh"]
    movements = blendshapes.of(FaceMesh(points, np.ones(1, np.float32)))
    np.testing.assert_allclose(movements.score[0], GOLDEN["movements"], atol=0.02)


def test_smile_and_jaw_are_close_to_mediapipes(looked_at, blendshapes):
    movements = [blendshapes.of(mesh) for _, mesh in looked_at]
    smile = [float(one.smile[0]) for one in movements]
    wanted = [row["smile"] for row, _ in looked_at]
    assert np.abs(np.subtract(smile, wanted)).mean() < 0.1
    assert np.corrcoef(smile, wanted)[0, 1] > 0.95
    jaw = [float(one.mouth_open[0]) for one in movements]
    assert np.abs(np.subtract(jaw, [row["mouth_open"] for row, _ in looked_at])).mean() < 0.05


def test_movements_do_not_depend_on_where_and_how_the_face_lies(looked_at, blendshapes):
    mesh = looked_at[0][1]
    expected = blendshapes.of(mesh).score
    a = np.radians(70)
    turned = mesh.points.copy()
    turned[..., :2] = turned[..., :2] @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    turned = turned * 3 + np.float32(1000)
    other = blendshapes.of(FaceMesh(turned, mesh.presence)).score
    np.testing.assert_allclose(other, expected, atol=5e-3)


def test_movements_have_names(looked_at, blendshapes):
    assert len(MOVEMENTS) == len(set(MOVEMENTS)) == 52
    assert len(POINTS) == 146
    movements = blendshapes.of(looked_at[0][1])
    assert movements.score.shape == (1, 52)
    assert movements.eyes_closed.shape == (1, 2)
    assert movements["jawOpen"][0] == movements.mouth_open[0]
    with pytest.raises(InvalidArgument, match="mouthSmileLeft"):
        movements["smile"]


def test_no_face_has_no_pose_and_no_movements(blendshapes):
    nobody = FaceMesh(np.zeros((0, 478, 3), np.float32), np.zeros(0, np.float32))
    assert head_pose(nobody).shape == (0, 3)
    assert blendshapes.of(nobody).score.shape == (0, 52)
