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
    assert story["celebrity"]["status"] == "failure"
    assert story["gone"] == ["Failure", "There is no such person."]


def test_compreface(run_story, photos):
    story = run_story("compreface_story.py", *photos)
    assert story["subject"] == {"subject": "김철수"}
    assert story["added"]["subject"] == "Member"
    assert story["subjects"] == {"subjects": ["Member", "Other", "김철수"]}
    assert story["listed"]["total_elements"] == 2
    (face,) = story["recognised"]["result"]
    assert [one["subject"] for one in face["subjects"]] == ["Member", "Other"]
    assert face["subjects"][0]["similarity"] > 0.9 > 0.5 > face["subjects"][1]["similarity"]
    assert set(face["execution_time"]) == {"detector", "calculator"}
    assert story["recognised"]["plugins_versions"]["calculator"] == "sface"
    (nobody,) = story["stranger"]["result"]
    assert nobody["subjects"][0]["similarity"] < 0.5
    (seen,) = story["detected"]["result"]
    (whole,) = story["whole"]["result"]
    (pair,) = story["paired"]["result"]
    assert whole["subjects"][0]["subject"] == "Member"
    for face in (seen, whole, pair["source_image_face"], *pair["face_matches"]):
        assert face["gender"]["value"] == "male"
        assert face["age"]["low"] < face["age"]["high"]
        assert face["mask"]["value"] == "without_mask"
        assert len(face["landmarks"]) == 5
        assert len(face["embedding"]) == 128
    assert story["closed"]["code"] == 10
    assert story["unreadable"]["code"] == 21
    similarity = [
        story[name]["result"][0]["face_matches"][0]["similarity"]
        for name in ("verified", "refused")
    ]
    assert similarity[0] > 0.9 > 0.5 > similarity[1]
    assert story["same"]["result"][0]["similarity"] > 0.9
    assert story["renamed"] == {"updated": True}
    assert story["again"]["result"][0]["subjects"][0]["subject"] == "Somebody"
    assert story["deleted"] == {"image_id": story["added"]["image_id"], "subject": "Somebody"}
    assert story["all"] == {"deleted": 1}
    assert story["gone"] == {"subject": "Somebody"}
    assert story["cleared"] == {"deleted": 2}
    assert story["left"] == {"subjects": []}
