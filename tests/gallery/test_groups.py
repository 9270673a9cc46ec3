import dataclasses

import pytest

from mien.errors import AlreadyExists, EmbeddingMismatch, InvalidArgument, LimitExceeded, NotFound
from mien.gallery import Gallery, GalleryLimits
from mien.testing.galleries import unit_vectors
from mien.types import Embeddings


def test_a_new_group_is_empty_and_pinned(gallery, contract):
    made = gallery.create_group("staff", contract=contract, scoring="mean")
    assert gallery.group("staff") == made
    assert (made.contract, made.scoring, made.persons, made.faces) == (contract, "mean", 0, 0)
    assert made.to_dict()["contract"] == str(contract)
    assert gallery.size("staff") == 0


def test_a_name_is_taken_once(gallery, contract):
    gallery.create_group("staff", contract=contract)
    with pytest.raises(AlreadyExists, match="'staff'"):
        gallery.create_group("staff", contract=contract)


def test_a_group_that_is_not_there(gallery):
    for call in (gallery.group, gallery.delete_group, gallery.size, gallery.persons, gallery.faces):
        with pytest.raises(NotFound, match="no group 'staff'"):
            call("staff")


@pytest.mark.parametrize("scoring", ["median", "", None])
def test_unknown_scoring(gallery, contract, scoring):
    with pytest.raises(InvalidArgument, match="max, mean"):
        gallery.create_group("staff", contract=contract, scoring=scoring)


@pytest.mark.parametrize(
    "change", [{"model": "x"}, {"source_sha256": "1" * 64}, {"preprocessing": 2}, {"dim": 9}]
)
def test_every_part_of_the_contract_is_pinned(gallery, contract, change):
    gallery.ensure_group("staff", contract=contract)
    other = dataclasses.replace(contract, **change)
    with pytest.raises(EmbeddingMismatch):
        gallery.ensure_group("staff", contract=other)
    with pytest.raises(EmbeddingMismatch):
        gallery.check_contract(gallery.group("staff"), other)
    with pytest.raises(EmbeddingMismatch):
        gallery.search("staff", unit_vectors(1, other.dim), contract=other)
    gallery.add_person("staff", "Ann")
    vectors = unit_vectors(1, other.dim)
    with pytest.raises(EmbeddingMismatch):
        gallery.add_faces("staff", "Ann", Embeddings(vectors, vectors[:, 0]), contract=other)
    assert gallery.ensure_group("staff", contract=contract).faces == 0


def test_groups_are_paged_by_name(gallery, contract):
    names = [f"g{i:02}" for i in range(7)]
    for name in reversed(names):
        gallery.create_group(name, contract=contract)
    first = gallery.groups(limit=3)
    second = gallery.groups(after=first[-1].name, limit=3)
    third = gallery.groups(after=second[-1].name, limit=3)
    assert [group.name for group in (*first, *second, *third)] == names


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_1_to_1000_entries(gallery, limit):
    with pytest.raises(InvalidArgument, match="1 to 1000"):
        gallery.groups(limit=limit)


def test_the_limit_of_groups_at_its_edge(url, contract):
    with Gallery.open(url, limits=GalleryLimits(groups_per_application=2)) as gallery:
        gallery.create_group("a", contract=contract)
        gallery.create_group("b", contract=contract)
        with pytest.raises(LimitExceeded) as caught:
            gallery.create_group("c", contract=contract)
        assert caught.value.details == {"limit": 2}
        gallery.delete_group("a")
        gallery.create_group("c", contract=contract)
        assert [group.name for group in gallery.groups()] == ["b", "c"]


def test_applications_do_not_see_each_other(gallery, contract):
    gallery.create_application("other")
    other = gallery.for_application("other")
    gallery.create_group("staff", contract=contract)
    assert other.groups() == []
    other.create_group("staff", contract=contract, scoring="mean")
    other.add_person("staff", "Ann")
    assert gallery.group("staff").persons == 0
    other.delete_group("staff")
    assert gallery.group("staff").scoring == "max"
    other.close()
    assert len(gallery.groups()) == 1


def test_a_group_made_again_under_the_same_name_is_another(gallery, contract):
    vectors = unit_vectors(1, 8)
    face = Embeddings(vectors, vectors[:, 0])
    for _ in range(3):
        gallery.create_group("staff", contract=contract)
        assert gallery.search("staff", vectors, contract=contract) == [[]]
        gallery.add_faces("staff", "Ann", face, contract=contract, create_person=True)
        assert len(gallery.search("staff", vectors, contract=contract)[0]) == 1
        gallery.delete_group("staff")
