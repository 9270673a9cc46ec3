"""A group's move to another embedding contract, in every kind of database."""

import threading

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import EmbeddingMismatch, InvalidArgument, LimitExceeded, NotFound
from mien.gallery import FaceImage, Gallery, GalleryLimits, GroupSettings
from mien.gallery.conversion import Conversion
from mien.gallery.index import ExactIndex
from mien.gallery.records.schema import conversions, faces
from mien.testing.galleries import unit_vectors
from mien.types import EmbeddingContract, Embeddings

OLD = EmbeddingContract("random", "0" * 64, 1, 8)
NEW = EmbeddingContract("random", "0" * 64, 2, 8)
LONG = EmbeddingContract("other", "1" * 64, 1, 12)
CROP = FaceImage("crop", "image/jpeg", b"\xff\xd8\xff a crop")


def template(face_id, contract=NEW):
    """What the new model makes of a face: anything, but always the same."""
    return unit_vectors(1, contract.dim, seed=int(face_id[-8:], 16))


def enrol(gallery, group, person, seed=0, contract=OLD, **options):
    vector = unit_vectors(1, contract.dim, seed=seed)
    (face,) = gallery.add_faces(
        group, person, Embeddings(vector, np.full(1, 7, np.float32)), contract=contract,
        source_sha256=f"{seed:064x}", create_person=True, **options,
    )  # fmt: skip
    return face.id


def people(gallery, group="people", n=5, **settings):
    gallery.create_group(group, contract=OLD, settings=GroupSettings(**settings))
    return [enrol(gallery, group, f"person {i}", i) for i in range(n)]


def lay(move, contract=NEW, but=()):
    """Lay aside templates of all faces that have none."""
    after = None
    while page := move.waiting(after=after, limit=2):
        ids = [face.id for face in page if face.id not in but]
        if ids:
            vectors = np.concatenate([template(face_id, contract) for face_id in ids])
            move.lay_aside(ids, Embeddings(vectors, np.full(len(ids), 9, np.float32)))
        after = page[-1].id


def move(gallery, group="people", contract=NEW, **options):
    moving = Conversion(gallery, group, contract)
    lay(moving, contract)
    assert moving.switch(**options)


def best(gallery, face_id, group="people", contract=NEW):
    (hits,) = gallery.search(group, template(face_id, contract), k=1, contract=contract)
    return (hits[0].face_id, round(hits[0].similarity, 4)) if hits else None


def staged(gallery):
    with gallery._database.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(conversions)).scalar()


@pytest.mark.parametrize("contract", [NEW, LONG])
def test_a_group_moves_with_its_faces(gallery, contract):
    ids = people(gallery)
    before = gallery.faces("people")
    gallery.search("people", unit_vectors(1, 8), contract=OLD)
    moving = Conversion(gallery, "people", contract)
    lay(moving, contract)
    assert gallery.group("people").contract == OLD
    assert (
        gallery.search("people", unit_vectors(1, 8, seed=3), contract=OLD)[0][0].face_id == ids[3]
    )
    assert moving.laid() == 5
    assert moving.switch()
    group = gallery.group("people")
    assert (group.contract, group.faces, group.persons) == (contract, 5, 5)
    assert [best(gallery, face_id, contract=contract) for face_id in ids] == [
        (face_id, 1.0) for face_id in ids
    ]
    after = gallery.faces("people")
    assert [face.norm for face in after] == [9.0] * 5
    assert [(f.id, f.person, f.source_sha256, f.created_at) for f in after] == [
        (f.id, f.person, f.source_sha256, f.created_at) for f in before
    ]
    with pytest.raises(EmbeddingMismatch, match="reembed people"):
        gallery.search("people", unit_vectors(1, 8), contract=OLD)
    assert staged(gallery) == 0
    entry = gallery.privacy.audit(limit=1000)[-1]
    assert (entry.action, entry.details["faces"]) == ("group.reembed", 5)
    enrol(gallery, "people", "new", 50, contract)
    assert gallery.privacy.verify_audit()


@pytest.mark.parametrize("scoring", ["max", "mean"])
def test_another_process_follows(url, scoring):
    with Gallery.open(url) as one, Gallery.open(url) as other:
        one.create_group("people", contract=OLD, scoring=scoring)
        ids = [enrol(one, "people", f"person {i}", i) for i in range(5)]
        assert other.search("people", unit_vectors(1, 8, seed=2), contract=OLD)[0]
        move(one, contract=LONG)
        (hits,) = other.search("people", template(ids[2], LONG), k=1, contract=LONG)
        assert hits[0].person == "person 2"
        with pytest.raises(EmbeddingMismatch):
            other.search("people", unit_vectors(1, 8, seed=2), contract=OLD)
        enrol(one, "people", "late", 60, LONG)
        late = unit_vectors(1, 12, seed=60)
        assert other.search("people", late, k=1, contract=LONG)[0][0].person == "late"


def test_faces_that_come_meanwhile_hold_the_move_up(gallery):
    people(gallery)
    moving = Conversion(gallery, "people", NEW)
    lay(moving)
    late = enrol(gallery, "people", "late", 9)
    assert not moving.switch()
    assert gallery.group("people").contract == OLD
    lay(moving)
    assert moving.switch()
    assert best(gallery, late) == (late, 1.0)


def test_faces_that_go_meanwhile_are_no_matter(gallery):
    ids = people(gallery)
    moving = Conversion(gallery, "people", NEW)
    page = moving.waiting(limit=5)
    gallery.delete_face("people", ids[0])
    gallery.privacy.erase("people", "person 1")
    vectors = np.concatenate([template(face.id) for face in page])
    moving.lay_aside([face.id for face in page], Embeddings(vectors, np.ones(5, np.float32)))
    gallery.delete_face("people", ids[2])
    assert staged(gallery) == 2
    assert moving.switch()
    assert [face.id for face in gallery.faces("people")] == ids[3:]


def test_a_face_that_changes_hands_meanwhile_is_converted_again(gallery):
    ids = people(gallery)
    moving = Conversion(gallery, "people", NEW)
    lay(moving)
    gallery.merge_persons("people", "person 0", "person 1")
    assert [face.id for face in moving.waiting()] == [ids[1]]
    lay(moving)
    assert moving.switch()
    assert best(gallery, ids[1]) == (ids[1], 1.0)
    assert gallery.undo("people").kind.startswith("person")
    assert gallery.face("people", ids[1]).person == "person 1"
    assert best(gallery, ids[1]) == (ids[1], 1.0)


def test_what_was_laid_aside_is_found_again_and_for_another_contract_forgotten(gallery):
    people(gallery)
    first = Conversion(gallery, "people", NEW)
    ids = [face.id for face in first.waiting(limit=2)]
    first.lay_aside(ids, Embeddings(np.concatenate([*map(template, ids)]), np.ones(2, np.float32)))
    again = Conversion(gallery, "people", NEW)
    assert (again.laid(), len(again.waiting())) == (2, 3)
    first.lay_aside(ids, Embeddings(np.concatenate([*map(template, ids)]), np.ones(2, np.float32)))
    assert Conversion(gallery, "people", LONG).laid() == 0
    assert staged(gallery) == 0


def test_only_faces_that_are_named_are_dropped(gallery):
    ids = people(gallery)
    moving = Conversion(gallery, "people", NEW)
    lay(moving, but=ids[:2])
    assert not moving.switch(drop=ids[:1])
    assert not moving.switch()
    assert gallery.size("people") == 5
    assert moving.switch(drop=ids)  # those that have a template stay, whatever is named
    group = gallery.group("people")
    assert (group.faces, group.persons) == (3, 5)
    assert [face.id for face in gallery.faces("people")] == ids[2:]
    assert gallery.privacy.audit(limit=1000)[-1].details["dropped"] == 2


def test_a_person_of_two_groups_keeps_the_old_faces_in_the_other(gallery):
    ids = people(gallery, images="crops")
    shared = enrol(gallery, "people", "person 0", 70, images=[[CROP]], user_data="kept")
    gallery.create_group("club", contract=OLD)
    gallery.add_member("club", "person 0", source="people")
    move(gallery)
    old = gallery.search("club", unit_vectors(1, 8, seed=70), k=1, contract=OLD)[0][0]
    assert (old.face_id, round(old.similarity, 4)) == (shared, 1.0)
    assert gallery.group("club").faces == len(gallery.faces("club")) == 2
    copies = gallery.faces("people", "person 0")
    assert {face.id for face in copies}.isdisjoint({ids[0], shared})
    copy = next(face for face in copies if face.user_data == "kept")
    assert copy.source_sha256 == f"{70:064x}"
    assert gallery.image("people", copy.id) == gallery.image("club", shared) == CROP
    (hits,) = gallery.search("people", template(shared), k=1, contract=NEW)
    assert (hits[0].face_id, round(hits[0].similarity, 4)) == (copy.id, 1.0)
    assert gallery.group("people").faces == len(gallery.faces("people")) == 6
    # when the other group follows, the person has each photo once
    move(gallery, "club")
    assert gallery.group("club").faces == len(gallery.faces("club")) == 2
    assert gallery.group("people").faces == len(gallery.faces("people")) == 6
    with gallery._database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(faces)).scalar() == 6


def test_a_group_of_the_new_contract_sees_the_faces_of_shared_persons(gallery):
    ids = people(gallery)
    gallery.create_group("new", contract=NEW)
    gallery.add_member("new", "person 0", source="people")
    assert gallery.search("new", template(ids[0]), k=1, contract=NEW) == [[]]
    move(gallery)
    assert best(gallery, ids[0], "new") == (ids[0], 1.0)
    assert gallery.group("new").faces == len(gallery.faces("new")) == 1
    enrol(gallery, "new", "person 0", 80, NEW)
    assert gallery.group("people").faces == len(gallery.faces("people")) == 6


def test_a_move_that_would_fill_another_group_changes_nothing(gallery):
    people(gallery)
    gallery.create_group("new", contract=NEW, settings=GroupSettings(max_faces=0))
    gallery.add_member("new", "person 0", source="people")
    moving = Conversion(gallery, "people", NEW)
    lay(moving)
    with pytest.raises(LimitExceeded):
        moving.switch()
    assert gallery.group("people").contract == OLD
    assert gallery.search("people", unit_vectors(1, 8, seed=1), contract=OLD)[0]


def test_a_group_that_is_over_its_limit_may_move(url):
    with Gallery.open(url) as gallery:
        people(gallery)
    with Gallery.open(url, limits=GalleryLimits(faces_per_group=2)) as gallery:
        move(gallery)
        assert gallery.size("people") == 5


def test_what_cannot_be(gallery):
    people(gallery)
    with pytest.raises(InvalidArgument, match="already"):
        Conversion(gallery, "people", OLD)
    with pytest.raises(NotFound):
        Conversion(gallery, "nobody", NEW)
    moving, other = Conversion(gallery, "people", NEW), Conversion(gallery, "people", LONG)
    with pytest.raises(EmbeddingMismatch):
        moving.lay_aside(["0" * 32], Embeddings(unit_vectors(1, 12), np.ones(1, np.float32)))
    lay(moving)
    assert moving.switch()
    for late in (other.waiting, other.switch):
        with pytest.raises(EmbeddingMismatch, match="meanwhile"):
            late()


def test_an_empty_group_moves(gallery):
    gallery.create_group("empty", contract=OLD)
    assert Conversion(gallery, "empty", LONG).switch()
    assert gallery.group("empty").contract == LONG
    assert gallery.search("empty", unit_vectors(1, 12), contract=LONG) == [[]]


def test_templates_are_asked_for_with_their_contract(gallery):
    people(gallery)
    person = gallery.person("people", "person 0").id
    move(gallery)
    assert len(gallery.embeddings("people", "person 0", contract=NEW)[0]) == 1
    assert list(gallery.faces_of("people", [person], contract=NEW)) == [person]
    with pytest.raises(EmbeddingMismatch):
        gallery.embeddings("people", "person 0", contract=OLD)
    with pytest.raises(EmbeddingMismatch):
        gallery.faces_of("people", [person], contract=OLD)


def test_a_snapshot_of_before_is_not_taken_for_the_group(tmp_path):
    url = f"sqlite:///{tmp_path / 'g.db'}"
    big = EmbeddingContract("random", "0" * 64, 1, 2048)
    later = EmbeddingContract("random", "0" * 64, 2, 2048)
    vectors = unit_vectors(600, 2048)
    with Gallery.open(url) as gallery:
        gallery.create_group("people", contract=big)
        gallery.add_faces(
            "people", "Ann", Embeddings(vectors, np.ones(600, np.float32)), contract=big,
            create_person=True,
        )  # fmt: skip
        gallery.search("people", vectors[:1], contract=big)
    assert list(tmp_path.glob("g.db-index/*"))
    with Gallery.open(url) as gallery:
        moving = Conversion(gallery, "people", later)
        ids = [face.id for face in moving.waiting(limit=1000)]
        moving.lay_aside(ids, Embeddings(-vectors, np.ones(600, np.float32)))
        assert moving.switch()
        assert not [file for file in tmp_path.glob("g.db-index/*") if file.stat().st_size > 10_000]
    for _ in range(2):
        with Gallery.open(url) as gallery:
            (hits,) = gallery.search("people", -vectors[7:8], k=1, contract=later)
            assert hits[0].similarity == pytest.approx(1, abs=1e-4)


def test_searches_during_a_move_see_one_contract(gallery):
    """What a probe of either model finds is its own face, or the typed error."""
    ids = people(gallery, n=40)
    wrong, ended = [], threading.Event()
    seen = {OLD: 0, NEW: 0}

    def look():
        while not ended.is_set():
            for i in (0, 17, 39):
                for contract in (OLD, NEW):
                    probe = unit_vectors(1, 8, seed=i) if contract == OLD else template(ids[i])
                    try:
                        (hits,) = gallery.search("people", probe, k=1, contract=contract)
                    except EmbeddingMismatch:
                        continue
                    seen[contract] += 1
                    if hits[0].face_id != ids[i] or hits[0].similarity < 0.999:
                        wrong.append((contract, i, hits))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    while seen[OLD] < 20:
        pass
    move(gallery)
    while seen[NEW] < 20:
        pass
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong


class SharedIndex(ExactIndex):
    """An index that two nodes share, as a Milvus is shared, in this process."""

    def __init__(self):
        super().__init__()
        self.marks = {}

    def rebuild(self, group, batches):
        super().rebuild(group, batches)
        self.marks[group] = ""

    def mark(self, group):
        return self.marks.get(group)

    def set_mark(self, group, text):
        self.marks[group] = text

    def forget_place(self, group):
        pass

    def groups(self):
        return list(self.marks)


@pytest.mark.parametrize("contract", [NEW, LONG])
def test_nodes_that_share_an_index_follow(url, monkeypatch, contract):
    index = SharedIndex()
    monkeypatch.setattr("mien.gallery.gallery.open_index", lambda *_: index)
    with Gallery.open(url) as one, Gallery.open(url) as other:
        ids = people(one)
        probe = unit_vectors(1, 8, seed=1)
        assert other.search("people", probe, k=1, contract=OLD)[0][0].face_id == ids[1]
        search = index.search

        def moved_before(*arguments, **options):
            monkeypatch.setattr(index, "search", search)
            move(one, contract=contract)
            one.search("people", template(ids[1], contract), contract=contract)
            return search(*arguments, **options)

        monkeypatch.setattr(index, "search", moved_before)
        with pytest.raises(EmbeddingMismatch, match="during the search"):
            other.search("people", probe, k=1, contract=OLD)
        assert best(other, ids[1], contract=contract) == (ids[1], 1.0)
        assert best(one, ids[4], contract=contract) == (ids[4], 1.0)


@pytest.mark.parametrize("contract", [NEW, LONG])
def test_a_move_in_the_middle_of_a_search_is_an_error(gallery, monkeypatch, contract):
    ids = people(gallery)
    index = gallery._searcher._index
    search = index.search

    def moved_before(*arguments, **options):
        monkeypatch.undo()
        move(gallery, contract=contract)
        return search(*arguments, **options)

    monkeypatch.setattr(index, "search", moved_before)
    with pytest.raises(EmbeddingMismatch, match="during the search"):
        gallery.search("people", unit_vectors(1, 8, seed=1), k=1, contract=OLD)
    assert best(gallery, ids[1], contract=contract) == (ids[1], 1.0)
