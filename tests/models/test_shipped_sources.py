"""Files that are installed with a package: there without any network, and checked all the same."""

from __future__ import annotations

import os
import sys

import pytest

from mien.errors import ModelUnavailable
from mien.models.card import ShippedSource

DATA = b"\x08\x08" * 40


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a net in it."""
    folder = tmp_path / "site" / "carrier"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "net.onnx").write_bytes(DATA)
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setitem(sys.modules, "carrier", None)  # what another test imported, afterwards too
    monkeypatch.delitem(sys.modules, "carrier")
    return folder


@pytest.fixture
def offline(settings):
    return settings.model_copy(update={"offline": True})


@pytest.fixture
def card(kit, package):
    return kit.card_of(ShippedSource("carrier", "net.onnx", kit.digest(DATA), len(DATA)))


def test_it_is_there_without_a_network(kit, offline, card):
    store = kit.store_with(offline, card)
    assert store.available(card)
    file = store.path(card)
    assert file.read_bytes() == DATA
    assert file.is_relative_to(offline.cache_dir)
    assert [one.state for one in store.inspect([card])] == ["ok"]
    assert not card.by_address


def test_a_copy_that_was_changed_is_made_again(kit, offline, card, package):
    store = kit.store_with(offline, card)
    store.path(card).write_bytes(b"another")
    assert [one.state for one in store.inspect([card])] == ["corrupt"]
    assert store.path(card).read_bytes() == DATA
    assert (package / "net.onnx").read_bytes() == DATA


@pytest.mark.parametrize("damage", ["changed", "gone", "no package"])
def test_what_is_not_whole_is_not_used(kit, offline, card, package, damage):
    if damage == "changed":
        (package / "net.onnx").write_bytes(DATA[:-1])
    elif damage == "gone":
        (package / "net.onnx").unlink()
    else:
        source = ShippedSource("no_such_carrier", "net.onnx", kit.digest(DATA), len(DATA))
        card = kit.card_of(source)
    store = kit.store_with(offline, card)
    assert not store.available(card)
    with pytest.raises(ModelUnavailable, match="install Mien again") as caught:
        store.path(card)
    assert str(package) not in caught.value.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_cache_that_can_only_be_read(kit, offline, card, package):
    offline.cache_dir.mkdir(parents=True, exist_ok=True)
    offline.cache_dir.chmod(0o555)
    try:
        assert kit.store_with(offline, card).path(card) == package / "net.onnx"
    finally:
        offline.cache_dir.chmod(0o755)


def test_no_folder_for_a_cache(kit, offline, card, package, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = offline.model_copy(update={"cache_dir": tmp_path / "file" / "cache"})
    assert kit.store_with(settings, card).path(card) == package / "net.onnx"


def test_a_bundle_carries_it(kit, offline, card, tmp_path):
    kit.store_with(offline, card).bundle([card], tmp_path / "b.tar")
    other = offline.model_copy(update={"cache_dir": tmp_path / "elsewhere"})
    assert kit.store_with(other, card).import_bundle(tmp_path / "b.tar") == [card]
