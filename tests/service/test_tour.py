"""A tour of the whole API with the client: every operation is there, and answers as described.

The description's examples are answers of this tour. After a change of what is answered:
``MIEN_UPDATE_EXAMPLES=1 pytest tests/service/test_tour.py``.
"""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from PIL import Image

import mien.service
from mien.analysis import Pose
from mien.client import Client
from mien.engine import Engine
from mien.gallery import Gallery
from mien.liveness import PassiveLiveness
from mien.service import create_app
from mien.service.described import described_routes, document
from mien.service.examples import EXAMPLES
from mien.testing import (
    DrawnMesh,
    MockDetector,
    MockEmbedder,
    MockLivenessNet,
    challenge_frames,
    mock_calibration,
)

FILE = Path(mien.service.__file__).parent / "examples.json"
OPERATIONS = {
    operation["operationId"]: (method.upper(), path, operation)
    for path, methods in document()["paths"].items()
    for method, operation in methods.items()
    if path.startswith("/v1/")
}
MODELS = {route.name: route.response_model for route in described_routes()}


class Turned:
    """The pose of every face."""

    name = "pose"

    def measure(self, view):
        return Pose(12.5, -3.25, 1.5)


@dataclass
class Heard(httpx.BaseTransport):
    """Passes requests on and writes down which operation each was."""

    inner: httpx.BaseTransport
    found: dict[str, tuple[object, httpx.Response]] = field(default_factory=dict)

    def handle_request(self, request):
        answer = self.inner.handle_request(request)
        answer.read()
        name = operation_of(request)
        assert answer.status_code < 300, (name, answer.text)
        kind = request.headers.get("content-type", "")
        sent = json.loads(request.read()) if kind == "application/json" else None
        self.found.setdefault(name, (sent, answer))
        return answer


def operation_of(request):
    path = request.url.raw_path.partition(b"?")[0].decode()
    fitting = [
        (template.count("{"), name)
        for name, (method, template, _) in OPERATIONS.items()
        if method == request.method and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path)
    ]
    return min(fitting)[1]


@pytest.fixture(scope="module")
def heard(tmp_path_factory, app_transport, service_settings, photos):
    folder = tmp_path_factory.mktemp("tour")
    settings = service_settings(folder, request_timeout_s=120)
    engine = Engine(
        detector=MockDetector(),
        embedder=MockEmbedder(),
        settings=settings,
        calibration=mock_calibration(),
        liveness=PassiveLiveness([MockLivenessNet(0.97)]),
        attributes=[Turned()],
        mesh=DrawnMesh(),
        embedders=[MockEmbedder(version=2)],
    )
    gallery = Gallery.open(f"sqlite:///{folder / 'gallery.db'}")
    transport = Heard(app_transport(create_app(engine, gallery, settings)))
    _, secret = gallery.create_key("default", ["detect", "gallery:read", "gallery:write", "admin"])
    client = Client("http://mien.test", secret, transport=transport)
    try:
        tour(client, photos, folder)
        yield transport.found
    finally:
        transport.inner.close()
        engine.close()
        gallery.close()


def tour(client, photos, folder):
    ann, bob = photos.ann, photos.bob
    client.status()
    client.models(task="embed")
    without_a_gallery(client, ann, bob)
    settings = {"images": "crops", "consent": "off"}
    client.create_group("staff", settings=settings, user_data="Head office")
    client.create_group("guests")
    person = client.create_person("staff", "Ann", external_id="7")
    client.create_persons("staff", [{"name": "Bob"}, {"name": "Cho"}])
    client.give_consent(
        "staff", "Ann", purpose="door", text_version="2026-01", language="en", evidence="file 12"
    )
    (face,) = client.enroll("staff", "Ann", [ann])["face_ids"]
    client.enroll("staff", "Bob", [bob])
    searches(client, face, ann, bob)
    assert client.group("staff")["faces"] == 2
    assert client.person("staff", person["id"])["name"] == "Ann"
    assert client.face("staff", face)["person_id"] == person["id"]
    assert client.face_image("staff", "Ann", face)
    assert [one["name"] for one in client.groups()] == ["guests", "staff"]
    assert [one["name"] for one in client.persons("staff")] == ["Ann", "Bob", "Cho"]
    assert [one["id"] for one in client.faces("staff", "Ann")] == [face]
    client.change_group("staff", {"user_data": "Head office, ground floor"})
    tag = client.etag("staff", "Ann")
    client.change_person("staff", "Ann", {"user_data": "night shift"}, only_if=tag)
    client.change_face("staff", face, {"external_image_id": "12.jpg"})
    in_order(client, face)
    jobs(client, ann, bob)
    rights(client)
    client.export_archive(folder / "a.mien", passphrase="correct horse battery", groups=["guests"])
    client.import_archive(folder / "a.mien", passphrase="correct horse battery", on_conflict="skip")
    client.usage()
    client.delete_face("staff", face)
    client.delete_person("staff", "Ann")
    client.delete_group("guests")


def without_a_gallery(client, ann, bob):
    client.detect(ann, liveness="observe")
    client.represent(ann)
    client.compare(ann, bob)
    client.analyze(ann, actions=["pose"])
    client.check_liveness(ann)
    client.cluster([ann, ann, bob], threshold=0.9)
    client.find(ann, [ann, bob], threshold=0.9)
    made = client.create_session(step_count=1, liveness="off", subject="visitor-12")
    steps = [step["step"] for step in made["steps"]]
    frames = [encoded(one) for one in challenge_frames(steps, frames_per_step=8)][:10]
    times = [0.1 * i for i in range(len(frames))]
    client.check_liveness_clip(frames, times=times)
    client.add_frames(made["id"], frames, times=times)
    assert client.session(made["id"])["frames"] == len(frames)
    client.delete_session(made["id"])


def searches(client, face, ann, bob):
    client.identify("staff", ann, threshold=0.9)
    client.identify_each("staff", [ann, b"no photo"], threshold=0.9)
    client.verify("staff", "Ann", ann, threshold=0.9)
    (told,) = client.represent(ann, max_faces=1)["faces"]
    client.search("staff", [told["embedding"]], contract=told["contract"], norms=[told["norm"]])
    client.search_face("staff", face, own=True, threshold=0.9)


def in_order(client, face):
    client.move_face("staff", face, "Cho")
    assert next(client.changes("staff"))["kind"] == "face.move"
    client.undo("staff")
    client.split_person("staff", "Ann", [face], name="Anna")
    client.merge_persons("staff", "Ann", "Anna")
    client.add_member("guests", "Ann", source="staff")
    client.remove_member("guests", "Ann")
    client.move_person("staff", "Cho", "guests")


def jobs(client, ann, bob):
    made = client.enroll_archive("guests", packed({"Dan/1.png": ann, "Dan/note.txt": b"x"}))
    assert client.wait_for(made["id"], every_s=0.02)["state"] == "done"
    assert [one["state"] for one in client.job_items(made["id"])] == ["enrolled", "rejected"]
    made = client.reembed("staff", dry_run=True)
    assert client.wait_for(made["id"], every_s=0.02)["state"] == "done"
    assert [one["id"] for one in client.jobs()][-1] == made["id"]
    client.cancel_job(made["id"])


def rights(client):
    (consent,) = client.consents("staff", "Ann")["consents"]
    client.withdraw_consent(consent["id"])
    client.export_person("staff", "Bob")
    client.erase("staff", "Bob")
    client.purge()
    entries = list(client.audit(limit=3))
    assert client.verify_audit(head=entries[-1]["hash"])["ok"]


def encoded(picture):
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG", compress_level=1)
    return out.getvalue()


def packed(members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def test_every_operation_can_be_reached_with_the_client(heard):
    assert sorted(heard) == sorted(OPERATIONS)


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_answer_is_the_described_one(heard, name):
    _, answer = heard[name]
    said = OPERATIONS[name][2]["responses"][str(answer.status_code)]
    assert set(said.get("content", {})) >= ({"application/json"} if MODELS[name] else set())
    if MODELS[name] is not None:
        MODELS[name].model_validate(answer.json())
    for header, facts in said["headers"].items():
        required = document()["components"]["headers"][facts["$ref"].rpartition("/")[2]]["required"]
        assert header.lower() in answer.headers or not required, header


def test_the_examples_are_answers_of_this_tour(heard):
    taken = {name: example(*heard[name]) for name in sorted(heard)}
    if os.environ.get("MIEN_UPDATE_EXAMPLES"):
        made = {"operations": taken, "errors": EXAMPLES["errors"]}
        FILE.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
        return
    for name, here in taken.items():
        kept = EXAMPLES["operations"][name]
        assert {part: set(told) for part, told in kept.items()} == {
            part: set(told) for part, told in here.items()
        }, name


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_every_example_fits(name):
    found = EXAMPLES["operations"][name]
    if MODELS[name] is not None:
        MODELS[name].model_validate(found["answer"])


def example(sent, answer):
    kind = answer.headers.get("content-type", "")
    content = answer.json() if kind == "application/json" else None
    parts = {"request": short(sent), "answer": short(content)}
    return {part: value for part, value in parts.items() if value is not None}


def short(value):
    """An example does not need every number of a template, nor every model."""
    if isinstance(value, dict):
        return {name: short(one) for name, one in value.items()}
    if isinstance(value, list):
        return [short(one) for one in value[: 4 if value and isinstance(value[0], float) else 2]]
    return value[:60] if isinstance(value, str) and len(value) > 400 else value
