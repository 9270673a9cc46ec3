import json

import pytest
from PIL import Image

from mien.testing import drawn_face

GIVEN = ["--purpose", "entry", "--text-version", "2026-11", "--language", "ko"]


@pytest.fixture
def enrolled(mien, tmp_path):
    for identity, name in ((1, "Ann"), (2, "Bob")):
        photo = tmp_path / f"{name}.png"
        Image.fromarray(drawn_face(identity)).save(photo)
        assert mien("enroll", "gym", name, photo).exit_code == 0
    return mien


def test_a_person_is_exported_and_erased(enrolled, tmp_path):
    exported = enrolled("person", "export", "gym", "Ann", "--out", tmp_path / "ann.json", "--json")
    assert (exported.exit_code, exported.document["faces"]) == (0, 1)
    document = json.loads((tmp_path / "ann.json").read_text())
    assert document["groups"] == [{"group": "gym", "name": "Ann"}]
    refused = enrolled("person", "erase", "gym", "Ann")
    assert refused.exit_code == 2
    assert "--yes" in refused.stderr
    erased = enrolled("person", "erase", "gym", "Ann", "--yes", "--json")
    assert erased.document["faces"] == 1
    assert enrolled("person", "export", "gym", "Ann").exit_code == 2
    assert enrolled("identify", "gym", tmp_path / "Bob.png", "--json").document[0]["faces"][0][
        "candidates"
    ]


def test_consent_is_given_listed_and_withdrawn(enrolled):
    given = enrolled("consent", "give", "gym", "Ann", *GIVEN, "--expires", "52w", "--json")
    assert given.exit_code == 0
    listed = enrolled("consent", "list", "gym", "Ann", "--json").document
    assert [one["id"] for one in listed] == [given.document["id"]]
    ended = enrolled("consent", "withdraw", given.document["id"], "--json").document
    assert ended["withdrawn_at"] is not None
    assert "ended" in enrolled("consent", "list", "gym", "Ann").stdout


def test_a_form_is_filled_in(mien):
    fields = ["organisation", "purpose", "retention", "alternative", "processor", "images"]
    options = [part for name in fields for part in (f"--{name}", f"<{name}>")]
    form = mien("consent", "text", "--language", "ko", *options, "--contact", "desk")
    assert form.exit_code == 0
    assert "민감정보" in form.stdout
    assert "<purpose>" in form.stdout
    missing = mien("consent", "text", *options)
    assert missing.exit_code == 2
    assert "--contact" in missing.stderr


def test_the_log_is_listed_and_verified(enrolled):
    entries = enrolled("audit", "list", "--json").document
    assert [entry["action"] for entry in entries] == [
        "group.create", "person.create", "faces.add", "person.create", "faces.add",
    ]  # fmt: skip
    assert all(entry["actor"].startswith("command line: ") for entry in entries)
    check = enrolled("audit", "verify", "--json")
    assert (check.exit_code, check.document["entries"]) == (0, 5)
    cut = enrolled("audit", "verify", "--head", "0" * 64, "--json")
    assert (cut.exit_code, cut.document["what"]) == (1, "cut")
    assert enrolled("audit", "list", "--after", entries[-1]["seq"]).stdout == "no entries\n"


def test_keys_are_renewed_and_nothing_is_lost(enrolled, tmp_path):
    renewed = enrolled("gallery", "renew-keys", "--json")
    assert renewed.document["persons"] == 2
    assert enrolled("verify", "gym", "Ann", tmp_path / "Ann.png").exit_code == 0


def test_a_purge_without_retention_deletes_nothing(enrolled):
    assert enrolled("gallery", "purge", "--json").document == {"faces": 0, "persons": 0}


def test_a_master_key_that_is_another_is_said(enrolled, tmp_path, monkeypatch):
    from mien.gallery.protect import KeyRing, new_key

    monkeypatch.setenv("MIEN_MASTER_KEY", KeyRing([new_key()]).to_text().strip())
    answer = enrolled("verify", "gym", "Ann", tmp_path / "Ann.png")
    assert answer.exit_code == 3
    assert "key_missing" in answer.stderr
