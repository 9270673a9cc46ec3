"""Verify and bundle: damage is found, and what is carried arrives whole."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from mien.errors import ChecksumMismatch, InvalidArgument, ModelUnavailable


@pytest.fixture
def store(kit, settings, published):
    mirrored = settings.model_copy(update={"models_mirror": str(published.folder)})
    return kit.store_with(mirrored, published.card)


def states(store):
    return [one.state for one in store.inspect(store.cards())]


def test_verify(store):
    card = store.card("tiny")
    assert states(store) == ["missing"]
    with pytest.raises(ModelUnavailable, match="detect/tiny"):
        store.verify([card])
    path = store.path(card)
    assert [one.state for one in store.verify([card])] == ["ok"]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ChecksumMismatch, match="detect/tiny"):
        store.verify([card])
    assert states(store) == ["missing"]
    store.path(card)
    assert states(store) == ["ok"]


def test_verify_makes_a_damaged_converted_file_again(models, tmp_path):
    from mien.models import ModelStore

    card = models.card("yunet")
    source = models.source_path(card)
    mine = ModelStore(
        models.settings.model_copy(
            update={"cache_dir": tmp_path, "models_mirror": str(source.parent), "offline": True}
        )
    )
    good = mine.path(card).read_bytes()
    assert [one.state for one in mine.inspect([card])] == ["ok"]
    mine.path(card).write_bytes(good[:-100] + bytes(100))
    assert [one.state for one in mine.verify([card])] == ["repaired"]
    assert mine.path(card).read_bytes() == good


def test_a_bundle_is_carried_to_a_machine_without_a_network(kit, store, settings, tmp_path):
    file = tmp_path / "models.tar"
    store.bundle(store.cards(), file)
    there = settings.model_copy(update={"cache_dir": tmp_path / "there", "offline": True})
    other = kit.store_with(there, *store.cards())
    assert [card.key for card in other.import_bundle(file)] == ["detect/tiny"]
    assert (
        other.path(other.card("tiny")).read_bytes() == store.path(store.card("tiny")).read_bytes()
    )
    assert other.import_bundle(file)  # a second time is as good
    assert not list((there.cache_dir / "tmp").iterdir())


def test_a_bundle_is_the_same_whenever_it_is_written(store, tmp_path):
    store.bundle(store.cards(), tmp_path / "a.tar")
    store.bundle(store.cards(), tmp_path / "b.tar")
    assert (tmp_path / "a.tar").read_bytes() == (tmp_path / "b.tar").read_bytes()


def rewritten(file, change):
    """The bundle with its manifest and files changed by ``change(manifest, files)``."""
    with tarfile.open(file) as box:
        files = {m.name: box.extractfile(m).read() for m in box.getmembers()}
    manifest = json.loads(files.pop("manifest.json"))
    change(manifest, files)
    with tarfile.open(file, "w") as box:
        for name, data in {"manifest.json": json.dumps(manifest).encode(), **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            box.addfile(info, io.BytesIO(data))


def flip(manifest, files):
    name = next(iter(files))
    files[name] = files[name][:-1] + b"!"


def shorten(manifest, files):
    name = next(iter(files))
    files[name] = files[name][:-1]


def climb(manifest, files):
    manifest["files"][0]["name"] = "../../../climbed"


def absolute(manifest, files):
    manifest["files"][0]["name"] = "/climbed"


def odd_hash(manifest, files):
    manifest["files"][0]["sha256"] = "../" * 21 + "x"


def later(manifest, files):
    manifest["format"] = 99


def surplus(manifest, files):
    manifest["files"][0]["command"] = "rm"


def gone(manifest, files):
    files.clear()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (flip, ChecksumMismatch),
        (shorten, ChecksumMismatch),
        (climb, InvalidArgument),
        (absolute, InvalidArgument),
        (odd_hash, InvalidArgument),
        (later, InvalidArgument),
        (surplus, InvalidArgument),
        (gone, InvalidArgument),
    ],
)
def test_a_tampered_bundle(kit, store, settings, tmp_path, change, error):
    file = tmp_path / "models.tar"
    store.bundle(store.cards(), file)
    rewritten(file, change)
    there = settings.model_copy(update={"cache_dir": tmp_path / "there", "offline": True})
    other = kit.store_with(there, *store.cards())
    with pytest.raises(error) as caught:
        other.import_bundle(file)
    assert str(tmp_path) not in caught.value.message
    assert not other.available(other.card("tiny"))
    assert not list(tmp_path.rglob("climbed"))


def test_a_bundle_brings_nothing_that_the_catalogue_does_not_know(kit, store, settings, tmp_path):
    file = tmp_path / "models.tar"
    store.bundle(store.cards(), file)
    there = settings.model_copy(update={"cache_dir": tmp_path / "there"})
    stranger = kit.card_of(kit.archive_source(b"", "x", b"another"), name="stranger")
    assert kit.store_with(there, stranger).import_bundle(file) == []
    assert not (there.cache_dir / "sources").exists()


@pytest.mark.parametrize("data", [b"", b"no tar", b"\0" * 2048])
def test_what_is_no_bundle(store, tmp_path, data):
    file = tmp_path / "models.tar"
    file.write_bytes(data)
    with pytest.raises(InvalidArgument, match="bundle"):
        store.import_bundle(file)


def test_no_bundle_at_all(store, tmp_path):
    with pytest.raises(InvalidArgument, match=r"no file models\.tar"):
        store.import_bundle(tmp_path / "models.tar")
    with pytest.raises(InvalidArgument, match="cannot be written"):
        store.bundle(store.cards(), tmp_path / "no" / "such" / "folder.tar")
