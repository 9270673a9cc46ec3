"""ETags: 304 for what is the same, 412 for what has been changed since."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

GROUP = "/v1/groups/friends"
ANN = f"{GROUP}/persons/Ann"


@pytest.fixture
def face(client, photos):
    """A group with Ann, who has one face; where the face is."""
    client.post("/v1/groups", json={"name": "friends"})
    client.post(f"{GROUP}/persons", json={"name": "Ann"})
    answer = client.post(f"{ANN}/faces", files={"image": photos.ann})
    return f"{GROUP}/faces/{answer.json()['face_ids'][0]}"


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("what", ["group", "person", "face", "groups", "persons", "faces"])
def test_what_is_the_same_is_not_sent_again(client, face, what):
    address = {
        "group": GROUP,
        "person": ANN,
        "face": face,
        "groups": "/v1/groups",
        "persons": f"{GROUP}/persons",
        "faces": f"{ANN}/faces",
    }[what]
    tag = client.get(address).headers["etag"]
    assert client.get(address).headers["etag"] == tag
    for header in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        same = client.get(address, headers={"If-None-Match": header})
        assert (same.status_code, same.content) == (304, b"")
        assert same.headers["etag"] == tag
        assert same.headers["x-request-id"]
    assert client.get(address, headers={"If-None-Match": '"x"'}).status_code == 200
    change = GROUP if what == "groups" else ANN if what == "persons" else address
    client.patch(face if what == "faces" else change, json={"user_data": "new"})
    changed = client.get(address, headers={"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize("what", ["group", "person", "face"])
def test_only_what_the_client_saw_is_changed(client, face, what):
    address = {"group": GROUP, "person": ANN, "face": face}[what]
    old = client.get(address).headers["etag"]
    changed = client.patch(address, json={"user_data": "1"}, headers={"If-Match": old})
    assert changed.status_code == 200
    assert changed.headers["etag"] == client.get(address).headers["etag"] != old
    for method, body in (("PATCH", {"user_data": "2"}), ("DELETE", None)):
        for header in (old, f"W/{changed.headers['etag']}", ""):
            refused = client.request(method, address, json=body, headers={"If-Match": header})
            assert code(refused) == (412, "precondition_failed")
    assert client.get(address).json()["user_data"] == "1"
    new = f'"x", {changed.headers["etag"]}'
    assert client.delete(address, headers={"If-Match": new}).status_code == 204
    assert code(client.delete(address, headers={"If-Match": "*"})) == (404, "not_found")


def test_creating_tells_the_tag(client):
    made = client.post("/v1/groups", json={"name": "friends"})
    assert made.headers["etag"] == client.get(GROUP).headers["etag"]
    person = client.post(f"{GROUP}/persons", json={"name": "Ann"})
    assert person.headers["etag"] == client.get(ANN).headers["etag"]


def test_of_two_with_the_same_tag_one_is_refused(client, face):
    tag = client.get(ANN).headers["etag"]
    gate = threading.Barrier(6)

    def send(number):
        gate.wait()
        body = {"user_data": str(number)}
        return client.patch(ANN, json=body, headers={"If-Match": tag}).status_code

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(send, range(6))) == [200] + [412] * 5
