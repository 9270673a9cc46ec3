"""/v1/liveness-sessions: a challenge for a device, its frames, and the result."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from mien import config
from mien.gallery import Gallery
from mien.gallery.challenges import Challenges
from mien.gallery.records.schema import challenge_parts, challenges
from mien.liveness import PassiveLiveness
from mien.service.session_schemas import ClipAnswer, LivenessSessionAnswer
from mien.testing import DrawnMesh, MockLivenessNet, challenge_frames, mock_engine

URL = "/v1/liveness-sessions"


def encoded(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


@pytest.fixture
def start(open_house, tmp_path):
    def started(**settings):
        loaded = config.Settings(data_dir=tmp_path, **settings)
        check = PassiveLiveness([MockLivenessNet(0.9)])
        engine = mock_engine(loaded, liveness=check, mesh=DrawnMesh())
        return open_house(engine=engine, request_timeout_s=120, **settings)

    return started


def create(client, **options):
    answer = client.post(URL, json={"step_count": 2, "liveness": "off", **options})
    assert answer.status_code == 201, answer.text
    return answer.json()


def device(made):
    return {"Authorization": f"Bearer {made['token']}"}


def shown(made, **how):
    steps = [step["step"] for step in made["steps"]]
    return [encoded(picture) for picture in challenge_frames(steps, frames_per_step=8, **how)]


def send(client, made, images, *, first=0, headers=None, **options):
    times = ",".join(f"{0.1 * (first + i):.3f}" for i in range(len(images)))
    return client.post(
        f"{URL}/{made['id']}/frames",
        files=[("image", (f"{i}.png", image)) for i, image in enumerate(images)],
        data={"times": times, **options},
        headers=headers or device(made),
    )


def send_all(client, made, images, **how):
    """All frames in batches, waiting for nothing; the session was made a minute ago."""
    for at in range(0, len(images), 10):
        answer = send(client, made, images[at : at + 10], first=at, **how)
        assert answer.status_code == 200, answer.text
        if answer.json()["state"] not in ("waiting", "running"):
            break
    return answer.json()


def rows(gallery, table):
    with gallery._database.reading() as connection:
        return connection.execute(sa.select(table)).all()


def test_from_beginning_to_end(start):
    house = start()
    made = create(house.client, subject="kiosk 7")
    assert made["state"] == "waiting"
    assert made["token"].startswith(f"mls_{made['id']}_")
    assert made["next_step"] == made["steps"][0]["step"]
    assert all({*step["texts"]} == {"en", "ko"} for step in made["steps"])
    images = shown(made)
    first = send(house.client, made, images[:10]).json()
    assert first["state"] == "running"
    assert first["next_step"] == made["steps"][1]["step"]
    assert len(rows(house.gallery, challenge_parts)) == 1
    last = send(house.client, made, images[10:], first=10).json()
    assert last["state"] == "finished"
    assert last["result"] is None
    told = house.client.get(f"{URL}/{made['id']}").json()
    assert told["state"] == "passed", told
    assert told["result"]["passed"] is True
    assert told["result"]["reasons"] == []
    assert told["token"] is None
    LivenessSessionAnswer.model_validate(told)
    assert rows(house.gallery, challenge_parts) == []
    assert house.client.delete(f"{URL}/{made['id']}").status_code == 204
    assert house.client.get(f"{URL}/{made['id']}").status_code == 404


def test_single_use_and_no_frame_twice(start):
    house = start()
    made = create(house.client, step_count=1, among=["turn_left"])
    images = shown(made)
    send_all(house.client, made, images)
    again = send(house.client, made, images)
    assert (again.status_code, again.json()["error"]["code"]) == (409, "session_over")
    other = create(house.client, step_count=1, among=["turn_left"])
    send_all(house.client, other, images)
    told = house.client.get(f"{URL}/{other['id']}").json()
    assert told["state"] == "failed"
    assert told["result"]["reasons"] == ["replayed"]


def test_one_by_one_in_json_and_done(start):
    import base64

    house = start()
    made = create(house.client, step_count=1, among=["nod"])
    for i, image in enumerate(shown(made)[:3]):
        body = {"image": base64.b64encode(image).decode(), "times": 0.1 * i}
        answer = house.client.post(
            f"{URL}/{made['id']}/frames", json={**body, "done": i == 2}, headers=device(made)
        )
        assert answer.status_code == 200, answer.text
    told = house.client.get(f"{URL}/{made['id']}").json()
    assert told["state"] == "failed"
    assert {"step_missed", "too_few_frames"} <= {*told["result"]["reasons"]}


def test_who_may_do_what(start):
    house = start()
    made, other = create(house.client), create(house.client)
    path = f"{URL}/{made['id']}"
    wrong = {"Authorization": f"Bearer {made['token'][:-1]}A"}
    if wrong["Authorization"] == device(made)["Authorization"]:
        wrong = {"Authorization": f"Bearer {made['token'][:-1]}B"}
    assert house.client.get(path, headers=wrong).status_code == 401
    assert house.client.get(path, headers=device(other)).status_code == 403
    assert house.client.get(path, headers=device(made)).json()["result"] is None
    assert house.client.delete(path, headers=device(made)).status_code == 403
    assert house.client.get("/v1/groups", headers=device(made)).status_code == 401
    assert house.client.post(URL, json={}, headers=device(made)).status_code == 401
    house.gallery.create_application("other")
    stranger = house.key("other")
    assert house.client.get(path, headers=stranger).status_code == 404
    assert house.client.delete(path, headers=stranger).status_code == 404
    reader = house.key(scopes=["gallery:read"])
    assert house.client.post(URL, json={}, headers=reader).status_code == 403
    detector = house.key(scopes=["detect"])
    assert house.client.post(URL, json={}, headers=detector).status_code == 201
    person = {"group": "staff", "person": "Ann"}
    assert house.client.post(URL, json=person, headers=detector).status_code == 403
    assert house.client.post(URL, json=person).status_code == 404


def test_a_device_may_be_told(start):
    house = start()
    made = create(house.client, step_count=1, among=["nod"], send_result_to_device=True)
    told = send_all(house.client, made, shown(made), headers=device(made))
    assert told["state"] == "passed"
    assert told["result"]["passed"] is True


def test_an_enrolled_person(start):
    house = start()
    house.client.post("/v1/groups", json={"name": "staff"})
    house.client.post("/v1/groups/staff/persons", json={"name": "Ann"})
    made = create(house.client, step_count=1, among=["nod"])
    face = shown(made)[0]
    path = "/v1/groups/staff/persons/Ann/faces"
    assert house.client.post(path, files={"image": face}).status_code == 201
    for identity, state in ((1, "passed"), (2, "failed")):
        made = create(house.client, step_count=1, among=["nod"], group="staff", person="Ann")
        send_all(house.client, made, shown(made, identity=identity, seed=identity))
        told = house.client.get(f"{URL}/{made['id']}").json()
        assert told["state"] == state
        names = {check["name"]: check for check in told["result"]["checks"]}
        assert names["person"]["passed"] is (state == "passed")


def test_expired(start):
    house = start()
    made = create(house.client, ttl_s=60)
    send(house.client, made, shown(made)[:3])
    with house.gallery._database.writing() as connection:
        past = datetime.now(UTC) - timedelta(seconds=1)
        connection.execute(challenges.update().values(expires_at=past))
    assert house.client.get(f"{URL}/{made['id']}").json()["state"] == "expired"
    refused = send(house.client, made, shown(made)[3:6], first=3)
    assert refused.json()["error"]["code"] == "session_over"
    create(house.client)  # what the expired one saw is forgotten
    assert rows(house.gallery, challenge_parts) == []


def test_rates(start):
    house = start(sessions_per_minute=4, sessions_per_subject=2)
    for _ in range(2):
        create(house.client, subject="a")
    refused = house.client.post(URL, json={"subject": "a"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limited")
    create(house.client, subject="b")
    create(house.client)
    assert house.client.post(URL, json={"subject": "c"}).status_code == 429
    house.gallery.create_application("other")
    assert house.client.post(URL, json={}, headers=house.key("other")).status_code == 201


def test_two_requests_at_once(start):
    """Of two requests that looked at frames at the same time the second is refused."""
    house = start()
    made = create(house.client)
    store = Challenges(house.gallery)
    before = store.find(made["id"])
    store.add(before, b"seen", frames=1)
    with pytest.raises(Exception, match="one request after the other"):
        store.add(before, b"seen meanwhile", frames=1)
    assert store.seen(store.find(made["id"])) == [b"seen"]


def test_another_process_goes_on(start):
    house = start()
    made = create(house.client, step_count=1, among=["nod"])
    send(house.client, made, shown(made)[:4])
    with Gallery.open(f"sqlite:///{house.gallery._database.file}") as other:
        store = Challenges(other)
        (part,) = store.seen(store.find(made["id"]))
        assert b"matrix" in part  # unsealed there
        (row,) = rows(other, challenge_parts)
        assert b"matrix" not in row.sealed


@pytest.mark.parametrize(
    "wrong",
    [
        {"step_count": 0},
        {"step_count": 7},
        {"step_count": 2, "among": ["nod"]},
        {"among": []},
        {"among": ["jump"]},
        {"step_limit_s": 1.9},
        {"step_limit_s": 61},
        {"ttl_s": 59},
        {"ttl_s": 86401},
        {"max_frames": 7},
        {"max_frames": 601},
        {"fmr": 0},
        {"fmr": 1},
        {"subject": ""},
        {"subject": "x" * 65},
        {"subject": "a\nb"},
        {"group": "staff"},
        {"steps": ["nod"]},
    ],
    ids=str,
)
def test_sessions_that_cannot_be(start, wrong):
    answer = start().client.post(URL, json=wrong)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_argument")


def test_edges_that_can_be(start):
    client = start().client
    for edge in ({"step_count": 6}, {"ttl_s": 60}, {"ttl_s": 86400}, {"subject": "x" * 64}):
        create(client, **edge)


def test_frames_that_cannot_be(start):
    house = start(max_request_images=3)
    made = create(house.client)
    path, images = f"{URL}/{made['id']}/frames", shown(made)[:4]
    post = house.client.post
    files = [("image", image) for image in images[:2]]
    for data in ({"times": "0"}, {}, {"times": "0,x"}, {"times": "0,1,2"}, {"times": "0,nan"}):
        refused = post(path, files=files, data=data, headers=device(made))
        assert refused.status_code == 400, data
    assert send(house.client, made, images).status_code == 413
    assert send(house.client, made, [b"no picture"]).status_code == 400
    assert send(house.client, {**made, "id": "0" * 32}, images[:1]).status_code == 403
    nobody = house.client.get(f"{URL}/{'0' * 32}")
    assert nobody.status_code == 404
    assert house.client.get(f"{URL}/{made['id']}").json()["frames"] == 0


def test_never_less_than_the_server_asks(start):
    house = start(liveness="enforce", liveness_condition="strict")
    made = create(house.client, step_count=1, among=["nod"], liveness_condition="weak")
    send_all(house.client, made, shown(made))
    told = house.client.get(f"{URL}/{made['id']}").json()
    (check,) = [one for one in told["result"]["checks"] if one["name"] == "liveness"]
    assert (check["decides"], check["limit"]) == (True, 0.7)


def test_clip(start):
    house = start()
    files = [("image", encoded(p)) for p in challenge_frames(["blink"], frames_per_step=8)]
    times = ",".join(str(0.1 * i) for i in range(len(files)))
    told = house.client.post("/v1/liveness/clip", files=files, data={"times": times}).json()
    assert (told["verdict"], told["blinks"], told["frames"]) == ("live", 1, 11)
    ClipAnswer.model_validate(told)
    without = house.client.post("/v1/liveness/clip", files=files[:2]).json()
    assert without["live"] is True
    assert house.client.post("/v1/liveness/clip", files=files[:1]).status_code == 400
    assert (
        house.client.post("/v1/liveness/clip", files=files, data={"times": "1"}).status_code == 400
    )
