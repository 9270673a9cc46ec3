"""Eyes, mouth and smile of the sample photos, of their mirror images, and of the mesh's shape."""

import dataclasses

import numpy as np
import pytest

from mien.attributes import create
from mien.attributes.movements import lip_gap
from mien.landmarks.mediapipe478 import FaceMesh


@pytest.fixture(scope="module")
def measure(every_licence):
    loaded = {name: create(name, every_licence) for name in ("eyes", "mouth", "smile")}
    return lambda name, view: loaded[name].measure(view)


def test_smiles_and_open_eyes_of_the_sample_photos(measure, views):
    for name in ("obama.jpg", "astronaut.png"):
        assert measure("smile", views[name]).value
        assert measure("mouth", views[name]).value  # both show their teeth
        eyes = measure("eyes", views[name])
        assert eyes.left.value
        assert eyes.right.value


def test_left_is_the_eye_on_the_left_of_the_image(every_licence, views):
    """The lids of one eye of a real mesh are brought together; the other eye stays open."""
    lids = {
        "left": ((161, 163), (160, 144), (159, 145), (158, 153), (157, 154)),
        "right": ((388, 390), (387, 373), (386, 374), (385, 380), (384, 381)),
    }
    eyes = create("eyes", every_licence)
    for side, pairs in lids.items():
        view = dataclasses.replace(views["obama.jpg"])
        mesh = eyes._reader.mesh(view)
        points = mesh.points.copy()
        for upper, lower in pairs:
            points[0, upper] = points[0, lower]
        found = eyes.measure(_with_mesh(views["obama.jpg"], FaceMesh(points, mesh.presence)))
        other = "right" if side == "left" else "left"
        assert getattr(found, side).score < 0.5 < getattr(found, other).score
        assert view.face.landmarks[0, 0] < view.face.landmarks[1, 0]


def _with_mesh(view, mesh):
    made = dataclasses.replace(view)
    made.once("mesh", lambda: mesh)
    return made


def test_the_gap_between_the_lips_has_no_unit():
    points = np.zeros((1, 478, 3), np.float32)
    points[0, 263] = (100, 0, 0)
    for upper, lower in ((82, 87), (13, 14), (312, 317)):
        points[0, upper], points[0, lower] = (0, 0, 0), (0, 10, 0)
    for scale in (0.01, 1, 30):
        assert lip_gap(FaceMesh(points * scale, np.ones(1))) == pytest.approx(0.1)
    assert np.isfinite(lip_gap(FaceMesh(points * 0, np.ones(1))))


def test_the_mesh_is_found_once_for_all_that_want_it(every_licence, views):
    view = dataclasses.replace(views["obama.jpg"])
    runs = []
    loaded = [create(name, every_licence) for name in ("pose", "eyes", "mouth", "smile")]
    for one in loaded:
        net = one._reader._landmarks
        one._reader._landmarks = type("Counting", (), {"mesh": _counting(net, runs)})()
        one.measure(view)
    assert len(runs) == 1
    assert not dataclasses.replace(view)._found  # another view starts anew


def _counting(net, runs):
    def mesh(self, image, faces):
        runs.append(1)
        return net.mesh(image, faces)

    return mesh
