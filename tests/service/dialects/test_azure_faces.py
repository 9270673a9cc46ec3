"""faceIds, recognition models, applications and servers: who sees what, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest

from mien.config import load
from mien.errors import ConfigurationError
from mien.gallery import annex
from mien.service.dialects.azure import probes
from mien.service.dialects.azure.probes import Probe
from mien.testing import mock_engine
from mien.types import EmbeddingContract, Embeddings

CONTRACT = EmbeddingContract("mock", "0" * 64, 1, 3)
KEY = "Ocp-Apim-Subscription-Key"


def later(monkeypatch, seconds):
    class Clock(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(seconds=seconds)

    monkeypatch.setattr(annex, "datetime", Clock)


def verified(azure, *ids):
    return azure.send("POST", "/verify", json={"faceId1": ids[0], "faceId2": ids[1]}).status_code


# ---------------------------------------------------------------------- faceIds


@pytest.mark.parametrize("norm", [12.5, float("nan")])
def test_a_probe_is_kept_as_it_is(norm):
    vector = np.array([[0.6, 0.8, 0]], np.float32)
    embeddings = Embeddings(vector, np.array([norm], np.float32))
    probe = Probe("a" * 32, "recognition_03", CONTRACT, embeddings)
    again = Probe.opened(probe.id, probe.sealed())
    assert (again.id, again.model, again.contract) == (probe.id, probe.model, CONTRACT)
    np.testing.assert_array_equal(again.embeddings.vector, vector)
    np.testing.assert_array_equal(again.embeddings.norm, embeddings.norm)


@pytest.mark.parametrize(("asked", "seconds"), [({"faceIdTimeToLive": "60"}, 60), ({}, 86400)])
def test_a_face_id_lives_as_long_as_was_asked(azure, monkeypatch, asked, seconds):
    one, other = azure.detect(1, **asked), azure.detect(1, **asked)
    later(monkeypatch, seconds - 5)
    assert verified(azure, one, other) == 200
    later(monkeypatch, seconds + 5)
    assert verified(azure, one, other) == 404


def test_face_ids_are_bounded_and_their_templates_do_not_lie_open(
    photo_of, tmp_path, start_service
):
    engine = mock_engine()
    options = {"engine": engine, "azure_face_ids": 2}
    with engine, start_service(tmp_path, **options) as (azure, _, _):
        ids = [azure.detect(1) for _ in range(3)]
        assert verified(azure, ids[1], ids[2]) == 200
        assert verified(azure, ids[0], ids[2]) == 404
        vector = engine.represent(photo_of.one(1)).embeddings.vector[0].astype("<f4").tobytes()
        assert probes.KIND == "azure.face"
        for file in tmp_path.glob("gallery.db*"):
            assert vector not in file.read_bytes()


def test_a_face_id_of_another_application_is_unknown(azure):
    azure.gallery.create_application("other")
    _, secret = azure.gallery.create_key("other")
    one, other = azure.detect(1), azure.detect(1)
    headers = {KEY: secret}
    body = {"faceId1": one, "faceId2": other}
    assert azure.send("POST", "/verify", json=body, headers=headers).status_code == 404
    assert azure.ok("GET", "/persongroups", headers=headers) == []
    assert verified(azure, one, other) == 200


def test_two_servers_of_one_gallery_know_each_others_faces(start_service, tmp_path):
    with start_service(tmp_path) as (first, _, _), start_service(tmp_path) as (second, _, _):
        first.ok("PUT", "/persongroups/gym", json={"name": "Gym"})
        person = second.person("/persongroups/gym", 1)
        first.ok("POST", "/persongroups/gym/train", status=202)
        face = first.detect(1, "recognition_01")
        body = {"faceIds": [face], "personGroupId": "gym"}
        (found,) = second.ok("POST", "/identify", json=body)
        assert [one["personId"] for one in found["candidates"]] == [person]


# ---------------------------------------------------------------------- recognition models


def test_a_group_is_pinned_to_its_recognition_model(azure):
    azure.ok(
        "PUT", "/persongroups/pinned", json={"name": "N", "recognitionModel": "recognition_02"}
    )
    azure.person("/persongroups/pinned", 1)
    azure.ok("POST", "/persongroups/pinned/train", status=202)
    scope = {"personGroupId": "pinned"}
    body = {"faceIds": [azure.detect(1, "recognition_03")], **scope}
    answer = azure.send("POST", "/identify", json=body)
    assert answer.json()["error"]["message"] == "'recognitionModel' is incompatible."
    body = {"faceIds": [azure.detect(1, "recognition_02")], **scope}
    assert azure.ok("POST", "/identify", json=body)[0]["candidates"]


def test_names_may_stand_for_other_models(engine, models, people, start_service, tmp_path):
    """With real weights: recognition_01 is MobileFaceNet, the others are the server's own."""
    chosen = ["recognition_01=mobilefacenet"]
    photo = {"content": people["Barack Obama"][0].read_bytes()}
    with start_service(tmp_path, engine=engine, azure_models=chosen) as (azure, _, _):
        for model in ("recognition_01", "recognition_04"):
            one = model[-2:]
            azure.ok("PUT", f"/persongroups/g{one}", json={"name": "N", "recognitionModel": model})
            people_of = f"/persongroups/g{one}/persons"
            person = azure.ok("POST", people_of, json={"name": "O"})["personId"]
            azure.ok("POST", f"{people_of}/{person}/persistedfaces", **photo)
            query = {"recognitionModel": model}
            other = {"content": people["Barack Obama"][1].read_bytes()}
            face = azure.ok("POST", "/detect", params=query, **other)[0]["faceId"]
            body = {"faceId": face, "personId": person, "personGroupId": f"g{one}"}
            assert azure.ok("POST", "/verify", json=body)["isIdentical"] is True
        contracts = [
            azure.gallery.group(f"azure.persongroup.g{one}").contract.model for one in ("01", "04")
        ]
        assert contracts == ["mobilefacenet", engine.embedder.name]
        made = azure.ok("POST", "/persons", status=202, json={"name": "D"})["personId"]
        for model in ("recognition_01", "recognition_04"):
            faces = f"/persons/{made}/recognitionModels/{model}/persistedfaces"
            azure.ok("POST", faces, status=202, **photo)
        azure.ok(
            "PUT", "/dynamicpersongroups/d", status=202, json={"name": "D", "addPersonIds": [made]}
        )
        for model in ("recognition_01", "recognition_04"):
            face = azure.ok("POST", "/detect", params={"recognitionModel": model}, **photo)[0][
                "faceId"
            ]
            for scope in ({"personIds": ["*"]}, {"dynamicPersonGroupId": "d"}):
                (found,) = azure.ok("POST", "/identify", json={"faceIds": [face], **scope})
                assert [one["personId"] for one in found["candidates"]] == [made], (model, scope)
        azure.ok("DELETE", "/dynamicpersongroups/d", status=202)
        assert not [one.name for one in azure.gallery.groups() if "dynamic" in one.name]


@pytest.mark.parametrize("pairs", ["recognition_05=dlib", "dlib", "recognition_01="])
def test_models_that_cannot_be_are_a_mistake_in_the_settings(pairs):
    with pytest.raises(ConfigurationError, match="azure_models"):
        load(azure_models=pairs)


# ---------------------------------------------------------------------- the other side: /v1


def test_v1_sees_the_same_persons(azure):
    azure.ok("PUT", "/persongroups/shared", json={"name": "N"})
    person = azure.person("/persongroups/shared", 1, "Ann")
    _, secret = azure.gallery.create_key("default")
    root = str(azure.client.base_url).partition("/azure")[0]
    with httpx.Client(base_url=root, headers={"Authorization": f"Bearer {secret}"}) as client:
        (shown,) = client.get("/v1/groups/azure.persongroup.shared/persons").json()["persons"]
        assert (shown["name"], shown["id"]) == ("Ann", person.replace("-", ""))
        group = "/v1/groups/azure.persongroup.shared"
        client.patch(f"{group}/persons/Ann", json={"name": "Anna"}).raise_for_status()
        assert azure.ok("GET", f"/persongroups/shared/persons/{person}")["name"] == "Anna"
        client.delete(group).raise_for_status()
    assert azure.send("GET", "/persongroups/shared").status_code == 404


def test_the_groups_own_gate_is_kept(azure, photo_of):
    azure.ok("PUT", "/persongroups/gated", json={"name": "N"})
    azure.gallery.set_group("azure.persongroup.gated", settings={"min_quality": 1.0})
    person = azure.ok("POST", "/persongroups/gated/persons", json={"name": "A"})["personId"]
    path = f"/persongroups/gated/persons/{person}/persistedfaces"
    answer = azure.send("POST", path, content=photo_of.one(1))
    assert answer.json()["error"]["code"] == "InvalidImage"
    assert "asks for 1.00" in answer.json()["error"]["message"]


def test_what_a_killed_server_left_is_taken_over(azure):
    contract = azure.gallery.ensure_group("azure.directory.mock", contract=mock_contract()).contract
    azure.gallery.create_group("azure.persongroup.half", contract=contract)
    azure.ok("PUT", "/persongroups/half", json={"name": "N"})
    assert azure.ok("GET", "/persongroups/half")["name"] == "N"


def mock_contract():
    with mock_engine() as engine:
        return engine.embedder.contract


# ---------------------------------------------------------------------- the dialect as a whole


def test_the_dialect_can_be_switched_off(start_service, tmp_path):
    with start_service(tmp_path, dialects=[]) as (azure, _, _):
        answer = azure.send("GET", "/persongroups")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_dialect_that_there_is_not_is_a_mistake_in_the_settings():
    with pytest.raises(ConfigurationError, match="azure"):
        load(dialects="azzure")
    assert load(dialects="").dialects == ()


def test_its_description_is_apart_and_complete(azure):
    root = str(azure.client.base_url).partition("/azure")[0]
    described = azure.ok("GET", f"{root}/azure/openapi.json")
    assert described["openapi"].startswith("3.1")
    assert not [
        path for path in httpx.get(f"{root}/openapi.json").json()["paths"] if "face/" in path
    ]
    operations = [
        (path, method, one)
        for path, methods in described["paths"].items()
        for method, one in methods.items()
    ]
    assert len(operations) == 98
    for path, method, one in operations:
        named = {each["name"] for each in one["parameters"] if each["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert one["security"] == [{"Subscription key": []}]
        assert "default" in one["responses"]
        writes = method in ("put", "patch") or (method == "post" and not path.endswith("/train"))
        assert ("requestBody" in one) is writes, (method, path)


def test_every_operation_is_documented():
    text = (Path(__file__).parents[3] / "docs" / "reference" / "azure.md").read_text()
    from mien.service.dialects.azure import router
    from mien.service.dialects.azure.description import document

    for path in document(router().routes)["paths"]:
        end = path.removeprefix("/azure/face/{version}")
        kinds = ("persongroups", "largepersongroups", "facelists", "largefacelists")
        assert any(end.startswith(f"/{kind}") for kind in kinds) or f"`{end}`" in text, end
        if end.startswith(tuple(f"/{kind}" for kind in kinds)):
            rest = "/".join(end.split("/")[3:])
            assert f"`…/{rest}`" in text or not rest, (end, rest)
