"""Liveness sessions in the database: sealed, single-use, the same for every process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from mien.errors import (
    AlreadyExists,
    InvalidArgument,
    NotFound,
    RateLimited,
    SessionOver,
    Unauthorized,
)
from mien.gallery.challenges import ChallengeLimits, Challenges, application_of, is_token
from mien.gallery.records.schema import challenge_digests, challenge_parts, challenges

FRAMES = [bytes([i]) * 32 for i in range(3)]


def count(gallery, table):
    with gallery._database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_life_of_a_session(gallery):
    store = Challenges(gallery)
    made, token = store.create({"steps": ["nod"]}, ttl_s=60, subject="door 1")
    assert (made.state, made.parts, made.subject) == ("waiting", 0, "door 1")
    assert application_of(gallery, token) == ("default", made.id)
    one = store.add(made, b"first", frames=2)
    assert (one.state, one.frames) == ("running", 2)
    two = store.add(one, b"second", frames=1)
    assert Challenges(gallery).seen(two) == [b"first", b"second"]
    done = store.finish(two, passed=True, result={"passed": True}, digests=FRAMES)
    assert (done.state, done.result) == ("passed", {"passed": True})
    assert done.finished_at >= done.created_at
    assert count(gallery, challenge_parts) == 0
    assert store.known([*FRAMES, b"x" * 32]) == {*FRAMES}
    for change in (
        lambda: store.add(done, b"more", frames=1),
        lambda: store.finish(two, passed=False, result={}, digests=[]),
    ):
        with pytest.raises(SessionOver):
            change()
    store.delete(made.id)
    with pytest.raises(NotFound):
        store.find(made.id)
    with pytest.raises(Unauthorized):
        application_of(gallery, token)
    assert store.known(FRAMES) == {*FRAMES}  # still not to be used again


def test_nothing_biometric_lies_open(gallery):
    store = Challenges(gallery)
    made, token = store.create({}, ttl_s=60)
    store.add(made, b"template of somebody", frames=1)
    store.finish(store.find(made.id), passed=False, result={}, digests=FRAMES)
    other, _ = store.create({}, ttl_s=60)
    store.add(other, b"template of somebody", frames=1)
    with gallery._database.reading() as connection:
        sealed = connection.execute(sa.select(challenge_parts.c.sealed)).scalar_one()
        kept = connection.execute(sa.select(challenge_digests.c.digest)).scalars().all()
        hashes = connection.execute(sa.select(challenges.c.token_hash)).scalars().all()
    assert b"template" not in sealed
    assert not {*map(bytes, kept)} & {*FRAMES}
    assert all(token.encode() not in bytes(one) for one in hashes)


def test_the_second_of_two_writers_is_refused(gallery):
    store = Challenges(gallery)
    made, _ = store.create({}, ttl_s=60)
    store.add(made, b"first", frames=1)
    with pytest.raises(AlreadyExists):
        store.add(made, b"meanwhile", frames=1)
    with pytest.raises(AlreadyExists):
        store.finish(made, passed=True, result={}, digests=[])
    assert store.seen(store.find(made.id)) == [b"first"]


def test_applications_see_only_their_own(gallery):
    gallery.create_application("other")
    mine, other = Challenges(gallery), Challenges(gallery.for_application("other"))
    made, _ = mine.create({}, ttl_s=60)
    with pytest.raises(NotFound):
        other.find(made.id)
    with pytest.raises(NotFound):
        other.delete(made.id)
    mine.finish(made, passed=True, result={}, digests=FRAMES)
    assert other.known(FRAMES) == set()


@pytest.mark.parametrize("wrong", ["", "x", "A" * 32, "0" * 33, "\x00" * 32, "'; --"])
def test_ids_of_nothing(gallery, wrong):
    with pytest.raises(NotFound):
        Challenges(gallery).find(wrong)


def test_rates(gallery):
    store = Challenges(gallery, ChallengeLimits(per_minute=3, per_subject=1))
    store.create({}, ttl_s=60, subject="a")
    with pytest.raises(RateLimited, match="ten minutes"):
        store.create({}, ttl_s=60, subject="a")
    store.create({}, ttl_s=60, subject="b")
    store.create({}, ttl_s=60)
    with pytest.raises(RateLimited, match="a minute"):
        store.create({}, ttl_s=60, subject="c")
    with gallery._database.writing() as connection:
        past = datetime.now(UTC) - timedelta(minutes=2)
        connection.execute(challenges.update().values(created_at=past))
    with pytest.raises(RateLimited, match="ten minutes"):
        store.create({}, ttl_s=60, subject="a")
    store.create({}, ttl_s=60, subject="c")


def test_old_ones_go(gallery):
    store = Challenges(gallery, ChallengeLimits(keep=timedelta(hours=1)))
    made, _ = store.create({}, ttl_s=60)
    store.finish(made, passed=True, result={}, digests=FRAMES)
    with gallery._database.writing() as connection:
        past = datetime.now(UTC) - timedelta(hours=1, seconds=1)
        connection.execute(challenges.update().values(finished_at=past))
        connection.execute(challenge_digests.update().values(seen_at=past))
    store.create({}, ttl_s=60)
    assert count(gallery, challenges) == 1
    assert store.known(FRAMES) == set()


@pytest.mark.parametrize("token", ["", "mls_", "mien_x", "mls_" + "0" * 32 + "_" + "A" * 43])
def test_tokens_that_open_nothing(gallery, token):
    with pytest.raises(Unauthorized):
        application_of(gallery, token)
    assert is_token(token) is (len(token) > 40)


@pytest.mark.parametrize("subject", ["", "x" * 65, "a\nb"])
def test_subjects_that_cannot_be(gallery, subject):
    with pytest.raises(InvalidArgument):
        Challenges(gallery).create({}, ttl_s=60, subject=subject)
