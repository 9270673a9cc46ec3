"""The image of a face over HTTP."""

from __future__ import annotations

import pytest

FACES = "/v1/groups/friends/persons/Ann/faces"


@pytest.fixture
def face(client, photos):
    body = {"name": "friends", "settings": {"images": "photos"}}
    assert client.post("/v1/groups", json=body).status_code == 201
    for name in ("Ann", "Bob"):
        client.post("/v1/groups/friends/persons", json={"name": name})
    return client.post(FACES, files={"image": photos.ann}).json()["face_ids"][0]


def test_the_crop_and_the_photo_are_given_and_not_to_be_stored(client, photos, face):
    crop = client.get(f"{FACES}/{face}/image")
    assert (crop.status_code, crop.headers["content-type"]) == (200, "image/jpeg")
    assert crop.content.startswith(b"\xff\xd8\xff")
    assert crop.headers["cache-control"] == "private, no-store"
    photo = client.get(f"{FACES}/{face}/image", params={"kind": "photo"})
    assert (photo.content, photo.headers["content-type"]) == (photos.ann, "image/png")
    assert photo.headers["etag"] != crop.headers["etag"]


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_who_has_it_is_not_sent_it_again(client, face, form):
    first = client.get(f"{FACES}/{face}/image")
    known = {"If-None-Match": form.format(first.headers["etag"])}
    again = client.get(f"{FACES}/{face}/image", headers=known)
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    other = client.get(f"{FACES}/{face}/image", headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("friends/persons/Bob/faces/{face}/image", 404),  # another person's
        ("friends/persons/Ann/faces/" + "0" * 32 + "/image", 404),
        ("nobody/persons/Ann/faces/{face}/image", 404),
        ("friends/persons/Ann/faces/{face}/image?kind=video", 400),
        ("friends/persons/Ann/faces/{face}/image?kind=crop&kind=crop", 400),
    ],
)
def test_what_is_not_there(client, face, path, status):
    answer = client.get("/v1/groups/" + path.format(face=face))
    assert answer.status_code == status, answer.text
    assert "error" in answer.json()


def test_a_group_that_keeps_nothing_says_so(client, photos):
    client.post("/v1/groups", json={"name": "friends"})
    client.post("/v1/groups/friends/persons", json={"name": "Ann"})
    face = client.post(FACES, files={"image": photos.ann}).json()["face_ids"][0]
    answer = client.get(f"{FACES}/{face}/image")
    assert answer.status_code == 404
    assert "images" in answer.json()["error"]["message"]


def test_only_who_may_read_the_gallery_gets_it(house, face):
    path = f"{FACES}/{face}/image"
    assert house.client.get(path, headers=house.key(scopes=["detect"])).status_code == 403
    assert house.client.get(path, headers=house.key(scopes=["gallery:read"])).status_code == 200
    house.gallery.create_application("other")
    assert house.client.get(path, headers=house.key("other")).status_code == 404
