"""Consent, erasure, a person's export, purge and the audit log over HTTP, and their scopes."""

from __future__ import annotations

import time

import pytest

from mien.service import privacy, schemas

GROUP = "/v1/groups/friends"
ANN = f"{GROUP}/persons/Ann"
CONSENT = {"purpose": "door", "text_version": "1", "language": "ko", "evidence": "form 7"}


def check(model, answer, status=200):
    assert answer.status_code == status, answer.text
    model.model_validate(answer.json())
    return answer.json()


def code(answer):
    schemas.ErrorAnswer.model_validate(answer.json())
    return answer.status_code, answer.json()["error"]["code"]


@pytest.fixture
def admin(house):
    """Headers of a key with every scope."""
    return house.key(scopes=["detect", "gallery:read", "gallery:write", "admin"])


@pytest.fixture
def ann(client, photos):
    """A group that demands consent, with Ann, who has given it and has one face."""
    group = {"name": "friends", "settings": {"consent": "required", "retain_age_s": 1000}}
    assert client.post("/v1/groups", json=group).status_code == 201
    made = client.post(f"{GROUP}/persons", json={"name": "Ann"}).json()
    assert code(client.post(f"{ANN}/faces", files={"image": photos.ann})) == (
        409,
        "consent_missing",
    )
    given = check(privacy.ConsentAnswer, client.post(f"{ANN}/consents", json=CONSENT), 201)
    assert client.post(f"{ANN}/faces", files={"image": photos.ann}).status_code == 201
    return made["id"], given["id"]


def test_consent_is_given_listed_and_withdrawn(client, ann):
    person, consent = ann
    listed = check(privacy.ConsentList, client.get(f"{ANN}/consents"))["consents"]
    assert [(one["id"], one["person_id"], one["group"]) for one in listed] == [
        (consent, person, "friends")
    ]
    ended = check(privacy.ConsentAnswer, client.post(f"/v1/consents/{consent}/withdraw"))
    assert ended["withdrawn_at"] is not None
    assert code(client.get(ANN)) == (404, "not_found")  # it was the only one
    assert code(client.post(f"/v1/consents/{'0' * 32}/withdraw")) == (404, "not_found")


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": ""},
        {"purpose": None},
        {"purpose": "x" * 256},
        {"language": 7},
        {"expires": "2030-01-01T00:00:00"},
        {"expires": "2001-01-01T00:00:00Z"},
        {"expires": "soon"},
        {"forever": True},
    ],
    ids=str,
)
def test_a_consent_that_cannot_be_is_refused(client, ann, change):
    answer = client.post(f"{ANN}/consents", json={**CONSENT, **change})
    assert code(answer) == (400, "invalid_argument")
    assert len(client.get(f"{ANN}/consents").json()["consents"]) == 1


def test_a_consent_has_an_end(client, ann):
    body = {**CONSENT, "expires": "2099-01-01T00:00:00+09:00", "every_group": True}
    given = check(privacy.ConsentAnswer, client.post(f"{ANN}/consents", json=body), 201)
    assert given["expires_at"].startswith("2098-12-31T15:00:00")
    assert given["group"] is None


def test_erasing_says_what_was_destroyed_and_is_in_the_log(client, house, ann, admin):
    person, _ = ann
    erased = check(privacy.ErasureAnswer, client.post(f"{ANN}/erase"))
    assert (erased["person_id"], erased["faces"], erased["consents"]) == (person, 1, 1)
    assert code(client.post(f"{ANN}/erase")) == (404, "not_found")
    entries = check(privacy.AuditPage, client.get("/v1/audit", headers=admin))["entries"]
    assert [one["subject"] for one in entries if one["action"] == "person.erase"] == [person]


def test_an_export_holds_everything(client, ann, admin, house, photos):
    found = client.get(f"{ANN}/export", headers=admin)
    content = check(privacy.ExportAnswer, found)
    assert found.headers["cache-control"] == "private, no-store"
    assert content["person"]["id"] == ann[0]
    assert len(content["faces"]) == 1
    assert [one["evidence"] for one in content["consents"]] == ["form 7"]


def test_the_audit_log_comes_in_pages_and_is_checked(client, ann, admin):
    seen, after = [], 0
    while after is not None:
        page = check(
            privacy.AuditPage,
            client.get("/v1/audit", params={"after": after, "limit": 2}, headers=admin),
        )
        seen += [one["seq"] for one in page["entries"]]
        after = page["next"]
    whole = client.get("/v1/audit", headers=admin).json()["entries"]
    assert seen == [one["seq"] for one in whole]
    assert len(seen) > 4
    good = check(privacy.AuditCheckAnswer, client.get("/v1/audit/verify", headers=admin))
    assert (good["ok"], good["entries"]) == (True, len(seen))
    cut = client.get("/v1/audit/verify", params={"head": "0" * 64}, headers=admin)
    assert check(privacy.AuditCheckAnswer, cut)["ok"] is False
    bad = client.get("/v1/audit/verify", params={"head": "x"}, headers=admin)
    assert code(bad) == (400, "invalid_argument")


def test_a_purge_deletes_what_is_too_old(client, ann, admin, house):
    assert check(privacy.PurgeAnswer, client.post("/v1/purge", headers=admin))["faces"] == 0
    settings = {"settings": {"consent": "required", "retain_age_s": 1}}
    assert client.patch(GROUP, json=settings).status_code == 200
    time.sleep(1.1)
    assert check(privacy.PurgeAnswer, client.post("/v1/purge", headers=admin))["faces"] == 1


def test_another_application_sees_nothing(client, house, ann):
    house.gallery.create_application("other")
    other = house.key("other", scopes=["gallery:read", "gallery:write", "admin"])
    assert code(client.post(f"/v1/consents/{ann[1]}/withdraw", headers=other)) == (
        404,
        "not_found",
    )
    assert code(client.get(f"{ANN}/export", headers=other)) == (404, "not_found")
    subjects = [one["subject"] for one in client.get("/v1/audit", headers=other).json()["entries"]]
    assert ann[0] not in subjects
