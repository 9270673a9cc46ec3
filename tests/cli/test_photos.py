"""detect, represent and compare: the documents of the contract, and bad photos."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def test_detect_answers_one_entry_for_each_photo(mien, draw):
    draw(1, "ann.png")
    draw(2, "bea.png", width=400)
    answer = mien("detect", "ann.png", "bea.png", "--json")
    assert answer.exit_code == 0
    first, second = answer.document
    assert set(first) == {"image", "width", "height", "faces"}
    assert (first["image"], first["width"], first["height"]) == ("ann.png", 320, 240)
    assert second["width"] == 400
    face = first["faces"][0]
    assert set(face) == {"box", "score", "landmarks"}
    assert face["box"] == pytest.approx([100, 60, 220, 180], abs=3)
    assert np.shape(face["landmarks"]) == (5, 2)


def test_detect_without_a_face_is_an_answer(mien, tmp_path):
    Image.new("RGB", (200, 100), "white").save(tmp_path / "white.png")
    answer = mien("detect", "white.png", "--json")
    assert answer.exit_code == 0
    assert answer.document[0]["faces"] == []


def test_detect_is_readable_without_json(mien, draw):
    draw(1, "ann.png")
    answer = mien("detect", "ann.png")
    assert "ann.png: 1 face(s) in 320x240" in answer.stdout
    assert "score 0.99" in answer.stdout


def test_a_bad_photo_does_not_keep_the_others_from_being_answered(mien, draw, tmp_path):
    draw(1, "ann.png")
    (tmp_path / "empty.jpg").touch()
    answer = mien("detect", "ann.png", "empty.jpg", "missing.jpg", "--json")
    assert answer.exit_code == 2
    good, empty, missing = answer.document
    assert len(good["faces"]) == 1
    assert empty["error"]["code"] == "image_decode"
    assert (missing["image"], missing["error"]["code"]) == ("missing.jpg", "image_not_found")
    assert "mien: image_decode: " in answer.stderr


def test_represent_gives_embedding_norm_and_contract(mien, draw):
    draw(1, "ann.png")
    face = mien("represent", "ann.png", "--json").document[0]["faces"][0]
    assert set(face) == {"box", "embedding", "norm", "contract"}
    assert np.linalg.norm(face["embedding"]) == pytest.approx(1, abs=1e-5)
    assert face["norm"] > 0
    assert face["contract"].startswith("mock:")
    assert "norm" in mien("represent", "ann.png").stdout


def test_represent_can_cut_faces_another_way_under_another_contract(mien, draw):
    draw(1, "ann.png")

    def contract(*options):
        face = mien("represent", "ann.png", "--json", *options).document[0]["faces"][0]
        return face["contract"]

    own = contract()
    assert contract("--align", "landmarks", "--expand", "0", "--whole-image") == own
    ways = [["--align", "eyes"], ["--align", "none"], ["--align", "none", "--expand", "20"]]
    others = [contract(*way) for way in ways]
    assert len({own, *others}) == 4


def test_represent_takes_a_photo_whole_only_when_it_is_told_to(mien, tmp_path):
    Image.new("RGB", (80, 60), (127, 127, 127)).save(tmp_path / "wall.png")
    for options in ([], ["--align", "none"]):
        answer = mien("represent", "wall.png", "--json", *options)
        assert (answer.exit_code, answer.document[0]["faces"]) == (0, [])
    (face,) = mien("represent", "wall.png", "--json", "--whole-image").document[0]["faces"]
    assert face["box"] == [0, 0, 80, 60]


@pytest.mark.parametrize(
    "options",
    [
        ["--align", "mouth"],
        ["--expand", "401"],
        ["--expand", "-1"],
        ["--normalisation", "ImageNet"],
        ["--normalisation", "raw"],  # the mock model normalises by itself
    ],
)
def test_represent_refuses_ways_that_there_are_not(mien, draw, options):
    draw(1, "ann.png")
    answer = mien("represent", "ann.png", "--json", *options)
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"


def test_compare_says_yes_with_0_and_no_with_1(mien, draw):
    draw(1, "ann.png")
    draw(1, "ann2.png", width=500)
    draw(2, "bea.png")
    same = mien("compare", "ann.png", "ann2.png", "--json")
    assert (same.exit_code, same.document["match"]) == (0, True)
    other = mien("compare", "ann.png", "bea.png", "--json")
    assert (other.exit_code, other.document["match"]) == (1, False)
    keys = "match similarity confidence decided_on threshold fmr embedder detector faces all"
    assert set(keys.split()) <= set(same.document)
    assert len(same.document["faces"]) == 2
    assert same.document["decided_on"] == "confidence"
    assert "match (confidence" in mien("compare", "ann.png", "ann2.png").stdout


def test_compare_with_a_threshold_decides_on_the_similarity(mien, draw):
    draw(1, "ann.png")
    draw(2, "bea.png")
    document = mien("compare", "ann.png", "bea.png", "--threshold", "-1", "--json").document
    assert (document["decided_on"], document["threshold"], document["fmr"]) == (
        "similarity",
        -1,
        None,
    )
    assert document["match"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fmr", "0.01", "--threshold", "0.5"],
        ["--fmr", "2"],
        ["--fmr", "nan"],
        ["--metric", "taxicab"],
    ],
)
def test_compare_refuses_what_cannot_be(mien, draw, arguments):
    draw(1, "ann.png")
    answer = mien("compare", "ann.png", "ann.png", *arguments, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] in {"invalid_argument", "unknown_metric"}


def test_compare_names_the_photo_without_a_face(mien, draw, tmp_path):
    draw(1, "ann.png")
    Image.new("RGB", (200, 100), "white").save(tmp_path / "white.png")
    answer = mien("compare", "ann.png", "white.png", "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "no_face"
    assert answer.document["error"]["details"]["image"] == "b"


def bomb() -> bytes:
    """A PNG header of 20000 x 20000 pixels with next to nothing behind it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(60001))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def truncated() -> bytes:
    stream = io.BytesIO()
    noise = np.random.default_rng(1).integers(0, 255, (200, 200, 3), np.uint8)
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()[:3000]


def tiny() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (1, 1)).save(stream, "PNG")
    return stream.getvalue()


BAD = {
    "empty.jpg": (b"", "image_decode"),
    "text.jpg": (b"This is no photo at all, it is a sentence.\n" * 20, "image_decode"),
    "truncated.jpg": (truncated(), "image_decode"),
    "bomb.png": (bomb(), "image_too_large"),
    "tiny.png": (tiny(), "image_too_small"),
}


@pytest.mark.parametrize("command", ["detect", "represent", "identify", "compare"])
@pytest.mark.parametrize("name", BAD)
def test_every_bad_photo_has_a_code_and_ends_with_2(mien, draw, tmp_path, command, name):
    body, code = BAD[name]
    (tmp_path / name).write_bytes(body)
    draw(1, "ann.png")
    mien("enroll", "staff", "ann", "ann.png")
    before = {"identify": ["staff"], "compare": ["ann.png"]}.get(command, [])
    answer = mien(command, *before, name, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == code
    assert answer.stderr.splitlines()[-1].startswith(f"mien: {code}: ")
    assert str(tmp_path) not in answer.stdout + answer.stderr


@pytest.mark.parametrize("source", ["folder", "missing.jpg", "http://example.org/a.jpg"])
def test_what_is_no_file_is_refused(mien, tmp_path, source):
    (tmp_path / "folder").mkdir()
    answer = mien("detect", source, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"].startswith("image")


def test_unicode_paths(mien, draw):
    name = "사진 폴더/홍길동 ♥ é.png"
    draw(1, name)
    answer = mien("detect", name, "--json")
    assert answer.exit_code == 0
    assert answer.document[0]["image"] == name
    assert "홍길동" in answer.stdout


@pytest.mark.skipif(os.name == "nt", reason="file names are Unicode there")
def test_a_file_name_that_is_no_unicode(mien, draw, tmp_path):
    name = os.fsdecode(b"\xff\xfe.png")
    draw(1, "ann.png").rename(tmp_path / name)
    answer = mien("detect", name, "--json")
    assert answer.exit_code == 0
    assert len(answer.document[0]["faces"]) == 1


def test_a_file_whose_name_looks_like_base64_is_a_file(mien, draw):
    name = "A" * 120
    draw(1, "ann.png").rename(Path(name))
    assert len(mien("detect", name, "--json").document[0]["faces"]) == 1
    assert mien("detect", "B" * 120, "--json").document["error"]["code"] == "image_not_found"
