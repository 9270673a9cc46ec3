"""apps and keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mien.cli.access import expiry
from mien.errors import InvalidArgument, Unauthorized
from mien.gallery import Gallery


def test_an_application_comes_with_a_key_that_is_shown_once(mien, tmp_path):
    document = mien("apps", "create", "shop", "--json").document
    assert document["app"] == "shop"
    with Gallery.open(f"sqlite:///{tmp_path / 'data' / 'gallery.db'}") as gallery:
        assert gallery.authenticate(document["key"]).application == "shop"
    listed = mien("keys", "list", "--app", "shop", "--json")
    assert document["key"] not in listed.stdout
    assert len(listed.document) == 1
    apps = {row["app"]: row["app_key"] for row in mien("apps", "list", "--json").document}
    assert apps["shop"] == document["app_key"]
    assert "shown only now" in mien("apps", "create", "second").stdout


def test_a_name_is_taken_once(mien):
    mien("apps", "create", "shop")
    answer = mien("apps", "create", "shop", "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "already_exists")


def test_a_key_ends_when_it_is_revoked(mien, tmp_path):
    secret = mien("keys", "create", "--scope", "detect", "--expires", "1d", "--json").document[
        "key"
    ]
    (key,) = mien("keys", "list", "--json").document
    assert key["scopes"] == ["detect"]
    assert datetime.fromisoformat(key["expires_at"]) > datetime.now(UTC) + timedelta(hours=23)
    assert mien("keys", "revoke", key["id"], "--json").document == {"revoked": key["id"]}
    with (
        Gallery.open(f"sqlite:///{tmp_path / 'data' / 'gallery.db'}") as gallery,
        pytest.raises(Unauthorized),
    ):
        gallery.authenticate(secret)
    assert "revoked" in mien("keys", "list").stdout


@pytest.mark.parametrize(
    ("role", "scopes"),
    [
        ("detector", ["detect"]),
        ("reader", ["detect", "gallery:read"]),
        ("operator", ["detect", "gallery:read", "gallery:write"]),
        ("admin", ["admin", "detect", "gallery:read", "gallery:write"]),
    ],
)
def test_a_role_is_a_set_of_scopes(mien, role, scopes):
    mien("keys", "create", "--role", role)
    (key,) = mien("keys", "list", "--json").document
    assert sorted(key["scopes"]) == scopes


@pytest.mark.parametrize(
    "arguments",
    [
        ["keys", "create", "--role", "reader", "--scope", "admin"],
        ["keys", "create", "--app", "nonesuch"],
        ["keys", "revoke", "nonesuch"],
        ["keys", "create", "--scope", "everything"],
        ["keys", "create", "--expires", "soon"],
        ["keys", "create", "--expires", "2001-01-01"],
        ["apps", "create", ""],
    ],
)
def test_what_cannot_be(mien, arguments):
    answer = mien(*arguments, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] in {"not_found", "invalid_argument"}


@pytest.mark.parametrize(
    ("text", "days"), [("12h", 0.5), ("30d", 30), ("2w", 14), ("2027-01-31", 30)]
)
def test_expiry(text, days):
    start = datetime(2027, 1, 1, tzinfo=UTC)
    assert expiry(text, now=start) - start == timedelta(days=days)


@pytest.mark.parametrize("text", ["", "d", "-3d", "0h", "999999999999w", "1.5d", "tomorrow"])
def test_an_expiry_that_cannot_be(text):
    with pytest.raises(InvalidArgument):
        expiry(text, now=datetime(2027, 1, 1, tzinfo=UTC))


def test_an_application_is_allowed_attributes_and_shown(mien):
    mien("apps", "create", "shop")
    shown = mien("apps", "show", "shop", "--json")
    assert shown.exit_code == 0
    assert shown.document["attributes"] == []
    allowed = mien("apps", "allow", "shop", "--attributes", "gender, age", "--json")
    assert allowed.exit_code == 0
    assert set(allowed.document) == {"app", "app_key", "created_at", "attributes", "nhn_v1"}
    assert allowed.document["attributes"] == ["age", "gender"]
    assert "attributes:  age, gender" in mien("apps", "show", "shop").stdout
    assert mien("apps", "allow", "shop", "--attributes", "none").stdout.endswith(" none\n")
    assert mien("apps", "show", "shop", "--json").document["attributes"] == []


def test_version_1_of_nhn_is_opened_and_closed(mien):
    mien("apps", "create", "shop")
    assert mien("apps", "show", "shop", "--json").document["nhn_v1"] is False
    opened = mien("apps", "allow", "shop", "--nhn-v1", "--attributes", "age", "--json")
    assert (opened.document["nhn_v1"], opened.document["attributes"]) == (True, ["age"])
    assert "NHN v1.0:    app key alone" in mien("apps", "show", "shop").stdout
    closed = mien("apps", "allow", "shop", "--no-nhn-v1", "--json")
    assert (closed.document["nhn_v1"], closed.document["attributes"]) == (False, ["age"])
    assert mien("apps", "allow", "shop", "--json").exit_code == 2


def test_what_is_not_restricted_cannot_be_allowed(mien):
    mien("apps", "create", "shop")
    for wanted, code in (("mask", "invalid_argument"), ("none,age", "invalid_argument")):
        answer = mien("apps", "allow", "shop", "--attributes", wanted, "--json")
        assert answer.exit_code == 2
        assert answer.document["error"]["code"] == code
    answer = mien("apps", "allow", "nobody", "--attributes", "age", "--json")
    assert answer.document["error"]["code"] == "not_found"
