"""A gallery whose index is a Milvus that several nodes share."""

import numpy as np
import pytest

from mien.errors import ConfigurationError, GalleryUnavailable, NotFound
from mien.gallery import Gallery
from mien.gallery.index.milvus import MilvusIndex
from mien.gallery.records.turns import turn
from mien.testing.galleries import unit_vectors
from mien.types import Embeddings

DIM = 8


@pytest.fixture
def kind(request):
    """One kind of database is enough for what is not about databases."""
    return getattr(request, "param", "sqlite")


@pytest.fixture
def index_url(milvus_lite):
    return f"milvus+file:{milvus_lite}"


@pytest.fixture
def nodes(url, index_url):
    """Two nodes: one database, one Milvus, two of everything else."""
    with Gallery.open(url, index=index_url) as one, Gallery.open(url, index=index_url) as other:
        yield one, other


@pytest.fixture
def writes(monkeypatch):
    """Counts the entries that are written to Milvus."""
    counted = []
    fill = MilvusIndex._fill

    def counting(self, group, slot, entries):
        counted.extend(entries.ids.tolist())
        fill(self, group, slot, entries)

    monkeypatch.setattr(MilvusIndex, "_fill", counting)
    return counted


def enrol(gallery, contract, names, seed=1):
    vectors = unit_vectors(len(names), DIM, seed=seed)
    for name, vector in zip(names, vectors, strict=True):
        one = Embeddings(vector[None], np.ones(1, np.float32))
        gallery.add_faces("g", name, one, contract=contract, create_person=True)
    return vectors


def who(gallery, contract, probes, k=1):
    return [
        [hit.person for hit in hits] for hits in gallery.search("g", probes, k=k, contract=contract)
    ]


@pytest.mark.parametrize(
    ("kind", "scoring"), [("sqlite", "max"), ("postgresql", "mean")], indirect=["kind"]
)
def test_each_node_sees_what_the_other_wrote(nodes, contract, scoring):
    one, other = nodes
    one.create_group("g", contract=contract, scoring=scoring)
    vectors = enrol(one, contract, ["ann", "bob", "cem"])
    assert (
        who(one, contract, vectors) == who(other, contract, vectors) == [["ann"], ["bob"], ["cem"]]
    )
    other.delete_person("g", "bob")
    more = enrol(other, contract, ["dan"], seed=2)
    assert who(one, contract, more) == [["dan"]]
    assert sorted(who(one, contract, more, k=9)[0]) == ["ann", "cem", "dan"]


def test_each_change_is_applied_by_one_node(nodes, contract, writes):
    one, other = nodes
    one.create_group("g", contract=contract)
    vectors = enrol(one, contract, ["ann", "bob", "cem"])
    for node in (one, other, one, other):
        who(node, contract, vectors)
    assert len(writes) == 3
    enrol(other, contract, ["dan"], seed=2)
    for node in (one, other):
        who(node, contract, vectors)
    assert len(writes) == 4


def test_a_node_that_starts_finds_the_index_as_it_was(url, index_url, contract, writes):
    with Gallery.open(url, index=index_url) as gallery:
        gallery.create_group("g", contract=contract)
        vectors = enrol(gallery, contract, ["ann", "bob"])
        who(gallery, contract, vectors)
    with Gallery.open(url, index=index_url) as gallery:
        assert who(gallery, contract, vectors) == [["ann"], ["bob"]]
    assert len(writes) == 2


def test_what_is_deleted_goes_from_milvus_at_once(nodes, contract):
    """Also when a process deletes it that has never searched."""
    one, other = nodes
    one.create_group("g", contract=contract)
    vectors = enrol(one, contract, ["ann", "bob"])
    who(one, contract, vectors)
    other.delete_person("g", "ann")
    index = one._searcher._index
    group = index.groups()[-1]
    assert index.search(group, vectors, k=9).ids[:, 1].tolist() == [-1, -1]
    other.delete_group("g")
    assert group not in index.groups()
    with pytest.raises(NotFound):
        who(one, contract, vectors)


def test_a_mark_of_another_history_or_key_is_not_believed(nodes, contract, writes):
    one, _ = nodes
    one.create_group("g", contract=contract)
    vectors = enrol(one, contract, ["ann", "bob"])
    who(one, contract, vectors)
    index = one._searcher._index
    group = index.groups()[-1]
    for mark in ("", "nonsense", "AAAA"):
        index.set_mark(group, mark)
        enrol(one, contract, [f"new{mark}"], seed=len(writes))
        before = len(writes)
        assert who(one, contract, vectors) == [["ann"], ["bob"]]
        assert len(writes) > before + 1  # all of them again


def test_a_wiped_milvus_is_filled_again(nodes, contract):
    one, _ = nodes
    one.create_group("g", contract=contract)
    vectors = enrol(one, contract, ["ann", "bob"])
    who(one, contract, vectors)
    index = one._searcher._index
    group = index.groups()[-1]
    index.rebuild(group, ())
    index.forget_place(group)
    assert who(one, contract, vectors) == [["ann"], ["bob"]]


def test_writes_go_on_without_milvus_and_a_deletion_is_made_up_for(nodes, contract, monkeypatch):
    one, _ = nodes
    one.create_group("g", contract=contract)
    vectors = enrol(one, contract, ["ann", "bob"])
    who(one, contract, vectors)
    index = one._searcher._index

    def away(*_arguments, **_options):
        raise GalleryUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(index._milvus, "_call", away)
        one.delete_person("g", "ann")
        late = enrol(one, contract, ["late"], seed=3)
        with pytest.raises(GalleryUnavailable):
            who(one, contract, late)
    assert who(one, contract, late) == [["late"]]
    assert sorted(who(one, contract, vectors, k=9)[0]) == ["bob", "late"]


def test_groups_that_went_while_nobody_looked_are_forgotten(url, index_url, contract):
    with Gallery.open(url, index=index_url) as gallery:
        gallery.create_group("g", contract=contract)
        vectors = enrol(gallery, contract, ["ann"])
        who(gallery, contract, vectors)
        there = gallery._searcher._index.groups()
    with Gallery.open(url, index="") as gallery:
        gallery.delete_group("g")
        gallery.create_group("g", contract=contract)
        enrol(gallery, contract, ["bob"])
    with Gallery.open(url, index=index_url) as gallery:
        assert who(gallery, contract, vectors) == [["bob"]]
        assert not set(there) & set(gallery._searcher._index.groups())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"], indirect=True)
def test_a_turn_is_one_process_s_at_a_time(url):
    with Gallery.open(url, index="") as one, Gallery.open(url, index="") as other:
        with (
            turn(one._database, 1),
            turn(other._database, 2),
            pytest.raises(GalleryUnavailable),
            turn(other._database, 1, timeout_s=0.1),
        ):
            pass
        with turn(other._database, 1, timeout_s=0.1):
            pass


def test_the_setting_names_the_index(url, monkeypatch):
    monkeypatch.setenv("MIEN_INDEX", "milvus+nonsense")
    with pytest.raises(ConfigurationError):
        Gallery.open(url)
