"""Liveness sessions: made by Microsoft's own client, filled by a device, judged by Mien."""

from __future__ import annotations

import io
import json
import uuid
from datetime import datetime, timedelta

import httpx
import numpy as np
import pytest
from PIL import Image

from mien import config
from mien.gallery import Gallery
from mien.liveness import PassiveLiveness
from mien.service import session_images
from mien.service.dialects.azure import sessions
from mien.testing import DrawnMesh, MockLivenessNet, challenge_frames, mock_engine

PREVIEW = "/detectLiveness/singleModal/sessions"
PREVIEW_VERIFY = "/detectLivenessWithVerify/singleModal/sessions"
RELEASED = "/detectLiveness-sessions"
RELEASED_VERIFY = "/detectLivenessWithVerify-sessions"
ALL = (PREVIEW, PREVIEW_VERIFY, RELEASED, RELEASED_VERIFY)
NOBODY = str(uuid.UUID(int=7))
WANTED = {"livenessOperationMode": "Passive", "deviceCorrelationId": "door 1"}


@pytest.fixture(scope="module")
def lively(start_service, tmp_path_factory):
    """A client, the server's address and a key; every drawn face is a live one."""
    folder = tmp_path_factory.mktemp("liveness")
    settings = config.load(data_dir=folder, cache_dir=folder, offline=True)
    check = PassiveLiveness([MockLivenessNet(0.9)])
    engine = mock_engine(settings, liveness=check, mesh=DrawnMesh())
    more = {"request_timeout_s": 120, "sessions_per_minute": 1000}
    with engine, start_service(folder, engine=engine, **more) as made:
        yield made


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'gallery.db'}") as made:
        yield made


@pytest.fixture
def azure(lively):
    return lively[0]


def encoded(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def reference(identity=1):
    (picture,) = challenge_frames(["nod"], identity=identity, frames_per_step=8)[:1]
    return encoded(picture)


def begin(azure, path, photo=None, **more):
    """A session in either form; the answer."""
    wanted = {**WANTED, **more}
    if path in (PREVIEW, RELEASED):
        return azure.ok("POST", path, json=wanted)
    photo = photo or reference()
    if path == PREVIEW_VERIFY:
        parts = {"Parameters": (None, json.dumps(wanted), "application/json")}
        files = {**parts, "VerifyImage": ("a.png", photo, "application/octet-stream")}
        return azure.ok("POST", path, files=files)
    flat = {name: str(value) for name, value in wanted.items()}
    return azure.ok("POST", path, data=flat, files={"verifyImage": ("a.png", photo)})


def show(lively, made, *, identity=1, still=False):
    """The device: it does what the session asks for, and sends its frames."""
    _, endpoint, _ = lively
    url = endpoint.removesuffix("/azure") + f"/v1/liveness-sessions/{made['sessionId']}"
    url = url.replace(made["sessionId"], made["sessionId"].replace("-", ""))
    headers = {"Authorization": f"Bearer {made['authToken']}"}
    with httpx.Client(headers=headers, timeout=120) as device:
        steps = [one["step"] for one in device.get(url).json()["steps"]]
        seed = int(np.random.default_rng().integers(2**31))
        frames = challenge_frames(
            steps, identity=identity, frames_per_step=8, seed=seed, scene=seed
        )
        if still:
            frames = frames[:1] * len(frames)
        for at in range(0, len(frames), 10):
            batch = frames[at : at + 10]
            last = {"done": "true"} if at + 10 >= len(frames) else {}
            times = ",".join(f"{0.1 * (at + i):.3f}" for i in range(len(batch)))
            files = [("image", (f"{i}.png", encoded(one))) for i, one in enumerate(batch)]
            answer = device.post(f"{url}/frames", files=files, data={"times": times, **last})
            assert answer.status_code == 200, answer.text
            if answer.json()["state"] not in ("waiting", "running"):
                return


# ---------------------------------------------------------------------- from beginning to end


def test_a_session_of_the_preview(azure, lively):
    made = begin(azure, PREVIEW)
    assert set(made) == {"sessionId", "authToken"}
    path = f"{PREVIEW}/{made['sessionId']}"
    before = azure.ok("GET", path)
    assert (before["id"], before["status"]) == (made["sessionId"], "NotStarted")
    assert before["sessionExpired"] is False
    assert before["deviceCorrelationId"] == "door 1"
    assert before["authTokenTimeToLiveInSeconds"] == 600
    assert azure.ok("GET", f"{path}/audit") == []
    assert made["sessionId"] in [one["id"] for one in azure.ok("GET", PREVIEW)]
    show(lively, made)
    after = azure.ok("GET", path)
    assert after["status"] == "ResultAvailable"
    told = after["result"]["response"]["body"]
    assert told["livenessDecision"] == "realface"
    assert told["target"]["imageType"] == "Color"
    assert told["target"]["timeOffsetWithinFile"] >= 0
    assert told["target"]["faceRectangle"]["width"] > 20
    assert azure.ok("GET", f"{path}/audit") == [after["result"]]
    assert azure.send("DELETE", path).content == b""
    assert azure.send("GET", path).status_code == 404


def test_a_session_of_the_release(azure, lively):
    made = begin(azure, RELEASED)
    assert (made["status"], made["results"]) == ("NotStarted", {"attempts": []})
    assert made["authToken"].startswith("mls_")
    path = f"{RELEASED}/{made['sessionId']}"
    show(lively, made)
    told = azure.ok("GET", path)
    assert told["status"] == "Succeeded"
    assert "authToken" not in told
    (attempt,) = told["results"]["attempts"]
    assert (attempt["attemptId"], attempt["attemptStatus"]) == (1, "Succeeded")
    assert attempt["result"]["livenessDecision"] == "realface"
    assert attempt["result"]["targets"]["color"]["faceRectangle"]["width"] > 20
    assert "sessionImageId" not in attempt["result"]
    image = azure.send("GET", f"/sessionImages/{made['sessionId']}")
    assert image.json()["error"]["code"] == "SessionImageNotFound"
    assert azure.send("DELETE", path).status_code == 200


@pytest.mark.parametrize(("identity", "same"), [(1, True), (2, False)])
@pytest.mark.parametrize("path", [PREVIEW_VERIFY, RELEASED_VERIFY])
def test_a_session_with_verification(azure, lively, path, identity, same):
    made = begin(azure, path, returnVerifyImageHash="true")
    if path == PREVIEW_VERIFY:
        image = made["verifyImage"]
    else:
        (image,) = made["results"]["verifyReferences"]
        assert image["referenceType"] == "Color"
    assert image["qualityForRecognition"] in ("low", "medium", "high")
    assert image["faceRectangle"]["width"] == 90
    show(lively, made, identity=identity)
    told = azure.ok("GET", f"{path}/{made['sessionId']}")
    if path == PREVIEW_VERIFY:
        result = told["result"]["response"]["body"]
        assert len(told["result"]["verifyImageHash"]) == 64
    else:
        result = told["results"]["attempts"][0]["result"]
        assert len(result["verifyImageHash"]) == 64
    assert result["livenessDecision"] == "realface"  # a live face, whoever's it is
    assert result["verifyResult"]["isIdentical"] is same
    assert (result["verifyResult"]["matchConfidence"] >= 0.5) is same


def test_a_picture_that_does_not_move_is_no_real_face(azure, lively):
    made = begin(azure, RELEASED, livenessOperationMode="PassiveActive")
    show(lively, made, still=True)
    told = azure.ok("GET", f"{RELEASED}/{made['sessionId']}")
    (attempt,) = told["results"]["attempts"]
    assert attempt["result"]["livenessDecision"] == "spoofface"


def test_with_the_client_of_azure_ai_vision_face(lively):
    face = pytest.importorskip("azure.ai.vision.face", reason="pip install --group dialects")
    from azure.ai.vision.face import models
    from azure.core.credentials import AzureKeyCredential
    from azure.core.exceptions import ResourceNotFoundError

    _, endpoint, key = lively
    with face.FaceSessionClient(endpoint, AzureKeyCredential(key)) as client:
        made = client.create_liveness_session(
            models.CreateLivenessSessionContent(
                liveness_operation_mode=models.LivenessOperationMode.PASSIVE,
                device_correlation_id=str(uuid.uuid4()),
                enable_session_image=True,
            )
        )
        show(lively, {"sessionId": made.session_id, "authToken": made.auth_token})
        told = client.get_liveness_session_result(made.session_id)
        assert told.status == "ResultAvailable"
        assert told.result.response.body.liveness_decision == "realface"
        assert told.result.response.body.target.face_rectangle.width > 20
        image = told.result.session_image_id
        assert b"".join(client.get_session_image(image)).startswith(b"\x89PNG")
        (found,) = client.detect_from_session_image(
            session_image_id=image,
            detection_model="detection_03",
            recognition_model="recognition_04",
            return_face_id=True,
        )
        assert found.face_id
        assert made.session_id in [one.id for one in client.get_liveness_sessions()]
        assert len(client.get_liveness_session_audit_entries(made.session_id)) == 1
        client.delete_liveness_session(made.session_id)
        with pytest.raises(ResourceNotFoundError):
            client.get_liveness_session_result(made.session_id)

        made = client.create_liveness_with_verify_session(
            models.CreateLivenessWithVerifySessionContent(
                liveness_operation_mode=models.LivenessOperationMode.PASSIVE,
                device_correlation_id=str(uuid.uuid4()),
            ),
            verify_image=reference(),
        )
        assert made.verify_image.face_rectangle.width == 90
        show(lively, {"sessionId": made.session_id, "authToken": made.auth_token})
        told = client.get_liveness_with_verify_session_result(made.session_id)
        assert told.result.response.body.verify_result.is_identical is True
        client.delete_liveness_with_verify_session(made.session_id)


# ---------------------------------------------------------------------- what is kept, how long


def test_the_reference_goes_with_its_session(azure):
    made = begin(azure, RELEASED_VERIFY)
    assert azure.gallery.group(sessions.GROUP).persons >= 1
    before = azure.gallery.group(sessions.GROUP).persons
    azure.ok("DELETE", f"{RELEASED_VERIFY}/{made['sessionId']}")
    assert azure.gallery.group(sessions.GROUP).persons == before - 1


def test_what_is_old_goes_with_the_next_session(azure, monkeypatch):
    begin(azure, PREVIEW_VERIFY)

    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(hours=26)

    monkeypatch.setattr(sessions, "datetime", Clock)
    made = begin(azure, PREVIEW)
    assert azure.gallery.group(sessions.GROUP).persons == 0
    notes = azure.gallery.annex.notes(sessions.SPACE)
    assert [one.key for one in notes] == [made["sessionId"].replace("-", "")]


def test_sessions_are_listed_by_id(azure):
    ids = {begin(azure, PREVIEW)["sessionId"] for _ in range(3)}
    shown = [one["id"] for one in azure.ok("GET", PREVIEW)]
    assert shown == sorted(shown)
    assert ids <= set(shown)
    assert [one["id"] for one in azure.ok("GET", PREVIEW, params={"top": 1})] == shown[:1]
    rest = azure.ok("GET", PREVIEW, params={"start": shown[0]})
    assert [one["id"] for one in rest] == shown[1:]
    assert not ids & {one["id"] for one in azure.ok("GET", PREVIEW_VERIFY)}


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"livenessOperationMode": "Active"}, "InvalidLivenessOperationMode"),
        ({"livenessOperationMode": None}, "InvalidLivenessOperationMode"),
        ({"authTokenTimeToLiveInSeconds": 59}, "InvalidTokenLifetime"),
        ({"authTokenTimeToLiveInSeconds": 86401}, "InvalidTokenLifetime"),
        ({"authTokenTimeToLiveInSeconds": "long"}, "InvalidTokenLifetime"),
        ({"deviceCorrelationId": None}, "InvalidDeviceCorrelationId"),
        ({"deviceCorrelationId": "d" * 65}, "InvalidDeviceCorrelationId"),
        ({"deviceCorrelationId": 7}, "InvalidDeviceCorrelationId"),
        ({"deviceCorrelationIdSetInClient": "perhaps"}, "InvalidRequestBody"),
        ({"sendResultsToClient": 7}, "InvalidRequestBody"),
    ],
)
@pytest.mark.parametrize("path", ALL)
def test_a_session_that_cannot_be(azure, path, change, code):
    wanted = {**WANTED, **change}
    if path in (PREVIEW, RELEASED):
        answer = azure.send("POST", path, json=wanted)
    elif path == PREVIEW_VERIFY:
        files = {"Parameters": (None, json.dumps(wanted)), "VerifyImage": ("a", b"x" * 2000)}
        answer = azure.send("POST", path, files=files)
    else:
        flat = {name: str(value) for name, value in wanted.items() if value is not None}
        answer = azure.send("POST", path, data=flat, files={"verifyImage": ("a", b"x" * 2000)})
        if change == {"deviceCorrelationId": 7}:  # a text like any other
            code = "InvalidImage"
    if path in (RELEASED, RELEASED_VERIFY) and change == {"deviceCorrelationId": None}:
        code = None if path == RELEASED else "InvalidImage"  # the release does not need it
    found = answer.json().get("error", {}).get("code")
    assert (answer.status_code, found) == (400 if code else 200, code)


@pytest.mark.parametrize("path", [PREVIEW, RELEASED])
def test_a_body_that_is_none_is_told_with_the_sessions_own_code(azure, path):
    for body in (b"{", b"[]", b""):
        answer = azure.send(
            "POST", path, content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestBody")


def test_a_form_that_is_none_is_told_with_the_sessions_own_code(azure):
    for boundary in ("x", ""):
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        answer = azure.send("POST", RELEASED_VERIFY, content=b"--y--", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestBody")


@pytest.mark.parametrize("path", [PREVIEW_VERIFY, RELEASED_VERIFY])
def test_verification_needs_a_photo_of_one_face(azure, photo_of, path):
    answer = azure.send("POST", path, json=WANTED)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidRequestBody")
    begin(azure, path)
    before = azure.gallery.group(sessions.GROUP).persons
    name = "VerifyImage" if path == PREVIEW_VERIFY else "verifyImage"
    for photo, code in (
        (photo_of.nobody(), "InvalidImage"),
        (photo_of.several(1, 2), "InvalidImage"),
        (b"x" * 2000, "InvalidImage"),
        (b"x" * 1000, "InvalidImageSize"),
    ):
        answer = azure.send("POST", path, data=WANTED, files={name: ("a.png", photo)})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    bad = {**WANTED, "verifyConfidenceThreshold": "much"}
    answer = azure.send("POST", path, data=bad, files={name: ("a.png", reference())})
    assert answer.json()["error"]["code"] == "InvalidRequestBody"
    assert azure.gallery.group(sessions.GROUP).persons == before


@pytest.mark.parametrize("path", ALL)
def test_a_session_that_is_not_there(azure, path):
    for one in (NOBODY, "x"):
        for method in ("GET", "DELETE"):
            answer = azure.send(method, f"{path}/{one}")
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SessionNotFound")
    if path in (PREVIEW, PREVIEW_VERIFY):
        assert azure.send("GET", f"{path}/{NOBODY}/audit").status_code == 404
        assert azure.send("GET", path, params={"top": 0}).json()["error"]["code"] == "BadArgument"


def test_a_session_is_of_one_kind(azure):
    made = begin(azure, PREVIEW)
    assert azure.send("GET", f"{PREVIEW_VERIFY}/{made['sessionId']}").status_code == 404


def test_a_session_keeps_an_image_where_it_is_asked_to(azure, lively):
    made = begin(azure, RELEASED, enableSessionImage=True)
    show(lively, made)
    session = f"{RELEASED}/{made['sessionId']}"
    result = azure.ok("GET", session)["results"]["attempts"][0]["result"]
    place = result["targets"]["color"]["faceRectangle"]
    one = result["sessionImageId"]
    for folder in ("/session/sessionImages", "/sessionImages"):
        image = azure.send("GET", f"{folder}/{one}")
        assert image.status_code == 200
        assert image.headers["content-type"] == "application/octet-stream"
        assert Image.open(io.BytesIO(image.content)).format == "PNG"
    (face,) = azure.ok("POST", "/detect", json={"sessionImageId": one})
    assert abs(face["faceRectangle"]["left"] - place["left"]) <= 1
    assert uuid.UUID(face["faceId"])
    azure.ok("DELETE", session)
    for answer in (
        azure.send("GET", f"/sessionImages/{one}"),
        azure.send("GET", "/session/sessionImages/x"),
        azure.send("POST", "/detect", json={"sessionImageId": one}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "SessionImageNotFound")


@pytest.mark.parametrize(("most", "kept"), [(0, 0), (1, 1)])
def test_images_of_sessions_are_bounded(gallery, most, kept):
    settings = config.load(session_images=most)
    portrait = {"frame": 3, "time_s": 0.0, "box": [0, 0, 1, 1]}
    for session in ("a" * 32, "b" * 32):
        for before in (0, 2, 4):  # only the second request holds the frame
            frames = [b"no", f"of {session}".encode()]
            session_images.keep(
                gallery, session, portrait, frames, before=before, settings=settings
            )
    found = [session_images.find(gallery, one * 32) for one in "ab"]
    assert found == [None, f"of {'b' * 32}".encode() if kept else None]


def test_too_many_sessions_are_429(start_service, tmp_path):
    with start_service(tmp_path, sessions_per_minute=1) as (azure, _, _):
        begin(azure, PREVIEW)
        answer = azure.send("POST", PREVIEW, json=WANTED)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "429")
        assert answer.headers["retry-after"]
