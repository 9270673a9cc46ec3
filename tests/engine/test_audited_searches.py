"""Searches in the audit log: who, when, where and whom, in one chain with everything else."""

from __future__ import annotations

import threading
import time

import pytest

from mien import config
from mien.errors import GalleryUnavailable
from mien.gallery import Gallery
from mien.gallery.records import audit
from mien.testing import drawn_face, mock_engine


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'faces.db'}") as made:
        with mock_engine() as engine:
            engine.enroll(made, "staff", "Ann", [drawn_face(1)])
            engine.enroll(made, "staff", "Bea", [drawn_face(2)])
        yield made


@pytest.fixture
def engine():
    with mock_engine(config.load(audit_searches="on")) as made:
        yield made


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def searches(gallery):
    entries = gallery.privacy.audit(limit=1000)
    return [one for one in entries if one.action.startswith("search.")]


def test_nothing_is_written_by_default(gallery):
    with mock_engine() as engine:
        engine.identify(gallery, "staff", drawn_face(1))
        engine.verify(gallery, "staff", "Ann", drawn_face(1))
    assert searches(gallery) == []


def test_who_searched_and_whom_it_gave(gallery, engine):
    door = gallery.for_application("default", actor="key 7")
    ann = gallery.person("staff", "Ann").id
    engine.identify(door, "staff", drawn_face(1))
    engine.identify(door, "staff", drawn_face(9))
    engine.verify(door, "staff", "Ann", drawn_face(1))
    engine.verify(door, "staff", ann, drawn_face(2))
    found = [(one.actor, one.action, one.subject, dict(one.details)) for one in searches(gallery)]
    searched = {"group": "staff", "faces": 1, "liveness": "off"}
    assert found == [
        ("key 7", "search.identify", ann, {**searched, "face": 1, "rank": 1}),
        ("key 7", "search.identify", "nobody", searched),
        ("key 7", "search.verify", ann, {"group": "staff", "match": "yes"}),
        ("key 7", "search.verify", ann, {"group": "staff", "match": "no"}),
    ]
    assert gallery.privacy.verify_audit()
    log = gallery.privacy.export("staff", "Ann")["log"]
    assert [one["action"] for one in log].count("search.verify") == 2


def test_many_at_once_share_transactions_and_none_is_lost(gallery, monkeypatch):
    writes = []
    writing = type(gallery._database).writing
    monkeypatch.setattr(
        type(gallery._database), "writing", lambda self, *a: writes.append(1) or writing(self, *a)
    )
    slow, append = threading.Event(), audit.append_all

    def waits(connection, **facts):
        slow.wait(30)
        append(connection, **facts)

    monkeypatch.setattr(audit, "append_all", waits)
    threads = [
        threading.Thread(target=gallery.privacy.record_identification, args=("staff", [[str(i)]]))
        for i in range(40)
    ]
    gathered = gallery._database.searches
    threads[0].start()
    wait_for(lambda: gathered._turn.locked() and not gathered._gathered)
    for thread in threads[1:]:
        thread.start()
    wait_for(lambda: len(gathered._gathered) == 39)
    slow.set()
    for thread in threads:
        thread.join()
    assert {one.subject for one in searches(gallery)} == {str(i) for i in range(40)}
    assert len(writes) == 2
    assert gallery.privacy.verify_audit()


def test_what_cannot_be_written_down_is_not_answered(gallery, engine, monkeypatch):
    def fail(*_, **__):
        raise GalleryUnavailable("full")

    with monkeypatch.context() as patch:
        patch.setattr(audit, "append_all", fail)
        with pytest.raises(GalleryUnavailable):
            engine.identify(gallery, "staff", drawn_face(1))
    engine.identify(gallery, "staff", drawn_face(1))
    assert len(searches(gallery)) == 1
