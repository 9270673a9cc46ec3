import json
import os

import numpy as np
import pytest
from PIL import Image

from mien.testing import drawn_face


def draw(path, *identities):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.hstack([drawn_face(one) for one in identities])).save(path)


@pytest.fixture
def album(tmp_path):
    folder = tmp_path / "album"
    draw(folder / "a.png", 1)
    draw(folder / "b.png", 1, 2)
    draw(folder / "trip" / "a.png", 1)
    draw(folder / "trip" / "c.png", 3)
    (folder / "notes.txt").write_text("not a photo")
    (folder / ".hidden.png").write_bytes(b"")
    return folder


def test_cluster_makes_one_folder_per_person_and_a_sheet(mien, album, tmp_path):
    answer = mien("cluster", album, "--out", tmp_path / "people", "--json")
    assert answer.exit_code == 0, answer.stderr
    persons = answer.document["persons"]
    assert [len(person["faces"]) for person in persons] == [3, 1, 1]
    out = tmp_path / "people"
    assert {file.name for file in (out / "person-0001").iterdir()} == {"a.png", "b.png", "a-3.png"}
    assert (out / "person-0001" / "a.png").read_bytes() == (album / "a.png").read_bytes()
    page = (out / "index.html").read_text()
    assert page.count("<img") == 5 == len(list((out / "faces").iterdir()))
    assert answer.document["photos"] == 4
    assert not list(tmp_path.glob(".people*"))  # nothing unfinished is left


def test_the_default_place_is_beside_the_folder_which_is_not_changed(mien, album, tmp_path):
    before = sorted(album.rglob("*"))
    assert mien("cluster", album).exit_code == 0
    assert (tmp_path / "album-people" / "index.html").is_file()
    assert sorted(album.rglob("*")) == before


def test_links_instead_of_copies(mien, album, tmp_path):
    assert mien("cluster", album, "--out", tmp_path / "people", "--link").exit_code == 0
    linked = tmp_path / "people" / "person-0001" / "a.png"
    assert linked.stat().st_ino == (album / "a.png").stat().st_ino


def test_a_folder_with_something_in_it_is_refused_and_kept(mien, album, tmp_path):
    kept = tmp_path / "people" / "kept.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    answer = mien("cluster", album, "--out", tmp_path / "people")
    assert answer.exit_code == 2
    assert "new or empty" in answer.stderr
    assert kept.read_text() == "mine"


def test_a_photo_that_cannot_be_read_is_told_and_the_others_are_sorted(mien, album, tmp_path):
    (album / "broken.jpg").write_bytes(b"\xff\xd8 not a photo")
    answer = mien("cluster", album, "--out", tmp_path / "people", "--json")
    assert answer.exit_code == 0
    assert [one["image"] for one in answer.document["rejected"]] == ["broken.jpg"]
    assert "broken.jpg" in (tmp_path / "people" / "index.html").read_text()


def test_names_are_escaped_in_the_sheet(mien, tmp_path):
    draw(tmp_path / "album" / "<b>&.png", 1)
    assert mien("cluster", tmp_path / "album", "--out", tmp_path / "out").exit_code == 0
    page = (tmp_path / "out" / "index.html").read_text()
    assert "&lt;b&gt;&amp;.png" in page
    assert "<b>" not in page


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written_is_said_at_once(mien, album, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    answer = mien("cluster", album, "--out", locked / "people")
    assert answer.exit_code == 2
    assert "cannot be made" in answer.stderr


@pytest.mark.parametrize("command", [["cluster"], ["find", "a.png"]])
@pytest.mark.parametrize("content", [None, "empty"])
def test_no_folder_and_no_photos_are_said(mien, tmp_path, command, content):
    folder = tmp_path / "album"
    if content == "empty":
        folder.mkdir()
    answer = mien(*command, folder)
    assert answer.exit_code == 2
    assert ("is not a folder" if content is None else "holds no photos") in answer.stderr


def test_find_gives_the_photos_of_a_person_best_first(mien, album, tmp_path):
    draw(tmp_path / "probe.png", 1)
    answer = mien("find", tmp_path / "probe.png", album, "--json")
    assert answer.exit_code == 0
    assert sorted(one["image"] for one in answer.document["found"]) == [
        "a.png",
        "b.png",
        "trip/a.png",
    ]
    assert answer.document["photos"] == 4
    assert answer.document["faces"] == 5
    assert json.loads(answer.stdout)["fmr"] == 0.001


def test_find_without_a_face_in_the_probe(mien, album, tmp_path):
    Image.new("RGB", (64, 64)).save(tmp_path / "blank.png")
    answer = mien("find", tmp_path / "blank.png", album)
    assert answer.exit_code == 2
    assert "no_face" in answer.stderr


def test_a_person_who_is_in_no_photo_is_an_empty_answer(mien, album, tmp_path):
    draw(tmp_path / "probe.png", 9)
    answer = mien("find", tmp_path / "probe.png", album)
    assert answer.exit_code == 0
    assert "0 of 4 photo(s)" in answer.stdout
