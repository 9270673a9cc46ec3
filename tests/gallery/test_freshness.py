"""A search sees what was acknowledged before it began, whatever happens around it."""

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import product

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import KeyMismatch
from mien.gallery import Gallery
from mien.gallery.follower import Follower
from mien.gallery.index import ExactIndex
from mien.gallery.records import changes, groups, vectors
from mien.testing import freshness
from mien.testing.galleries import random_gallery, unit_vectors
from mien.types import Embeddings

CHECKS, WRITES_EACH = (2000, 1000) if os.environ.get("MIEN_SOAK") else (6, 6)


@pytest.fixture(params=["max", "mean"])
def people(request, url):
    """Persons of two faces, in a gallery of their own and in that of a neighbour."""
    made = random_gallery(url, persons=24, faces_per_person=2, dim=8, scoring=request.param)
    with made.gallery as gallery, Gallery.open(url) as other:
        yield made, gallery, other


def names(gallery, made, vector):
    (hits,) = gallery.search("people", vector[None], k=100, contract=made.contract)
    assert len({hit.person_id for hit in hits}) == len(hits)
    assert len({hit.person for hit in hits}) == len(hits)
    return [hit.person for hit in hits]


def test_an_error_that_is_held_does_not_hold_the_past(people, monkeypatch):
    """In SQLite a cursor that is not read to its end keeps its connection at that moment."""
    made, gallery, other = people
    some = [person.id for person in gallery.persons("people")]

    def broken(*_):
        raise KeyMismatch("a template that does not open")

    plain = vectors.open_vectors
    monkeypatch.setattr(vectors, "open_vectors", broken)
    with pytest.raises(KeyMismatch) as held:
        gallery.faces_of("people", some)
    monkeypatch.setattr(vectors, "open_vectors", plain)
    other.rename_person("people", "person-00003", "Ann")
    other.delete_person("people", "person-00004")
    found = names(gallery, made, made.vectors[6])
    assert "Ann" in found
    assert not {"person-00003", "person-00004"} & {*found}
    gallery.rename_person("people", "Ann", "Eve")  # nor is a write refused for it
    assert "Eve" in names(other, made, made.vectors[6])
    assert held.tb is not None


# ---------------------------------------------------------------- one write between any two steps


def rename(gallery, name, _):
    gallery.rename_person("people", name, f"Ann {name}")


def merge(gallery, name, other):
    gallery.merge_persons("people", name, other)


def delete(gallery, name, _):
    gallery.delete_person("people", name)


def split(gallery, name, _):
    faces = gallery.faces("people", name)
    gallery.split_person("people", name, [faces[0].id], name=f"Bob {name}")


def enroll(gallery, name, _):
    add(gallery, f"Cem {name}", 1)


def add(gallery, name, seed):
    face = Embeddings(unit_vectors(1, 8, seed=seed), np.ones(1, np.float32))
    contract = gallery.group("people").contract
    gallery.add_faces("people", name, face, contract=contract, create_person=True)


STEPS = {
    "before the version is compared": (Follower, "freshen", False),
    "before the changes are read": (Follower, "_catch_up", False),
    "before the vectors are searched": (ExactIndex, "search", False),
    "before the names are read": (ExactIndex, "search", True),
}
WRITES = [rename, merge, delete, split, enroll]


def test_a_write_between_any_two_steps_of_a_search(people, monkeypatch):
    """What came before is seen, what comes between is whole, and the next search is level."""
    made, gallery, other = people
    for number, ((owner, method, after), late) in enumerate(product(STEPS.values(), WRITES)):
        early, name, second = (
            f"early {number}",
            *(f"person-{n:05}" for n in (number, 20 + number // 5)),
        )
        add(other, early, 100 + number)
        plain, pending = getattr(owner, method), [partial(late, other, name, second)]

        def between(*arguments, plain=plain, after=after, pending=pending, **options):
            answer = plain(*arguments, **options) if after else None
            if pending:
                pending.pop()()
            return answer if after else plain(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(owner, method, between)
            found = names(gallery, made, made.vectors[2 * number])
        assert not pending
        assert early in found
        assert not (late in (rename, delete) and name in found)
        assert not (late is merge and second in found)
        level = names(other, made, made.vectors[2 * number])
        assert names(gallery, made, made.vectors[2 * number]) == level
        assert {*level} == {p.name for p in other.persons("people")}


# ---------------------------------------------------------------- threads and processes


@pytest.mark.parametrize("writers", ["threads", "process"])
def test_searches_are_level_while_others_write(url, tmp_path, writers):
    """Two writers change names, faces and user data; three searchers know what must be there."""
    with freshness.prepared(url) as gallery, freshness.Ledger(tmp_path / "ledger") as ledger:
        stop = threading.Event()

        def look(own):
            checks = 0
            with Gallery.open(url) if own else nullcontext(gallery) as mine:
                while checks < CHECKS or min(ledger.done) < WRITES_EACH:
                    freshness.check(mine, ledger)
                    checks += 1
            return checks

        with writing(writers, gallery, url, ledger, stop), ThreadPoolExecutor(3) as pool:
            try:
                assert min(pool.map(look, [False, True, True])) >= CHECKS
            finally:
                stop.set()
        freshness.check(gallery, ledger)


@contextmanager
def writing(how, gallery, url, ledger, stop):
    if how == "process":
        command = [sys.executable, "-m", "mien.testing.freshness", url, str(ledger.file)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
            while not min(ledger.begun) and process.poll() is None:
                time.sleep(0.01)  # searches would only keep it from starting
            yield
            process.communicate()
        assert process.returncode == 0
        return
    with ThreadPoolExecutor(freshness.WRITERS) as pool:
        own = [
            pool.submit(freshness.write, gallery, ledger, writer, stop.is_set)
            for writer in range(freshness.WRITERS)
        ]
        yield
        for one in own:
            one.result()


# ---------------------------------------------------------------- numbers and commits


def test_numbers_of_changes_are_in_the_order_of_commits(kind, url):
    """Whoever numbers a change holds the group until the commit: nobody can overtake."""
    made = random_gallery(url, persons=2, faces_per_person=1, dim=8)
    with made.gallery as gallery:
        database = gallery._database
        with database.reading() as connection:
            before = gallery._group(connection, "people")

        def seen():
            with database.snapshot() as connection:
                row = groups.find_by_seq(connection, before.seq)
                return row.version, len(changes.changed(connection, row, after=before.version))

        # without the lock of the application, which would make them wait even earlier
        with database._engines.writes.begin() as first:
            changes.announce(first, before.seq, [(1, 1), (2, 2)])
            with pytest.raises(sa.exc.OperationalError):
                announce_at_once(database, before.seq, wait=kind == "postgresql")
            assert seen() == (before.version, 0)
        assert seen() == (before.version + 2, 2)
        with database._engines.writes.begin() as second:
            changes.announce(second, before.seq, [(3, 3)])
        assert seen() == (before.version + 3, 3)


def announce_at_once(database, group, *, wait):
    with database._engines.brief.begin() as connection:
        if wait:
            connection.exec_driver_sql("SET LOCAL lock_timeout = 100")
        changes.announce(connection, group, [(3, 3)])
