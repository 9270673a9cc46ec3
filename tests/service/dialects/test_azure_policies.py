"""What a group or the server asks holds for Azure's clients too: liveness, the log of searches."""

from __future__ import annotations

import pytest

from mien import config
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, mock_engine


def started(start_service, folder, score, **settings):
    """A service whose liveness net gives every face this score."""
    given = config.load(data_dir=folder, cache_dir=folder, offline=True, **settings)
    engine = mock_engine(given, liveness=PassiveLiveness([MockLivenessNet(score)]))
    return start_service(folder, engine=engine, **settings)


def code(answer):
    return answer.status_code, answer.json()["error"]["code"]


def test_a_group_that_enforces_liveness_takes_live_faces_only(start_service, tmp_path, photo_of):
    with started(start_service, tmp_path, 0.05) as (azure, _, _):
        azure.ok("PUT", "/persongroups/strict", json={"name": "N"})
        person = azure.person("/persongroups/strict", 1)
        azure.gallery.set_group("azure.persongroup.strict", settings={"liveness": "enforce"})
        faces = f"/persongroups/strict/persons/{person}/persistedfaces"
        assert code(azure.send("POST", faces, content=photo_of.one(1))) == (400, "InvalidImage")
        azure.gallery.set_group("azure.persongroup.strict", settings={"liveness": "observe"})
        azure.ok("POST", faces, content=photo_of.one(1))


@pytest.mark.parametrize("server", ["off", "enforce"])
def test_such_a_group_is_searched_where_detection_has_looked(start_service, tmp_path, server):
    with started(start_service, tmp_path, 0.95, liveness=server) as (azure, _, _):
        azure.ok("PUT", "/persongroups/strict", json={"name": "N"})
        person = azure.person("/persongroups/strict", 1)
        azure.ok("POST", "/persongroups/strict/train", status=202)
        azure.gallery.set_group(
            "azure.persongroup.strict",
            settings={"liveness": "enforce", "liveness_condition": "balanced"},
        )
        face, scope = azure.detect(1, "recognition_01"), {"personGroupId": "strict"}
        for path, body in (
            ("/identify", {"faceIds": [face], **scope}),
            ("/verify", {"faceId": face, "personId": person, **scope}),
        ):
            answer = azure.send("POST", path, json=body)
            if server == "enforce":
                assert answer.status_code == 200
            else:
                assert code(answer) == (403, "UnsupportedFeature")


def test_a_server_that_enforces_liveness_detects_live_faces_only(start_service, tmp_path, photo_of):
    with started(start_service, tmp_path, 0.05, liveness="enforce") as (azure, _, _):
        answer = azure.send("POST", "/detect", content=photo_of.one(1))
        assert code(answer) == (400, "InvalidImage")


def test_searches_are_in_the_log_where_the_server_keeps_one(start_service, tmp_path):
    with start_service(tmp_path, audit_searches="on") as (azure, _, _):
        azure.ok("PUT", "/persongroups/logged", json={"name": "N"})
        person = azure.person("/persongroups/logged", 1)
        azure.ok("POST", "/persongroups/logged/train", status=202)
        faces, scope = (
            [azure.detect(one, "recognition_01") for one in (1, 2)],
            {"personGroupId": "logged"},
        )
        azure.ok("POST", "/identify", json={"faceIds": faces, **scope})
        azure.ok("POST", "/verify", json={"faceId": faces[1], "personId": person, **scope})
        entries = azure.gallery.privacy.audit(limit=1000)
        searches = [one for one in entries if one.action.startswith("search.")]
        assert [one.action for one in searches] == ["search.identify", "search.verify"]
        assert all(one.subject == person.replace("-", "") for one in searches)
        assert searches[0].details["group"] == "azure.persongroup.logged"
        assert searches[1].details["match"] == "no"
        assert all(one.actor.startswith("key ") for one in searches)
