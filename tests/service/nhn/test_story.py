"""The main job through NHN's requests as its guide writes them, on real photos and weights."""

from __future__ import annotations

import base64

import httpx
import pytest

from mien.gallery import Gallery
from mien.service import create_app


@pytest.fixture(scope="module")
def nhn(app_transport, engine, weights, tmp_path_factory):
    """``{domain}/v2.0/appkeys/{appKey}`` with the secret in ``Authorization``, and ``{domain}``."""
    folder = tmp_path_factory.mktemp("story")
    settings = weights.model_copy(update={"data_dir": folder})
    with Gallery.open(f"sqlite:///{folder / 'gallery.db'}") as gallery:
        application = gallery.create_application("gym")
        _, secret = gallery.create_key("gym")
        transport = app_transport(create_app(engine, gallery, settings))
        with httpx.Client(
            transport=transport,
            base_url=f"http://mien.test/nhn/v2.0/appkeys/{application.id}/",
            headers={"Authorization": secret},
            timeout=60,
        ) as client:
            yield client


def data(answer: httpx.Response) -> dict:
    assert answer.status_code == 200
    body = answer.json()
    assert body["header"] == {"isSuccessful": True, "resultCode": 0, "resultMessage": "Success"}
    return body.get("data")


def image(photo) -> dict[str, str]:
    return {"bytes": base64.b64encode(photo.read_bytes()).decode()}


def test_a_gym_enrols_its_members_and_knows_them(nhn, people, partial):
    data(nhn.post("groups", json={"groupId": "gym-members"}))
    member = {}
    for number, (person, photos) in enumerate(people.items()):
        if person == "Eileen Collins":
            continue  # she stays a stranger
        label = f"member-{number}"
        registered = data(
            nhn.post(
                "groups/gym-members/faces",
                json={"image": image(photos[0]), "limit": 1, "externalImageId": label},
            )
        )
        assert registered["addedFaceCount"] == 1, person
        member[person] = registered["addedFaces"][0]
        assert member[person]["externalImageId"] == label
    shown = data(nhn.get("groups/gym-members"))
    assert shown["faceCount"] == len(member) >= 2

    held_out = [*people["Barack Obama"][1:], *partial["Barack Obama"]]
    assert len(held_out) == 4
    for photo in held_out:
        files = {"imageFile": (photo.name, photo.read_bytes())}
        form = {"limit": "5", "threshold": "80", "orientation": "false", "mask": "false"}
        found = data(nhn.post("groups/gym-members/faces/search", files=files, data=form))
        assert found["matchFaceCount"] == 1, photo.name
        best = found["matchFaces"][0]
        assert best["face"] == member["Barack Obama"]
        assert best["similarity"] > 90, photo.name

    stranger = {"image": image(people["Eileen Collins"][0]), "limit": 5, "threshold": 50}
    assert data(nhn.post("groups/gym-members/faces/search", json=stranger))["matchFaces"] == []

    face_id = member["Barack Obama"]["faceId"]
    address = f"groups/gym-members/faces/{face_id}"
    own = data(nhn.post(f"{address}/verify", json={"compareImage": image(held_out[0])}))
    other = {"compareImage": image(people["Joe Biden"][0])}
    assert (
        own["similarity"] > 90 > 50 > data(nhn.post(f"{address}/verify", json=other))["similarity"]
    )

    data(nhn.delete(address))
    left = {"image": image(held_out[0]), "limit": 5, "threshold": 50}
    assert data(nhn.post("groups/gym-members/faces/search", json=left))["matchFaces"] == []
    data(nhn.delete("groups/gym-members"))
    assert data(nhn.get("groups", params={"limit": 200}))["groups"] == []


def test_a_real_face_is_described(nhn, people):
    (face,) = data(nhn.post("faces/detect", json={"image": image(people["Eileen Collins"][0])}))[
        "faceDetails"
    ]
    points = {one["type"]: (one["x"], one["y"]) for one in face["landmarks"]}
    box = face["bbox"]
    assert all(box["x0"] < x < box["x1"] and box["y0"] < y < box["y1"] for x, y in points.values())
    assert points["leftEye"][0] < points["nose"][0] < points["rightEye"][0]
    assert max(map(abs, face["orientation"].values())) < 45
    assert face["mask"] is False
    assert 0.5 < face["confidence"] <= 1


def test_two_photos_are_compared(nhn, people):
    body = {
        "sourceImage": image(people["Barack Obama"][0]),
        "targetImage": image(people["Barack Obama"][1]),
        "threshold": 80,
    }
    same = data(nhn.post("faces/compare", json=body))
    assert (same["matchedFaceDetailCount"], same["unmatchedFaceDetailCount"]) == (1, 0)
    body["targetImage"] = image(people["Joe Biden"][0])
    other = data(nhn.post("faces/compare", json=body))
    assert (other["matchedFaceDetailCount"], other["unmatchedFaceDetailCount"]) == (0, 1)
