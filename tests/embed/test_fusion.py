"""Fusion: that its inner product is the weighted mean of the parts' cosines, and its contract."""

import dataclasses

import numpy as np
import pytest

from mien import embed
from mien.align import Preprocessing
from mien.embed.fusion import Fusion, Learned, learned, unit
from mien.embed.preprocessed import prepared
from mien.errors import InvalidArgument
from mien.types import Box, EmbeddingContract, Embeddings, Face

FACE = Face(Box(0, 0, 40, 40), 0.9)


class Part:
    """An embedder whose vector is made of the crop's first pixels, so that it is not symmetric."""

    metric = "cosine"

    def __init__(self, name, dim, size_hw, seed=0):
        self.name, self.size_hw, self.dim, self.seed = name, size_hw, dim, seed
        self.contract = EmbeddingContract(name, f"{seed:064x}", 1, dim)

    def crop(self, image, face):
        height, width = self.size_hw
        return image[:height, :width]

    def embed(self, crops):
        generator = np.random.default_rng(self.seed)
        raw = crops.reshape(len(crops), -1).astype(np.float64) - 127
        vector = raw @ generator.normal(size=(raw.shape[1], self.dim))
        norm = np.linalg.norm(vector, axis=1)
        return Embeddings((vector / norm[:, None]).astype(np.float32), norm.astype(np.float32))


@pytest.fixture
def parts():
    return Part("a", 5, (4, 6), 1), Part("b", 7, (3, 3), 2)


@pytest.fixture
def fit():
    return Learned(1, {"a": 0.75, "b": 0.25}, {})


@pytest.fixture
def images():
    return np.random.default_rng(3).integers(0, 256, (4, 8, 8, 3), np.uint8)


def fused(parts, fit, images):
    fusion = Fusion("mix", parts, fit)
    return fusion.embed(np.stack([fusion.crop(image, FACE) for image in images]))


def with_mirror(part, images):
    own = np.stack([part.crop(image, FACE) for image in images])
    return unit(part.embed(own).vector + part.embed(own[:, :, ::-1]).vector)


def test_the_inner_product_is_the_weighted_mean_of_the_cosines(parts, fit, images):
    a, b = (with_mirror(part, images) for part in parts)
    vector = fused(parts, fit, images).vector
    np.testing.assert_allclose(vector @ vector.T, 0.75 * a @ a.T + 0.25 * b @ b.T, atol=1e-6)


def test_a_mean_is_taken_off_before(parts, images):
    mean = np.linspace(-0.3, 0.3, 7, dtype=np.float32)
    vector = fused(parts, Learned(1, {"a": 0.5, "b": 0.5}, {"b": mean}), images).vector
    a, b = (with_mirror(part, images) for part in parts)
    b = unit(b - mean)
    np.testing.assert_allclose(vector @ vector.T, 0.5 * a @ a.T + 0.5 * b @ b.T, atol=1e-6)


def test_a_face_and_its_mirror_image_are_one(parts, fit, images):
    """Where the crops mirror, too: parts of one width, cut from images of that width."""
    narrow = (Part("a", 5, (4, 6), 1), Part("b", 7, (3, 6), 2))
    images = np.ascontiguousarray(images[:, :, :6])
    straight = fused(narrow, fit, images).vector
    np.testing.assert_allclose(fused(narrow, fit, images[:, :, ::-1]).vector, straight, atol=1e-6)


def test_the_norm_is_the_first_parts(parts, fit, images):
    own = np.stack([parts[0].crop(image, FACE) for image in images])
    np.testing.assert_allclose(fused(parts, fit, images).norm, parts[0].embed(own).norm)


def test_the_contract_follows_from_what_it_is_made_of(parts, fit):
    def contract(parts, fit):
        return Fusion("mix", parts, fit).contract

    base = contract(parts, fit)
    assert base.dim == 12
    assert base == contract(parts, fit)
    others = [
        contract((parts[0], Part("b", 7, (3, 3), 9)), fit),
        contract(parts, dataclasses.replace(fit, weights={"a": 0.7, "b": 0.3})),
        contract(parts, dataclasses.replace(fit, means={"b": np.ones(7, np.float32)})),
    ]
    assert len({base.source_sha256, *(one.source_sha256 for one in others)}) == 4


def test_it_refuses_what_it_cannot_do(parts, fit):
    with pytest.raises(InvalidArgument, match="parts"):
        Fusion("mix", parts[::-1], fit)
    parts[1].metric = "euclidean"
    with pytest.raises(InvalidArgument, match="cosine"):
        Fusion("mix", parts, fit)
    parts[1].metric = "cosine"
    with pytest.raises(InvalidArgument, match="crops"):
        Fusion("mix", parts, fit).embed(np.zeros((1, 7, 7, 3), np.uint8))
    assert isinstance(Fusion("mix", parts, fit), embed.Embedder)


def test_what_ships_is_whole(models):
    fit = learned()
    assert sum(fit.weights.values()) == pytest.approx(1)
    assert next(iter(fit.weights)) == "sface"
    card = models.card("fusion", "embed")
    assert {f"embed/{name}" for name in fit.weights} < {*card.needs}
    dims = {name: models.card(name, "embed").embedder.dim for name in fit.weights}
    assert sum(dims.values()) == card.embedder.dim
    for name, mean in fit.means.items():
        assert mean.shape == (dims[name],)
        assert 0.1 < np.linalg.norm(mean) < 1


@pytest.mark.parametrize("options", [{"normalisation": "Facenet"}, {"align": "none"}])
def test_it_prepares_its_crops_by_itself(parts, fit, models, options):
    fusion = Fusion("fusion", parts, fit)
    with pytest.raises(InvalidArgument, match="leave Preprocessing out"):
        prepared(fusion, Preprocessing(**options), models)
    assert prepared(fusion, Preprocessing(), models) is fusion
