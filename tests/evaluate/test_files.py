"""Files that an evaluation writes."""

import os
from pathlib import Path

import pytest

from mien.errors import InvalidArgument
from mien.evaluate.files import check_target, write_whole


def test_a_file_is_replaced_in_one_step(tmp_path):
    file = tmp_path / "a.html"
    write_whole("old", file)
    file.chmod(0o640)
    with file.open(encoding="utf-8") as reading:
        write_whole("new \u00b1", file)
        assert reading.read() == "old"
    assert file.read_text(encoding="utf-8") == "new \u00b1"
    assert file.stat().st_mode & 0o777 == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "a.html"
    write_whole("old", file)

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InvalidArgument, match=r"a\.html cannot be written: No space left"):
        write_whole("new", file)
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    write_whole("new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_what_is_no_file_is_written_to_and_stays(tmp_path):
    check_target("/dev/null")
    write_whole("text", "/dev/null")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["no/a.html", "folder"])
def test_a_target_that_cannot_be(tmp_path, name):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidArgument) as caught:
        check_target(tmp_path / name)
    assert str(tmp_path) not in caught.value.message
    check_target(tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()
