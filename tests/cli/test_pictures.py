"""mien gallery image."""

from __future__ import annotations

import io

import pytest
from PIL import Image


@pytest.fixture
def face(mien, draw):
    draw(1, "ann.png")
    draw(2, "bea.png")
    assert mien("enroll", "staff", "bea", "bea.png").exit_code == 0
    assert mien("gallery", "settings", "staff", "--images", "photos").exit_code == 0
    return mien("enroll", "staff", "ann", "ann.png", "--json").document["face_ids"][0]


def test_an_image_is_written(mien, face, tmp_path):
    answer = mien("gallery", "image", "staff", face, "--out", "crop.jpg", "--json")
    assert answer.exit_code == 0, answer.stderr
    data = (tmp_path / "crop.jpg").read_bytes()
    assert answer.document == {
        "face": face, "kind": "crop", "media_type": "image/jpeg", "bytes": len(data),
        "out": "crop.jpg",
    }  # fmt: skip
    assert Image.open(io.BytesIO(data)).size == (240, 240)
    answer = mien("gallery", "image", "staff", face, "--kind", "photo", "--out", "photo.png")
    assert answer.exit_code == 0
    assert (tmp_path / "photo.png").read_bytes() == (tmp_path / "ann.png").read_bytes()


def test_what_cannot_be(mien, face, tmp_path):
    (other,) = mien("gallery", "show", "staff", "--json").document["people"][1:]
    assert other["name"] == "bea"
    for arguments, code in [
        (["0" * 32, "--out", "x.jpg"], "not_found"),
        ([face, "--json"], "invalid_argument"),
        ([face, "--out", "nowhere/x.jpg"], "invalid_argument"),
    ]:
        answer = mien("gallery", "image", "staff", *arguments)
        assert (answer.exit_code, answer.stderr.split(":")[1].strip()) == (2, code)
    assert not (tmp_path / "x.jpg").exists()
