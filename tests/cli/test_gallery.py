"""identify, verify, and the gallery's own commands."""

from __future__ import annotations

import pytest


@pytest.fixture
def staff(mien, draw):
    """A group of two persons."""
    for identity, person in [(1, "ann"), (2, "bea")]:
        draw(identity, f"{person}.png")
        draw(identity, f"{person}-later.png", width=500)
        assert mien("enroll", "staff", person, f"{person}.png").exit_code == 0


def test_identify_names_the_known_and_leaves_the_unknown_open(mien, draw, staff):
    draw(7, "stranger.png")
    answer = mien("identify", "staff", "bea-later.png", "stranger.png", "--json")
    assert answer.exit_code == 0
    known, unknown = answer.document
    assert known["image"] == "bea-later.png"
    best = known["faces"][0]["candidates"][0]
    assert best["person"] == "bea"
    assert {"person", "similarity", "confidence"} <= set(best)
    assert unknown["faces"][0]["candidates"] == []
    text = mien("identify", "staff", "bea-later.png", "stranger.png").stdout
    assert "bea: confidence" in text
    assert "unknown (" in text


def test_identify_takes_top_and_a_threshold(mien, staff):
    arguments = ["identify", "staff", "ann-later.png", "--threshold", "-1", "--json"]
    assert len(mien(*arguments).document[0]["faces"][0]["candidates"]) == 2
    assert len(mien(*arguments, "--top", "1").document[0]["faces"][0]["candidates"]) == 1
    both = mien(*arguments, "--fpir", "0.1")
    assert (both.exit_code, both.document["error"]["code"]) == (2, "invalid_argument")


def test_verify_says_yes_with_0_and_no_with_1(mien, staff):
    yes = mien("verify", "staff", "ann", "ann-later.png", "--json")
    assert (yes.exit_code, yes.document["match"], yes.document["person"]) == (0, True, "ann")
    no = mien("verify", "staff", "ann", "bea-later.png", "--json")
    assert (no.exit_code, no.document["match"]) == (1, False)
    assert mien("verify", "staff", "ann", "bea-later.png").stdout.startswith("no match")


@pytest.mark.parametrize(
    "arguments",
    [
        ["identify", "nonesuch", "ann.png"],
        ["verify", "nonesuch", "ann", "ann.png"],
        ["verify", "staff", "nobody", "ann.png"],
        ["gallery", "show", "nonesuch"],
        ["gallery", "delete", "nonesuch", "--yes"],
        ["gallery", "delete", "staff", "nobody", "--yes"],
        ["gallery", "list", "--app", "nonesuch"],
    ],
)
def test_what_is_not_there(mien, staff, arguments):
    answer = mien(*arguments, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "not_found"


def test_list_and_show(mien, staff):
    (group,) = mien("gallery", "list", "--json").document
    assert (group["name"], group["persons"], group["faces"]) == ("staff", 2, 2)
    shown = mien("gallery", "show", "staff", "--json").document
    assert [(person["name"], person["faces"]) for person in shown["people"]] == [
        ("ann", 1),
        ("bea", 1),
    ]
    assert "staff: 2 person(s), 2 face(s)" in mien("gallery", "list").stdout
    assert "  bea: 1 face(s)" in mien("gallery", "show", "staff").stdout


def test_an_empty_gallery(mien):
    mien("apps", "create", "shop")
    assert mien("gallery", "list", "--json").document == []
    assert mien("gallery", "list").stdout == "no groups\n"


def test_delete_wants_yes_where_nobody_can_be_asked(mien, staff):
    answer = mien("gallery", "delete", "staff", "--json")
    assert answer.exit_code == 2
    assert "--yes" in answer.document["error"]["message"]
    person = mien("gallery", "delete", "staff", "ann", "--yes", "--json")
    assert person.document == {"deleted": {"group": "staff", "person": "ann", "faces": 1}}
    assert mien("gallery", "list", "--json").document[0]["persons"] == 1
    assert mien("gallery", "delete", "staff", "--yes").exit_code == 0
    assert mien("gallery", "list", "--json").document == []


def test_the_gallery_option_and_a_gallery_that_cannot_be(mien, staff, tmp_path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    assert mien("apps", "create", "shop", "--gallery", other).exit_code == 0
    assert mien("gallery", "list", "--gallery", other, "--json").document == []
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    broken = mien("gallery", "list", "--gallery", f"sqlite:///{tmp_path / 'broken.db'}", "--json")
    assert broken.exit_code == 3
    assert broken.document["error"]["code"] == "gallery_unavailable"
    assert str(tmp_path) not in broken.stdout + broken.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["identify", "staff", "ann.png"],
        ["verify", "staff", "ann", "ann.png"],
        ["gallery", "list"],
        ["gallery", "show", "staff"],
        ["gallery", "delete", "staff", "--yes"],
        ["apps", "list"],
        ["keys", "list"],
        ["keys", "revoke", "nonesuch"],
    ],
)
def test_what_only_reads_makes_no_gallery(mien, draw, tmp_path, monkeypatch, arguments):
    draw(1, "ann.png")
    monkeypatch.setenv("MIEN_GALLERY", f"sqlite:///{tmp_path / 'mistyped' / 'faces.db'}")
    answer = mien(*arguments, "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "not_found")
    assert "There is no gallery 'faces.db' yet: enrol somebody first" in answer.stderr
    assert not (tmp_path / "mistyped").exists()
    assert mien("enroll", "staff", "ann", "ann.png").exit_code == 0
    assert (tmp_path / "mistyped" / "faces.db").is_file()


def test_doctor_makes_no_gallery_and_says_so(mien, tmp_path):
    row = mien("doctor", "--json").document["gallery"]
    assert "enrol somebody first" in row["note"]
    assert "error" not in row
    assert "enrol somebody first" in mien("doctor").stdout
    assert not list((tmp_path / "data").iterdir())
    mien("apps", "create", "shop")
    assert "note" not in mien("doctor", "--json").document["gallery"]
    row = mien("doctor", "--app", "nonesuch", "--json").document["gallery"]
    assert row["error"]["code"] == "not_found"
