import numpy as np
import pytest

from mien.errors import AlreadyExists, InvalidArgument, LimitExceeded, NotFound
from mien.gallery import Gallery, GalleryLimits, mean_template
from mien.testing.galleries import random_contract, random_gallery, unit_vectors
from mien.types import Box, Embeddings

PHOTO, OTHER_PHOTO = "a" * 64, "b" * 64
BOX = Box(10, 20, 50, 70)
NEAR_BOX = Box(11, 20, 52, 70)
FAR_BOX = Box(100, 20, 150, 70)


@pytest.fixture
def staff(gallery, contract):
    gallery.create_group("staff", contract=contract)
    gallery.add_person("staff", "Ann")
    gallery.add_person("staff", "Bob")
    return gallery


def add(gallery, person="Ann", *, n=1, seed=0, norm=10.0, **options):
    vectors = unit_vectors(n, 8, seed=seed)
    embeddings = Embeddings(vectors, np.full(n, norm, np.float32))
    contract = gallery.group("staff").contract
    return gallery.add_faces("staff", person, embeddings, contract=contract, **options)


def test_what_was_stored_comes_back(staff, contract):
    (face,) = add(staff, source_sha256=PHOTO, boxes=[BOX])
    assert staff.face("staff", face.id) == face
    assert staff.faces("staff", "Ann") == [face]
    assert (face.person, face.norm, face.source_sha256, face.box) == ("Ann", 10, PHOTO, BOX)
    faces, embeddings = staff.embeddings("staff", "Ann")
    assert faces == [face]
    assert np.array_equal(embeddings.vector, unit_vectors(1, 8))
    assert embeddings.vector.dtype == embeddings.norm.dtype == np.float32
    assert face.to_dict()["box"] == [10, 20, 50, 70]


def test_an_unknown_norm_stays_unknown(staff, contract):
    (face,) = add(staff, norm=np.nan)
    assert face.norm is None
    assert np.isnan(staff.embeddings("staff", "Ann")[1].norm).all()
    assert staff.search("staff", unit_vectors(1, 8), contract=contract)[0][0].norm is None


def test_a_person_without_faces_has_no_embeddings(staff):
    faces, embeddings = staff.embeddings("staff", "Ann")
    assert faces == []
    assert embeddings.vector.shape == (0, 8)


def test_the_faces_of_several_persons_at_once(staff, contract):
    first, second = add(staff, n=2, norm=9.0)
    (third,) = add(staff, "Bob", seed=1, norm=np.nan)
    add(staff, "Cid", seed=2, create_person=True)
    staff.add_person("staff", "Dan")
    ids = {name: staff.person("staff", name).id for name in ("Ann", "Bob", "Dan")}
    found = staff.faces_of("staff", [ids["Bob"], ids["Ann"], ids["Dan"], ids["Ann"], "0" * 32])
    assert set(found) == {ids["Ann"], ids["Bob"]}
    assert found[ids["Bob"]][0] == [third.id]
    assert found[ids["Ann"]][0] == [first.id, second.id]
    assert np.array_equal(found[ids["Ann"]][1].vector, unit_vectors(2, 8))
    assert found[ids["Ann"]][1].norm.tolist() == [9, 9]
    assert np.isnan(found[ids["Bob"]][1].norm).all()


def test_faces_of_persons_stay_inside_the_group_and_its_contract(staff, contract):
    add(staff)
    ann = staff.person("staff", "Ann").id
    staff.create_group("guests", contract=contract)
    assert staff.faces_of("guests", [ann]) == {}
    staff.create_group("short", contract=random_contract(4))
    staff.add_member("short", ann, source="staff")
    assert staff.faces_of("short", [ann]) == {}
    staff.add_member("guests", ann, source="staff")
    assert list(staff.faces_of("guests", [ann])) == [ann]
    with pytest.raises(NotFound):
        staff.faces_of("nobody", [ann])


def test_faces_of_takes_as_many_persons_as_a_page(staff):
    assert staff.faces_of("staff", (f"{i:032x}" for i in range(1000))) == {}
    assert staff.faces_of("staff", []) == {}
    with pytest.raises(InvalidArgument, match="at most 1000"):
        staff.faces_of("staff", (f"{i:032x}" for i in range(1001)))


@pytest.mark.parametrize(
    ("norms", "mean"), [((9, 5), 7), ((9, np.nan), 9), ((np.nan, np.nan), None)]
)
def test_the_mean_template_is_what_a_mean_group_searches(gallery, contract, norms, mean):
    gallery.create_group("staff", contract=contract, scoring="mean")
    faces = Embeddings(unit_vectors(2, 8), np.array(norms, np.float32))
    gallery.add_faces("staff", "Ann", faces, contract=contract, create_person=True)
    template = mean_template(faces)
    ((hit,),) = gallery.search("staff", template.vector, contract=contract)
    assert hit.similarity == pytest.approx(1, abs=1e-6)
    assert hit.norm == mean
    assert template.norm.tolist() == pytest.approx([np.nan if mean is None else mean], nan_ok=True)
    assert template.vector.dtype == template.norm.dtype == np.float32


def test_nobody_has_no_mean_template():
    with pytest.raises(InvalidArgument):
        mean_template(Embeddings(np.zeros((0, 8), np.float32), np.zeros(0, np.float32)))


@pytest.mark.parametrize(
    ("first", "second"), [(None, None), (BOX, None), (None, BOX), (BOX, BOX), (BOX, NEAR_BOX)]
)
def test_the_same_photo_of_a_person_is_taken_once(staff, first, second):
    add(staff, source_sha256=PHOTO, boxes=[first])
    with pytest.raises(AlreadyExists, match="enrolled already"):
        add(staff, source_sha256=PHOTO, boxes=[second], seed=1)
    assert staff.size("staff") == 1


def test_what_is_no_duplicate(staff, contract):
    add(staff, source_sha256=PHOTO, boxes=[BOX])
    add(staff, source_sha256=PHOTO, boxes=[FAR_BOX])
    add(staff, source_sha256=OTHER_PHOTO, boxes=[BOX])
    add(staff, "Bob", source_sha256=PHOTO, boxes=[BOX])
    add(staff)
    add(staff)
    assert staff.size("staff") == 6


def test_a_duplicate_leaves_the_whole_batch_out(staff):
    add(staff, source_sha256=PHOTO, boxes=[BOX])
    with pytest.raises(AlreadyExists):
        add(staff, n=2, source_sha256=PHOTO, boxes=[FAR_BOX, NEAR_BOX])
    with pytest.raises(AlreadyExists):
        add(staff, n=2, source_sha256=OTHER_PHOTO, boxes=[BOX, NEAR_BOX])
    assert staff.size("staff") == len(staff.faces("staff")) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"n": 2, "source_sha256": PHOTO},
        {"n": 2, "boxes": [BOX]},
        {"n": 0},
        {"source_sha256": "x" * 64},
        {"source_sha256": "A" * 64},
        {"source_sha256": "a" * 63},
    ],
)
def test_requests_that_cannot_be(staff, options):
    with pytest.raises(InvalidArgument):
        add(staff, **options)
    assert staff.size("staff") == 0


def test_a_missing_person_is_made_only_when_asked(staff):
    with pytest.raises(NotFound, match="no person 'Cem'"):
        add(staff, "Cem")
    (face,) = add(staff, "Cem", create_person=True)
    assert staff.person("staff", "Cem").id == face.person_id
    assert staff.group("staff").persons == 3


def test_a_refused_face_makes_no_person(url, contract):
    with Gallery.open(url, limits=GalleryLimits(faces_per_group=1)) as gallery:
        gallery.create_group("staff", contract=contract)
        with pytest.raises(LimitExceeded):
            add(gallery, n=2, create_person=True)
        assert gallery.persons("staff") == []


def test_faces_are_paged_oldest_first(url):
    made = random_gallery(url, persons=5, faces_per_person=3, dim=8)
    with made.gallery as gallery:
        everything = gallery.faces("people")
        assert [face.person for face in everything] == list(made.names)
        first = gallery.faces("people", limit=4)
        gallery.delete_face("people", first[-1].id)
        rest = gallery.faces("people", after=first[-1].id)
        assert first + rest == everything
        own = gallery.faces("people", "person-00002", limit=2)
        own += gallery.faces("people", "person-00002", after=own[-1].id)
        assert own == everything[6:9]
        assert gallery.faces("people", after=rest[-1].id) == []


@pytest.mark.parametrize("face_id", ["0" * 32, "f" * 32])
def test_a_face_that_is_not_there(staff, face_id):
    for call in (staff.face, staff.delete_face):
        with pytest.raises(NotFound):
            call("staff", face_id)


@pytest.mark.parametrize("face_id", ["", "x", "0" * 31, "\ud800", "A" * 32])
def test_what_is_no_face_id(staff, face_id):
    with pytest.raises(InvalidArgument):
        staff.face("staff", face_id)


def test_faces_of_other_groups_are_out_of_reach(staff, contract):
    (face,) = add(staff)
    staff.create_group("club", contract=contract)
    with pytest.raises(NotFound):
        staff.face("club", face.id)
    with pytest.raises(NotFound):
        staff.delete_face("club", face.id)
    assert staff.size("staff") == 1


def test_deleting_a_face_keeps_its_person(staff, contract):
    (face,) = add(staff)
    assert staff.search("staff", unit_vectors(1, 8), contract=contract)[0]
    staff.delete_face("staff", face.id)
    assert staff.search("staff", unit_vectors(1, 8), contract=contract) == [[]]
    assert staff.person("staff", "Ann").faces == 0


def test_the_limit_of_faces_at_its_edge(url, contract):
    with Gallery.open(url, limits=GalleryLimits(faces_per_group=3)) as gallery:
        gallery.create_group("staff", contract=contract)
        add(gallery, n=3, create_person=True)
        with pytest.raises(LimitExceeded, match="3 faces"):
            add(gallery)
        gallery.create_group("club", contract=contract)
        # the person's other group is over its limit: neither group takes the face
        gallery.add_member("club", "Ann", source="staff")
        embeddings = Embeddings(unit_vectors(1, 8), np.ones(1, np.float32))
        with pytest.raises(LimitExceeded, match=r"'(staff|club)'"):
            gallery.add_faces("club", "Ann", embeddings, contract=contract)
        assert (gallery.size("staff"), gallery.size("club")) == (3, 3)
        gallery.delete_face("staff", gallery.faces("staff")[0].id)
        add(gallery)
        assert (gallery.size("staff"), gallery.size("club")) == (3, 3)


def test_faces_newest_first_and_by_id(staff):
    oldest = [face.id for face in add(staff, n=2)]
    add(staff, "Bob", n=3, seed=7)
    everybody = [face.id for face in staff.faces("staff")]
    assert [face.id for face in staff.faces("staff", newest_first=True)] == everybody[::-1]
    page = staff.faces("staff", newest_first=True, limit=2)
    rest = staff.faces("staff", newest_first=True, after=page[-1].id)
    assert [face.id for face in page + rest] == everybody[::-1]
    wanted = [everybody[0], everybody[-1], "0" * 32]
    assert set(staff.faces_by_id("staff", wanted)) == {everybody[0], everybody[-1]}
    assert staff.faces_by_id("staff", []) == {}
    assert staff.with_image("staff", wanted) == set()
    assert len(everybody) == len(oldest) + 3
    with pytest.raises(InvalidArgument):
        staff.faces_by_id("staff", [f"{i:032x}" for i in range(1001)])
    with pytest.raises(NotFound):
        staff.faces_by_id("nobody", wanted)


def test_an_application_is_found_by_its_id(staff):
    made = staff.create_application("gym")
    assert staff.application_by_id(made.id).name == "gym"
    assert staff.for_application("gym").application_id == made.id
    assert staff.allow_nhn_v1("gym", True).nhn_v1 is True
    for unknown in ("", "0" * 32, "x" * 10_000):
        with pytest.raises(NotFound):
            staff.application_by_id(unknown)
