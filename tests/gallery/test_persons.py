import unicodedata

import numpy as np
import pytest

from mien.errors import AlreadyExists, InvalidArgument, LimitExceeded, NotFound
from mien.gallery import Gallery, GalleryLimits
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings


@pytest.fixture
def staff(gallery, contract):
    gallery.create_group("staff", contract=contract)
    return gallery


def enrol(gallery, group, person, n=1, seed=0, contract=None):
    contract = contract or random_contract(8)
    vectors = unit_vectors(n, contract.dim, seed=seed)
    embeddings = Embeddings(vectors, np.full(n, 10, np.float32))
    return gallery.add_faces(group, person, embeddings, contract=contract, create_person=True)


def test_a_person_by_name_and_by_id(staff):
    made = staff.add_person("staff", "김민수")
    assert staff.person("staff", "김민수") == staff.person("staff", made.id) == made
    assert staff.person("staff", unicodedata.normalize("NFD", "김민수")) == made
    assert made.to_dict()["name"] == "김민수"
    assert staff.group("staff").persons == 1


def test_names_are_unique_in_a_group_only(staff, contract):
    staff.add_person("staff", "Ann")
    with pytest.raises(AlreadyExists, match="'Ann'"):
        staff.add_person("staff", "Ann")
    staff.create_group("guests", contract=contract)
    assert staff.add_person("guests", "Ann").id != staff.person("staff", "Ann").id
    assert staff.group("staff").persons == 1


def test_ensuring_a_person_twice_makes_one(staff):
    assert staff.ensure_person("staff", "Ann") == staff.ensure_person("staff", "Ann")
    with pytest.raises(NotFound, match="no group"):
        staff.ensure_person("nobody", "Ann")


def test_persons_are_paged_by_name(staff):
    names = sorted(["김민수", "Ann", "bob", "李", "Zoë"])
    for name in names:
        staff.add_person("staff", name)
    first = staff.persons("staff", limit=2)
    rest = staff.persons("staff", after=first[-1].name)
    assert [person.name for person in (*first, *rest)] == names


def test_a_person_that_is_not_there(staff):
    for call in (staff.person, staff.delete_person, staff.embeddings, staff.faces):
        with pytest.raises(NotFound, match="no person 'Ann' in the group 'staff'"):
            call("staff", "Ann")


def test_deleting_a_person_leaves_no_trace(staff, contract, tmp_path):
    enrol(staff, "staff", "Ann", 3)
    enrol(staff, "staff", "Bob", 2, seed=1)
    wanted = unit_vectors(3, 8)
    assert staff.search("staff", wanted, k=1, contract=contract)[0][0].person == "Ann"
    staff.delete_person("staff", "Ann")
    assert {
        hit.person for hits in staff.search("staff", wanted, contract=contract) for hit in hits
    } == {"Bob"}
    group = staff.group("staff")
    assert (group.persons, group.faces) == (1, 2)
    assert [face.person for face in staff.faces("staff")] == ["Bob", "Bob"]
    staff.close()
    for file in tmp_path.iterdir():
        assert wanted[0].tobytes() not in file.read_bytes()


def test_a_member_of_two_groups_shares_faces(staff, contract):
    staff.create_group("club", contract=contract)
    staff.create_group("other-model", contract=random_contract(9))
    enrol(staff, "staff", "Ann", 2)
    probes = unit_vectors(2, 8)
    assert staff.search("club", probes, contract=contract) == [[], []]
    joined = staff.add_member("club", "Ann", source="staff")
    assert joined == staff.person("staff", "Ann")
    assert staff.add_member("other-model", "Ann", source="staff").faces == 0
    hits = staff.search("club", probes, contract=contract)
    assert hits == staff.search("staff", probes, contract=contract)
    assert [h[0].similarity for h in hits] == pytest.approx([1, 1], abs=1e-5)
    # a new face is found in both, and one deleted in one is gone from both
    (new,) = enrol(staff, "club", "Ann", seed=7)
    assert staff.size("staff") == staff.size("club") == 3
    assert staff.size("other-model") == 0
    probe = unit_vectors(1, 8, seed=7)
    assert staff.search("staff", probe, contract=contract)[0][0].face_id == new.id
    staff.delete_face("staff", new.id)
    assert staff.search("club", probe, contract=contract)[0][0].face_id != new.id
    assert staff.size("staff") == staff.size("club") == 2


def test_joining_twice_or_under_a_taken_name(staff, contract):
    staff.create_group("club", contract=contract)
    staff.add_person("staff", "Ann")
    staff.add_person("club", "Ann")
    with pytest.raises(AlreadyExists, match="'Ann'"):
        staff.add_member("club", "Ann", source="staff")
    with pytest.raises(AlreadyExists):
        staff.add_member("staff", "Ann", source="staff")


def test_leaving_a_group(staff, contract):
    staff.create_group("club", contract=contract)
    enrol(staff, "staff", "Ann", 2)
    staff.add_member("club", "Ann", source="staff")
    assert len(staff.search("club", unit_vectors(1, 8), contract=contract)[0]) == 1
    staff.remove_member("club", "Ann")
    assert staff.search("club", unit_vectors(1, 8), contract=contract) == [[]]
    assert (staff.group("club").persons, staff.group("club").faces) == (0, 0)
    assert staff.person("staff", "Ann").faces == 2
    with pytest.raises(InvalidArgument, match="in no other group"):
        staff.remove_member("staff", "Ann")


def test_deleting_a_group_keeps_persons_of_other_groups(staff, contract):
    staff.create_group("club", contract=contract)
    enrol(staff, "staff", "Ann", 2)
    bob = enrol(staff, "staff", "Bob", 2, seed=1)
    staff.add_member("club", "Ann", source="staff")
    staff.delete_group("staff")
    assert staff.person("club", "Ann").faces == 2
    with pytest.raises(NotFound):
        staff.face("club", bob[0].id)
    with staff._database.reading() as connection:
        count = "SELECT (SELECT COUNT(*) FROM persons), (SELECT COUNT(*) FROM faces)"
        assert connection.exec_driver_sql(count).one() == (1, 2)


def test_deleting_a_person_deletes_in_every_group(staff, contract):
    staff.create_group("club", contract=contract)
    enrol(staff, "staff", "Ann", 2)
    staff.add_member("club", "Ann", source="staff")
    assert staff.search("club", unit_vectors(1, 8), contract=contract)[0]
    staff.delete_person("staff", "Ann")
    assert (staff.group("club").persons, staff.group("club").faces) == (0, 0)
    assert staff.search("club", unit_vectors(1, 8), contract=contract) == [[]]


def test_the_limit_of_persons_at_its_edge(url, contract):
    with Gallery.open(url, limits=GalleryLimits(persons_per_group=2)) as gallery:
        gallery.create_group("staff", contract=contract)
        gallery.add_person("staff", "Ann")
        gallery.add_person("staff", "Bob")
        with pytest.raises(LimitExceeded, match="2 persons"):
            gallery.add_person("staff", "Cem")
        with pytest.raises(LimitExceeded):
            enrol(gallery, "staff", "Cem")
        gallery.create_group("club", contract=contract)
        gallery.add_person("club", "Dan")
        with pytest.raises(LimitExceeded):
            gallery.add_member("staff", "Dan", source="club")
        assert gallery.group("staff").persons == len(gallery.persons("staff")) == 2
        gallery.delete_person("staff", "Ann")
        assert gallery.add_person("staff", "Cem").name == "Cem"
