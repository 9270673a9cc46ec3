"""MilvusIndex: what leaves the process, places and moves, limits. Contract: ../test_index.py."""

import itertools
import json
import threading
import time

import numpy as np
import pytest

from mien.errors import ConfigurationError, GalleryUnavailable, InvalidArgument, LimitExceeded
from mien.gallery.index import Entries, ExactIndex
from mien.gallery.index.factory import make_index
from mien.gallery.index.milvus import ID_BITS, MilvusIndex, MilvusOptions
from mien.gallery.index.milvus_client import MilvusConnection
from mien.gallery.protect import rotation
from mien.testing.galleries import unit_vectors

DIM = 8
GROUPS = itertools.count(1)


class Spy(MilvusConnection):
    """A connection that remembers what it was given."""

    def __init__(self, uri):
        super().__init__(uri)
        self.rows, self.probes, self.levels, self.before_search = [], [], [], lambda: None

    def upsert(self, collection, rows, *, partition=""):
        self.rows += [(collection, row) for row in rows]
        super().upsert(collection, rows, partition=partition)

    def search(self, collection, probes, **options):
        self.before_search()
        self.probes.append(probes)
        self.levels.append(options["level"])
        return super().search(collection, probes, **options)


class Clock:
    now = 1e9

    def __call__(self):
        return self.now


@pytest.fixture(scope="module")
def spy(milvus_lite):
    connection = Spy(milvus_lite)
    yield connection
    connection.close()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def index(spy, clock):
    spy.rows, spy.probes, spy.levels, spy.before_search = [], [], [], lambda: None
    seed = lambda group: bytes([group % 2]) * 32  # noqa: E731
    return MilvusIndex(spy, seed=seed, options=MilvusOptions(name="own"), clock=clock)


@pytest.fixture
def group():
    return next(GROUPS)


def entries(ids, seed=0, dim=DIM):
    ids = np.asarray(ids, np.int64)
    return Entries(ids, ids + 5000, unit_vectors(len(ids), dim, seed=seed))


def rows_of(spy, slot, dim=DIM):
    """How many rows Milvus has in a slot."""
    where, partition = f"slot == {slot}", f"p{slot % 64:02d}"
    found = spy.query(f"own_{dim}", where, ["id"], level="Strong", partition=partition)
    return len(found)


def place(spy, group):
    rows = spy.query("own_groups", f"id == {group}", ["data"], level="Strong")
    return json.loads(rows[0]["data"]) if rows else None


def test_only_turned_vectors_and_numbers_leave_the_process(spy, index, group):
    given = entries([1, 2, 3])
    index.upsert(group, given)
    found = index.search(group, given.vectors, k=1)
    matrix = rotation(bytes([group % 2]) * 32, DIM)
    sent = [row for collection, row in spy.rows if collection == f"own_{DIM}"]
    stored = np.array([row["vector"] for row in sent])
    np.testing.assert_allclose(stored, given.vectors @ matrix, atol=1e-6)
    np.testing.assert_allclose(spy.probes[0], given.vectors @ matrix, atol=1e-6)
    assert np.abs(stored - given.vectors).max() > 0.1
    assert all(isinstance(row[key], int) for row in sent for key in ("id", "slot", "owner"))
    assert found.ids[:, 0].tolist() == [1, 2, 3]
    np.testing.assert_allclose(found.similarity[:, 0], 1, atol=1e-6)


def test_groups_of_two_applications_are_turned_differently(spy, index):
    one, other = next(GROUPS), next(GROUPS)
    given = entries([1])
    index.upsert(one, given)
    index.upsert(other, given)
    first, second = (row["vector"] for name, row in spy.rows if name == f"own_{DIM}")
    assert np.abs(first - second).max() > 0.1


def test_consistency_is_what_milvus_calls_it(spy, index, group):
    index.upsert(group, entries([1]))
    index.search(group, unit_vectors(1, DIM), k=1)
    index.search(group, unit_vectors(1, DIM), k=1, consistency="eventual")
    assert spy.levels == ["Strong", "Bounded"]


def test_an_owner_with_thousands_of_near_entries_hides_nobody(spy, index, group):
    near = unit_vectors(3000, DIM, seed=1) * 0.01
    near[:, 0] += 1
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    others = entries(range(5000, 5040), seed=2)
    index.rebuild(group, [Entries(np.arange(3000), np.full(3000, 7), near), others])
    probe = np.eye(1, DIM, dtype=np.float32)
    found = index.search(group, probe, k=5)
    assert found.ids[0, 0] < 3000
    expected = np.sort(others.vectors @ probe[0])[::-1][:4]
    np.testing.assert_allclose(found.similarity[0, 1:], expected, atol=1e-5)
    assert len(spy.probes) == 2  # the second round asks for other owners


def test_searches_see_the_old_vectors_or_the_new_ones(spy, index, group):
    """While a rebuild goes on, and when it has just moved the group under a running search."""
    index.rebuild(group, [entries(range(20), seed=1)])
    seen = []

    def batches():
        for start in (100, 120, 140):
            seen.append(index.search(group, unit_vectors(1, DIM), k=50).ids[0])
            yield entries(range(start, start + 20), seed=start)

    index.rebuild(group, batches())
    for ids in seen:
        assert sorted(ids[ids >= 0].tolist()) == list(range(20))
    spy.before_search = lambda: index.rebuild(group, [entries(range(300, 310))])
    ids = index.search(group, unit_vectors(1, DIM), k=80).ids[0]
    assert sorted(ids[ids >= 0].tolist()) == list(range(100, 160))
    spy.before_search = lambda: None
    ids = index.search(group, unit_vectors(1, DIM), k=80).ids[0]
    assert sorted(ids[ids >= 0].tolist()) == list(range(300, 310))


def test_what_was_left_is_emptied_after_a_minute(spy, index, group, clock):
    index.rebuild(group, [entries(range(20))])
    old = place(spy, group)["slot"]
    index.rebuild(group, [entries(range(20))])
    assert rows_of(spy, old) == 20
    index.delete(group, np.array([3]))
    assert rows_of(spy, old) == 19  # what is deleted, goes from there at once
    clock.now += 61
    index.upsert(group, entries([50]))
    assert rows_of(spy, old) == 0
    assert place(spy, group)["left"] == []


def test_a_rebuild_that_was_cut_short_changes_nothing_and_is_cleaned_up(spy, index, group, clock):
    index.rebuild(group, [entries(range(5))])

    def torn():
        yield entries(range(100, 120))
        raise GalleryUnavailable("gone")

    with pytest.raises(GalleryUnavailable):
        index.rebuild(group, torn())
    assert index.search(group, unit_vectors(1, DIM), k=9).ids[0, 5] == -1
    (left,) = place(spy, group)["left"]
    assert rows_of(spy, left[0]) == 20
    clock.now += 61
    index.delete(group, np.array([0]))
    assert rows_of(spy, left[0]) == 0


def test_a_group_can_change_the_length_of_its_vectors_by_a_rebuild_only(spy, index, group):
    index.rebuild(group, [entries(range(5))])
    with pytest.raises(InvalidArgument):
        index.upsert(group, entries([9], dim=DIM + 1))
    with pytest.raises(InvalidArgument):
        index.search(group, unit_vectors(1, DIM + 1), k=1)
    index.rebuild(group, [entries(range(7), dim=DIM + 1)])
    assert index.search(group, unit_vectors(1, DIM + 1), k=9).ids[0, 6] >= 0


def test_forgetting_a_group_leaves_nothing(spy, index, group):
    index.rebuild(group, [entries(range(5))])
    index.rebuild(group, [entries(range(5))])
    slots = [place(spy, group)["slot"], place(spy, group)["left"][0][0]]
    index.rebuild(group, ())
    assert [rows_of(spy, slot) for slot in slots] == [0, 0]
    assert place(spy, group) is None
    assert group not in index.groups()
    assert index.mark(group) is None


def test_another_node_sees_moves_and_marks(spy, index, group):
    other = MilvusIndex(spy, seed=lambda g: bytes([g % 2]) * 32, options=MilvusOptions(name="own"))
    index.rebuild(group, [entries(range(5))])
    assert other.mark(group) == ""
    index.set_mark(group, "5")
    index.rebuild(group, [entries(range(100, 105))])
    assert other.search(group, unit_vectors(1, DIM), k=1).ids[0, 0] < 5  # the old slot is whole
    other.forget_place(group)
    assert other.mark(group) == ""  # a rebuild empties it
    assert other.search(group, unit_vectors(1, DIM), k=1).ids[0, 0] >= 100


def test_numbers_that_a_key_cannot_hold(index, group):
    index.upsert(group, entries([2**ID_BITS - 1]))
    assert index.search(group, unit_vectors(1, DIM), k=1).ids[0, 0] == 2**ID_BITS - 1
    for number in (2**ID_BITS, -1):
        with pytest.raises(LimitExceeded):
            index.upsert(group, entries([number]))
    assert index.delete(group, np.array([2**ID_BITS, -5, 2**ID_BITS - 1])) == 1


def test_inverted_lists_find_nearly_all(milvus_lite, group):
    options = MilvusOptions(name="lists", kind="ivf_flat", nlist=8, nprobe=8)
    index = MilvusIndex(MilvusConnection(milvus_lite), seed=lambda _: bytes(32), options=options)
    given = entries(range(500))
    index.rebuild(group, [given])
    assert index.search(group, given.vectors[:50], k=1).ids[:, 0].tolist() == list(range(50))
    index.close()


def test_a_closed_index_says_so(milvus_lite, group):
    index = MilvusIndex(MilvusConnection(milvus_lite), seed=lambda _: bytes(32))
    index.close()
    with pytest.raises(GalleryUnavailable, match="closed"):
        index.search(group, unit_vectors(1, DIM), k=1)


def test_a_server_that_is_not_there(milvus_lite, group):
    connection = MilvusConnection("http://127.0.0.1:9", timeout_s=0.5)
    index = MilvusIndex(connection, seed=lambda _: bytes(32))
    started = time.monotonic()
    with pytest.raises(GalleryUnavailable) as caught:
        index.search(group, unit_vectors(1, DIM), k=1)
    assert time.monotonic() - started < 10
    assert caught.value.details["retry_after_s"] > 0
    assert "127.0.0.1" not in str(caught.value)


def test_threads_share_an_index(index, group):
    index.upsert(group, entries([0]))
    problems = []

    def write(start):
        try:
            for number in range(start, start + 5):
                index.upsert(group, entries([number]))
                index.search(group, unit_vectors(2, DIM), k=3)
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=write, args=(100 * i,)) for i in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    ids = index.search(group, unit_vectors(1, DIM), k=99).ids[0]
    assert len(ids[ids >= 0]) == 16


@pytest.mark.parametrize(
    "options",
    [
        {"name": ""},
        {"name": "a-b"},
        {"name": "x" * 65},
        {"name": "é"},
        {"kind": "hnsw"},
        {"nlist": 0},
        {"nlist": 65_537},
        {"nlist": 4, "nprobe": 5},
        {"nprobe": 0},
    ],
)
def test_options_that_cannot_be(options):
    with pytest.raises(InvalidArgument):
        MilvusOptions(**options)


def made(url):
    return make_index(url, name=lambda: "mien_test", seed=lambda _: bytes(32))


@pytest.mark.parametrize("url", ["", "  "])
def test_without_a_setting_the_index_is_in_this_process(url):
    assert isinstance(made(url), ExactIndex)


@pytest.mark.parametrize(
    "url",
    [
        "milvus+http://host:19530",
        "milvus+https://user:pass%3A@host/database",
        "milvus+http://[::1]:1/?name=a&kind=ivf_flat&nlist=16&nprobe=4&timeout_s=2.5",
        "milvus+file:index.db",
        "milvus+file:/folder/index.db?name=a",
    ],
)
def test_urls_that_name_a_milvus(url):
    assert isinstance(made(url), MilvusIndex)


@pytest.mark.parametrize(
    "url",
    [
        "milvus",
        "http://host:19530",
        "milvus+http://",
        "milvus+http://host:port",
        "milvus+http://host:99999",
        "milvus+file:",
        "milvus+file:index.sqlite",
        "milvus+file://host/index.db",
        "milvus+http://host?kind=hnsw",
        "milvus+http://host?nlist=many",
        "milvus+http://host?other=1",
        "milvus+http://host?timeout_s=0",
        "milvus+http://host?timeout_s=nan",
        "milvus+http://host?name",
        "milvus+http://host#part",
    ],
)
def test_urls_that_cannot_be(url):
    with pytest.raises(ConfigurationError) as caught:
        made(url)
    assert caught.value.details == {"setting": "index"}
    assert "milvus+http://host:19530" in str(caught.value)
