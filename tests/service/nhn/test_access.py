"""Who gets in: appKeys, secrets, scopes, version 1.0 without a secret, and liveness policies."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mien.service.auth import CACHE_S
from mien.testing import MockEmbedder

ANN, BOB = 1, 2
LISTED = {"params": {"limit": 5}}


@pytest.mark.parametrize("version", ["v1.0", "v2.0", "v2.1"])
def test_the_secret_may_come_in_several_ways(nhn, version):
    for headers in (
        {"Authorization": nhn.secret},
        {"Authorization": f"Bearer {nhn.secret}"},
        {"Authorization": "", "x-nhn-apikey": nhn.secret},
        {"Authorization": "", "x-nhn-authorization": f"Bearer {nhn.secret}"},
    ):
        assert nhn.data("list-groups", version, headers=headers, **LISTED)["groupCount"] == 1


def basic(text: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def test_version_21_has_tokens_that_are_fetched_first(nhn):
    path, form = "/nhn/oauth2/token/create", {"grant_type": "client_credentials"}
    sent = basic(f"UserAccessKeyID:{nhn.secret}")
    for options in ({"data": form}, {"params": form}, {}):
        answer = nhn.http.post(path, headers=sent, **options)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "no-store"
        told = answer.json()
        assert told == {
            "grant_type": "client_credentials",
            "access_token": told["access_token"],
            "token_type": "Bearer",
            "expires_in": 86400,
        }
    token = {"Authorization": "", "X-NHN-Authorization": f"Bearer {told['access_token']}"}
    assert nhn.data("list-groups", "v2.1", headers=token, **LISTED)["groupCount"] == 1


def test_tokens_that_are_not_given_out(nhn):
    path, valid = "/nhn/oauth2/token/create", basic(f"id:{nhn.secret}")
    wrong = [basic("id:wrong"), basic("id:"), basic("id"), {"Authorization": "Basic x"}, {}]
    for headers in (*wrong, {"Authorization": f"Bearer {nhn.secret}"}):
        answer = nhn.http.post(path, headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    for content in (b"grant_type=password", b"\xff", b"&".join([b"a=1"] * 20)):
        answer = nhn.http.post(path, headers=valid, content=content)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    answer = nhn.http.post(path, headers=valid, content=b"x" * 70_000)
    assert (answer.status_code, answer.json()["error"]) == (413, "request_too_large")


def test_tokens_of_version_21_that_open_nothing(nhn):
    _, weak = nhn.gallery.create_key("default", ["detect"])
    unknown = nhn.secret[:-1] + ("a" if nhn.secret[-1] != "a" else "b")
    for token, wanted in (
        ("", (-41006, "InvalidToken")),
        ("Bearer", (-41006, "InvalidToken")),
        ("Bearer luzocEoQ3tyMvM6pLtoSTHSphgJSGhl5hVvgSstdVQ1X1bZnf", (-41006, "InvalidToken")),
        (f"Bearer {unknown}", (-41007, "UnauthorizedToken")),
        (f"Bearer {weak}", (-41007, "UnauthorizedToken")),
    ):
        headers = {"Authorization": "", "x-nhn-authorization": token}
        assert nhn.code("list-groups", "v2.1", headers=headers, **LISTED) == wanted, token


def test_version_1_without_a_secret_has_to_be_allowed(nhn):
    bare = {"Authorization": ""}
    assert nhn.code("list-groups", "v1.0", headers=bare, **LISTED)[0] == -41000
    nhn.gallery.allow_nhn_v1("default", True)
    try:
        assert nhn.data("list-groups", "v1.0", headers=bare, **LISTED)["groupCount"] == 1
        assert nhn.code("list-groups", "v2.0", headers=bare, **LISTED)[0] == -41005
        guessed = {"Authorization": f"Bearer {nhn.app_key}"}  # the id is no key anywhere else
        assert nhn.http.get("/v1/groups", headers=guessed).status_code == 401
        assert nhn.code("list-groups", "v2.0", headers=guessed, **LISTED)[0] == -41005
        spoofing = {"json": {"image": nhn.encoded(nhn.photo(ANN))}}
        assert nhn.code("spoofing", "liveness", headers=bare, **spoofing)[0] == -41005
        wrong = {"Authorization": "wrong"}
        assert nhn.code("list-groups", "v1.0", headers=wrong, **LISTED)[0] == -41000
    finally:
        nhn.gallery.allow_nhn_v1("default", False)
    time.sleep(CACHE_S + 0.1)  # what has been taken back, is so within that
    assert nhn.code("list-groups", "v1.0", headers=bare, **LISTED)[0] == -41000


def test_what_is_allowed_is_kept_apart(nhn):
    nhn.gallery.allow_attributes("default", ["age"])
    allowed = nhn.gallery.allow_nhn_v1("default", True)
    assert (allowed.nhn_v1, allowed.attributes) == (True, {"age"})
    after = nhn.gallery.allow_attributes("default", [])
    assert after.nhn_v1 is True
    assert nhn.gallery.allow_nhn_v1("default", False).to_dict()["nhn_v1"] is False
    assert nhn.gallery.application_by_id(nhn.app_key).name == "default"


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        (["detect"], {"detect"}),
        (["gallery:read"], {"list-groups"}),
        (["gallery:write"], {"create-group"}),
    ],
    ids=["detect", "read", "write"],
)
def test_scopes_hold(nhn, scopes, allowed):
    _, secret = nhn.gallery.create_key("default", scopes)
    requests = {
        "detect": {"json": {"image": nhn.encoded(nhn.photo(ANN))}},
        "list-groups": LISTED,
        "create-group": {"json": {"groupId": "new"}},
    }
    for name, request in requests.items():
        code, _ = nhn.code(name, headers={"Authorization": secret}, **request)
        assert code == (0 if name in allowed else -41005), name


def test_applications_do_not_see_each_other(nhn):
    other = nhn.gallery.create_application("other nhn")
    _, secret = nhn.gallery.create_key("other nhn")
    headers = {"Authorization": secret}
    assert nhn.code("list-groups", headers=headers, **LISTED)[0] == -41005
    own, nhn.app_key = nhn.app_key, other.id
    try:
        assert nhn.data("list-groups", headers=headers, **LISTED)["groupCount"] == 0
        assert nhn.code("show-group", headers=headers)[0] == -40030
    finally:
        nhn.app_key = own


def test_without_auth_any_app_key_and_secret_will_do(make_nhn):
    nhn = make_nhn(auth=False)
    nhn.app_key = "any"
    assert nhn.data("list-groups", headers={"Authorization": "any"}, **LISTED)["groupCount"] == 1


def test_a_dialect_that_is_not_spoken(make_nhn):
    nhn = make_nhn(dialects=())
    assert nhn.raw("list-groups", **LISTED).status_code == 404


def test_other_paths_and_methods_are_no_operations(nhn):
    for method, version in (("GET", "v3.0"), ("PUT", "v2.0")):
        answer = nhn.http.request(method, f"/nhn/{version}/appkeys/{nhn.app_key}/groups")
        assert answer.status_code == 200
        assert answer.json()["header"]["resultCode"] == -40000


SPOOFED = {"spoofing": True, "spoofingCondition": "strict"}


@pytest.mark.parametrize("version", ["v1.0", "v2.0"])
@pytest.mark.parametrize("spoof", [False, True])
def test_spoofs_are_reported_and_not_rejected(make_nhn, version, spoof):
    nhn = make_nhn(spoof=spoof)
    image = nhn.encoded(nhn.photo(ANN, side=90, room=4))
    numbers = {"limit": 5, "threshold": 50}
    params = {"params": numbers} if version == "v1.0" else {}
    body = SPOOFED | (numbers if version == "v2.0" else {"limit": 5})
    made = nhn.data("register", version, json={"image": image, **SPOOFED, "limit": 5})
    assert made["addedFaceCount"] == 1
    face = made["addedFaces"][0]["faceId"]
    found = [
        *nhn.data("detect", version, json={"image": image, **SPOOFED})["faceDetails"],
        *made["addedFaceDetails"],
        nhn.data("search-by-image", version, json={"image": image, **body}, **params)["sourceFace"],
        nhn.data("verify", version, face=face, json={"compareImage": image, **SPOOFED})[
            "sourceFace"
        ],
    ]
    both = {"sourceImage": image, "targetImage": image, **body}
    compared = nhn.data("compare", version, json=both, **params)
    found += [compared["sourceFace"], compared["matchedFaceDetails"][0]["faceDetail"]]
    assert [one["spoofing"] for one in found] == [spoof] * 6
    two = {"image": nhn.encoded(nhn.photo(ANN, BOB, room=4)), **SPOOFED, "limit": 1}
    others = nhn.data("register", version, json=two)["notAddedFaces"]
    both["targetImage"] = nhn.encoded(nhn.photo(BOB, room=4))
    others += [
        one["faceDetail"]
        for one in nhn.data("compare", version, json=both, **params)["unmatchedFaceDetails"]
    ]
    assert [one["spoofing"] for one in others] == [spoof] * 2
    one = nhn.data("spoofing", "liveness", json={"image": image})["faceDetails"][0]
    assert one["spoofing"] is spoof


def test_a_face_without_surroundings_is_not_taken_for_live(make_nhn):
    nhn = make_nhn()
    close = {"image": nhn.encoded(nhn.photo(ANN, side=500)), "spoofing": True}
    assert nhn.data("detect", json=close)["faceDetails"][0]["spoofing"] is True


def test_where_the_server_enforces_liveness_spoofs_are_refused(make_nhn):
    nhn = make_nhn(spoof=True, liveness="enforce")
    image = nhn.encoded(nhn.photo(ANN, room=4))
    made = nhn.data("register", json={"image": image, "limit": 5})
    assert (made["addedFaceCount"], made["notAddedFaceCount"]) == (0, 1)
    numbers = {"limit": 5, "threshold": 50}
    searched = nhn.raw("search-by-image", json={"image": image, **numbers})
    assert searched.json()["header"]["resultCode"] == -40000
    assert searched.headers["x-mien-error"] == "spoof_suspected"
    both = {"sourceImage": image, "targetImage": image, **numbers}
    assert nhn.code("compare", json=both)[0] == -40000
    assert nhn.data("detect", json={"image": image})["faceDetailCount"] == 1


def test_a_group_may_enforce_liveness(make_nhn):
    nhn = make_nhn(spoof=True)
    image = nhn.encoded(nhn.photo(ANN, room=4))
    wanted = {"image": image, "limit": 1, "threshold": 50}
    face = nhn.data("register", json=wanted)["addedFaces"][0]["faceId"]
    nhn.gallery.set_group("friends", settings={"liveness": "enforce"})
    assert nhn.data("register", json=wanted)["notAddedFaceCount"] == 1
    assert nhn.code("search-by-image", json=wanted)[0] == -40000
    assert nhn.code("verify", face=face, json={"compareImage": image})[0] == -40000


def test_group_policies_hold(nhn):
    nhn.gallery.set_group("friends", settings={"duplicates": "refuse"})
    assert nhn.register(nhn.photo(ANN))["addedFaceCount"] == 1
    again = nhn.register(nhn.photo(ANN, BOB))
    assert (again["addedFaceCount"], again["notAddedFaceCount"]) == (1, 1)
    nhn.gallery.set_group("friends", settings={"duplicates": "allow", "min_quality": 0.51})
    assert nhn.register(nhn.photo(3))["addedFaceCount"] == 0
    nhn.gallery.set_group("friends", settings={"min_quality": 0.5})
    assert nhn.register(nhn.photo(3))["addedFaceCount"] == 1
    nhn.gallery.set_group("friends", settings={"consent": "required"})
    refused = {"image": nhn.encoded(nhn.photo(4)), "limit": 1}
    assert nhn.code("register", json=refused)[0] == -40000


def test_a_group_is_served_by_the_model_that_it_is_pinned_to(nhn):
    second = MockEmbedder(version=2).contract
    nhn.gallery.create_group("second", contract=second)
    image = {"image": nhn.encoded(nhn.photo(ANN))}
    wanted = image | {"limit": 1, "threshold": 50}
    made = nhn.data("register", group="second", json=wanted)
    face = made["addedFaces"][0]["faceId"]
    assert nhn.gallery.face("second", face.replace("-", "")).contract == second
    assert nhn.data("search-by-image", group="second", json=wanted)["matchFaceCount"] == 1
    params = {"limit": 5, "threshold": 50}
    assert nhn.data("search-by-face", group="second", face=face, params=params)
    body = {"compareImage": image["image"]}
    assert nhn.data("verify", group="second", face=face, json=body)["similarity"] > 99
    listed = nhn.data("list-groups", "v1.0", params={"limit": 5})["groups"]
    assert [one["modelVersion"] for one in listed] == ["mock.1", "mock.2"]
    nhn.gallery.create_group("gone", contract=replace(second, model="gone"))
    assert nhn.code("register", group="gone", json=wanted)[0] == -50000


def test_a_group_keeps_the_images_that_it_is_set_to(nhn):
    face = nhn.register(nhn.photo(ANN))["addedFaces"][0]["faceId"].replace("-", "")
    assert nhn.gallery.with_image("friends", [face]) == set()
    nhn.gallery.set_group("friends", settings={"images": "crops"})
    made = nhn.register(nhn.photo(ANN, BOB))["addedFaces"]
    faces = {one["faceId"].replace("-", "") for one in made}
    assert nhn.gallery.with_image("friends", [*faces, face, "0" * 32]) == faces


def test_searches_are_in_the_audit_log_where_that_is_on(make_nhn):
    nhn = make_nhn(audit_searches="on")
    face = nhn.register(nhn.photo(ANN))["addedFaces"][0]["faceId"]
    person = nhn.gallery.face("friends", face.replace("-", "")).person_id
    nhn.data("verify", face=face, json={"compareImage": nhn.encoded(nhn.photo(BOB))})
    for one in (ANN, BOB):
        body = {"image": nhn.encoded(nhn.photo(one)), "limit": 1, "threshold": 50}
        nhn.data("search-by-image", json=body)
    found = [(e.action, e.subject) for e in nhn.gallery.privacy.audit(limit=1000)]
    searches = [one for one in found if one[0].startswith("search.")]
    assert searches[-3:] == [
        ("search.verify", person),
        ("search.identify", person),
        ("search.identify", "nobody"),
    ]


def test_who_is_recognised_is_not_idle(nhn):
    faces = [
        nhn.register(nhn.photo(one))["addedFaces"][0]["faceId"].replace("-", "")
        for one in (ANN, BOB)
    ]
    nhn.gallery.set_group("friends", settings={"retain_idle_s": 3600})
    ids = [nhn.gallery.face("friends", face).person_id for face in faces]
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    for act in ("search-by-image", "verify"):
        nhn.gallery.privacy.seen(ids, now=long_ago)
        if act == "verify":
            body = {"compareImage": nhn.encoded(nhn.photo(ANN))}
            nhn.data("verify", face=faces[0], json=body)
            nhn.data("verify", face=faces[1], json=body)
        else:
            body = {"image": nhn.encoded(nhn.photo(ANN)), "limit": 5, "threshold": 1}
            assert nhn.data(act, json=body)["matchFaceCount"] >= 1
        seen = [nhn.gallery.person("friends", one).last_seen_at for one in ids]
        assert [one != long_ago for one in seen] == [True, False]
