"""Other services' own clients, unmodified, against the service: their users' main job."""

from __future__ import annotations

import pytest


@pytest.fixture
def photos(people):
    """Two photos of a member, one of somebody else, one of a stranger."""
    member = people["Barack Obama"]
    return member[0], member[1], people["Joe Biden"][0], people["Eileen Collins"][0]


def test_luxand(run_story, photos):
    story = run_story("luxand_story.py", *photos)
    assert isinstance(story["person"], int)
    assert story["person"] != story["someone"]
    assert [one["name"] for one in story["listed"]] == ["Member", "Other"]
    (found,) = story["recognised"]
    assert (found["id"], found["name"]) == (story["person"], "Member")
    assert found["probability"] > 0.9
    assert story["stranger"] == []
    assert story["verified"]["status"] == "success"
    assert story["refused"] == {
        "status": "failure",
        "message": "Not verified",
        "probability": story["refused"]["probability"],
    }
    (face,) = story["detected"]
    box = face["rectangle"]
    assert box["left"] < box["right"]
    assert 20 < face["age"] < 80
    assert face["gender"]["value"] == "Male"
    (felt,) = story["emotions"]
    assert max(felt["emotions"], key=felt["emotions"].get) == felt["dominant_emotion"]
    (points,) = story["landmarks"]
    assert len(points["points"]) == 68
    inside = [box["left"] < one["x"] < box["right"] for one in points["points"]]
    assert sum(inside) > 50
    assert story["liveness"]["result"] in ("real", "fake")
    assert story["added"] == story["person"]
    assert story["deleted"] == {"status": "success"}
    assert [one["name"] for one in story["left"]] == ["Other"]
    assert story["forgotten"] == []
