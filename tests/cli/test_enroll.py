"""enroll: photos, folders, and what is rejected."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def folder(draw, tmp_path):
    for identity, person in enumerate(["ann", "bea", "홍길동"]):
        draw(identity, f"people/{person}/1.png")
        draw(identity, f"people/{person}/2.png", width=400)
    return tmp_path / "people"


def test_photos_of_one_person(mien, draw):
    draw(1, "a.png")
    draw(1, "b.png", width=400)
    answer = mien("enroll", "staff", "ann", "a.png", "b.png", "--json")
    assert answer.exit_code == 0
    document = answer.document
    assert (document["group"], document["enrolled"]) == ("staff", 2)
    assert (document["rejected"], document["persons"]) == ([], ["ann"])
    assert answer.stderr.splitlines() == ["enrolled a.png", "enrolled b.png"]


def test_a_folder_with_one_sub_folder_per_person(mien, folder):
    answer = mien("enroll", "staff", "--from", folder, "--json")
    assert answer.exit_code == 0
    assert answer.document["enrolled"] == 6
    assert answer.document["persons"] == ["ann", "bea", "홍길동"]
    assert answer.stderr.splitlines()[0] == "enrolled ann/1.png"
    assert len(mien("gallery", "show", "staff", "--json").document["people"]) == 3


def test_again_skips_what_is_there(mien, folder):
    mien("enroll", "staff", "--from", folder)
    answer = mien("enroll", "staff", "--from", folder, "--json")
    assert answer.exit_code == 0
    assert answer.document["enrolled"] == 0
    assert {tuple(r["reasons"]) for r in answer.document["rejected"]} == {("duplicate",)}
    assert mien("gallery", "list", "--json").document[0]["faces"] == 6


def test_what_cannot_be_enrolled_is_rejected_with_reasons(mien, folder, draw):
    (folder / "ann" / "notes.txt").write_text("no photo")
    (folder / "ann" / "empty.jpg").touch()
    (folder / "ann" / ".hidden.png").write_bytes(b"x")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "x.png").write_bytes(b"x")
    (folder / "README.txt").write_text("not in a person's folder")
    (folder / "nobody").mkdir()
    answer = mien("enroll", "staff", "--from", folder, "--json")
    assert answer.exit_code == 0
    assert answer.document["enrolled"] == 6
    rejected = {r["image"]: r["reasons"] for r in answer.document["rejected"]}
    assert rejected == {"ann/empty.jpg": ["image_decode"], "ann/notes.txt": ["image_decode"]}
    text = mien("enroll", "other", "--from", folder).stdout
    assert "6 face(s) of 3 person(s)" in text
    assert "ann/notes.txt: image_decode" in text


def test_nothing_enrolled_is_bad_input(mien, tmp_path):
    (tmp_path / "a.jpg").touch()
    answer = mien("enroll", "staff", "ann", "a.jpg", "missing.jpg", "--json")
    assert answer.exit_code == 2
    assert [r["reasons"] for r in answer.document["rejected"]] == [
        ["image_decode"],
        ["image_not_found"],
    ]


@pytest.mark.parametrize("content", [None, "empty", "file", "only files", "hidden"])
def test_a_folder_without_photos_is_a_clear_error(mien, tmp_path, content):
    place = tmp_path / "people"
    if content == "file":
        place.touch()
    elif content is not None:
        place.mkdir()
    if content == "only files":
        (place / "a.jpg").touch()
    if content == "hidden":
        (place / ".git").mkdir()
        (place / ".git" / "a.jpg").touch()
    answer = mien("enroll", "staff", "--from", place, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"
    assert "'people'" in answer.stderr
    assert str(tmp_path) not in answer.stderr


@pytest.mark.parametrize("group", ["", "a b", "../x", "-x", "그룹"])
def test_a_group_name_that_cannot_be(mien, draw, group):
    draw(1, "a.png")
    answer = mien("enroll", "--json", "--", group, "ann", "a.png")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"


def test_a_sub_folder_that_cannot_name_a_person_is_refused_before_anything(mien, folder):
    (folder / " zed").mkdir()
    (folder / " zed" / "1.png").touch()
    mien("apps", "create", "shop")
    assert mien("enroll", "staff", "--from", folder).exit_code == 2
    assert mien("gallery", "list", "--json").document == []


def test_either_a_person_or_a_folder(mien, folder):
    assert mien("enroll", "staff", "ann", "--from", folder).exit_code == 2


def test_a_terminal_gets_a_bar(mien, folder, monkeypatch):
    import click.testing

    monkeypatch.setattr(click.testing._NamedTextIOWrapper, "isatty", lambda self: True)
    answer = mien("enroll", "staff", "--from", folder)
    assert answer.exit_code == 0
    assert "enrolling" in answer.stderr
    assert "6/6" in answer.stderr
    assert "enrolled ann/1.png" not in answer.stderr
    assert sys.stderr is not None
