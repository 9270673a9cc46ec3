import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.gallery.protect.rotation import rotation

SEED = bytes(range(32))
GOLDEN = [
    [-0.6287176, 0.2127899, -0.7479537],
    [0.7490134, -0.0928328, -0.6560190],
    [-0.2090288, -0.9726781, -0.1010167],
]


@pytest.mark.parametrize("dim", [1, 2, 128, 512])
def test_inner_products_survive(dim):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((50, dim)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    turned = vectors @ rotation(SEED, dim)
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, atol=2e-6)


def test_another_seed_gives_vectors_that_cannot_be_linked():
    rng = np.random.default_rng(2)
    vectors = rng.standard_normal((500, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    one, other = (vectors @ rotation(bytes([i]) * 32, 128) for i in (1, 2))
    linked = np.sum(one * other, axis=1)  # the same face in two applications
    assert abs(linked.mean()) < 0.02
    assert np.abs(linked).max() < 0.45  # as between any two random directions


def test_the_matrix_of_a_seed_does_not_change_between_versions():
    # An index that another system stores was written with it. Made by this function in its first
    # version; QR may differ in the last bits from library to library.
    expected = rotation.__wrapped__(SEED, 3)
    np.testing.assert_allclose(expected, GOLDEN, atol=1e-6)


@pytest.mark.parametrize(("seed", "dim"), [(b"", 4), (SEED, 0), (SEED, 8193), (SEED[:31], 4)])
def test_what_cannot_be_is_refused(seed, dim):
    with pytest.raises(InvalidArgument):
        rotation(seed, dim)


def test_a_shared_matrix_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        rotation(SEED, 4)[0, 0] = 1
