"""mien gallery reembed."""

from __future__ import annotations

import pytest

from mien.cli.run import Rooms
from mien.engine import Engine
from mien.testing import MockDetector, MockEmbedder


@pytest.fixture
def later():
    def engine(settings, models):
        return Engine(detector=MockDetector(), embedder=MockEmbedder(version=2), settings=settings)

    return Rooms(engine=engine)


@pytest.fixture
def staff(mien, draw):
    """Ann without an image, Bea and Cem with one."""
    for identity, person in [(1, "ann"), (2, "bea"), (3, "cem")]:
        draw(identity, f"photos/{person}.png")
        assert mien("enroll", "staff", person, f"photos/{person}.png").exit_code == 0
        assert mien("gallery", "settings", "staff", "--images", "crops").exit_code == 0


def named(mien, photo, rooms):
    answer = mien("identify", "staff", photo, "--threshold", "0.6", "--json", rooms=rooms)
    assert answer.exit_code == 0, answer.stderr
    (face,) = answer.document[0]["faces"]
    return [candidate["person"] for candidate in face["candidates"]]


def test_the_message_of_a_mismatch_says_what_to_do_and_it_works(mien, staff, later):
    refused = mien("identify", "staff", "photos/ann.png", "--threshold", "0.6", rooms=later)
    assert refused.exit_code == 2
    assert "embedding_mismatch" in refused.stderr
    assert "'mien gallery reembed staff --embedder mock'" in refused.stderr
    moved = mien("gallery", "reembed", "staff", "--from", "photos", "--json", rooms=later)
    assert moved.exit_code == 0, moved.stderr
    assert moved.stderr == "embedding: done\n"
    facts = {name: moved.document[name] for name in ("faces", "embedded", "missing", "moved")}
    assert facts == {"faces": 3, "embedded": 3, "missing": [], "moved": True}
    assert [named(mien, f"photos/{name}.png", later) for name in ("ann", "bea", "cem")] == [
        ["ann"], ["bea"], ["cem"],
    ]  # fmt: skip
    again = mien("gallery", "reembed", "staff", rooms=later)
    assert (again.exit_code, again.stdout) == (
        0, "staff: 3 face(s), of this recognition model already\n",
    )  # fmt: skip


def test_a_group_stays_where_faces_are_missing_unless_they_are_dropped(mien, staff, later, rooms):
    plan = mien("gallery", "reembed", "staff", "--dry-run", rooms=later)
    assert plan.exit_code == 0
    assert plan.stdout.startswith("staff: 2 face(s) can be embedded, 1 cannot be; not moved\n  ann")
    left = mien("gallery", "reembed", "staff", rooms=later)
    assert left.exit_code == 2
    assert "no_image" in left.stdout
    assert "--from DIR" in left.stdout
    assert named(mien, "photos/ann.png", rooms) == ["ann"]
    dropped = mien("gallery", "reembed", "staff", "--drop-missing", "--json", rooms=later)
    assert (dropped.exit_code, dropped.document["dropped"], dropped.document["resumed"]) == (
        0,
        1,
        2,
    )
    assert named(mien, "photos/ann.png", later) == []
    assert named(mien, "photos/cem.png", later) == ["cem"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["nobody"], "not_found"), (["staff", "--from", "nowhere"], "invalid_argument")],
)
def test_what_cannot_be(mien, staff, later, arguments, code):
    answer = mien("gallery", "reembed", *arguments, rooms=later)
    assert (answer.exit_code, answer.stderr.split(":")[1].strip()) == (2, code)
