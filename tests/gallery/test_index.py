"""The contract of every VectorIndex: new implementations join ``INDEXES``."""

import itertools
import os
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mien.errors import InvalidArgument
from mien.gallery.index import Entries, ExactIndex, Plan, VectorIndex
from mien.gallery.index.milvus import MilvusIndex, MilvusOptions
from mien.gallery.index.milvus_client import MilvusConnection
from mien.testing.galleries import unit_vectors

DIM = 6
# Segments of eight entries on, merged up to 128; with product codes at once, or never.
CODED = Plan(tail=8 * DIM, segment=128 * DIM, product_from=2**60)
PRODUCT = Plan(8 * DIM, 128 * DIM, product_from=0, product_segment=0, product_searches=0)
INDEXES = {
    "exact": ExactIndex,
    "exact-blas": lambda: ExactIndex(kernel="blas"),
    "exact-faiss": lambda: ExactIndex(kernel="faiss"),
    "exact-coded": lambda: ExactIndex(plan=CODED),
    "exact-product": lambda: ExactIndex(plan=PRODUCT),
}


OUTSIDE = ["lite", pytest.param("server", marks=pytest.mark.slow)]


class Shifted:
    """An index in which no other test has been: its groups are others'."""

    _next = itertools.count(1)

    def __init__(self, index):
        self._index, self._by = index, 1000 * next(self._next)

    def upsert(self, group, entries):
        self._index.upsert(self._by + group, entries)

    def delete(self, group, ids):
        return self._index.delete(self._by + group, ids)

    def search(self, group, probes, *, k, consistency="read_your_writes"):
        return self._index.search(self._by + group, probes, k=k, consistency=consistency)

    def rebuild(self, group, batches):
        self._index.rebuild(self._by + group, batches)


@pytest.fixture(scope="module")
def outside(request):
    """Gives an index in the Milvus of that name; all of them are one."""
    made = {}

    def index(name):
        if not os.environ.get("MIEN_MILVUS"):
            pytest.skip("takes a while: MIEN_MILVUS=1 (make test-milvus)")
        if name not in made:
            fixture = request.getfixturevalue(f"milvus_{name}")
            connection = MilvusConnection(fixture if name == "lite" else fixture.uri)
            options = MilvusOptions(name="contract")
            made[name] = MilvusIndex(connection, seed=lambda _: bytes(32), options=options)
        return Shifted(made[name])

    yield index
    for one in made.values():
        one.close()


@pytest.fixture(params=[*INDEXES, *OUTSIDE])
def index(request):
    if request.param in INDEXES:
        return INDEXES[request.param]()
    return request.getfixturevalue("outside")(request.param)


def is_slow(index):
    return isinstance(index, Shifted)


def entries(ids, seed=0):
    ids = np.asarray(ids, np.int64)
    return Entries(ids, ids + 5000, unit_vectors(len(ids), DIM, seed=seed))


def brute_force(truth, probes, k):
    """Ids and similarities of the k nearest among ``truth``, a dict of id to vector."""
    ids = np.array(sorted(truth), np.int64)
    vectors = np.array([truth[i] for i in ids], np.float32).reshape(len(ids), DIM)
    similarity = probes.astype(np.float64) @ vectors.T.astype(np.float64)
    order = np.argsort(-similarity, axis=1)[:, :k]
    return ids[order], np.take_along_axis(similarity, order, axis=1)


def assert_level(index, group, truth, probes, k):
    found = index.search(group, probes, k=k)
    assert found.ids.shape == found.similarity.shape == (len(probes), k)
    _, expected = brute_force(truth, probes, k)
    there = min(k, len(truth))
    assert np.all(found.ids[:, there:] == -1)
    assert np.all(found.similarity[:, there:] == -np.inf)
    np.testing.assert_allclose(found.similarity[:, :there], expected, atol=1e-5)
    for ids, similarity, probe in zip(found.ids, found.similarity, probes, strict=True):
        assert len(set(ids[:there].tolist())) == there
        for number, score in zip(ids[:there], similarity, strict=False):
            assert score == pytest.approx(float(truth[int(number)] @ probe), abs=1e-5)


def test_follows_the_protocol(index):
    assert isinstance(index, VectorIndex)


def test_an_unknown_group_is_empty(index):
    found = index.search(9, unit_vectors(2, DIM), k=3)
    assert found.ids.tolist() == [[-1] * 3] * 2
    assert np.all(found.similarity == -np.inf)
    assert index.delete(9, np.array([1])) == 0


def test_no_probes(index):
    index.upsert(1, entries([1, 2]))
    assert index.search(1, np.zeros((0, DIM), np.float32), k=3).ids.shape == (0, 3)


def test_groups_are_apart(index):
    index.upsert(1, entries([1], seed=1))
    index.upsert(2, entries([2], seed=2))
    assert index.search(1, unit_vectors(1, DIM), k=5).ids.tolist() == [[1, -1, -1, -1, -1]]
    index.rebuild(1, [])
    assert index.search(1, unit_vectors(1, DIM), k=1).ids.tolist() == [[-1]]
    assert index.search(2, unit_vectors(1, DIM), k=1).ids.tolist() == [[2]]


def test_an_upsert_replaces(index):
    index.upsert(1, entries([1, 2, 3], seed=1))
    new = entries([2], seed=5)
    index.upsert(1, new)
    found = index.search(1, new.vectors, k=5)
    assert found.ids[0, 0] == 2
    assert found.similarity[0, 0] == pytest.approx(1, abs=1e-5)
    assert sorted(found.ids[0].tolist()) == [-1, -1, 1, 2, 3]


def test_deleting_says_how_many_were_there(index):
    index.upsert(1, entries([1, 2, 3]))
    assert index.delete(1, np.array([2, 3, 4])) == 2
    assert index.delete(1, np.array([2, 3, 4])) == 0
    assert index.search(1, unit_vectors(1, DIM), k=3).ids.tolist() == [[1, -1, -1]]


def test_a_rebuild_replaces_all(index):
    index.upsert(1, entries([1, 2, 3]))
    batches = [entries([10, 11], seed=3), entries([], seed=4), entries([12], seed=5)]
    index.rebuild(1, iter(batches))
    truth = {int(i): v for b in batches for i, v in zip(b.ids, b.vectors, strict=True)}
    assert_level(index, 1, truth, unit_vectors(4, DIM, seed=9), k=5)


def test_what_was_given_is_not_kept_by_reference(index):
    given_entries = entries([1, 2])
    probe = given_entries.vectors[:1].copy()
    index.rebuild(1, [given_entries])
    index.delete(1, np.array([2]))
    given_entries.vectors[:] = 0
    assert index.search(1, probe, k=1).similarity[0, 0] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("k", [1, 2, 5, 50, 300])
@pytest.mark.parametrize("crowd", [2, 40, 400])
def test_an_owner_is_found_once_by_the_nearest_entry(index, k, crowd):
    """Even where one owner has nearly all of the entries, and the nearest ones."""
    ids = np.arange(500, dtype=np.int64)
    owners = np.where(ids < crowd, 7, 1000 + ids // 3)
    vectors = unit_vectors(500, DIM, seed=3)
    probes = unit_vectors(3, DIM, seed=4)
    vectors[: crowd // 2] = probes[0] + 0.01 * vectors[: crowd // 2]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    index.rebuild(1, [Entries(ids[:250], owners[:250], vectors[:250])])
    index.upsert(1, Entries(ids[250:], owners[250:], vectors[250:]))
    found = index.search(1, probes, k=k)
    for i, probe in enumerate(probes):
        scores = vectors @ probe
        best = {owner: float(scores[owners == owner].max()) for owner in set(owners.tolist())}
        expected = sorted(best.values(), reverse=True)[:k]
        there = found.ids[i, : len(expected)]
        assert np.all(found.ids[i, len(expected) :] == -1)
        assert len(set(owners[there].tolist())) == len(expected)
        np.testing.assert_allclose(found.similarity[i, : len(expected)], expected, atol=1e-5)
        np.testing.assert_allclose(scores[there], expected, atol=1e-5)


def test_entries_must_agree_in_length():
    with pytest.raises(InvalidArgument):
        Entries(np.array([1, 2]), np.array([1, 2]), unit_vectors(3, DIM))
    with pytest.raises(InvalidArgument):
        Entries(np.array([1, 2]), np.array([1]), unit_vectors(2, DIM))


numbers = st.lists(st.integers(0, 30), min_size=1, max_size=12, unique=True)
steps = st.lists(
    st.tuples(
        st.sampled_from(["upsert", "upsert", "delete", "rebuild", "search"]),
        numbers,
        st.integers(1, 40),
    ),
    max_size=40,
)


@pytest.mark.parametrize("name", INDEXES)
@settings(max_examples=40, deadline=None)
@given(steps=steps, seed=st.integers(0, 1000))
def test_any_sequence_of_writes_is_level_with_brute_force(name, steps, seed):
    assert_follows(INDEXES[name](), steps, seed)


@pytest.mark.parametrize("name", OUTSIDE)
@settings(
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=steps, seed=st.integers(0, 1000))
def test_any_sequence_of_writes_is_level_outside(outside, name, steps, seed):
    assert_follows(outside(name), steps, seed)


def assert_follows(index, steps, seed):
    truth = {}
    for i, (what, ids, k) in enumerate(steps):
        batch = entries(ids, seed=seed + i)
        pairs = dict(zip(batch.ids.tolist(), batch.vectors.copy(), strict=True))
        if what == "upsert":
            index.upsert(1, batch)
            truth |= pairs
        elif what == "delete":
            assert index.delete(1, batch.ids) == len(truth.keys() & pairs.keys())
            truth = {i: v for i, v in truth.items() if i not in pairs}
        elif what == "rebuild":
            index.rebuild(1, [batch])
            truth = pairs
        else:
            assert_level(index, 1, truth, unit_vectors(3, DIM, seed=seed), k)
    assert_level(index, 1, truth, unit_vectors(3, DIM, seed=seed), 40)


def test_growth_tombstones_and_compaction(index):
    truth = {}
    for start in range(0, 600, 7):
        batch = entries(range(start, start + 7), seed=start)
        index.upsert(1, batch)
        truth |= dict(zip(batch.ids.tolist(), batch.vectors.copy(), strict=True))
    for number in range(0, 600, 25 if is_slow(index) else 2):
        assert index.delete(1, np.array([number])) == 1
        del truth[number]
        if number % 50 == 0:
            assert_level(index, 1, truth, unit_vectors(2, DIM, seed=1), k=20)
    assert_level(index, 1, truth, unit_vectors(2, DIM, seed=1), k=len(truth) + 5)


def test_a_search_during_writes_sees_only_what_was_there(index):
    """Entries that stay or are replaced are always found; one that goes never scores wrong."""
    stay, turn = entries(range(1000, 1040), seed=1), entries([2000], seed=2)
    for batch in (stay, turn):
        index.upsert(1, batch)
    known = np.zeros((2001, DIM), np.float32)
    known[stay.ids], known[turn.ids] = stay.vectors, turn.vectors
    batches = [entries(range(i * 3, i * 3 + 3), seed=i + 10) for i in range(300)]
    batches = batches[: 25 if is_slow(index) else 300]
    for batch in batches:
        known[batch.ids] = batch.vectors
    probes = np.concatenate([stay.vectors[:3], turn.vectors])
    stop, problems = threading.Event(), []

    def write():
        for batch in batches:
            index.upsert(1, batch)
            index.upsert(1, turn)
            index.delete(1, batch.ids[:2])
        stop.set()

    def read():
        while not stop.is_set():
            found = index.search(1, probes, k=5)
            if found.ids[:, 0].tolist() != [1000, 1001, 1002, 2000]:
                problems.append(found.ids.tolist())
            expected = np.einsum("pd,pkd->pk", probes, known[found.ids])
            if not np.allclose(found.similarity, expected, atol=1e-5):
                problems.append((found.similarity - expected).tolist())

    threads = [threading.Thread(target=write), *(threading.Thread(target=read) for _ in range(3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
