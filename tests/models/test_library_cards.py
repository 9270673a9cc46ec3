"""Cards of models that no file is fetched for: they are part of a library, or plain code."""

import dataclasses

import pytest

from mien.errors import ModelUnavailable
from mien.models import ModelStore


@pytest.fixture
def store(weights):
    return ModelStore(weights)


def without_needs(card, **changes):
    return dataclasses.replace(card, needs=(), **changes)


def test_it_is_available_where_its_library_is_installed(store):
    card = store.card("detect/skip")
    assert card.library == "mien"
    assert card.source_sha256 is None
    assert store.available(without_needs(card))
    assert not store.available(without_needs(card, library="no-such-distribution"))


def test_there_is_nothing_to_pull_or_to_verify(store, tmp_path):
    card = without_needs(store.card("detect/skip"))
    assert store.pull([card]) == []
    assert [one.state for one in store.verify([card])] == ["ok"]
    assert store.choice(card) is None
    store.bundle([card, store.card("yunet")], tmp_path / "models.tar")
    assert store.import_bundle(tmp_path / "models.tar") == [store.card("yunet")]


def test_there_is_no_file_to_open(store):
    card = store.card("detect/skip")
    for use in (store.path, store.open, store.source_path):
        with pytest.raises(ModelUnavailable, match="skip has no file of its own"):
            use(card)
