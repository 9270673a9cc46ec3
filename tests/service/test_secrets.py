"""Errors of every kind: no key, template, name, path or traceback in an answer or in the log."""

from __future__ import annotations

import base64
import io
import json
import logging
import re

import pytest

from mien.engine import Engine
from mien.service.logs import JsonLines
from mien.testing import MockDetector, MockEmbedder, mock_calibration

NAME = "Annabel Vandermeer"
PATH = re.compile(r"(?:^|[\s\"'(=])(?:/(?:home|root|tmp|usr|work|var|etc)/|[A-Z]:\\)")
TRACEBACK = re.compile(r"Traceback|File \\?\"|, line \d+|\.py:\d+: ")
NUMBERS = re.compile(r"(?:-?\d+\.\d+(?:e-?\d+)?,\s*){8}")


class Broken(MockDetector):
    """Fails on the second person with what must not be seen."""

    def detect(self, images):
        if images[0].shape[0] == 240 and images[0].shape[1] == 240:
            raise RuntimeError(f"/home/me/secret.py: {NAME} [0.1, 0.2]")
        return super().detect(images)


@pytest.fixture
def log():
    """Mien's log as both formats write it, and uvicorn's and SQLAlchemy's."""
    out = io.StringIO()
    handlers = [logging.StreamHandler(out), logging.StreamHandler(out)]
    handlers[0].setFormatter(logging.Formatter("%(name)s %(message)s"))
    handlers[1].setFormatter(JsonLines())
    ours = logging.getLogger("mien")
    before = ours.level
    ours.setLevel(logging.DEBUG)
    for handler in handlers:
        ours.addHandler(handler)
    yield out.getvalue
    for handler in handlers:
        ours.removeHandler(handler)
    ours.setLevel(before)


def failing(photos, square):
    """Requests that fail: by the key, the path, the body, the photo, the gallery and a defect."""
    group, person = "/v1/groups/friends", f"/v1/groups/friends/persons/{NAME}"
    encoded = base64.b64encode(photos.ann).decode()
    yield "GET", f"/v1/groups/{NAME}", {}
    yield "GET", f"{group}/persons/nobody {NAME}", {}
    yield "GET", f"{group}/faces/{NAME}", {}
    yield "PUT", person, {}
    yield "GET", f"/nothing/{NAME}", {}
    yield "GET", "/v1/groups", {"params": {"limit": NAME}}
    yield "GET", "/v1/groups", {"params": {NAME: "1"}}
    yield "GET", "/v1/groups", {"params": {"after": f"/etc/{NAME}"}}
    yield "POST", "/v1/groups", {"json": {"name": "friends"}}
    yield "POST", "/v1/groups", {"json": {"name": ""}}
    yield "POST", "/v1/groups", {"json": {"name": NAME, "settings": {"x": NAME}}}
    yield "POST", "/v1/groups", {"json": [NAME]}
    yield "POST", "/v1/groups", {"content": NAME.encode()}
    yield "POST", f"{group}/persons", {"json": {"name": NAME}}
    yield "POST", f"{group}/undo", {"json": {"change": NAME}}
    yield "POST", "/v1/detect", {"json": {"image": f"/etc/{NAME}.jpg"}}
    yield "POST", "/v1/detect", {"json": {"image": f"https://example.org/{NAME}.jpg"}}
    yield "POST", "/v1/detect", {"json": {"image": encoded, "x": NAME}}
    yield "POST", "/v1/detect", {"files": {"image": (f"/home/{NAME}.png", photos.blank[:60])}}
    yield "POST", "/v1/detect", {"files": {"image": (f"{NAME}.png", b"no photo")}}
    yield "POST", "/v1/detect", {"files": {"image": (f"{NAME}.png", photos.tiny)}}
    yield "POST", "/v1/detect", {"files": {"image": (f"{NAME}.png", square)}}
    yield "POST", "/v1/compare", {"files": {"image_a": photos.ann, "image_b": photos.blank}}
    yield "POST", f"{person}/faces", {"files": {"image": (f"{NAME}.png", photos.blank)}}
    yield "POST", f"{person}/faces", {"files": {"image": (f"{NAME}.png", photos.ann)}}
    yield "POST", f"{person}/verify", {"files": {"image": photos.blank}, "params": {"fmr": NAME}}
    yield "POST", "/v1/groups/none/identify", {"files": {"image": photos.ann}}
    yield "GET", "/v1/jobs/" + NAME, {}


def test_nothing_secret_is_answered_or_logged(open_house, photos, log):
    from PIL import Image

    square = io.BytesIO()
    Image.new("RGB", (240, 240), (9, 9, 9)).save(square, "PNG")
    engine = Engine(detector=Broken(), embedder=MockEmbedder(), calibration=mock_calibration())
    house = open_house(engine=engine, lockout_failures=3)
    client = house.client
    person = f"/v1/groups/friends/persons/{NAME}"
    assert client.post("/v1/groups", json={"name": "friends"}).status_code == 201
    assert client.post("/v1/groups/friends/persons", json={"name": NAME}).status_code == 201
    stored = client.post(f"{person}/faces", files={"image": photos.ann})
    assert stored.status_code == 201
    template = client.post("/v1/represent", files={"image": photos.ann}).json()
    numbers = [str(one) for one in template["faces"][0]["embedding"][:8]]
    before = len(log())
    answers = []
    for method, path, body in failing(photos, square.getvalue()):
        answer = client.request(method, path, **body)
        assert answer.status_code >= 400, (method, path, answer.text)
        answers.append((path, answer))
    answers.append(("", client.get(person, headers=house.key(scopes=["detect"]))))
    for secret in ("mien_0123456789abcdef_" + "a" * 43, house.secret[:-1] + "!", *["x"] * 3):
        headers = {"Authorization": f"Bearer {secret}"}
        answers.append(("", client.get("/v1/groups", headers=headers)))
    house.gallery.close()
    answers += [("", client.get("/v1/groups")), ("", client.get("/readyz"))]
    statuses = {answer.status_code for _, answer in answers}
    assert {400, 401, 403, 404, 405, 409, 422, 429, 500, 503} <= statuses
    for _, answer in answers:
        text = answer.text
        assert not TRACEBACK.search(text), text
        assert not PATH.search(text), text
        assert not NUMBERS.search(text), text
        for secret in (house.secret, house.secret[23:], *numbers):
            assert secret not in text
        error = answer.json().get("error", {})
        if error.get("code") == "internal":
            assert NAME not in text
    written = log()
    assert len(written) > before
    for secret in (
        house.secret,
        house.secret[23:],
        NAME,
        "Annabel",
        "friends",
        "secret.py",
        *numbers,
    ):
        assert secret not in written, secret
    for pattern in (TRACEBACK, PATH, NUMBERS):
        assert not pattern.search(written), pattern.search(written)
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    assert any(line.get("error") == "RuntimeError" for line in lines)
    assert all(
        "request_id" in line
        for line in lines
        if line["logger"] == "mien.service" and line["message"].endswith(" ms")
    )


def test_what_holds_a_secret_does_not_show_it(house, photos):
    """Nothing that a program prints while it looks for a mistake."""
    from mien import config
    from mien.service.archives import NewArchive

    secret = "correct-horse-battery"
    settings = config.load(
        gallery=f"postgresql://me:{secret}@db/faces",
        index=f"milvus+http://me:{secret}@db:19530",
        models_mirror=f"https://me:{secret}@mirror/",
        archive_passphrase=secret,
    )
    key, own = house.gallery.create_key("default")
    photo = house.engine.photo(photos.ann)
    embeddings = house.engine.embed(photo, house.engine.detect(photo).faces)
    shown = repr((settings, key, NewArchive(passphrase=secret), embeddings, house.service))
    shown += str(settings) + f"{embeddings}"
    assert secret not in shown
    assert own not in shown
    assert own.rpartition("_")[2] not in shown
    assert f"{float(embeddings.vector[0, 0]):.4f}" not in shown
    assert not NUMBERS.search(shown)


def test_errors_of_the_database_hide_what_was_stored(house):
    import sqlalchemy as sa

    with house.gallery._database.reading() as connection:
        with pytest.raises(sa.exc.SQLAlchemyError) as caught:
            connection.execute(sa.text("SELECT * FROM nothing WHERE name = :name"), {"name": NAME})
        assert NAME not in str(caught.value)


def test_a_defect_in_the_models_says_nothing_in_any_dialect(open_house, log):
    """The last nets of each API: its own words for a defect, and nothing of what it was."""
    from PIL import Image

    square = io.BytesIO()
    Image.effect_noise((240, 240), 9).convert("RGB").save(square, "PNG")
    photo = square.getvalue()
    engine = Engine(detector=Broken(), embedder=MockEmbedder(), calibration=mock_calibration())
    house = open_house(engine=engine)
    app, secret = house.gallery.application("default").id, house.secret
    raw = {"Content-Type": "application/octet-stream"}
    encoded = base64.b64encode(photo).decode()
    asked = [
        ("/v1/detect", {}, {"files": {"image": photo}}, 500),
        (
            "/azure/face/v1.0/detect",
            {"Ocp-Apim-Subscription-Key": secret, **raw},
            {"content": photo},
            500,
        ),
        (
            f"/nhn/v2.0/appkeys/{app}/faces/detect",
            {"Authorization": secret},
            {"json": {"image": {"bytes": encoded}}},
            200,
        ),
        ("/luxand/photo/detect", {"token": secret}, {"files": {"photo": photo}}, 500),
        (
            "/compreface/api/v1/detection/detect",
            {"x-api-key": secret},
            {"files": {"file": ("a.png", photo)}},
            500,
        ),
    ]
    for path, headers, body, status in asked:
        answer = house.client.post(path, headers=headers, **body)
        assert answer.status_code == status, (path, answer.text)
        if status == 200:
            assert answer.json()["header"]["resultCode"] == -50000
        for word in (NAME, "RuntimeError", "secret", "0.1, 0.2", "Broken", "conftest"):
            assert word not in answer.text
            assert word not in str(answer.headers)
        assert not PATH.search(answer.text)
        assert not TRACEBACK.search(answer.text)
    written = log()
    assert written.count("failed: RuntimeError at ") == 2 * len(asked), "once in each format"
    assert NAME not in written
    assert "secret.py" not in written
