"""Large groups: coded segments, product codes, and what is done to them while they are searched."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.gallery.index import Entries, ExactIndex, Plan, segment, upkeep
from mien.gallery.index.fixed import join, quantised, split
from mien.gallery.index.product import Codebook
from mien.testing.galleries import unit_vectors
from mien.testing.witness import Witness

NEVER = 2**60


def brute_force(vectors, probes, k):
    """Rows and similarities of the k nearest vectors of each probe, in float64."""
    scores = probes.astype(np.float64) @ vectors.T.astype(np.float64)
    k = min(k, len(vectors))
    rows = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(scores, rows, axis=1), axis=1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=1)
    return rows, np.take_along_axis(scores, rows, axis=1)


SMALL = {
    "coded": Plan(tail=600, segment=20_000, product_from=NEVER),
    "product": Plan(600, 20_000, product_from=0, product_segment=600, product_searches=1),
}


def like_faces(n, seed):
    """Vectors with the structure of a recognition model's: a mean of 0.27, uneven directions."""
    rng = np.random.default_rng(1)
    mean = rng.standard_normal(128)
    mean *= 0.267 / np.linalg.norm(mean)
    spread = rng.standard_normal((128, 128)) * np.linspace(1, 0.2, 128) / 12
    vectors = np.random.default_rng(seed).standard_normal((n, 128)) @ spread + mean
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def mates(vectors, cosine, seed):
    """Probes with exactly that cosine to the vectors."""
    away = unit_vectors(len(vectors), vectors.shape[1], seed=seed)
    away -= (away * vectors).sum(axis=1, keepdims=True) * vectors
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    return (cosine * vectors + np.sqrt(1 - cosine**2) * away).astype(np.float32)


def filled(vectors, plan, *, settle=True):
    index, ids = ExactIndex(plan=plan), np.arange(len(vectors), dtype=np.int64)
    index.rebuild(
        1,
        (
            Entries(ids[i : i + 999], ids[i : i + 999], vectors[i : i + 999])
            for i in range(0, len(ids), 999)
        ),
    )
    if settle:
        index.search(1, vectors[:1], k=1)
        index.settle()
    return index


@pytest.fixture(scope="module", params=["random", "faces"])
def large(request):
    return unit_vectors(20_000, 128) if request.param == "random" else like_faces(20_000, 3)


@pytest.mark.parametrize("kind", ["coded", "product"])
def test_hard_mates_and_unknown_faces_are_found_as_by_brute_force(large, kind):
    first = NEVER if kind == "coded" else 0
    plan = Plan(tail=2**19, segment=2**20, product_from=first, product_searches=1,
                product_segment=2**19)  # fmt: skip
    index = filled(large, plan)
    assert [len(one) for one in index.view(1).segments] == [8192, 8192]
    assert index.view(1).tail.count == 3616
    assert all((one.product is not None) == (kind == "product") for one in index.view(1).segments)
    some = np.arange(0, 20_000, 400)
    for name, probes in {
        "unknown": like_faces(50, 9),
        **{str(cosine): mates(large[some], cosine, 5) for cosine in (0.45, 0.5, 0.6)},
    }.items():
        rows, scores = brute_force(large, probes, 10)
        found = index.search(1, probes, k=10)
        single = index.search(1, probes[7:8], k=10)
        np.testing.assert_array_equal(single.ids[0], found.ids[7])
        right = found.ids == rows
        assert right[:, 0].all(), name
        np.testing.assert_allclose(found.similarity[:, 0], scores[:, 0], atol=1e-6)
        if kind == "coded":
            assert right.all(), name
        assert np.mean([np.isin(r, f).mean() for r, f in zip(rows, found.ids, strict=True)]) >= 0.99


def test_memory_is_at_most_four_bytes_a_number(large):
    for plan in (Plan(product_from=NEVER), Plan(product_from=0, product_searches=1)):
        index = filled(large, plan)
        view = index.view(1)
        (one,) = view.segments
        arrays = one.ids, one.owners, one.alive, one.high, one.low
        counted = sum(array.nbytes for array in arrays) + view.tail.nbytes
        counted += one.product.nbytes if one.product else 0
        assert view.nbytes == counted
        assert 3 * large.size < view.nbytes < 3.5 * large.size


def test_two_planes_are_as_exact_as_float32(large):
    scale = float(np.abs(large).max()) / 127
    high, low, error, reach = split(large[:1000], scale)
    back = join(high, low, scale)
    assert np.abs(back - large[:1000]).max() < 1e-7
    coarse = (high.astype(np.float64) - 128) * scale
    assert error == pytest.approx(np.linalg.norm(large[:1000] - coarse, axis=1).max(), rel=1e-3)
    assert reach == pytest.approx(np.linalg.norm(coarse, axis=1).max(), rel=1e-6)


def test_probes_become_whole_numbers():
    whole, step = quantised(np.array([[0.5, -1.0], [0, 0], [0.001, 0.0005]], np.float32))
    assert whole.tolist() == [[64, -127], [0, 0], [127, 64]]
    np.testing.assert_allclose(step, [1 / 127, 1, 0.001 / 127], rtol=1e-6)


AWKWARD = {
    "all alike": np.repeat(unit_vectors(1, 8), 500, axis=0),
    "nearly alike": unit_vectors(1, 8) + 1e-4 * unit_vectors(500, 8, seed=1),
    "one number": np.eye(8, dtype=np.float32)[np.arange(500) % 8],
    "nothing": np.zeros((500, 8), np.float32),
    "all behind": -np.abs(unit_vectors(500, 8)),
    "very small": 1e-20 * unit_vectors(500, 8),
}


@pytest.mark.parametrize("plan", SMALL)
@pytest.mark.parametrize("what", AWKWARD)
@pytest.mark.parametrize("k", [1, 10, 600])
def test_awkward_vectors(plan, what, k):
    vectors = AWKWARD[what].astype(np.float32)
    index = filled(vectors, SMALL[plan])
    assert index.view(1).segments
    probes = np.abs(unit_vectors(4, 8, seed=3))
    found = index.search(1, probes, k=k)
    _, scores = brute_force(vectors, probes, k)
    there = min(k, 500)
    np.testing.assert_allclose(found.similarity[:, :there], scores, atol=1e-6)
    assert np.all(found.ids[:, there:] == -1)
    assert all(len(set(ids[:there].tolist())) == there for ids in found.ids)


@pytest.mark.parametrize("plan", SMALL)
def test_an_odd_length_and_a_single_number(plan):
    for dim in (1, 7):
        vectors = unit_vectors(700, dim)
        index = filled(vectors, SMALL[plan])
        assert index.view(1).segments
        assert not any(one.product for one in index.view(1).segments)
        _, scores = brute_force(vectors, vectors[:5], 3)
        found = index.search(1, vectors[:5], k=3)
        np.testing.assert_allclose(found.similarity, scores, atol=1e-6)


def test_a_group_grows_from_float32_to_segments_that_are_merged():
    index = ExactIndex(plan=SMALL["product"])
    vectors = unit_vectors(3000, 8)
    kinds = set()
    for start in range(0, 3000, 20):
        ids = np.arange(start, start + 20)
        index.upsert(1, Entries(ids, ids, vectors[start : start + 20]))
        index.search(1, vectors[:1], k=1)
        index.settle()
        view = index.view(1)
        kinds.add((len(view.segments), any(one.product for one in view.segments)))
        assert view.tail.count * 8 <= 620
    sizes = sorted(len(one) for one in index.view(1).segments)
    assert sum(sizes) + index.view(1).tail.count == 3000
    assert sizes[-1] > 1000
    assert len(sizes) < 12
    assert {(0, False), (1, True), (3, True)} <= kinds
    rows, _ = brute_force(vectors, vectors[::50], 5)
    np.testing.assert_array_equal(index.search(1, vectors[::50], k=5).ids, rows)


def test_tombstones_are_rewritten_and_an_emptied_group_stays_usable():
    vectors = unit_vectors(1000, 8)
    index = filled(vectors, SMALL["product"])
    for start in range(0, 1000, 100):
        assert index.delete(1, np.arange(start, start + 100)) == 100
        index.settle()
        assert sum(map(len, index.view(1).segments)) <= 4 / 3 * (900 - start)
        left = np.arange(start + 100, 1000)
        rows, _ = brute_force(vectors[left], vectors[:3], 5)
        found = index.search(1, vectors[:3], k=5).ids
        np.testing.assert_array_equal(
            found[:, : len(left)], left[rows] if len(left) else found[:, :0]
        )
    assert index.view(1).segments == ()
    index.upsert(1, Entries(np.array([5]), np.array([5]), vectors[5:6]))
    assert index.search(1, vectors[5:6], k=2).ids.tolist() == [[5, -1]]


def test_what_was_deleted_is_overwritten_everywhere():
    vectors = unit_vectors(1000, 8)
    index = filled(vectors, SMALL["product"])
    (one,) = index.view(1).segments
    before = one.product.codes(0, 1000)
    index.delete(1, np.arange(100, 110))
    assert not one.vectors(slice(100, 110)).any()
    assert not one.alive[100:110].any()
    after = one.product.codes(0, 1000)
    nothing = one.product.codebook.nothing()
    assert (after[100:110] == nothing).all()
    np.testing.assert_array_equal(np.delete(after, np.s_[100:110], 0),
                                  np.delete(before, np.s_[100:110], 0))  # fmt: skip


def test_many_wiped_rows_do_not_crowd_out_the_living(large):
    plan = Plan(2**20, 2**23, product_from=0, product_segment=0, product_searches=1, looked_at=500)
    index = filled(large, plan)
    assert index.view(1).segments[0].product
    gone = np.arange(0, 20_000, 4)[:4_990]  # not so many that the segment is rewritten
    index.delete(1, gone)
    assert index.view(1).segments[0].dead == 4_990
    left = np.setdiff1d(np.arange(20_000), gone)
    probes = like_faces(200, 11)
    rows, _ = brute_force(large[left], probes, 1)
    assert (index.search(1, probes, k=1).ids == left[rows]).all()


def test_the_wiped_code_is_near_to_nothing():
    book = Codebook.trained(unit_vectors(5000, 128))
    plain = book.plain()
    length = np.linalg.norm(plain.sa_decode(book.nothing()[None]))
    assert length < 0.4


def test_codes_survive_being_taken_out_and_put_back(large):
    index = filled(large[:3001], Plan(2**10, 2**23, 0, product_segment=0, product_searches=1))
    (one,) = index.view(1).segments
    codes = one.product.codes(0, 3001)
    again = segment.ProductCodes.of_codes(one.product.codebook, codes, one.scan)
    whole, _ = quantised(large[:10])
    for mine, theirs in zip(one.product.nearest(whole, 20, looked_at=300),
                            again.nearest(whole, 20, looked_at=300), strict=True):  # fmt: skip
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(one.product.codes(64, 100), codes[64:100])


@pytest.mark.parametrize("job", ["_Rewriting", "_Coding"])
def test_what_is_removed_and_replaced_during_upkeep(monkeypatch, job):
    """Building waits; meanwhile entries are deleted, replaced, and deleted and added again."""
    began, go = threading.Event(), threading.Event()
    kind = getattr(upkeep, job)
    build = kind.build

    def slow(self):
        build(self)
        began.set()
        assert go.wait(10)

    monkeypatch.setattr(kind, "build", slow)
    plan = SMALL["product" if job == "_Coding" else "coded"]
    index = ExactIndex(plan=plan)
    ids = np.arange(100, dtype=np.int64)
    vectors, other = unit_vectors(100, 8), unit_vectors(100, 8, seed=1)
    if job == "_Coding":
        index.rebuild(1, [Entries(ids, ids, vectors)])
        index.search(1, vectors[:1], k=1)
    else:
        index.upsert(1, Entries(ids[:10], ids[:10], vectors[:10]))
        index.upsert(1, Entries(ids[10:], ids[10:], vectors[10:]))
    assert began.wait(10)
    index.delete(1, ids[:20])
    index.upsert(1, Entries(ids[10:30], ids[10:30], other[10:30]))
    index.upsert(1, Entries(ids[40:50], ids[40:50], other[40:50]))
    now = vectors.copy()
    now[10:30], now[40:50] = other[10:30], other[40:50]
    for settled in (False, True):
        found = index.search(1, now, k=1)
        assert found.ids[10:, 0].tolist() == list(range(10, 100)), settled
        assert not np.isin(index.search(1, now[:10], k=90).ids, ids[:10]).any()
        go.set()
        index.settle()
    assert index.delete(1, ids) == 90
    index.settle()


def test_upkeep_that_fails_leaves_searches_alone(monkeypatch, caplog):
    def fail(_self):
        raise MemoryError

    monkeypatch.setattr(upkeep._Rewriting, "build", fail)
    index = ExactIndex(plan=SMALL["coded"])
    vectors = unit_vectors(400, 8)
    for start in range(0, 400, 20):
        ids = np.arange(start, start + 20)
        index.upsert(1, Entries(ids, ids, vectors[start : start + 20]))
    index.delete(1, np.array([3]))
    index.settle()
    assert [record.message for record in caplog.records].count(
        "The index could not be tidied up; searches go on as before."
    ) == 1
    found = index.search(1, vectors, k=1).ids[:, 0].tolist()
    assert found[4:] == list(range(4, 400))
    assert found[3] != 3


def test_closing_ends_upkeep_and_nothing_else():
    index = ExactIndex(plan=SMALL["product"])
    index.close()
    vectors = unit_vectors(400, 8)
    ids = np.arange(400)
    index.upsert(1, Entries(ids[:5], ids[:5], vectors[:5]))
    index.upsert(1, Entries(ids[5:], ids[5:], vectors[5:]))
    assert index.search(1, vectors, k=1).ids[:, 0].tolist() == list(range(400))
    assert index.view(1).segments == ()


writes = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "replace", "delete", "settle", "search"]),
        st.integers(1, 120),
        st.integers(0, 2**32 - 1),
    ),
    max_size=25,
)


@pytest.mark.parametrize("plan", SMALL)
@settings(max_examples=25, deadline=None)
@given(writes=writes, k=st.integers(1, 30))
def test_any_writes_are_level_with_brute_force(plan, writes, k):
    index = ExactIndex(plan=SMALL[plan])
    witness = Witness(index, 1, 8)
    new = 0
    for what, count, seed in [*writes, ("search", 1, 0)]:
        rng = np.random.default_rng(seed)
        known = witness.ids
        if what == "add":
            witness.upsert(list(range(new, new + count)), unit_vectors(count, 8, seed=seed))
            new += count
        elif what == "settle":
            index.settle()
        elif what == "search":
            assert witness.problems(unit_vectors(3, 8, seed=seed), k=k) == []
        elif known:
            some = rng.choice(known, min(count, len(known)), replace=False).tolist()
            if what == "delete":
                witness.delete(some)
            else:
                witness.upsert(some, unit_vectors(len(some), 8, seed=seed))
    index.settle()
    assert witness.problems(unit_vectors(3, 8, seed=1), k=k) == []


@pytest.mark.parametrize("plan", SMALL)
def test_no_wrong_answer_under_mixed_load(plan):
    """Three searchers compare every answer with brute force while a writer never rests."""
    index = ExactIndex(plan=SMALL[plan])
    witness = Witness(index, 1, 8)
    witness.upsert(list(range(2000)), unit_vectors(2000, 8))
    problems, searches, stop = [], [0], threading.Event()

    def search(seed):
        while not stop.is_set():
            problems.extend(witness.problems(unit_vectors(2, 8, seed=seed), k=5))
            searches[0] += 1
            seed += 3

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    rng, new, until = np.random.default_rng(0), 2000, time.monotonic() + 3
    while time.monotonic() < until and not problems:
        count = int(rng.integers(1, 60))
        witness.upsert(list(range(new, new + count)), unit_vectors(count, 8, seed=new))
        new += count
        some = rng.choice(witness.ids, count, replace=False).tolist()
        witness.delete(some[: count // 2])
        witness.upsert(some[count // 2 :], unit_vectors(count - count // 2, 8, seed=new + 1))
    stop.set()
    for thread in threads:
        thread.join()
    assert problems == []
    assert searches[0] > 10
