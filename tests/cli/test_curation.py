"""Renaming, moving, merging, splitting and undoing on the command line."""

from __future__ import annotations

import pytest


@pytest.fixture
def staff(mien, draw):
    """Two persons of one group with a face each."""
    for identity, person in [(1, "ann"), (2, "bea")]:
        draw(identity, f"{person}.png")
        assert mien("enroll", "staff", person, f"{person}.png").exit_code == 0


def ok(mien, *arguments):
    answer = mien(*arguments, "--json")
    assert answer.exit_code == 0, answer.stderr
    return answer.document


def names(mien, group="staff"):
    return [person["name"] for person in ok(mien, "gallery", "show", group)["people"]]


def test_a_group_is_renamed_and_set(mien, staff):
    assert ok(mien, "gallery", "rename", "staff", "crew")["name"] == "crew"
    shown = ok(mien, "gallery", "settings", "crew")
    assert (shown["consent"], shown["max_faces"], shown["group"]) == ("off", None, "crew")
    changed = ok(
        mien, "gallery", "settings", "crew", "--max-faces", "2", "--retain-age", "2d",
        "--retain-idle", "90", "--consent", "required", "--images", "crops", "--duplicates",
        "warn", "--min-quality", "0.5", "--max-persons", "3", "--user-data", "x",
        "--liveness", "observe", "--liveness-condition", "strict",
    )  # fmt: skip
    assert changed == {
        "group": "crew", "max_persons": 3, "max_faces": 2, "images": "crops",
        "consent": "required", "retain_age_s": 172800, "retain_idle_s": 90, "duplicates": "warn",
        "min_quality": 0.5, "user_data": "x", "liveness": "observe",
        "liveness_condition": "strict",
    }  # fmt: skip
    lifted = ok(mien, "gallery", "settings", "crew", "--max-faces", "none", "--no-user-data")
    assert (lifted["max_faces"], lifted["max_persons"], lifted["user_data"]) == (None, 3, None)
    assert "max_faces: none" in mien("gallery", "settings", "crew").stdout
    entries = ok(mien, "gallery", "changes", "crew")
    assert [entry["kind"] for entry in entries] == ["group.set", "group.set", "group.rename"]
    for entry in entries:
        assert ok(mien, "gallery", "undo", "crew", "--change", entry["id"])["id"] == entry["id"]
    assert ok(mien, "gallery", "settings", "staff") == {**shown, "group": "staff"}
    assert "(undone)" in mien("gallery", "changes", "staff").stdout
    nothing = mien("gallery", "undo", "staff")
    assert (nothing.exit_code, "nothing to undo" in nothing.stderr) == (2, True)


@pytest.mark.parametrize(
    "given",
    [
        ["--max-faces", "x"], ["--max-faces", "-1"], ["--retain-age", "soon"],
        ["--retain-age", "0d"], ["--min-quality", "2"], ["--min-quality", "nan"],
        ["--user-data", "x", "--no-user-data"],
    ],
)  # fmt: skip
def test_settings_that_cannot_be(mien, staff, given):
    answer = mien("gallery", "settings", "staff", *given, "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "invalid_argument")
    assert ok(mien, "gallery", "changes", "staff") == []


def test_persons_are_renamed_merged_and_split(mien, staff):
    assert ok(mien, "person", "rename", "staff", "ann", "Anna")["name"] == "Anna"
    (face,) = ok(mien, "face", "list", "staff", "bea")
    assert ok(mien, "person", "merge", "staff", "Anna", "bea")["faces"] == 2
    assert names(mien) == ["Anna"]
    assert ok(mien, "person", "split", "staff", "Anna", "eva", face["id"])["faces"] == 1
    assert names(mien) == ["Anna", "eva"]
    for _ in range(3):
        ok(mien, "gallery", "undo", "staff")
    assert names(mien) == ["ann", "bea"]


def test_persons_move_between_groups(mien, staff, draw):
    draw(3, "cem.png")
    assert mien("enroll", "club", "cem", "cem.png").exit_code == 0
    assert ok(mien, "person", "join", "staff", "ann", "club", "--name", "annie")["name"] == "annie"
    assert names(mien, "club") == ["annie", "cem"]
    assert "left" in ok(mien, "person", "leave", "staff", "ann")
    moved = ok(mien, "person", "move", "staff", "bea", "club")
    assert (moved["name"], names(mien, "club")) == ("bea", ["annie", "bea", "cem"])
    alone = mien("person", "leave", "club", "bea")
    assert (alone.exit_code, "no other group" in alone.stderr) == (2, True)


def test_what_is_kept_with_persons_and_faces(mien, staff):
    changed = ok(mien, "person", "set", "staff", "ann", "--external-id", "17", "--user-data", "x")
    assert (changed["external_id"], changed["user_data"]) == ("17", "x")
    changed = ok(mien, "person", "set", "staff", "ann", "--no-external-id")
    assert (changed["external_id"], changed["user_data"]) == (None, "x")
    both = mien("person", "set", "staff", "ann", "--external-id", "1", "--no-external-id")
    assert both.exit_code == 2
    (face,) = ok(mien, "face", "list", "staff", "ann")
    kept = ["--external-image-id", "i", "--user-data", "y"]
    changed = ok(mien, "face", "set", "staff", face["id"], *kept)
    assert (changed["external_image_id"], changed["user_data"]) == ("i", "y")
    listed = ok(mien, "face", "list", "staff", "--external-image-id", "i")
    assert [one["id"] for one in listed] == [face["id"]]
    assert ok(mien, "face", "list", "staff", "--external-image-id", "j") == []
    moved = ok(mien, "face", "move", "staff", face["id"], "bea")
    assert moved["person"] == "bea"
    assert face["id"] in mien("face", "list", "staff", "bea").stdout
    assert "no faces" in mien("face", "list", "staff", "ann").stdout
