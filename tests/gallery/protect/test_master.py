import multiprocessing
import os
import stat

import pytest

from mien import config
from mien.errors import ConfigurationError, KeyMismatch, KeyMissing
from mien.gallery.protect.master import KeyRing, KeyWrapper, key_ring
from mien.gallery.protect.sealing import new_key


@pytest.fixture(autouse=True)
def _no_key_in_the_environment(monkeypatch):
    monkeypatch.delenv("MIEN_MASTER_KEY")


def test_a_ring_is_a_key_wrapper_and_opens_what_it_wrapped():
    ring = KeyRing([new_key()])
    assert isinstance(ring, KeyWrapper)
    wrapped = ring.wrap(b"data key", context=b"app")
    assert ring.unwrap(wrapped, key_id=ring.current, context=b"app") == b"data key"
    with pytest.raises(KeyMismatch):
        ring.unwrap(wrapped, key_id=ring.current, context=b"another app")


def test_a_renewed_ring_wraps_anew_and_still_opens_the_old():
    old = KeyRing([new_key()])
    wrapped = old.wrap(b"data key", context=b"")
    new = old.renewed()
    assert new.current != old.current
    assert new.unwrap(wrapped, key_id=old.current, context=b"") == b"data key"
    with pytest.raises(KeyMissing, match=old.current):
        new.only_current().unwrap(wrapped, key_id=old.current, context=b"")


def test_a_ring_is_read_from_its_text_and_not_shown():
    ring = KeyRing([new_key(), new_key()])
    text = ring.to_text()
    assert KeyRing.from_text(text.replace("\n", ",")).ids == ring.ids
    assert not any(line in repr(ring) for line in text.split())


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "not base64 at all!", "A" * 43])
def test_what_is_no_key_is_refused_and_not_repeated(text):
    with pytest.raises(ConfigurationError) as caught:
        KeyRing.from_text(text)
    assert not text or text not in caught.value.message


def test_the_key_file_is_made_once_and_only_for_its_owner(tmp_path, caplog):
    settings = config.load(master_key_file=tmp_path / "keys" / "master.key")
    first = key_ring(settings)
    assert first.current == key_ring(settings).current
    assert caplog.text.count("Back it up") == 1
    if os.name == "posix":
        assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600


def _current(file) -> str:
    return KeyRing.read(file, create=True).current


def test_processes_that_start_together_get_the_same_key(tmp_path):
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert len(set(pool.map(_current, [tmp_path / "master.key"] * 8))) == 1


def test_a_missing_key_file_is_said_and_not_made(tmp_path):
    settings = config.load(master_key_file=tmp_path / "master.key")
    with pytest.raises(KeyMissing, match="backup"):
        key_ring(settings, create=False)
    assert not settings.key_file.exists()


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")
def test_a_key_file_that_others_may_read_is_refused(tmp_path):
    file = tmp_path / "master.key"
    file.write_text(KeyRing([new_key()]).to_text())
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        KeyRing.read(file, create=True)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"", b"nonsense"])
def test_a_damaged_key_file_is_refused_and_kept(tmp_path, content):
    file = tmp_path / "master.key"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(ConfigurationError):
        KeyRing.read(file, create=True)
    assert file.read_bytes() == content


def test_a_key_in_the_settings_comes_before_the_file(tmp_path):
    ring = KeyRing([new_key()])
    settings = config.load(
        master_key=ring.to_text(), master_key_file=tmp_path / "never made" / "master.key"
    )
    assert key_ring(settings).current == ring.current
    assert not settings.key_file.exists()
    assert ring.to_text().strip() not in repr(settings)


def test_an_unknown_key_management_service_is_said():
    with pytest.raises(ConfigurationError, match="'vault' is installed; there is: none"):
        key_ring(config.load(kms="vault"))
