"""Export, import, backup, restore, drill and check on the command line."""

import json

import pytest
from PIL import Image

from mien.gallery.protect import KeyRing, new_key
from mien.gallery.protect.stream import Passphrase
from mien.testing import drawn_face

PHRASE = "correct horse battery"


@pytest.fixture
def enrolled(mien, tmp_path, monkeypatch):
    usual = Passphrase.__init__.__kwdefaults__
    monkeypatch.setattr(Passphrase.__init__, "__kwdefaults__", {**usual, "cost": 14})
    for identity, name in ((1, "Ann"), (2, "Bob")):
        photo = tmp_path / f"{name}.png"
        Image.fromarray(drawn_face(identity)).save(photo)
        assert mien("enroll", "gym", name, photo).exit_code == 0
    secret = tmp_path / "secret"
    secret.write_text(f"{PHRASE}\n")
    secret.chmod(0o600)
    return mien


def test_an_application_goes_out_and_comes_back(enrolled, tmp_path):
    file, secret = tmp_path / "gym.mien", ("--passphrase-file", tmp_path / "secret")
    made = enrolled("gallery", "export", file, "gym", *secret, "--log", "--json")
    assert (made.exit_code, made.document["persons"], made.document["faces"]) == (0, 2, 2)
    there = enrolled("gallery", "export", file, *secret)
    assert (there.exit_code, "--force" in there.stderr) == (2, True)
    assert enrolled("gallery", "export", file, *secret, "--force", "--log").exit_code == 0
    found = enrolled("gallery", "inspect", file, *secret, "--log", "--json").document
    assert found["counts"]["faces"] == 2
    assert "gallery.export" in [entry["action"] for entry in found["log"]]
    again = enrolled("gallery", "import", file, *secret)
    assert (again.exit_code, "--on-conflict" in again.stderr) == (2, True)
    skipped = enrolled("gallery", "import", file, *secret, "--on-conflict", "skip", "--json")
    assert skipped.document["skipped_persons"] == 2
    other = ("--gallery", f"sqlite:///{tmp_path / 'other.db'}")
    taken = enrolled("gallery", "import", file, *secret, *other)
    assert taken.stdout == "1 group(s), 2 person(s), 2 face(s)\n"
    assert enrolled("identify", "gym", tmp_path / "Bob.png", *other).exit_code == 0
    drilled = enrolled("gallery", "drill", file, *secret, "--json")
    assert (drilled.exit_code, drilled.document["ok"]) == (0, True)


def test_where_the_passphrase_comes_from(enrolled, tmp_path, monkeypatch):
    file, secret = tmp_path / "gym.mien", tmp_path / "secret"
    nothing = enrolled("gallery", "export", file)
    assert (nothing.exit_code, "--passphrase-file" in nothing.stderr) == (2, True)
    key = tmp_path / "key"
    key.write_text(KeyRing([new_key()]).to_text())
    key.chmod(0o600)
    both = enrolled("gallery", "export", file, "--passphrase-file", secret, "--key-file", key)
    assert both.exit_code == 2
    secret.chmod(0o644)
    shown = enrolled("gallery", "export", file, "--passphrase-file", secret)
    assert (shown.exit_code, "chmod 600" in shown.stderr) == (2, True)
    assert not file.exists()
    monkeypatch.setenv("MIEN_ARCHIVE_PASSPHRASE", PHRASE)
    assert enrolled("gallery", "export", file).exit_code == 0
    assert enrolled("gallery", "inspect", file).exit_code == 0
    monkeypatch.setenv("MIEN_ARCHIVE_PASSPHRASE", "another passphrase")
    wrong = enrolled("gallery", "inspect", file)
    assert (wrong.exit_code, "key_mismatch" in wrong.stderr) == (3, True)
    assert enrolled("gallery", "export", file, "--key-file", key, "--force").exit_code == 0
    assert enrolled("gallery", "drill", file, "--key-file", key).exit_code == 0
    for result in (nothing, both, shown, wrong):
        assert PHRASE not in result.stdout + result.stderr


def test_backup_drill_and_restore(enrolled, tmp_path):
    file = tmp_path / "all.mien"
    made = enrolled("gallery", "backup", file, "--json")
    assert (made.exit_code, made.document["rows"]["faces"]) == (0, 2)
    assert enrolled("gallery", "drill", file, "--samples", 1).stdout.endswith("sound\n")
    ann = enrolled("gallery", "show", "gym", "--json").document["people"][0]
    assert enrolled("person", "erase", "gym", "Ann", "--yes").exit_code == 0
    assert enrolled("gallery", "restore", file).exit_code == 2
    restored = enrolled("gallery", "restore", file, "--replace")
    assert "erased or withdrawn since: 1 person(s)" in restored.stdout
    log = tmp_path / "log.json"
    log.write_text(enrolled("audit", "list", "--json").stdout)
    ids = tmp_path / "ids"
    ids.write_text(f"{ann['id']}\n")
    for i, erased in enumerate((log, ids)):
        where = ("--gallery", f"sqlite:///{tmp_path / f'new{i}.db'}")
        one = enrolled("gallery", "restore", file, *where, "--erased", erased, "--json")
        assert one.document["erased_persons"] == 1
    log.write_text("[1]")
    assert enrolled("gallery", "restore", file, "--replace", "--erased", log).exit_code == 2
    full = enrolled("gallery", "restore", file, "--replace", "--bring-back-erased", "--json")
    assert full.document["erased_persons"] == 0
    data = bytearray(file.read_bytes())
    data[-30] ^= 1
    file.write_bytes(data)
    for command in (("drill",), ("inspect",), ("restore", "--replace")):
        wrong = enrolled("gallery", command[0], file, *command[1:])
        assert (wrong.exit_code, "archive_unusable" in wrong.stderr) == (2, True)


def test_check_and_rebuild(enrolled, tmp_path, monkeypatch):
    sound = enrolled("gallery", "check", "--json")
    assert (sound.exit_code, sound.document["templates"]) == (0, 2)
    assert json.loads(enrolled("gallery", "rebuild-index", "--json").stdout) == {"gym": False}
    assert enrolled("gallery", "rebuild-index", "nosuch").exit_code == 2
    monkeypatch.setattr(
        "mien.gallery.operations.checking.self_searches", lambda *given, **more: (2, 1)
    )
    wrong = enrolled("gallery", "check")
    assert (wrong.exit_code, "1 of 2 find somebody else" in wrong.stdout) == (1, True)
