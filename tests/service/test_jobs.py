"""Jobs over HTTP: uploads, progress, cancelling, a server that stops in the middle."""

from __future__ import annotations

import asyncio
import base64
import io
import stat
import sys
import threading
import time
import zipfile
from contextlib import ExitStack

import pytest
from PIL import Image

from mien.errors import KeyMismatch
from mien.gallery.jobs import JobItem, Jobs
from mien.service import create_app, jobs, schemas
from mien.service.jobs import JobRunner
from mien.service.pool import Background, Pool
from mien.service.spool import Spool
from mien.testing import drawn_face, mock_engine

URL = "/v1/groups/staff/jobs/enroll"


def png(identity, *, size=(240, 320)):
    out = io.BytesIO()
    Image.fromarray(drawn_face(identity, size)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def packed(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.fixture(scope="module")
def people():
    """Five photos of two persons, and one that is none."""
    members = {f"ann/{i}.png": png(1, size=(120, 160 + i)) for i in range(3)}
    members |= {f"bea/{i}.png": png(2, size=(120, 160 + i)) for i in range(2)}
    return packed({**members, "bea/note.txt": b"no photo"})


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request, tmp_path):
    """Galleries in every kind of database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield lambda number: f"sqlite:///{tmp_path / f'{number}.db'}"
        else:
            server = request.getfixturevalue("postgres_server")
            yield lambda number: stack.enter_context(server.database())


@pytest.fixture
def staff(client):
    assert client.post("/v1/groups", json={"name": "staff"}).status_code == 201
    return client


def ended(client, job_id, headers=None):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        job = client.get(f"/v1/jobs/{job_id}", headers=headers).json()
        if job["state"] in ("done", "failed", "cancelled"):
            return job
        time.sleep(0.05)
    raise AssertionError(job)


def spool(house):
    return sorted((house.service.settings.data_dir / "spool").glob("*"))


def test_a_zip_is_enrolled_in_the_background(staff, house, people):
    answer = staff.post(URL, files={"archive": ("people.zip", people)})
    assert answer.status_code == 202, answer.text
    schemas.JobAnswer.model_validate(answer.json())
    assert answer.json()["total"] == 6
    job = ended(staff, answer.json()["id"])
    assert (job["state"], job["done"], job["enrolled"], job["rejected"]) == ("done", 6, 5, 1)
    page = staff.get(f"/v1/jobs/{job['id']}/items").json()
    schemas.JobItemPage.model_validate(page)
    assert page["items"][0]["image"] == "ann/0.png"
    refused = [item for item in page["items"] if item["state"] == "rejected"]
    assert [(one["image"], one["reasons"]) for one in refused] == [
        ("bea/note.txt", ["image_decode"])
    ]
    assert house.gallery.size("staff") == 5
    again = ended(staff, staff.post(URL, content=people, headers=ZIP).json()["id"])
    assert (again["enrolled"], again["rejected"]) == (0, 6)
    assert house.gallery.size("staff") == 5
    assert [job["id"] for job in staff.get("/v1/jobs").json()["jobs"]] == [job["id"], again["id"]]


ZIP = {"content-type": "application/zip"}


def test_items_and_jobs_in_pages(staff, people):
    job = ended(staff, staff.post(URL, content=people, headers=ZIP).json()["id"])
    names, after = [], -1
    while after is not None:
        page = staff.get(f"/v1/jobs/{job['id']}/items?limit=4&after={after}").json()
        names += [item["number"] for item in page["items"]]
        after = page["next"]
    assert names == list(range(6))
    other = staff.post(URL, content=people, headers=ZIP).json()["id"]
    page = staff.get("/v1/jobs?limit=1").json()
    schemas.JobPage.model_validate(page)
    assert page["next"] == job["id"]
    page = staff.get(f"/v1/jobs?limit=1&after={page['next']}").json()
    assert ([one["id"] for one in page["jobs"]], page["next"]) == ([other], None)


def test_a_list_of_photos_in_json(staff, house):
    images = [
        {"image": base64.b64encode(png(1)).decode(), "person": "ann", "external_image_id": "A-1"},
        {"image": "data:image/png;base64," + base64.b64encode(png(2)).decode(), "person": "b/c,d"},
    ]
    job = ended(staff, staff.post(URL, json={"images": images}).json()["id"])
    assert (job["state"], job["enrolled"]) == ("done", 2)
    (face,) = house.gallery.faces("staff", "ann")
    assert face.external_image_id == "A-1"
    assert house.gallery.person("staff", "b/c,d").faces == 1


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"images": []},
        {"images": "x"},
        {"images": [1]},
        {"images": [{"person": "ann"}]},
        {"images": [{"image": "AAAA"}]},
        {"images": [{"image": "https://example.com/a.png", "person": "ann"}]},
        {"images": [{"image": "/etc/passwd", "person": "ann"}]},
        {"images": [{"image": "AAAA", "person": "ann", "more": 1}]},
        {"images": [{"image": "AAAA", "person": ""}]},
        {"images": [{"image": "AAAA", "person": "ann", "external_image_id": 7}]},
        {"images": [{"image": "AAAA", "person": "ann"}], "more": 1},
    ],
)
def test_json_that_cannot_be_used_makes_nothing(staff, house, content):
    answer = staff.post(URL, json=content)
    assert answer.status_code == 400, answer.text
    assert staff.get("/v1/jobs").json()["jobs"] == []
    assert spool(house) == []


def test_a_zip_that_cannot_be_used_makes_nothing(staff, house, people):
    for data in (b"", b"PK", people[:-30], packed({"../a.png": b""}), packed({"a.png": b""})):
        answer = staff.post(URL, files={"archive": ("x.zip", data)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")
    assert staff.post(URL, content=b"x", headers={"content-type": "text/x"}).status_code == 415
    assert staff.post(URL, content=people, headers=ZIP, params={"x": 1}).status_code == 400
    missing = staff.post("/v1/groups/typo/jobs/enroll", content=people, headers=ZIP)
    assert missing.status_code == 404
    assert spool(house) == []


def test_limits_at_their_edges(open_house, people):
    house = open_house(bulk_max_photos=6, max_jobs=2)
    client = house.client
    house.service.jobs.stop()  # nothing is worked on
    client.post("/v1/groups", json={"name": "staff"})
    for _ in range(2):
        assert client.post(URL, content=people, headers=ZIP).status_code == 202
    answer = client.post(URL, content=people, headers=ZIP)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "limit_exceeded")
    assert len(spool(house)) == 2
    seven = packed({f"ann/{i}.png": b"" for i in range(7)})
    assert client.post(URL, content=seven, headers=ZIP).status_code == 400
    image = {"image": "AAAA", "person": "ann"}
    assert client.post(URL, json={"images": [image] * 7}).status_code == 413


def test_an_upload_is_sealed_and_goes_with_its_job(open_house, people):
    house = open_house()
    client = house.client
    house.service.jobs.stop()
    client.post("/v1/groups", json={"name": "staff"})
    job = client.post(URL, content=people, headers=ZIP).json()
    (file,) = spool(house)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    data = file.read_bytes()
    assert b"PNG" not in data
    assert b"ann" not in data
    key = Jobs(house.gallery).secret()
    assert Spool(file.parent).get(job["id"], key=key) == people
    file.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(KeyMismatch):
        Spool(file.parent).get(job["id"], key=key)
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert spool(house) == []
    assert client.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
    assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert client.get(f"/v1/jobs/{job['id']}").status_code == 404


def test_a_group_that_is_deleted_meanwhile_is_not_made_again(open_house, people):
    house = open_house()
    client = house.client
    house.service.jobs.stop()
    client.post("/v1/groups", json={"name": "staff"})
    job_id = client.post(URL, content=people, headers=ZIP).json()["id"]
    client.delete("/v1/groups/staff")
    with_another_server(house, lambda: ended(client, job_id))
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "failed"
    assert "staff" in job["error"]
    assert client.get("/v1/groups").json()["groups"] == []


def with_another_server(house, until):
    """A server that starts over the same gallery and folder."""
    engine = mock_engine(house.service.settings)
    transport = type(house.client._transport)(
        create_app(engine, house.gallery, house.service.settings)
    )
    try:
        return until()
    finally:
        transport.close()
        engine.close()


def test_a_restarted_server_goes_on(open_house):
    photos = {f"ann/{i:02}.png": png(1, size=(120, 160 + i)) for i in range(40)}
    house = open_house()
    client, seen = house.client, threading.Event()
    represent = house.engine.represent

    def slow(*args, **options):
        if house.gallery.size("staff") >= 20:
            seen.set()
            time.sleep(0.05)
        return represent(*args, **options)

    house.engine.represent = slow
    client.post("/v1/groups", json={"name": "staff"})
    job_id = client.post(URL, content=packed(photos), headers=ZIP).json()["id"]
    assert seen.wait(30)
    house.service.jobs.close(timeout_s=30)
    middle = client.get(f"/v1/jobs/{job_id}").json()
    assert middle["state"] == "running"
    assert 0 < middle["done"] < 40
    assert len(spool(house)) == 1
    job = with_another_server(house, lambda: ended(client, job_id))
    # What was stored and not written down before the stop belongs to the job all the same.
    assert (job["state"], job["enrolled"], job["rejected"]) == ("done", 40, 0)
    assert house.gallery.size("staff") == 40
    assert spool(house) == []


def test_what_a_killed_server_stored_and_did_not_write_down_is_enrolled(open_house):
    photos = {f"ann/{i:02}.png": png(1, size=(120, 160 + i)) for i in range(20)}
    photos["ann/99.png"] = photos["ann/00.png"]
    house = open_house()
    house.service.jobs.stop()
    house.client.post("/v1/groups", json={"name": "staff"})
    before = {"ann/98.png": png(1, size=(130, 170))}
    house.engine.enroll(house.gallery, "staff", "ann", list(before.values()))
    job_id = house.client.post(URL, content=packed({**photos, **before}), headers=ZIP).json()["id"]
    killed = Jobs(house.gallery)
    assert killed.claim(job_id, "killed") is not None
    stored = list(photos.values())[:7]
    (first, *_) = house.engine.enroll(house.gallery, "staff", "ann", stored).face_ids
    item = JobItem(0, "ann/00.png", "ann", "enrolled", face_id=first)
    assert killed.record(job_id, "killed", [item]) is not None
    Jobs(house.gallery, lease_s=0.01).claim(job_id, "killed")  # and no sign of life
    job = with_another_server(house, lambda: ended(house.client, job_id))
    assert (job["enrolled"], job["rejected"]) == (20, 2)
    items = house.client.get(f"/v1/jobs/{job_id}/items").json()["items"]
    assert [one["image"] for one in items if one["state"] == "rejected"] == [
        "ann/98.png",
        "ann/99.png",
    ]
    assert len({one["face_id"] for one in items if one["face_id"]}) == 20
    assert house.gallery.size("staff") == 21


def with_servers_that_die(house, monkeypatch, job_id, *, deadly=()):
    """Servers take a job on until one survives; returns the job, and what each had in hand."""
    hands, calm, each = [], Spool.calm, jobs.enroll_each

    def die_at(photos, hand):
        for photo in photos:
            hand.append(photo.name)
            if photo.name in deadly:
                raise SystemExit
            yield photo

    def enroll_each(engine, gallery, group, photos, **options):
        hands.append([])
        return each(engine, gallery, group, die_at(photos, hands[-1]), **options)

    monkeypatch.setattr(jobs, "enroll_each", enroll_each)

    def calm_unless_it_dies(spool, one):  # a process that dies says nothing any more
        if not isinstance(sys.exc_info()[1], SystemExit):
            calm(spool, one)

    monkeypatch.setattr(Spool, "calm", calm_unless_it_dies)
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    while len(hands) < 20:
        runner = JobRunner(
            house.engine, house.gallery, house.service.settings, house.service.inference
        )
        runner.start()
        while runner._thread.is_alive():
            runner._thread.join(0.05)
            job = house.client.get(f"/v1/jobs/{job_id}").json()
            if job["finished_at"] is not None:
                runner.close(timeout_s=30)
                return job, hands
    raise AssertionError("it kills for ever")


def test_a_photo_that_kills_servers_is_found_and_rejected(open_house, monkeypatch):
    photos = {f"ann/{i:02}.png": png(1, size=(120, 160 + i)) for i in range(6)}
    house = open_house()
    house.service.jobs.close(timeout_s=30)
    house.client.post("/v1/groups", json={"name": "staff"})
    job_id = house.client.post(URL, content=packed(photos), headers=ZIP).json()["id"]
    job, hands = with_servers_that_die(house, monkeypatch, job_id, deadly={"ann/02.png"})
    assert (job["state"], job["enrolled"], job["rejected"]) == ("done", 5, 1)
    items = house.client.get(f"/v1/jobs/{job_id}/items").json()["items"]
    (rejected,) = [one for one in items if one["state"] == "rejected"]
    assert (rejected["image"], rejected["reasons"]) == ("ann/02.png", ["server_died"])
    # Twice at the beginning, once alone up to the photo; there twice, twice alone; then without.
    assert len(hands) == 8
    assert [hand[0] for hand in hands] == ["ann/00.png"] * 3 + ["ann/02.png"] * 4 + ["ann/03.png"]
    assert spool(house) == []


def test_servers_that_stop_in_order_cast_no_doubt_on_a_photo(tmp_path):
    spool = Spool(tmp_path)
    assert [spool.begin("a", 7) for _ in range(3)] == [1, 2, 3]
    assert spool.begin("a", 8) == 1
    assert spool.begin("b", 8) == 1
    assert spool.begin("a", 8) == 2
    spool.calm("a")
    assert spool.begin("a", 8) == 1
    (tmp_path / "a.begun").write_text("damaged")
    assert spool.begin("a", 8) == 1
    assert Spool(tmp_path / "missing").begin("a", 8) == 1
    spool.drop("a")
    assert not (tmp_path / "a.begun").exists()


def test_cancelled_in_the_middle(open_house):
    photos = {f"ann/{i:02}.png": png(1, size=(120, 160 + i)) for i in range(60)}
    house = open_house()
    client, begun = house.client, threading.Event()
    represent = house.engine.represent

    def slow(*args, **options):
        begun.set()
        time.sleep(0.02)
        return represent(*args, **options)

    house.engine.represent = slow
    client.post("/v1/groups", json={"name": "staff"})
    job_id = client.post(URL, content=packed(photos), headers=ZIP).json()["id"]
    assert begun.wait(30)
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.get(f"/v1/jobs/{job_id}").json()["state"] == "cancelled"
    one = packed({"bea/1.png": png(2)})  # jobs come one after the other: the first is over then
    ended(client, client.post(URL, content=one, headers=ZIP).json()["id"])
    assert house.gallery.person("staff", "ann").faces < 60
    assert client.get(f"/v1/jobs/{job_id}").json()["done"] < 60
    assert spool(house) == []


def test_another_application_sees_no_job(staff, house, people):
    house.gallery.create_application("other")
    job_id = ended(staff, staff.post(URL, content=people, headers=ZIP).json()["id"])["id"]
    headers = house.key("other")
    assert staff.get("/v1/jobs", headers=headers).json()["jobs"] == []
    for path in (f"/v1/jobs/{job_id}", f"/v1/jobs/{job_id}/items"):
        assert staff.get(path, headers=headers).status_code == 404
    assert staff.delete(f"/v1/jobs/{job_id}", headers=headers).status_code == 404
    reader = house.key(scopes=["gallery:read"])
    assert staff.post(URL, content=people, headers={**ZIP, **reader}).status_code == 403
    assert staff.delete(f"/v1/jobs/{job_id}", headers=reader).status_code == 403


# ------------------------------------------------------------------ the pool


def test_the_background_leaves_a_worker_to_requests():
    pool = Pool(workers=2, queue_size=4, name="test")
    hold, running = threading.Event(), []
    later = Background(pool)
    futures = [later.submit(lambda i=i: (running.append(i), hold.wait(10))) for i in range(3)]
    time.sleep(0.3)
    assert running == [0]
    assert (pool.running, pool.taken) == (1, 0)
    hold.set()
    for future in futures:
        future.result(10)
    assert running == [0, 1, 2]
    pool.close(timeout_s=5)


def test_the_background_goes_on_slowly_beside_requests_that_never_end():
    pool = Pool(workers=1, queue_size=8, name="test")
    done = []

    async def requests():
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            await pool.admit().run(lambda: time.sleep(0.02), timeout_s=30)

    async def load():
        first = asyncio.gather(*(requests() for _ in range(3)))
        await asyncio.sleep(0.2)
        for i in range(50):
            Background(pool).submit(lambda i=i: (done.append(i), time.sleep(0.02)))
        await asyncio.sleep(0.5)
        assert done == []  # a request was always waiting
        await first
        assert 1 <= len(done) <= 3  # one a second, not all that are overdue

    asyncio.run(load())
    pool.close(timeout_s=5)


def test_a_closed_pool_cancels_what_waits_in_the_background():
    pool = Pool(workers=1, queue_size=0, name="test")
    hold, begun = threading.Event(), threading.Event()
    later = Background(pool)
    first = later.submit(lambda: begun.set() or hold.wait(10))
    assert begun.wait(5)
    second = later.submit(hold.wait, 10)
    threading.Timer(0.1, hold.set).start()
    pool.close(timeout_s=5)
    assert first.result(5)
    assert second.cancelled()
    assert later.submit(hold.wait).cancelled()
    error = pytest.raises(ZeroDivisionError)
    open_pool = Pool(workers=1, queue_size=0, name="test")
    with error:
        Background(open_pool).submit(lambda: 1 // 0).result(5)
    open_pool.close(timeout_s=5)


def test_a_running_job_brings_nobody_back_who_was_erased(open_house):
    photos = {
        f"{name}/{i}.png": png(1 + n, size=(120, 160 + i))
        for n, name in enumerate(("ann", "bea"))
        for i in range(9)
    }
    house = open_house()
    client, begun, erased = house.client, threading.Event(), threading.Event()
    add_faces, person = house.gallery.__class__.add_faces, "/v1/groups/staff/persons/anna"

    def held(self, *args, **options):
        if self.size("staff") == 4:
            begun.set()
            assert erased.wait(30)
        return add_faces(self, *args, **options)

    client.post("/v1/groups", json={"name": "staff"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(house.gallery.__class__, "add_faces", held)
        job_id = client.post(URL, content=packed(photos), headers=ZIP).json()["id"]
        assert begun.wait(30)
        client.patch(person[:-1], json={"name": "anna"})
        client.post("/v1/groups/staff/persons", json={"name": "cho"})
        assert client.post(f"{person}/erase").json()["faces"] == 4
        erased.set()
        job = ended(client, job_id)
    assert (job["state"], job["enrolled"], job["rejected"]) == ("done", 13, 5)
    names = [one["name"] for one in client.get("/v1/groups/staff/persons").json()["persons"]]
    assert names == ["bea", "cho"]
    page = client.get(f"/v1/jobs/{job_id}/items")
    items = page.json()["items"]
    refused = [one for one in items if one["state"] == "rejected"]
    assert {tuple(one["reasons"]) for one in refused} == {("person_erased",)}
    assert "ann" not in page.text
    assert Jobs(house.gallery).job(job_id).options == {"group": "staff"}
