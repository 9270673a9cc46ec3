"""Occlusion of real faces: bare, and with something painted over one part."""

import dataclasses
import json

import cv2
import numpy as np
import pytest

from mien.attributes import create
from mien.attributes.covered import PARTS
from mien.attributes.occlusion import _weights, measures


@pytest.fixture(scope="module")
def occlusion(every_licence):
    return create("occlusion", every_licence)


def painted(view, mesh, part, colour):
    """A rectangle of one colour over a part, turned with the face."""
    points = mesh.points[0, :, :2]
    over = {"eyes": (33, 263), "mouth": (61, 291), "forehead": (103, 332)}[part]
    ends = points[list(over)]
    reach = float(np.linalg.norm(points[33] - points[263]))
    thick = {"eyes": 0.45, "mouth": 0.5, "forehead": 0.4}[part] * reach
    image = view.image.copy()
    start, end = (tuple(int(v) for v in end) for end in ends)
    cv2.line(image, start, end, colour, max(1, int(thick)))
    return dataclasses.replace(view, image=image)


def test_bare_faces_are_bare(occlusion, views):
    for name in ("obama.jpg", "biden.jpg"):
        said = occlusion.measure(views[name])
        assert not said.eyes.value, name
        assert not said.mouth.value, name
        assert not said.forehead.value, name


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("colour", [(20, 22, 25), (40, 90, 200), (240, 240, 240)])
def test_a_covered_part_is_told_and_the_others_are_left_alone(occlusion, views, part, colour):
    for name in ("obama.jpg", "biden.jpg"):
        view = views[name]
        mesh = occlusion._reader.mesh(view)
        said = occlusion.measure(painted(view, mesh, part, colour))
        bare = occlusion.measure(view)
        assert getattr(said, part).score > getattr(bare, part).score
        assert getattr(said, part).value, (name, said)


def test_the_mask_net_has_a_say_about_the_mouth(occlusion, views):
    view = dataclasses.replace(views["obama.jpg"])
    from mien.analysis import Presence

    view.once("mask", lambda: Presence(True, 0.97))
    assert occlusion.measure(view).mouth.score >= 0.97


def test_the_weights_fit_the_measures(occlusion, views):
    from mien.attributes.covered import chip_of

    view = views["obama.jpg"]
    chip = chip_of(view.image, occlusion._reader.mesh(view))
    assert set(_weights()) == set(PARTS)
    for part, (weights, _) in _weights().items():
        assert measures(chip, part).shape == weights.shape


def test_the_document(occlusion, views):
    document = json.loads(occlusion.measure(views["obama.jpg"]).to_json())
    assert set(document) == {"eyes", "mouth", "forehead"}
    assert set(document["eyes"]) == {"value", "score"}
