"""Who is recognised stays in a group that lets go of those who are not seen for long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mien.gallery import Gallery
from mien.testing import drawn_face, mock_engine

ANN, BEA = drawn_face(1), drawn_face(2)


@pytest.fixture
def engine():
    with mock_engine() as made:
        yield made


@pytest.fixture
def gallery(tmp_path, engine):
    with Gallery.open(f"sqlite:///{tmp_path / 'faces.db'}") as made:
        for name, photo in (("Ann", ANN), ("Bea", BEA)):
            engine.enroll(made, "staff", name, [photo])
        made.set_group("staff", settings={"retain_idle_s": 3600})
        yield made


def identified(engine, gallery):
    assert engine.identify(gallery, "staff", ANN).people == ["Ann"]


def verified(engine, gallery):
    assert engine.verify(gallery, "staff", "Ann", ANN).match
    assert not engine.verify(gallery, "staff", "Bea", ANN).match


def searched(engine, gallery):
    probe = engine.represent(ANN)
    contract = engine.embedder.contract
    (found,) = engine.search(gallery, "staff", probe.embeddings, contract=contract)
    assert found[0].person == "Ann"


def of_a_stored_face(engine, gallery):
    stored = gallery.faces("staff", "Ann")[0]
    (found,) = engine.search_face(gallery, "staff", stored.id, own=True)
    assert found[0].person == "Ann"


def enrolled_once_more(engine, gallery):
    assert engine.enroll(gallery, "staff", "Ann", [drawn_face(1, (300, 300))]).face_ids


def a_stranger(engine, gallery):
    assert not engine.identify(gallery, "staff", drawn_face(9)).people


@pytest.mark.parametrize(
    ("look", "stays"),
    [
        (identified, 1),
        (verified, 1),
        (searched, 1),
        (enrolled_once_more, 1),
        (of_a_stored_face, 0),
        (a_stranger, 0),
    ],
)
def test_whoever_is_recognised_is_not_idle(engine, gallery, look, stays):
    long_ago = datetime.now(UTC) - timedelta(hours=3)
    gallery.privacy.seen([one.id for one in gallery.persons("staff")], now=long_ago)
    look(engine, gallery)
    gallery.privacy.purge()
    assert [one.name for one in gallery.persons("staff")] == ["Ann"][:stays]


def test_groups_without_that_retention_are_not_written_to(engine, gallery, monkeypatch):
    gallery.set_group("staff", settings={"retain_idle_s": None})
    monkeypatch.setattr(type(gallery.privacy), "seen", None)
    identified(engine, gallery)
    verified(engine, gallery)
