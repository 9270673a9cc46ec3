"""mien eval detection: the document, the text and the exit codes."""

import json

import pytest


@pytest.fixture
def truth(draw, tmp_path):
    photo = draw(1, "a.png")
    entries = [{"path": photo.name, "faces": [{"nose": [1, 1]}]}]
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(entries))
    return file, photo.parent


def test_its_document_and_its_text(mien, truth):
    arguments = ("eval", "detection", "--truth", truth[0], "--root", truth[1])
    document = mien(*arguments, "--json").document
    assert document["images"] == document["faces"] == document["false"] == 1
    assert document["recall"] == document["precision"] == document["ap50"] == 0
    told = mien(*arguments)
    assert told.exit_code == 0
    assert "0 of 1 faces" in told.stdout
    assert "missed a face in a.png" in told.stdout


def test_a_truth_that_is_not_there(mien, truth):
    answer = mien("eval", "detection", "--truth", "none.json", "--root", truth[1], "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"
