import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.errors import InvalidArgument
from mien.gallery import Gallery
from mien.gallery.records import changes
from mien.testing.galleries import random_contract, random_gallery, unit_vectors
from mien.types import Embeddings


def expected_persons(vectors, names, probe, scoring):
    """Person to similarity, computed plainly."""
    scores = {}
    for name in dict.fromkeys(names):
        own = vectors[[i for i, other in enumerate(names) if other == name]].astype(np.float64)
        if scoring == "mean":
            own = own.mean(axis=0, keepdims=True)
            own /= np.linalg.norm(own)
        scores[name] = float((own @ probe).max())
    return scores


@pytest.mark.parametrize("scoring", ["max", "mean"])
@pytest.mark.parametrize("k", [1, 3, 100])
@pytest.mark.parametrize("crowd", [1, 7])
def test_the_k_best_persons_best_first(url, scoring, k, crowd):
    made = random_gallery(url, persons=12, faces_per_person=crowd, dim=8, scoring=scoring)
    probes = unit_vectors(6, 8, seed=99)
    with made.gallery as gallery:
        found = gallery.search("people", probes, k=k, contract=made.contract)
        faces = {face.id: face for face in gallery.faces("people", limit=1000)}
    for probe, hits in zip(probes, found, strict=True):
        truth = expected_persons(made.vectors, made.names, probe, scoring)
        best = sorted(truth, key=truth.__getitem__, reverse=True)[:k]
        assert [hit.person for hit in hits] == best
        for hit in hits:
            assert hit.similarity == pytest.approx(truth[hit.person], abs=1e-5)
            if scoring == "mean":
                own = [i for i, name in enumerate(made.names) if name == hit.person]
                assert hit.face_id is None
                assert hit.norm == pytest.approx(float(made.norms[own].mean()), rel=1e-5)
            else:
                face = faces[hit.face_id]
                assert (face.person, face.person_id) == (hit.person, hit.person_id)
                assert hit.norm == face.norm


def test_one_person_with_most_faces_hides_nobody(gallery):
    """All of the nearest faces belong to one person: the search goes on to the others."""
    contract = random_contract(8)
    gallery.create_group("people", contract=contract)
    probe = np.eye(8, dtype=np.float32)[:1]
    crowd = probe + 0.01 * unit_vectors(500, 8)
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    for name, vectors in {"crowd": crowd, "a": unit_vectors(1, 8, seed=1), "b": -probe}.items():
        embeddings = Embeddings(vectors, np.ones(len(vectors), np.float32))
        gallery.add_faces("people", name, embeddings, contract=contract, create_person=True)
    (hits,) = gallery.search("people", probe, k=3, contract=contract)
    assert [hit.person for hit in hits] == ["crowd", "a", "b"]
    assert hits[2].similarity == pytest.approx(-1)


def test_an_empty_group_and_no_probes(gallery):
    contract = random_contract(8)
    gallery.create_group("people", contract=contract)
    probes = unit_vectors(2, 8)
    assert gallery.search("people", probes, contract=contract) == [[], []]
    gallery.add_person("people", "Ann")
    assert gallery.search("people", probes, contract=contract) == [[], []]
    assert gallery.search("people", probes[:0], contract=contract) == []


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one(url, k):
    made = random_gallery(url, persons=1, dim=8)
    with made.gallery as gallery, pytest.raises(InvalidArgument, match="k must"):
        gallery.search("people", made.vectors[:1], k=k, contract=made.contract)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3.0])
def test_probes_that_cannot_be(url, bad):
    made = random_gallery(url, persons=1, dim=8)
    probes = made.vectors[:1].copy()
    probes[0, 0] = bad
    with made.gallery as gallery, pytest.raises(InvalidArgument):
        gallery.search("people", probes, contract=made.contract)


def test_similarity_never_leaves_minus_one_to_one(url):
    made = random_gallery(url, persons=40, faces_per_person=1)
    with made.gallery as gallery:
        found = gallery.search("people", made.vectors, k=1, contract=made.contract)
    similarity = [hits[0].similarity for hits in found]
    assert max(similarity) <= 1
    assert min(similarity) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("scoring", ["max", "mean"])
def test_only_what_changed_is_read(url, monkeypatch, scoring):
    made = random_gallery(url, persons=30, faces_per_person=2, dim=8, scoring=scoring)
    other = Gallery.open(made.url)
    with made.gallery as gallery, other:
        probe = unit_vectors(1, 8, seed=50)
        other.search("people", probe, contract=made.contract)
        index, batches = other._searcher._index, []
        upsert = index.upsert
        monkeypatch.setattr(
            index, "upsert", lambda seq, batch: (batches.append(len(batch)), upsert(seq, batch))
        )
        monkeypatch.setattr(index, "rebuild", lambda *_: pytest.fail("rebuilt"))
        face = Embeddings(probe, np.ones(1, np.float32))
        gallery.add_faces("people", "new", face, contract=made.contract, create_person=True)
        assert other.search("people", probe, contract=made.contract)[0][0].person == "new"
        other.search("people", probe, contract=made.contract)
        assert batches == [1]
        gallery.delete_person("people", "new")
        assert other.search("people", probe, contract=made.contract)[0][0].person != "new"
        assert batches == [1]


def test_an_index_that_is_far_behind_is_rebuilt(url, monkeypatch):
    monkeypatch.setattr(changes, "KEPT", 10)
    made = random_gallery(url, persons=2, faces_per_person=1, dim=8)
    with made.gallery as gallery, Gallery.open(made.url) as other:
        other.search("people", made.vectors[:1], contract=made.contract)
        new = unit_vectors(95, 8, seed=5)
        for i, vector in enumerate(new):
            face = Embeddings(vector[None], np.ones(1, np.float32))
            gallery.add_faces("people", f"n{i}", face, contract=made.contract, create_person=True)
        with gallery._database.reading() as connection:
            kept = connection.exec_driver_sql("SELECT COUNT(*) FROM changes").scalar_one()
        assert 10 <= kept < 30
        found = other.search("people", new, k=1, contract=made.contract)
        assert [hits[0].person for hits in found] == [f"n{i}" for i in range(95)]


steps = st.lists(
    st.tuples(st.sampled_from(["add", "add", "face", "person", "search"]), st.integers(0, 5)),
    max_size=25,
)


@pytest.mark.parametrize("scoring", ["max", "mean"])
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # a new database each
)
@given(steps=steps)
def test_any_sequence_is_level_with_the_truth(databases, scoring, steps):
    made = random_gallery(databases(), persons=1, faces_per_person=2, dim=8, scoring=scoring)
    truth = {
        face.id: (face.person, made.vectors[i])
        for i, face in enumerate(made.gallery.faces("people"))
    }
    probe = unit_vectors(1, 8, seed=1000)
    with made.gallery as gallery, Gallery.open(made.url) as other:
        for i, (what, number) in enumerate([*steps, ("search", 0)]):
            name = f"p{number}"
            if what == "add":
                vector = unit_vectors(1, 8, seed=i + 1)
                (face,) = gallery.add_faces(
                    "people",
                    name,
                    Embeddings(vector, np.ones(1, np.float32)),
                    contract=made.contract,
                    create_person=True,
                )
                truth[face.id] = (name, vector[0])
            elif what == "face" and truth:
                face_id = sorted(truth)[number % len(truth)]
                gallery.delete_face("people", face_id)
                del truth[face_id]
            elif what == "person" and any(person == name for person, _ in truth.values()):
                gallery.delete_person("people", name)
                truth = {key: value for key, value in truth.items() if value[0] != name}
            elif what == "search":
                names = [person for person, _ in truth.values()]
                vectors = np.array([vector for _, vector in truth.values()])
                wanted = expected_persons(vectors, names, probe[0], scoring) if truth else {}
                for view in (gallery, other):
                    (hits,) = view.search("people", probe, k=50, contract=made.contract)
                    got = {hit.person: hit.similarity for hit in hits}
                    assert got == pytest.approx(wanted, abs=1e-5)
                group = gallery.group("people")
                assert group.faces == len(truth)
                assert group.persons == len(gallery.persons("people"))
