import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa

from mien.errors import AlreadyExists, GalleryUnavailable, InvalidArgument, NotFound, Unauthorized
from mien.gallery import DEFAULT_SCOPES, Gallery, Scope
from mien.gallery.records import keys
from mien.gallery.records.schema import api_keys


def test_the_default_application_is_there_from_the_start(gallery):
    (application,) = gallery.applications()
    assert application == gallery.application("default")
    assert re.fullmatch(r"[0-9a-f]{32}", application.id)
    assert gallery.application_name == "default"


def test_applications_have_unique_names_and_ids(gallery):
    made = gallery.create_application("인사팀")
    assert gallery.application("인사팀") == made
    assert made.id != gallery.application("default").id
    with pytest.raises(AlreadyExists, match="인사팀"):
        gallery.create_application("인사팀")
    with pytest.raises(InvalidArgument):
        gallery.create_application("")
    assert [a.name for a in gallery.applications(after="default")] == ["인사팀"]


def test_an_application_that_is_not_there(gallery, url):
    for call in (gallery.application, gallery.create_key, gallery.keys, gallery.for_application):
        with pytest.raises(NotFound, match="no application 'x'"):
            call("x")
    with pytest.raises(NotFound):
        Gallery.open(url, application="x")


def test_a_key_opens_its_application(gallery):
    gallery.create_application("hr")
    key, secret = gallery.create_key("hr")
    found = gallery.authenticate(secret)
    assert (found.id, found.application, found.scopes) == (key.id, "hr", DEFAULT_SCOPES)
    assert found.allows(Scope.DETECT)
    assert not found.allows(Scope.ADMIN)
    assert gallery.keys("default") == []
    assert [listed.id for listed in gallery.keys("hr")] == [key.id]


def test_a_secret_holds_256_random_bits_and_is_not_stored(gallery, tmp_path):
    key, secret = gallery.create_key("default")
    _, other = gallery.create_key("default")
    assert re.fullmatch(rf"mien_{key.id}_[\w-]{{43}}", secret)
    assert secret != other
    with gallery._database.reading() as connection:
        stored = str(connection.execute(sa.select(api_keys)).all()).encode()
    gallery.close()
    stored += b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert key.id.encode() in stored
    assert secret.encode() not in stored
    assert secret.removeprefix(f"mien_{key.id}_").encode() not in stored
    assert secret not in str(key.to_dict())
    assert secret not in repr(key)


def test_wrong_secrets(gallery):
    key, secret = gallery.create_key("default")
    flipped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    unknown = secret.replace(key.id, "0" * 16)
    for wrong in (
        flipped,
        unknown,
        "",
        "mien_",
        secret[:-1],
        secret + "x",
        secret.upper(),
        "\ud800",
    ):
        with pytest.raises(Unauthorized, match="not valid") as caught:
            gallery.authenticate(wrong)
        assert not wrong or wrong not in str(caught.value)


def test_a_revoked_key_is_worthless_at_once_and_for_ever(gallery, url):
    key, secret = gallery.create_key("default")
    with Gallery.open(url) as other:
        assert other.authenticate(secret).id == key.id
        revoked = gallery.revoke_key(key.id)
        with pytest.raises(Unauthorized, match="revoked"):
            other.authenticate(secret)
    assert revoked.revoked_at is not None
    assert gallery.revoke_key(key.id).revoked_at == revoked.revoked_at
    with pytest.raises(NotFound):
        gallery.revoke_key("0" * 16)


def test_a_key_ends_at_its_time(gallery):
    soon = datetime.now(UTC) + timedelta(hours=1)
    key, secret = gallery.create_key(
        "default", expires=soon.astimezone(timezone(timedelta(hours=9)))
    )
    assert key.expires_at == soon
    assert gallery.authenticate(secret).expires_at == soon
    with gallery._database.reading() as connection:
        keys.check(connection, secret, now=soon - timedelta(microseconds=1))
        with pytest.raises(Unauthorized, match="expired"):
            keys.check(connection, secret, now=soon)


@pytest.mark.parametrize(
    "options",
    [
        {"expires": datetime(2100, 1, 1)},
        {"expires": datetime(2020, 1, 1, tzinfo=UTC)},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": "detect"},
    ],
)
def test_keys_that_cannot_be(gallery, options):
    with pytest.raises(InvalidArgument):
        gallery.create_key("default", **options)
    assert gallery.keys("default") == []


def test_scopes_are_kept(gallery):
    _, secret = gallery.create_key("default", scopes=["admin", Scope.DETECT])
    assert gallery.authenticate(secret).scopes == {Scope.ADMIN, Scope.DETECT}
    assert gallery.keys("default")[0].to_dict()["scopes"] == ["admin", "detect"]


def test_the_last_use_is_written_once_a_minute(gallery):
    key, secret = gallery.create_key("default")
    assert key.last_used_at is None
    gallery.authenticate(secret)
    (first,) = gallery.keys("default")
    assert first.last_used_at is not None
    gallery.authenticate(secret)
    assert gallery.keys("default") == [first]
    later = first.last_used_at + timedelta(minutes=1)
    assert keys.is_use_due(first, now=later)
    assert not keys.is_use_due(first, now=later - timedelta(microseconds=1))


def test_a_database_that_takes_no_writes_locks_nobody_out(gallery, monkeypatch):
    _, secret = gallery.create_key("default")

    def refuse():
        raise GalleryUnavailable("read-only")

    monkeypatch.setattr(gallery._database, "writing", refuse)
    assert gallery.authenticate(secret).last_used_at is None
