"""The file of one group: what is written is read, and what is erased is gone."""

import threading

import numpy as np
import pytest

from mien.errors import GalleryUnavailable, KeyMismatch
from mien.gallery.index import Entries, ExactIndex, Plan, snapshot
from mien.gallery.index.snapshot import Facts
from mien.gallery.protect.blocks import BlockFile
from mien.testing.galleries import unit_vectors

KEY = {"key": bytes(range(32)), "context": b"group 1"}
FACTS = Facts(7, 7, "scope", ((7, 1, 2, "a" * 32), (6, 1, 1, "")))
DIM = 64
PLAN = Plan(40_000, 400_000, product_from=0, product_segment=100_000, product_searches=1)


@pytest.fixture(params=["tail", "coded", "product", "both"])
def index(request):
    """Up to 20,000 entries: two segments with product codes, one without, and a tail."""
    count = {"tail": 500, "coded": 1000, "product": 12_000, "both": 13_500}[request.param]
    made = ExactIndex(plan=PLAN)
    vectors, ids = unit_vectors(count, DIM), np.arange(count, dtype=np.int64)
    made.rebuild(1, [Entries(ids, ids // 3, vectors)])
    made.search(1, vectors[:1], k=1)
    made.settle()
    extra = np.arange(20_000, 20_100)
    made.upsert(1, Entries(extra, extra, unit_vectors(100, DIM, seed=1)))
    made.delete(1, np.array([3, 100, 499, 20_010]))
    return made


def saved(index, path, facts=FACTS):
    snapshot.write(path, index.view(1), facts, **KEY)
    return path


def restored(path):
    facts, view = snapshot.read(path, **KEY)
    index = ExactIndex(plan=PLAN)
    index.restore(1, view)
    return facts, index


def stored(view, ids):
    """The bytes that stand for the vectors of some ids, in all forms."""
    for segment in view.segments:
        for row in segment.find(ids):
            yield segment.high[row].tobytes()
            yield segment.low[row].tobytes()
            if segment.product:
                start = row // 32 * 32
                yield segment.product.codes(start, row + 1)[-1].tobytes()
    for row in np.flatnonzero(np.isin(view.tail.ids[: view.tail.count], ids)):
        yield view.tail.vectors[row].tobytes()


def same(one, other):
    probes = np.concatenate([unit_vectors(10, DIM, seed=9), unit_vectors(5, DIM)])
    a, b = one.search(1, probes, k=7), other.search(1, probes, k=7)
    np.testing.assert_array_equal(a.ids, b.ids)
    np.testing.assert_allclose(a.similarity, b.similarity, rtol=0, atol=1e-7)  # sums in any order


def test_what_is_written_is_read(index, tmp_path):
    facts, again = restored(saved(index, tmp_path / "s"))
    assert facts == FACTS
    same(index, again)
    for one, other in zip(index.view(1).segments, again.view(1).segments, strict=True):
        assert (one.scale, one.error, one.reach) == (other.scale, other.error, other.reach)
        assert one.dead == other.dead
        assert (one.product is None) == (other.product is None)
        for name in ("ids", "owners", "alive", "high", "low"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    # it is as good as new
    vector = unit_vectors(1, DIM, seed=77)
    for each in (index, again):
        each.upsert(1, Entries(np.array([30_000]), np.array([9]), vector))
        assert each.delete(1, np.array([5, 20_005])) == 2
    same(index, again)
    assert again.search(1, vector, k=1).ids.tolist() == [[30_000]]


def test_what_is_erased_is_nowhere_in_the_file(index, tmp_path):
    path = saved(index, tmp_path / "s")
    gone = np.array([0, 1, 250, 498, 700, 11_999, 13_400, 20_000, 20_099, 99_999])
    patterns = list(stored(index.view(1), gone))
    with BlockFile.open(path, **KEY) as file:
        plain = b"".join(file.blocks(0, file.count))
    assert all(pattern in plain for pattern in patterns)
    there = index.delete(1, gone)
    before = path.read_bytes()
    assert snapshot.erase(path, gone, upto=12, **KEY) == there
    assert len(path.read_bytes()) == len(before)
    facts, again = restored(path)
    assert facts == Facts(7, 12, "scope", FACTS.marks)
    same(index, again)
    with BlockFile.open(path, **KEY) as file:
        plain = b"".join(file.blocks(0, file.count))
    assert patterns
    assert not any(pattern in plain for pattern in patterns)
    assert snapshot.erase(path, gone, upto=13, **KEY) == there  # again, without harm
    assert restored(path)[0].erased == 13


def test_what_is_removed_while_it_is_being_written_is_dead_or_whole(index, tmp_path):
    """Every row of the file is either alive with its vector, or dead."""
    truth = dict(enumerate(unit_vectors(13_500, DIM)))
    truth.update(zip(range(20_000, 20_100), unit_vectors(100, DIM, seed=1), strict=True))
    stop = threading.Event()

    def remove():
        for start in range(0, 13_000, 10):
            if stop.is_set():
                return
            index.delete(1, np.arange(start, start + 3))

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(3):
            _, again = restored(saved(index, tmp_path / "s"))
            view = again.view(1)
            parts = [part for segment in view.segments for part in segment.living()]
            for part in [*parts, view.tail.living()]:
                known = np.array([truth[number] for number in part.ids.tolist()])
                np.testing.assert_allclose(part.vectors, known.reshape(-1, DIM), atol=1e-7)
    finally:
        stop.set()
        thread.join()
        index.settle()


def test_an_empty_tail_and_an_empty_segment(tmp_path):
    index = ExactIndex(plan=PLAN)
    ids = np.arange(1000)
    index.rebuild(1, [Entries(ids, ids, unit_vectors(1000, DIM))])
    assert index.view(1).tail.count == 0
    _, again = restored(saved(index, tmp_path / "s"))
    same(index, again)
    index.close()
    index.delete(1, ids)
    _, again = restored(saved(index, tmp_path / "s"))
    assert (again.search(1, unit_vectors(2, DIM), k=3).ids == -1).all()


@pytest.mark.parametrize("dim", [1, 7, 512, 4096])
def test_lengths(dim, tmp_path):
    index = ExactIndex(plan=Plan(dim, 100 * dim, 0, 0, 0))
    vectors, ids = unit_vectors(130, dim), np.arange(130)
    index.rebuild(1, [Entries(ids, ids, vectors)])
    index.search(1, vectors[:1], k=1)
    index.settle()
    _, again = restored(saved(index, tmp_path / "s"))
    assert (again.search(1, vectors, k=1).similarity > 1 - 1e-5).all()
    assert bool(again.view(1).segments[0].product) == (dim % 2 == 0)


def test_damage_and_other_keys_are_typed_errors(index, tmp_path):
    path = saved(index, tmp_path / "s")
    whole = path.read_bytes()
    with pytest.raises(KeyMismatch):
        snapshot.read(path, key=bytes(32), context=b"group 1")
    with pytest.raises(KeyMismatch):
        snapshot.read(path, key=KEY["key"], context=b"group 2")
    for at in (40, len(whole) // 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0x40]) + whole[at + 1 :])
        with pytest.raises(KeyMismatch):
            snapshot.read(path, **KEY)
    path.write_bytes(whole[:-5])
    with pytest.raises(GalleryUnavailable):
        snapshot.read(path, **KEY)


def test_a_file_of_another_version_is_refused(index, tmp_path, monkeypatch):
    monkeypatch.setattr(snapshot, "_FORMAT", 2)
    path = saved(index, tmp_path / "s")
    monkeypatch.undo()
    with pytest.raises(GalleryUnavailable, match="another Mien"):
        snapshot.read(path, **KEY)
