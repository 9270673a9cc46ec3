"""Names, settings, user data and undoing, in every kind of database."""

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import AlreadyExists, InvalidArgument, NotFound
from mien.gallery import KEEP, Gallery, GalleryLimits, GroupSettings
from mien.gallery.records.schema import undo, undo_persons
from mien.testing.galleries import unit_vectors
from mien.types import Embeddings


@pytest.fixture
def staff(gallery, contract):
    gallery.create_group("staff", contract=contract)
    for seed, name in enumerate(["Ann", "Bob"]):
        enrol(gallery, name, seed)
    return gallery


def enrol(gallery, person, seed, **options):
    faces = Embeddings(unit_vectors(1, 8, seed=seed), np.ones(1, np.float32))
    contract = gallery.group("staff").contract
    return gallery.add_faces(
        "staff", person, faces, contract=contract, create_person=True, **options
    )


# ---------------------------------------------------------------- groups


def test_a_group_is_renamed_with_all_that_is_in_it(staff, contract):
    before = staff.group("staff")
    renamed = staff.rename_group("staff", "crew")
    assert (renamed.name, renamed.persons, renamed.created_at) == ("crew", 2, before.created_at)
    assert [group.name for group in staff.groups()] == ["crew"]
    (hits,) = staff.search("crew", unit_vectors(1, 8), k=1, contract=contract)
    assert hits[0].person == "Ann"
    with pytest.raises(NotFound):
        staff.group("staff")
    staff.create_group("staff", contract=contract)
    with pytest.raises(AlreadyExists, match="'staff'"):
        staff.rename_group("crew", "staff")
    with pytest.raises(AlreadyExists):  # somebody has taken the old name
        staff.undo("crew")
    staff.delete_group("staff")
    assert staff.undo("crew").group == "staff"
    assert staff.group("staff") == before


@pytest.mark.parametrize("name", ["", "a b", "-x", "x" * 256, None, 5])
def test_what_is_no_name_of_a_group(staff, name):
    with pytest.raises(InvalidArgument):
        staff.rename_group("staff", name)


def test_settings_and_user_data_of_a_group(staff, contract):
    settings = GroupSettings(max_persons=5, retain_age_s=60, images="crops", min_quality=0.25)
    group = staff.set_group("staff", settings=settings, user_data="x")
    assert (group.settings, group.user_data) == (settings, "x")
    assert staff.group("staff") == group
    assert staff.set_group("staff", user_data=None).settings == settings
    assert staff.set_group("staff", user_data=KEEP).user_data is None
    assert [entry.kind for entry in staff.changes("staff")] == ["group.set"] * 2
    staff.undo("staff")
    assert staff.group("staff") == group
    staff.undo("staff")
    assert staff.group("staff").settings == GroupSettings()
    made = staff.create_group("new", contract=contract, settings=settings, user_data="y")
    assert staff.group("new") == made
    assert (made.settings, made.user_data) == (settings, "y")


# ---------------------------------------------------------------- persons and faces


def test_a_person_is_renamed(staff, contract):
    ann = staff.person("staff", "Ann")
    renamed = staff.rename_person("staff", "Ann", "Äda")
    assert (renamed.id, renamed.name, renamed.faces) == (ann.id, "Äda", 1)
    assert staff.faces("staff", "Äda")[0].person == "Äda"
    (hits,) = staff.search("staff", unit_vectors(1, 8), k=1, contract=contract)
    assert hits[0].person == "Äda"
    with pytest.raises(AlreadyExists):
        staff.rename_person("staff", "Äda", "Bob")
    with pytest.raises(NotFound):
        staff.rename_person("staff", "Ann", "Eva")
    for name in ("", " x", "x\n", "x" * 256):
        with pytest.raises(InvalidArgument):
            staff.rename_person("staff", "Bob", name)
    staff.rename_person("staff", "Äda", "Äda")  # nothing happens
    assert len(staff.changes("staff")) == 1


def test_name_and_user_data_change_together_or_not_at_all(staff):
    with pytest.raises(AlreadyExists):
        staff.set_person("staff", "Ann", name="Bob", user_data="x")
    staff.set_person("staff", "Bob", external_id="1")
    with pytest.raises(AlreadyExists):
        staff.set_person("staff", "Ann", name="Eva", external_id="1")
    assert (staff.person("staff", "Ann").user_data, len(staff.changes("staff"))) == (None, 1)
    changed = staff.set_person("staff", "Ann", name="Eva", external_id="2", user_data="x")
    assert (changed.name, changed.external_id, changed.user_data) == ("Eva", "2", "x")
    staff.undo("staff")
    assert staff.person("staff", "Ann").external_id is None
    group = staff.set_group("staff", name="crew", user_data="y")
    assert (group.name, group.user_data) == ("crew", "y")
    assert next(entry.kind for entry in staff.changes("crew")) == "group.set"
    assert staff.undo("crew").group == "staff"
    assert staff.group("staff").user_data is None


def test_a_decomposed_name_is_the_same_name(staff):
    staff.rename_person("staff", "Ann", "A\u0308da")
    assert staff.person("staff", "Äda").name == "Äda"


def test_external_ids_belong_to_one_person(staff, contract):
    staff.set_person("staff", "Ann", external_id="HR:17")
    assert staff.person_by_external_id("staff", "HR:17").name == "Ann"
    staff.set_person("staff", "Ann", external_id="HR:17", user_data="door")
    with pytest.raises(AlreadyExists, match="HR:17"):
        staff.set_person("staff", "Bob", external_id="HR:17")
    with pytest.raises(AlreadyExists):
        staff.add_person("staff", "Eva", external_id="HR:17")
    assert [person.name for person in staff.persons("staff")] == ["Ann", "Bob"]
    staff.create_group("club", contract=contract)
    with pytest.raises(NotFound):
        staff.person_by_external_id("club", "HR:17")
    staff.create_application("other")
    other = staff.for_application("other")
    other.create_group("staff", contract=contract)
    assert other.add_person("staff", "Eva", external_id="HR:17").external_id == "HR:17"
    staff.set_person("staff", "Ann", external_id=None)
    assert staff.person("staff", "Ann").user_data == "door"
    made = staff.add_person("staff", "Eva", external_id="HR:17", user_data="x")
    assert staff.person("staff", "Eva") == made
    with pytest.raises(AlreadyExists):  # it was Ann's, and is Eva's now
        staff.undo("staff")


@pytest.mark.parametrize("text", ["", " x", "x ", "a\nb", "x" * 256, "\ud800", "a\0", 5, b"x"])
def test_what_is_no_external_id(staff, text):
    (face,) = staff.faces("staff", "Ann")
    for call in (
        lambda: staff.set_person("staff", "Ann", external_id=text),
        lambda: staff.add_person("staff", "Eva", external_id=text),
        lambda: staff.set_face("staff", face.id, external_image_id=text),
        lambda: enrol(staff, "Ann", 5, external_image_id=text),
        lambda: staff.faces("staff", external_image_id=text),
        lambda: staff.person_by_external_id("staff", text),
    ):
        with pytest.raises(InvalidArgument):
            call()
    assert staff.group("staff").persons == staff.group("staff").faces == 2


def test_a_photo_is_found_by_the_callers_number(staff):
    (one,) = enrol(staff, "Ann", 5, external_image_id="img-1", user_data="left", qualities=[0.5])
    (two,) = enrol(staff, None, 6, external_image_id="img-1")
    assert (one.external_image_id, one.user_data, one.quality) == ("img-1", "left", 0.5)
    assert staff.faces("staff", external_image_id="img-1") == [one, two]
    assert staff.faces("staff", "Ann", external_image_id="img-1") == [one]
    assert staff.faces("staff", external_image_id="img-2") == []
    changed = staff.set_face("staff", one.id, external_image_id="img-2")
    assert (changed.external_image_id, changed.user_data) == ("img-2", "left")
    assert staff.faces("staff", external_image_id="img-2") == [changed]
    staff.set_face("staff", one.id, user_data=None)
    staff.undo("staff")
    staff.undo("staff")
    assert staff.face("staff", one.id) == one


@pytest.mark.parametrize("qualities", [[-0.1], [1.1], [float("nan")], [], [0.5, 0.5]])
def test_what_is_no_quality(staff, qualities):
    with pytest.raises(InvalidArgument, match="qualit"):
        enrol(staff, "Ann", 5, qualities=qualities)


@pytest.mark.parametrize("text", ["", "x" * 10, "ä" * 5, '{"a": 1}\n\t'[:10], "🙂🙂"])
def test_user_data_comes_back_as_it_was(url, contract, text):
    with Gallery.open(url, limits=GalleryLimits(user_data_bytes=10)) as gallery:
        gallery.create_group("staff", contract=contract, user_data=text)
        gallery.add_person("staff", "Ann", user_data=text)
        (face,) = enrol(gallery, "Ann", 1, user_data=text)
        assert gallery.group("staff").user_data == text
        assert gallery.person("staff", "Ann").user_data == text
        assert gallery.face("staff", face.id).user_data == text


@pytest.mark.parametrize("text", ["x" * 11, "ä" * 6, "a\0b", "\ud800", 5, b"x"])
def test_user_data_that_cannot_be_kept(url, contract, text):
    with Gallery.open(url, limits=GalleryLimits(user_data_bytes=10)) as gallery:
        gallery.create_group("staff", contract=contract)
        (face,) = enrol(gallery, "Ann", 1)
        for call in (
            lambda: gallery.create_group("new", contract=contract, user_data=text),
            lambda: gallery.set_group("staff", user_data=text),
            lambda: gallery.add_person("staff", "Eva", user_data=text),
            lambda: gallery.set_person("staff", "Ann", user_data=text),
            lambda: gallery.set_face("staff", face.id, user_data=text),
            lambda: enrol(gallery, "Ann", 5, user_data=text),
        ):
            with pytest.raises(InvalidArgument, match="User data"):
                call()
        assert gallery.group("staff").faces == 1


# ---------------------------------------------------------------- undoing


def test_changes_are_taken_back_one_by_one(staff):
    for name in ("A", "B", "C"):
        staff.rename_person("staff", staff.persons("staff")[0].name, name)
    entries = staff.changes("staff")
    assert [entry.kind for entry in entries] == ["person.rename"] * 3
    with pytest.raises(InvalidArgument, match="newest") as caught:
        staff.undo("staff", change=entries[1].id)
    assert caught.value.details == {"newest": entries[0].id}
    done = staff.undo("staff", change=entries[0].id)
    assert (done.id, done.group, done.persons) == (entries[0].id, "staff", entries[0].persons)
    assert done.undone_at >= done.at
    assert staff.changes("staff")[0] == done
    staff.undo("staff")
    staff.undo("staff")
    assert [person.name for person in staff.persons("staff")] == ["Ann", "Bob"]
    with pytest.raises(NotFound, match="nothing to undo"):
        staff.undo("staff")
    with pytest.raises(NotFound):
        staff.undo("nowhere")


def test_changes_are_paged_newest_first(staff):
    for number in range(5):
        staff.set_group("staff", user_data=str(number))
    everything = staff.changes("staff")
    assert len(everything) == 5
    first = staff.changes("staff", limit=2)
    assert first + staff.changes("staff", before=first[-1].id) == everything
    with pytest.raises(NotFound):
        staff.changes("staff", before="0" * 32)
    with pytest.raises(InvalidArgument):
        staff.changes("staff", limit=0)
    assert everything[0].to_dict()["kind"] == "group.set"


def test_a_group_remembers_so_many_changes(url, contract):
    with Gallery.open(url, limits=GalleryLimits(undo_per_group=3)) as gallery:
        gallery.create_group("staff", contract=contract)
        for number in range(5):
            gallery.set_group("staff", user_data=str(number))
        assert len(gallery.changes("staff")) == 3
        for _ in range(3):
            gallery.undo("staff")
        assert gallery.group("staff").user_data == "1"
        with pytest.raises(NotFound):
            gallery.undo("staff")


def test_a_later_change_in_another_group_comes_first(staff, contract):
    staff.create_group("club", contract=contract)
    staff.rename_person("staff", "Ann", "Anna")
    staff.add_member("club", "Anna", source="staff")
    staff.rename_person("staff", "Bob", "Bert")
    staff.undo("staff")  # Bob is not in the club
    with pytest.raises(InvalidArgument, match="'club'"):
        staff.undo("staff")
    staff.undo("club")
    staff.undo("staff")
    assert [person.name for person in staff.persons("staff")] == ["Ann", "Bob"]


def test_what_can_no_longer_be_undone_changes_nothing(staff, contract):
    staff.create_group("club", contract=contract)
    staff.add_member("club", "Ann", source="staff")
    staff.remove_member("staff", "Ann")
    enrol(staff, "Ann", 7)  # another Ann
    with pytest.raises(AlreadyExists):
        staff.undo("staff")
    assert staff.group("staff").persons == 2
    staff.delete_person("staff", "Ann")
    staff.undo("staff")
    staff.undo("club")
    staff.move_person("staff", "Bob", "club")
    staff.delete_group("club")
    with pytest.raises(NotFound, match="nothing to undo"):
        staff.undo("staff")


def test_a_deleted_person_is_forgotten_in_every_entry(staff, contract):
    staff.rename_person("staff", "Ann", "Secret Name")
    staff.rename_person("staff", "Secret Name", "Ann")
    staff.rename_person("staff", "Bob", "Bert")
    staff.merge_persons("staff", "Ann", "Bert")
    assert len(staff.changes("staff")) == 4
    staff.privacy.erase("staff", "Ann")
    assert staff.changes("staff") == []
    with staff._database.reading() as connection:
        assert connection.execute(sa.select(undo)).all() == []
        assert connection.execute(sa.select(undo_persons)).all() == []


def test_a_deleted_group_forgets_its_persons_elsewhere(staff, contract):
    staff.create_group("club", contract=contract)
    staff.move_person("staff", "Ann", "club")
    staff.set_group("staff", user_data="x")
    staff.delete_group("club")
    assert [entry.kind for entry in staff.changes("staff")] == ["group.set"]


def test_an_undone_change_keeps_no_names(staff):
    staff.rename_person("staff", "Ann", "Eva")
    staff.undo("staff")
    with staff._database.reading() as connection:
        assert connection.execute(sa.select(undo.c.inverse)).scalars().all() == ["[]"]


def test_other_applications_see_nothing_of_it(staff, contract):
    staff.create_application("other")
    other = staff.for_application("other")
    other.create_group("staff", contract=contract)
    staff.rename_person("staff", "Ann", "Eva")
    assert other.changes("staff") == []
    with pytest.raises(NotFound):
        other.undo("staff")
    with pytest.raises(NotFound):
        other.changes("staff", before=staff.changes("staff")[0].id)


def test_changes_are_in_the_audit_log_without_names_of_persons(staff):
    staff.rename_person("staff", "Ann", "Secret Name")
    staff.merge_persons("staff", "Secret Name", "Bob")
    staff.undo("staff")
    entries = staff.privacy.audit(limit=1000)
    actions = [entry.action for entry in entries]
    assert actions[-3:] == ["person.rename", "person.merge", "group.undo"]
    assert "Secret" not in str(entries)
    assert staff.privacy.verify_audit()
