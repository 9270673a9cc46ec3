"""The typed client against the service: answers, errors, pages, files, and sending again."""

from __future__ import annotations

import asyncio
import zipfile

import httpx
import pytest

from mien import errors
from mien.client import AsyncClient, Client, Retries

FAST = Retries(most=3, wait_s=0.001)


@pytest.fixture
def api(house):
    """A client with every scope, without a network."""
    secret = house.key(scopes=["detect", "gallery:read", "gallery:write", "admin"])
    return Client(
        "http://mien.test",
        secret["Authorization"].removeprefix("Bearer "),
        transport=house.client._transport,
    )


@pytest.fixture
def staff(api, tmp_path, photos):
    """A group with Ann, enrolled from a file."""
    file = tmp_path / "ann.png"
    file.write_bytes(photos.ann)
    api.create_group("staff", user_data="x")
    api.create_person("staff", "Ann", external_id="7")
    enrolled = api.enroll("staff", "Ann", [file, photos.blank])
    assert [one["reasons"] for one in enrolled["rejected"]] == [["no_face"]]
    return enrolled["face_ids"][0]


def test_a_day_in_the_life_of_a_group(api, staff, photos):
    found = api.identify("staff", photos.ann, threshold=0.9)
    assert [one["person"] for one in found["faces"][0]["candidates"]] == ["Ann"]
    assert api.verify("staff", "Ann", photos.ann, threshold=0.9)["match"]
    assert not api.verify("staff", "Ann", photos.bob, threshold=0.9)["match"]
    assert api.compare(photos.ann, photos.ann, threshold=0.9)["match"]
    (face,) = api.represent(photos.ann, max_faces=1)["faces"]
    hit = api.search(
        "staff", [face["embedding"]], contract=face["contract"], norms=[face["norm"]], threshold=0.9
    )
    assert hit["candidates"][0][0]["face_id"] == staff
    assert api.search_face("staff", staff, threshold=0.9)["candidates"] == []
    assert api.search_face("staff", staff, own=True, threshold=0.9)["candidates"]
    one, broken = api.identify_each("staff", [photos.ann, b"x"], threshold=0.9)["results"]
    assert (one["error"], broken["identification"]) == (None, None)
    assert [
        one["image"]
        for one in api.find(photos.ann, [photos.bob, photos.ann], threshold=0.9)["found"]
    ]
    assert len(api.cluster([photos.ann, photos.ann, photos.bob], threshold=0.9)["persons"]) == 2
    assert len(api.detect(photos.ann)["faces"]) == 1
    assert api.status()["version"]
    assert any(one["in_use"] for one in api.models(task="embed")["models"])
    assert api.usage()["persons"] == 1


def test_putting_in_order(api, staff, photos):
    api.create_group("guests")
    made = api.create_persons("staff", [{"name": "Bob"}, {"name": "Ann"}])
    assert made["created"] == 1
    assert api.change_person("staff", "Bob", {"name": "Rob"})["name"] == "Rob"
    assert api.change_face("staff", staff, {"user_data": "door"})["user_data"] == "door"
    assert api.move_face("staff", staff, "Rob")["person"] == "Rob"
    assert next(api.changes("staff"))["kind"] == "face.move"
    api.undo("staff")
    assert api.face("staff", staff)["person"] == "Ann"
    assert api.split_person("staff", "Ann", [staff], name="Anna")["faces"] == 1
    assert api.merge_persons("staff", "Ann", "Anna")["faces"] == 1
    assert api.add_member("guests", "Ann", source="staff")["name"] == "Ann"
    api.remove_member("guests", "Ann")
    assert api.move_person("staff", "Rob", "guests", name="Bob")["name"] == "Bob"
    assert [one["name"] for one in api.persons("guests")] == ["Bob"]
    api.delete_face("staff", staff)
    assert list(api.faces("staff", "Ann")) == []


def test_rights(api, staff):
    consent = api.give_consent(
        "staff", "Ann", purpose="door", text_version="1", language="en", expires="2099-01-01T00:00Z"
    )
    assert [one["id"] for one in api.consents("staff", "Ann")["consents"]] == [consent["id"]]
    assert api.withdraw_consent(consent["id"])["withdrawn_at"]
    assert len(api.export_person("staff", "Ann")["faces"]) == 1
    assert api.erase("staff", "Ann")["faces"] == 1
    actions = [one["action"] for one in api.audit(limit=2)]
    assert {"consent.give", "consent.withdraw", "person.export", "person.erase"} <= set(actions)
    assert api.verify_audit()["ok"]
    assert api.purge()["faces"] == 0


def test_an_archive_goes_out_and_comes_in(api, staff, tmp_path):
    file, words = tmp_path / "gallery.mien", "correct horse 말"
    api.export_archive(file, passphrase=words)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(errors.ArchiveUnusable):
        api.export_archive(file, passphrase=words)
    with pytest.raises(errors.NotFound):
        api.export_archive(tmp_path / "none", passphrase=words, groups=["nobody"])
    assert not (tmp_path / "none").exists()
    with pytest.raises(errors.AlreadyExists):
        api.import_archive(file, passphrase=words)
    with pytest.raises(errors.KeyMismatch):
        api.import_archive(file, passphrase="another passphrase")
    api.delete_group("staff")
    back = api.import_archive(file, passphrase=words, bring_back_erased=True)
    assert (back["groups"], back["faces"]) == ({"staff": "staff"}, 1)


def test_a_job_from_a_file(api, tmp_path, photos):
    with zipfile.ZipFile(tmp_path / "people.zip", "w") as packed:
        packed.writestr("Ann/1.png", photos.ann)
        packed.writestr("Bob/1.png", photos.bob)
    api.create_group("staff")
    job = api.enroll_archive("staff", tmp_path / "people.zip")
    done = api.wait_for(job["id"], timeout_s=60, every_s=0.05)
    assert (done["state"], done["enrolled"]) == ("done", 2)
    assert [one["state"] for one in api.job_items(job["id"], limit=1)] == ["enrolled"] * 2
    assert [one["id"] for one in api.jobs()] == [job["id"]]
    api.cancel_job(job["id"])
    with pytest.raises(errors.NotFound):
        api.job(job["id"])


def test_lists_come_page_after_page(api, staff):
    api.create_persons("staff", [{"name": f"p{i}"} for i in range(7)])
    names = [one["name"] for one in api.persons("staff", limit=3)]
    assert names == ["Ann", *(f"p{i}" for i in range(7))]
    assert [one["name"] for one in api.persons("staff", external_id="7")] == ["Ann"]
    assert [one["name"] for one in api.groups(limit=1)] == ["staff"]


def test_errors_are_those_of_the_library(api, staff, photos):
    with pytest.raises(errors.AlreadyExists) as told:
        api.create_person("staff", "Ann")
    assert told.value.details["person_id"] == api.person("staff", "Ann")["id"]
    assert told.value.details["request_id"]
    with pytest.raises(errors.NotFound):
        api.group("nobody")
    with pytest.raises(errors.NoFaceFound):
        api.verify("staff", "Ann", photos.blank)
    with pytest.raises(errors.ImageDecodeError):
        api.detect(b"x")
    with pytest.raises(errors.ImageNotFound):
        api.detect("nowhere.jpg")
    with pytest.raises(errors.InvalidArgument):
        api.person("staff", "..")
    tag = api.etag("staff")
    assert api.change_group("staff", {"user_data": "1"}, only_if=tag)["user_data"] == "1"
    tag, of_face = api.etag("staff", "Ann"), api.etag("staff", face_id=staff)
    assert api.change_person("staff", "Ann", {"user_data": "1"}, only_if=tag)["user_data"] == "1"
    assert api.change_face("staff", staff, {"user_data": "1"}, only_if=of_face)["user_data"] == "1"
    with pytest.raises(errors.PreconditionFailed):
        api.change_group("staff", {"user_data": "y"}, only_if=tag)
    with pytest.raises(errors.PreconditionFailed):
        api.delete_person("staff", "Ann", only_if=tag)
    with pytest.raises(errors.PreconditionFailed):
        api.delete_face("staff", staff, only_if=of_face)


def test_odd_names(api, photos):
    api.create_group("staff")
    for name in ("김철수", "a b?c#d%e&f", "O'Neil; DROP"):
        made = api.create_person("staff", name)
        assert api.person("staff", name)["id"] == made["id"]


def scripted(*answers, sent=None):
    """A client whose server answers, or fails, as told, and the requests that came."""
    waiting = list(answers)

    def serve(request):
        if sent is not None:
            sent.append((request, request.read()))
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Client("http://x", "key", retries=FAST, transport=httpx.MockTransport(serve))


def refusal(status, code, **headers):
    told = {"error": {"code": code, "message": "m", "details": {}}, "request_id": "r"}
    return httpx.Response(status, json=told, headers=headers)


def test_a_refused_request_is_sent_again_with_the_same_key(photos, tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(photos.ann)
    sent = []
    busy = {"retry-after": "0"}
    client = scripted(
        refusal(503, "overloaded", **busy),
        httpx.ReadError("gone"),
        refusal(504, "deadline_exceeded"),
        httpx.Response(201, json={"enrolled": 1}),
        sent=sent,
    )
    assert client.enroll("staff", "Ann", [file]) == {"enrolled": 1}
    assert len({request.headers["idempotency-key"] for request, _ in sent}) == 1
    assert all(photos.ann in body for _, body in sent)
    assert len(sent) == 4


def test_what_might_be_done_twice_is_not_sent_again():
    for failure in (httpx.ReadError("gone"), refusal(504, "deadline_exceeded")):
        client = scripted(failure)
        with pytest.raises(errors.ServiceError):
            client.delete_person("staff", "Ann")
    client = scripted(refusal(503, "overloaded"), httpx.Response(204))
    client.delete_person("staff", "Ann")


def test_a_request_in_progress_is_asked_for_again():
    told = {"code": "idempotency_conflict", "message": "m", "details": {"reason": "in_progress"}}
    busy = httpx.Response(409, json={"error": told, "request_id": "r"})
    assert scripted(busy, httpx.Response(201, json={"id": "1"})).create_group("a") == {"id": "1"}


def test_it_gives_up_in_the_end():
    sent = []
    client = scripted(*[refusal(503, "overloaded")] * 4, sent=sent)
    with pytest.raises(errors.Overloaded):
        client.status()
    assert len(sent) == 4
    with pytest.raises(errors.ServiceError, match="cannot be reached"):
        scripted(*[httpx.ConnectError("x")] * 4).status()
    with pytest.raises(errors.DeadlineExceeded):
        scripted(*[httpx.ReadTimeout("x")] * 4).status()


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal(500, "internal"), errors.ServiceError, "internal"),
        (refusal(405, "method_not_allowed"), errors.InvalidArgument, "method_not_allowed"),
        (refusal(418, "from_the_future"), errors.InvalidArgument, "from_the_future"),
        (httpx.Response(502, text="<html>"), errors.ServiceError, "service"),
        (httpx.Response(400, json=["x"]), errors.InvalidArgument, "invalid_argument"),
        (httpx.Response(400, json={"error": None}), errors.InvalidArgument, "invalid_argument"),
    ],
    ids=["internal", "405", "unknown", "proxy", "list", "null"],
)
def test_answers_that_are_not_known(answer, kind, code):
    with pytest.raises(kind) as told:
        scripted(answer).with_options(retries=Retries(most=0)).status()
    assert told.value.code == code


def test_the_async_client_does_the_same(house, photos, tmp_path):
    file = tmp_path / "ann.png"
    file.write_bytes(photos.ann)
    transport = httpx.ASGITransport(house.app)
    scopes = ["detect", "gallery:read", "gallery:write", "admin"]
    secret = house.key(scopes=scopes)["Authorization"].removeprefix("Bearer ")

    async def story():
        url = "http://mien.test"
        async with AsyncClient(url, secret, retries=FAST, transport=transport) as api:
            await api.create_group("staff")
            await api.create_persons("staff", [{"name": f"p{i}"} for i in range(5)])
            enrolled = await api.enroll("staff", "p3", [file])
            assert enrolled["enrolled"] == 1
            names = [one["name"] async for one in api.persons("staff", limit=2)]
            assert names == [f"p{i}" for i in range(5)]
            several = await asyncio.gather(
                *(api.identify("staff", photos.ann, threshold=0.9) for _ in range(4))
            )
            assert {one["faces"][0]["candidates"][0]["person"] for one in several} == {"p3"}
            with pytest.raises(errors.NotFound):
                await api.group("nobody")
            await api.export_archive(tmp_path / "a", passphrase="correct horse battery")
            await api.delete_group("staff")
            await api.import_archive(
                tmp_path / "a", passphrase="correct horse battery", bring_back_erased=True
            )
            assert [one["name"] async for one in api.groups()] == ["staff"]

    asyncio.run(story())
