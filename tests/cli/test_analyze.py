"""analyze and eval attributes: the documents of the contract."""

import csv


def test_analyze_answers_one_entry_for_each_photo(mien, draw):
    draw(1, "ann.png")
    draw(2, "bea.png", width=400)
    answer = mien("analyze", "ann.png", "bea.png", "--actions", "quality", "--json")
    assert answer.exit_code == 0
    assert [entry["image"] for entry in answer.document] == ["ann.png", "bea.png"]
    for entry in answer.document:
        assert set(entry) == {"image", "faces"}
        (face,) = entry["faces"]
        assert set(face) == {"box", "quality"}
        assert set(face["quality"]) == {"score", "reasons", "components"}


def test_analyze_is_readable_without_json(mien, draw):
    draw(1, "ann.png")
    answer = mien("analyze", "ann.png", "--actions", " quality , quality")
    assert answer.exit_code == 0
    assert "ann.png: 1 face(s)" in answer.stdout
    assert "quality " in answer.stdout


def test_unknown_actions_are_refused_before_any_photo(mien):
    answer = mien("analyze", "missing.png", "--actions", "quallity", "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"
    assert "Did you mean quality" in answer.document["error"]["message"]
    assert mien("analyze", "missing.png", "--actions", ",").exit_code == 2


def test_glasses_want_their_licence_accepted(mien, draw):
    draw(1, "ann.png")
    answer = mien("analyze", "ann.png", "--actions", "glasses", "--json")
    assert answer.exit_code == 3
    assert answer.document["error"]["code"] == "licence_not_accepted"


def test_eval_attributes_refuses_a_list_without_labels(mien, tmp_path):
    with (tmp_path / "list.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["path"], ["a.png"]])
    answer = mien("eval", "attributes", "--list", "list.csv", "--root", ".", "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"
