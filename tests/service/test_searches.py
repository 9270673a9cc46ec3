"""Searches by stored face and by template, several probes or persons at once, albums, models."""

from __future__ import annotations

import base64

import pytest

from mien.service import inventory, schemas, searches

GROUP = "/v1/groups/friends"


def check(model, answer, status=200):
    assert answer.status_code == status, answer.text
    model.model_validate(answer.json())
    return answer.json()


def code(answer):
    schemas.ErrorAnswer.model_validate(answer.json())
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def friends(client, photos):
    """A group with Ann, Ann again under another name, and Bob; the face ids by name."""
    client.post("/v1/groups", json={"name": "friends"})
    ids = {}
    for name, photo in (("Ann", photos.ann), ("Anna", photos.ann), ("Bob", photos.bob)):
        client.post(f"{GROUP}/persons", json={"name": name})
        answer = client.post(f"{GROUP}/persons/{name}/faces", files={"image": photo})
        ids[name] = answer.json()["face_ids"][0]
    return ids


def test_a_stored_face_finds_who_was_enrolled_twice(client, friends):
    address = f"{GROUP}/faces/{friends['Ann']}/search"
    found = check(searches.FaceSearchAnswer, client.post(address, params={"threshold": "0.9"}))
    assert [one["person"] for one in found["candidates"]] == ["Anna"]
    own = client.post(address, params={"threshold": "0.9", "own": "true"})
    names = {one["person"] for one in check(searches.FaceSearchAnswer, own)["candidates"]}
    assert names == {"Ann", "Anna"}
    one = client.post(address, params={"threshold": "-1", "top": "1"})
    assert len(check(searches.FaceSearchAnswer, one)["candidates"]) == 1
    assert code(client.post(f"{GROUP}/faces/{'0' * 32}/search")) == (404, "not_found")
    assert code(client.post(address, params={"top": "0"})) == (400, "invalid_argument")


def templates(client, photo):
    content = client.post("/v1/represent", files={"image": photo}).json()
    (face,) = content["faces"]
    return {
        "contract": face["contract"],
        "embeddings": [face["embedding"]],
        "norms": [face["norm"]],
    }


def test_a_template_is_searched_as_its_photo_is(client, friends, photos):
    body = {**templates(client, photos.bob), "threshold": 0.9}
    found = check(searches.TemplateSearchAnswer, client.post(f"{GROUP}/search", json=body))
    ((bob,),) = found["candidates"]
    photo = client.post(
        f"{GROUP}/identify", files={"image": photos.bob}, data={"threshold": "0.9"}
    ).json()
    (same,) = photo["faces"][0]["candidates"]
    assert (bob["person"], bob["face_id"]) == ("Bob", friends["Bob"])
    assert bob["similarity"] == pytest.approx(same["similarity"], abs=1e-5)
    assert {**found, "candidates": 0, "request_id": 0} == {
        "decided_on": photo["decided_on"],
        "threshold": photo["threshold"],
        "fpir": photo["fpir"],
        "extrapolated": photo["extrapolated"],
        "gallery_size": photo["gallery_size"],
        "candidates": 0,
        "request_id": 0,
    }


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"contract": "other:00:1:2"}, "embedding_mismatch"),
        ({"contract": "nonsense"}, "invalid_argument"),
        ({"embeddings": []}, "invalid_argument"),
        ({"embeddings": [[1.0], [1.0, 0.0]]}, "invalid_argument"),
        ({"embeddings": [[1e300, 0.0]]}, "embedding_mismatch"),
        ({"embeddings": "AAAA"}, "invalid_argument"),
        ({"embeddings": [[None]]}, "invalid_argument"),
        ({"norms": [1.0, 2.0]}, "invalid_argument"),
        ({"top": 101}, "invalid_argument"),
        ({"threshold": 0.5, "fpir": 0.1}, "invalid_argument"),
    ],
    ids=str,
)
def test_templates_that_cannot_be_are_refused(client, friends, photos, change, wanted):
    body = {**templates(client, photos.bob), **change}
    assert code(client.post(f"{GROUP}/search", json=body))[1] == wanted


def test_a_template_that_is_too_long_or_not_of_unit_length_is_refused(client, friends, photos):
    body = templates(client, photos.bob)
    for factor in (2.0, 1e200, 0.0):
        bent = [[factor * value for value in body["embeddings"][0]]]
        answer = client.post(f"{GROUP}/search", json={**body, "embeddings": bent})
        assert code(answer) == (400, "invalid_argument")


def test_templates_are_not_searched_where_liveness_is_enforced(open_house, photos):
    house = open_house(liveness="enforce")
    house.client.post("/v1/groups", json={"name": "friends"})
    answer = house.client.post(f"{GROUP}/search", json={"contract": "x", "embeddings": [[1.0]]})
    assert code(answer) == (403, "forbidden")


def test_several_probes_at_once(client, friends, photos):
    files = [
        ("image", ("a.png", photos.ann)),
        ("image", ("none.png", photos.blank)),
        ("image", ("broken.png", b"no photo")),
    ]
    found = check(
        searches.IdentificationsAnswer,
        client.post(f"{GROUP}/identify/bulk", files=files, data={"threshold": "0.9"}),
    )
    one, none, broken = found["results"]
    names = [who["person"] for who in one["identification"]["faces"][0]["candidates"]]
    assert set(names) == {"Ann", "Anna"}
    assert (none["image"], none["identification"]["faces"]) == ("none.png", [])
    assert (broken["identification"], broken["error"]["code"]) == (None, "image_decode")
    missing = client.post("/v1/groups/nobody/identify/bulk", files=files)
    assert code(missing) == (404, "not_found")


def test_several_persons_at_once(client, friends):
    body = {"persons": [{"name": "Cho", "external_id": "7"}, {"name": "Ann"}, {"name": "Dan"}]}
    made = check(searches.PersonsAnswer, client.post(f"{GROUP}/persons/bulk", json=body))
    assert made["created"] == 2
    assert [one["error"] and one["error"]["code"] for one in made["results"]] == [
        None,
        "already_exists",
        None,
    ]
    assert made["results"][0]["person"]["external_id"] == "7"
    names = [one["name"] for one in client.get(f"{GROUP}/persons").json()["persons"]]
    assert names == ["Ann", "Anna", "Bob", "Cho", "Dan"]


def test_as_many_persons_as_allowed_and_not_one_more(client, friends):
    persons = [{"name": f"p{i}"} for i in range(searches.MAX_PERSONS + 1)]
    too_many = client.post(f"{GROUP}/persons/bulk", json={"persons": persons})
    assert code(too_many) == (400, "invalid_argument")
    made = client.post(f"{GROUP}/persons/bulk", json={"persons": persons[1:]})
    assert check(searches.PersonsAnswer, made)["created"] == searches.MAX_PERSONS


def test_photos_are_sorted_by_person(client, photos):
    files = [
        ("image", ("1.png", photos.ann)),
        ("image", ("2.png", photos.bob)),
        ("image", ("3.png", photos.ann)),
        ("image", ("4.png", b"no photo")),
    ]
    album = check(
        searches.AlbumAnswer, client.post("/v1/cluster", files=files, data={"threshold": "0.9"})
    )
    together = [{face["image"] for face in one["faces"]} for one in album["persons"]]
    assert together == [{"1.png", "3.png"}, {"2.png"}]
    assert [one["image"] for one in album["rejected"]] == ["4.png"]


def test_the_photos_of_a_person_are_found(client, photos):
    files = [
        ("probe", ("p.png", photos.ann)),
        ("image", ("1.png", photos.bob)),
        ("image", ("2.png", photos.ann)),
    ]
    found = check(
        searches.FindingsAnswer, client.post("/v1/find", files=files, data={"threshold": "0.9"})
    )
    assert [one["image"] for one in found["found"]] == ["2.png"]
    texts = [base64.b64encode(one).decode() for one in (photos.ann, photos.bob)]
    body = {"probe": texts[0], "images": texts, "threshold": 0.9}
    again = check(searches.FindingsAnswer, client.post("/v1/find", json=body))
    assert [one["image"] for one in again["found"]] == ["images[0]"]
    nobody = client.post("/v1/find", files={"probe": photos.blank, "image": photos.ann})
    assert code(nobody) == (422, "no_face")
    two = [("probe", photos.ann), ("probe", photos.ann), ("image", photos.ann)]
    assert code(client.post("/v1/find", files=two)) == (400, "invalid_argument")


def test_models_say_their_licence_and_calibration(client, house):
    models = check(inventory.ModelsAnswer, client.get("/v1/models"))["models"]
    by_key = {(one["task"], one["name"]): one for one in models}
    assert by_key["embed", house.service.settings.embedder]["in_use"]
    calibrated = [one for one in models if one["calibration"] is not None]
    assert calibrated
    assert all(one["task"] == "embed" for one in calibrated)
    assert not by_key["embed", "buffalo_l"]["commercial"]
    only = client.get("/v1/models", params={"task": "detect"}).json()["models"]
    assert {one["task"] for one in only} == {"detect"}
    assert code(client.get("/v1/models", params={"task": "paint"})) == (400, "invalid_argument")


def test_usage_counts_what_the_application_holds(client, house, friends):
    used = check(inventory.UsageAnswer, client.get("/v1/usage"))
    assert (used["groups"], used["persons"], used["faces"], used["images"]) == (1, 3, 3, 0)
    assert used["storage_bytes"]["templates"] > 0
    house.service.calls.flush()
    client.post("/v1/groups", json={"name": "friends"})  # refused, and a call
    house.service.calls.flush()
    (today,) = check(inventory.UsageAnswer, client.get("/v1/usage"))["calls"]
    assert today["calls"] == {"faces": 3, "groups": 2, "persons": 3, "system": 1}
    house.gallery.create_application("other")
    other = client.get("/v1/usage", headers=house.key("other")).json()
    assert (other["groups"], other["persons"], other["faces"], other["calls"]) == (0, 0, 0, [])
