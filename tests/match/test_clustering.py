"""Clustering against planted people, against its own rules, and against a slow reference."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.errors import InvalidArgument
from mien.match.clustering import cluster


def people(count, photos, *, spread=0.6, seed=0, dim=128):
    """``count`` people with ``photos`` faces each; returns vectors and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(count), photos)
    centres = rng.standard_normal((count, dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = rng.standard_normal((len(truth), dim)) / np.sqrt(dim)
    vectors = centres[truth] + spread * noise
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), truth


def same_partition(a, b):
    return len(set(zip(a.tolist(), b.tolist(), strict=True))) == len(set(a)) == len(set(b))


@pytest.mark.parametrize("photos", [1, 2, 9])
def test_planted_people_are_found_again(photos):
    vectors, truth = people(40, photos)
    order = np.random.default_rng(1).permutation(len(truth))
    assert same_partition(cluster(vectors[order], threshold=0.4), truth[order])


def test_more_candidates_than_neighbours_do_not_split_a_person():
    vectors, truth = people(3, 200, spread=0.4)
    assert same_partition(cluster(vectors, threshold=0.4, neighbours=8), truth)


def test_the_largest_cluster_comes_first_and_ties_by_first_face():
    a, b, c = np.eye(3, dtype=np.float32)
    assert cluster(np.array([a, b, c, b]), threshold=0.5).tolist() == [1, 0, 2, 0]


def test_one_look_alike_pair_does_not_chain_two_people():
    vectors, truth = people(2, 10, spread=0.3, seed=3)
    bridge = vectors[0] + vectors[10]
    vectors = np.vstack([vectors, bridge / np.linalg.norm(bridge)])
    labels = cluster(vectors, threshold=0.6)
    assert same_partition(labels[:20], truth)


def test_two_faces_of_one_photo_are_never_one_person():
    twin = np.ones((4, 1), np.float32)
    labels = cluster(twin, threshold=0.5, photos=[7, 7, 8, 8])
    assert labels[0] != labels[1]
    assert labels[2] != labels[3]
    assert len(set(labels)) == 2


def test_pairs_that_were_told_apart_stay_apart_even_through_others():
    labels = cluster(np.ones((5, 1), np.float32), threshold=0.5, apart=[(0, 4)])
    assert labels[0] != labels[4]


def reference(vectors, threshold, photos):
    """Average linkage over all pairs, as slowly as it is simple."""
    clusters = [[i] for i in range(len(vectors))]
    while True:
        best = None
        for a, b in itertools.combinations(range(len(clusters)), 2):
            seen = [photos[i] for i in clusters[a] + clusters[b]]
            if len(set(seen)) < len(seen):
                continue
            mean = float(np.mean(vectors[clusters[a]] @ vectors[clusters[b]].T))
            if mean >= threshold and (best is None or mean > best[0]):
                best = (mean, a, b)
        if best is None:
            labels = np.zeros(len(vectors), int)
            for label, faces in enumerate(clusters):
                labels[faces] = label
            return labels
        clusters[best[1]] += clusters.pop(best[2])


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.3, 0.8))
def test_it_is_average_linkage_under_the_constraint(seed, threshold):
    vectors, _ = people(5, 4, spread=0.9, seed=seed, dim=16)
    photos = np.random.default_rng(seed).integers(0, 14, len(vectors)).tolist()
    # Every pair is a candidate, so that nothing but the rule of the method can differ.
    wanted = reference(vectors.astype(np.float64), threshold, photos)
    import mien.match.clustering as module

    floor, module._FLOOR = module._FLOOR, -10.0
    try:
        found = cluster(vectors, threshold=threshold, photos=photos)
    finally:
        module._FLOOR = floor
    assert same_partition(found, wanted)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_order_of_the_faces_does_not_matter(seed):
    vectors, _ = people(6, 5, spread=0.8, seed=seed)
    order = np.random.default_rng(seed).permutation(len(vectors))
    found = cluster(vectors, threshold=0.4)
    again = cluster(vectors[order], threshold=0.4)
    assert same_partition(found[order], again)


def test_no_faces_give_no_clusters():
    assert cluster(np.zeros((0, 8), np.float32), threshold=0.4).tolist() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"threshold": 0.0},
        {"threshold": 1.0},
        {"neighbours": 0},
        {"photos": [1]},
        {"apart": [(0, 2)]},
        {"apart": [(-1, 0)]},
        {"vectors": np.full((2, 4), np.nan, np.float32)},
        {"vectors": np.zeros(4, np.float32)},
    ],
)
def test_what_cannot_be_is_refused(wrong):
    given = {"vectors": np.eye(2, 4, dtype=np.float32), "threshold": 0.5, **wrong}
    with pytest.raises(InvalidArgument):
        cluster(given.pop("vectors"), **given)
