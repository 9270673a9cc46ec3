"""Idempotency keys: one request is done once, however often and wherever it is sent."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from mien.service import schemas
from mien.service.once import LEASE_MARGIN_S

ENTRY = Path(__file__).parent / "serving_entry.py"
GROUP = "/v1/groups/friends"
PERSONS = f"{GROUP}/persons"
KEY = {"Idempotency-Key": "7d0c-1"}


def reason(answer):
    schemas.ErrorAnswer.model_validate(answer.json())
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "idempotency_conflict"), error
    return error["details"]["reason"]


def told(answer):
    """The answer without its request's id."""
    return answer.status_code, {**answer.json(), "request_id": None}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    """A gallery in every kind of database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'shared.db'}"
        return
    with request.getfixturevalue("postgres_server").database() as url:
        yield url


@pytest.fixture
def friends(client):
    """A group with Ann."""
    client.post("/v1/groups", json={"name": "friends"})
    client.post(PERSONS, json={"name": "Ann"})


def test_the_same_request_gets_the_same_answer_and_is_done_once(client, friends):
    first = client.post(PERSONS, json={"name": "Bob"}, headers=KEY)
    again = client.post(PERSONS, json={"name": "Bob"}, headers=KEY)
    assert told(again) == told(first)
    assert first.status_code == 201
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.json()["request_id"] == again.headers["x-request-id"] != first.json()["request_id"]
    other_key = {"Idempotency-Key": "7d0c-2"}
    assert client.post(PERSONS, json={"name": "Bob"}, headers=other_key).status_code == 409


def test_photos_come_again_with_another_boundary(client, friends, photos):
    address = f"{PERSONS}/Ann/faces"
    answers = [
        client.post(address, files={"image": ("a.png", photos.ann)}, headers=KEY) for _ in range(2)
    ]
    assert told(answers[0]) == told(answers[1])
    assert answers[0].request.headers["content-type"] != answers[1].request.headers["content-type"]
    assert client.get(f"{PERSONS}/Ann").json()["faces"] == 1
    other = client.post(address, files={"image": ("a.png", photos.bob)}, headers=KEY)
    assert reason(other) == "other_request"
    assert client.get(f"{PERSONS}/Ann").json()["faces"] == 1


def test_a_key_belongs_to_one_request(client, friends):
    client.post(PERSONS, json={"name": "Bob"}, headers=KEY)
    assert reason(client.post(PERSONS, json={"name": "Cho"}, headers=KEY)) == "other_request"
    assert reason(client.post("/v1/groups", json={"name": "Bob"}, headers=KEY)) == "other_request"
    assert reason(client.post(f"{PERSONS}/Bob/erase", headers=KEY)) == "other_request"
    names = [one["name"] for one in client.get(PERSONS).json()["persons"]]
    assert names == ["Ann", "Bob"]


def test_requests_without_a_body_are_done_once(client, friends, house):
    first = client.post(f"{PERSONS}/Ann/erase", headers=KEY)
    assert first.status_code == 200
    assert told(client.post(f"{PERSONS}/Ann/erase", headers=KEY)) == told(first)


def test_an_error_is_not_kept(client, photos):
    assert client.post(PERSONS, json={"name": "Ann"}, headers=KEY).status_code == 404
    client.post("/v1/groups", json={"name": "friends"})
    assert client.post(PERSONS, json={"name": "Ann"}, headers=KEY).status_code == 201


def test_what_changes_nothing_does_not_look_at_the_key(client, friends, photos):
    for photo in (photos.ann, photos.bob):
        answer = client.post("/v1/detect", files={"image": photo}, headers=KEY)
        assert answer.status_code == 200
        assert "idempotency-replayed" not in answer.headers
    assert client.delete(GROUP, headers={"Idempotency-Key": ""}).status_code == 204


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "é".encode(), b"\x7f"], ids=repr)
def test_a_key_that_cannot_be_is_refused(client, friends, key):
    answer = client.post(PERSONS, json={"name": "Bob"}, headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")
    longest = {"Idempotency-Key": "x" * 255}
    assert client.post(PERSONS, json={"name": "Bob"}, headers=longest).status_code == 201


def test_applications_have_keys_of_their_own(client, house):
    house.gallery.create_application("other")
    other = house.key("other")
    assert client.post("/v1/groups", json={"name": "a"}, headers=KEY).status_code == 201
    answer = client.post("/v1/groups", json={"name": "b"}, headers={**other, **KEY})
    assert answer.status_code == 201
    assert answer.json()["name"] == "b"


def test_two_servers_agree(open_house, url):
    one, two = open_house(url=url), open_house(url=url)
    first = one.client.post("/v1/groups", json={"name": "a"}, headers=KEY)
    again = two.client.post("/v1/groups", json={"name": "a"}, headers=KEY)
    assert told(again) == told(first)
    assert again.headers["idempotency-replayed"] == "true"
    assert reason(two.client.post("/v1/groups", json={"name": "b"}, headers=KEY)) == (
        "other_request"
    )


def test_of_many_at_once_one_is_done(open_house, url):
    houses = [open_house(url=url), open_house(url=url)]
    houses[0].client.post("/v1/groups", json={"name": "friends"})
    gate = threading.Barrier(8)

    def send(number):
        gate.wait()
        body = {"persons": [{"name": f"p{i}"} for i in range(5)]}
        return houses[number % 2].client.post(f"{PERSONS}/bulk", json=body, headers=KEY)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    done = [one for one in answers if one.status_code == 200]
    assert done
    assert all(reason(one) == "in_progress" for one in answers if one not in done)
    assert {str(told(one)) for one in done} == {str(told(done[0]))}
    assert done[0].json()["created"] == 5
    assert len([one for one in done if "idempotency-replayed" not in one.headers]) == 1


def test_answers_about_a_person_go_with_the_person(client, friends, photos):
    face = {"Idempotency-Key": "face"}
    files = {"image": ("a.png", photos.ann)}
    assert client.post(f"{PERSONS}/Ann/faces", files=files, headers=face).status_code == 201
    assert client.post(PERSONS, json={"name": "Bob"}, headers=KEY).status_code == 201
    client.post(f"{PERSONS}/Ann/erase")
    assert reason(client.post(f"{PERSONS}/Ann/faces", files=files, headers=face)) == (
        "answer_not_kept"
    )
    assert client.post(PERSONS, json={"name": "Bob"}, headers=KEY).status_code == 201
    client.delete(GROUP)
    assert reason(client.post(PERSONS, json={"name": "Bob"}, headers=KEY)) == "answer_not_kept"


def test_nothing_of_an_erased_person_stays_in_the_table(client, friends, house):
    odd = 'Zoë "50%_\\" 김'
    made = client.post(PERSONS, json={"name": odd, "user_data": "secret"}, headers=KEY).json()
    assert client.post(f"{PERSONS}/{made['id']}/erase").status_code == 200
    with house.gallery._database.reading() as connection:
        rows = connection.exec_driver_sql("SELECT answer FROM repeats").scalars().all()
    assert rows == [""]


def test_answers_are_kept_for_a_while(open_house):
    client = open_house(idempotency_keep_s=0.5).client
    assert client.post("/v1/groups", json={"name": "a"}, headers=KEY).status_code == 201
    time.sleep(0.6)
    assert client.post("/v1/groups", json={"name": "b"}, headers=KEY).status_code == 201


def test_the_oldest_keys_go_first(open_house):
    client = open_house(idempotency_max_keys=2).client
    for number in range(3):
        answer = client.post(
            "/v1/groups", json={"name": str(number)}, headers={"Idempotency-Key": str(number)}
        )
        assert answer.status_code == 201
    for number, status in ((2, 201), (1, 201), (0, 409)):
        answer = client.post(
            "/v1/groups", json={"name": str(number)}, headers={"Idempotency-Key": str(number)}
        )
        assert answer.status_code == status, number
    assert answer.json()["error"]["code"] == "already_exists"  # done again, as a new request


def test_long_answers_are_not_kept(open_house):
    client = open_house(idempotency_max_bytes=0).client
    first = client.post("/v1/groups", json={"name": "a"}, headers=KEY)
    assert reason(client.post("/v1/groups", json={"name": "a"}, headers=KEY)) == "answer_not_kept"
    content = first.json()
    del content["request_id"]
    size = len(json.dumps(content))
    for most, status in ((size, 201), (size - 1, 409)):
        client = open_house(idempotency_max_bytes=most).client
        for _ in range(2):
            answer = client.post("/v1/groups", json={"name": "a"}, headers=KEY)
        assert answer.status_code == status, most


def serve(folder, url, seconds):
    process = subprocess.Popen(
        [sys.executable, str(ENTRY), str(folder), "0", str(seconds)],
        env={**os.environ, "MIEN_GALLERY": url, "MIEN_REQUEST_TIMEOUT_S": "3"},
        stderr=subprocess.PIPE,
        text=True,
    )
    text = ""
    while "Mien is at" not in text:
        line = process.stderr.readline()
        assert line, text
        text += line
    return process, re.search(r"http://\S+", text).group(0), text


@pytest.mark.slow
def test_a_killed_server_leaves_the_key_to_the_next(tmp_path, url, photos):
    dying, address, text = serve(tmp_path, url, 60)
    key = re.search(r"API key[^:]*: (\S+)", text).group(1)
    headers = {"Authorization": f"Bearer {key}"}
    files = {"image": ("a.png", photos.ann)}
    with httpx.Client(base_url=address, headers=headers, timeout=60) as api:
        api.post("/v1/groups", json={"name": "friends"})
        api.post(PERSONS, json={"name": "Ann"})
        began = time.monotonic()
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(api.post, f"{PERSONS}/Ann/faces", files=files, headers=KEY)
            while reading(api) == 0:
                time.sleep(0.05)
            time.sleep(0.5)
            os.kill(dying.pid, signal.SIGKILL)
            dying.wait()
            assert isinstance(sent.exception(30), httpx.TransportError)
    dying.stderr.close()
    living, address, _ = serve(tmp_path, url, 0)
    try:
        with httpx.Client(base_url=address, headers=headers, timeout=60) as api:
            answer = api.post(f"{PERSONS}/Ann/faces", files=files, headers=KEY)
            if time.monotonic() - began < 3 + LEASE_MARGIN_S:
                assert reason(answer) == "in_progress"
            while answer.status_code == 409 and time.monotonic() - began < 60:
                time.sleep(0.2)
                answer = api.post(f"{PERSONS}/Ann/faces", files=files, headers=KEY)
            assert answer.status_code == 201, answer.text
            again = api.post(f"{PERSONS}/Ann/faces", files=files, headers=KEY)
            assert told(again) == told(answer)
            assert api.get(f"{PERSONS}/Ann").json()["faces"] == 1
    finally:
        living.terminate()
        living.wait(30)
        living.stderr.close()


def reading(api):
    """Requests that an inference worker has begun."""
    found = re.search(r"^mien_inference_busy_workers (\d+)", api.get("/metrics").text, re.MULTILINE)
    return int(found.group(1))
