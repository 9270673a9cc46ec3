"""What every recognition model must do, whatever its net: the contract of ``embed.Embedder``.

A new model is tested here as soon as it is registered under ``mien.embedders``.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien import detect, embed
from mien.errors import InvalidArgument
from mien.image import open_photo
from mien.match.metrics import METRICS, similarity
from mien.models.card import UrlSource
from mien.types import Box, EmbeddingContract, Face

LARGE = {"vgg-face", "deepface"}
"""Half a gigabyte each: they are proved by ``make prove``."""

SLOW = {"arcface", "facenet", "facenet512"}


def _mark(name):
    if name in LARGE:
        return pytest.param(name, marks=pytest.mark.skip(reason="half a gigabyte: make prove"))
    return pytest.param(name, marks=pytest.mark.slow) if name in SLOW else name


@pytest.fixture(scope="module")
def faces(models, people):
    """``(person, image, face)`` of every sample photo."""
    detector = detect.create("yunet", models)
    found = []
    for person, paths in people.items():
        for path in paths:
            image = open_photo(path).scaled(1024)
            found.append((person, image, detector.detect([image])[0][0]))
    assert len(found) >= 5
    return found


@pytest.fixture(scope="module", params=[_mark(name) for name in embed.names()])
def store(models, request, stand_in):
    """A store that has the model: the published one, or one with weights from a seed."""
    card = models.card(request.param, "embed")
    if any(isinstance(source, UrlSource) for source in card.sources[:1]):
        return request.param, stand_in(card)
    return request.param, models


@pytest.fixture(scope="module")
def embedder(store):
    name, models = store
    return embed.create(name, models)


@pytest.fixture
def trained(store, models):
    """Skips models whose weights are from a seed."""
    if store[1] is not models:
        pytest.skip("its published weights are not here: it has weights from a seed")


@pytest.fixture(scope="module")
def crops(embedder, faces):
    return np.stack([embedder.crop(image, face) for _, image, face in faces])


@pytest.fixture(scope="module")
def embeddings(embedder, crops):
    return embedder.embed(crops)


def test_it_says_what_it_is(store, embedder):
    card = store[1].card(embedder.name, "embed")
    assert isinstance(embedder, embed.Embedder)
    assert embedder.metric in METRICS
    contract = embedder.contract
    assert contract.model == card.name
    if card.sources:
        assert contract.source_sha256 == card.source_sha256
    assert (contract.dim, contract.preprocessing) == (
        card.embedder.dim,
        card.embedder.preprocessing,
    )
    assert EmbeddingContract.parse(str(contract)) == contract


def test_crops_are_of_its_size(embedder, crops):
    assert crops.shape[1:] == (*embedder.size_hw, 3)
    assert crops.dtype == np.uint8
    assert (crops.std(axis=(1, 2, 3)) > 10).all()  # a face, not an empty frame


def test_a_template_a_crop(embedder, crops, embeddings):
    assert embeddings.vector.shape == (len(crops), embedder.contract.dim)
    assert embeddings.vector.dtype == np.float32
    assert np.isfinite(embeddings.vector).all()
    assert (embeddings.norm > 0).all()
    length = np.linalg.norm(embeddings.vector, axis=1)
    unit = embedder.metric in ("cosine", "angular")
    np.testing.assert_allclose(length, 1 if unit else embeddings.norm, rtol=1e-4)


@pytest.mark.usefixtures("trained")
def test_a_person_is_nearest_to_themselves(embedder, faces, embeddings):
    """Every genuine pair above every impostor pair: these are clear portraits."""
    scores = similarity(embeddings.vector, embeddings.vector, embedder.metric)
    names = [person for person, _, _ in faces]
    pairs = [(i, j) for i in range(len(names)) for j in range(i)]
    genuine = [scores[i, j] for i, j in pairs if names[i] == names[j]]
    impostor = [scores[i, j] for i, j in pairs if names[i] != names[j]]
    assert min(genuine) > max(impostor)


def test_a_batch_equals_its_parts(embedder, crops, embeddings):
    for i in range(len(crops)):
        alone = embedder.embed(crops[i : i + 1])
        cosine = similarity(alone.vector, embeddings.vector[i : i + 1], "cosine")[0, 0]
        assert cosine > 0.999  # bf16 may round otherwise in a batch
        assert alone.norm[0] == pytest.approx(embeddings.norm[i], rel=1e-2)


def test_the_same_crop_gives_the_same_template(embedder, crops):
    first, second = embedder.embed(crops[:1]), embedder.embed(crops[:1].copy())
    np.testing.assert_array_equal(first.vector, second.vector)
    np.testing.assert_array_equal(first.norm, second.norm)


def test_colours_are_not_swapped_silently(embedder, crops, embeddings):
    """The net sees colour: with red and blue exchanged the template is another."""
    swapped = embedder.embed(np.ascontiguousarray(crops[..., ::-1]))
    assert np.abs(swapped.vector - embeddings.vector).max() > 1e-3


def test_it_may_be_called_from_several_threads(embedder, crops):
    alone = [embedder.embed(crop[None]).vector for crop in crops]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda crop: embedder.embed(crop[None]).vector, crops))
    np.testing.assert_allclose(np.concatenate(together), np.concatenate(alone), atol=1e-5)


def test_no_crop_gives_no_template(embedder):
    nothing = embedder.embed(np.zeros((0, *embedder.size_hw, 3), np.uint8))
    assert nothing.vector.shape == (0, embedder.contract.dim)
    assert nothing.vector.dtype == np.float32
    assert nothing.norm.shape == (0,)


@pytest.mark.parametrize("wrong", ["height", "channels", "type", "single"])
def test_other_crops_are_refused(embedder, wrong):
    height, width = embedder.size_hw
    crops = {
        "height": np.zeros((1, height + 1, width, 3), np.uint8),
        "channels": np.zeros((1, height, width, 1), np.uint8),
        "type": np.zeros((1, height, width, 3), np.float32),
        "single": np.zeros((height, width, 3), np.uint8),
    }
    with pytest.raises(InvalidArgument, match=str(height)):
        embedder.embed(crops[wrong])


def test_cropping_leaves_the_photo_alone_and_follows_the_face(
    store, models, embedder, faces, embeddings
):
    """A face that lies elsewhere in a larger frame gives the same template."""
    _, image, face = faces[0]
    frame = np.full((image.shape[0] + 90, image.shape[1] + 70, 3), 127, np.uint8)
    frame[50:-40, 30:-40] = image
    before = frame.copy()
    box = Box(face.box.x0 + 30, face.box.y0 + 50, face.box.x1 + 30, face.box.y1 + 50)
    moved = Face(box, face.score, face.landmarks + np.array([30, 50], np.float32))
    crop = embedder.crop(frame, moved)
    np.testing.assert_array_equal(frame, before)
    again = embedder.embed(crop[None])
    least = 0.99 if store[1] is models else 0.95  # a net of noise makes much of a rounded pixel
    assert similarity(again.vector, embeddings.vector[:1], "cosine")[0, 0] > least


def test_a_face_over_the_edge_of_the_photo_has_a_crop(embedder, faces):
    _, image, face = faces[0]
    cut = round(face.box.x0 + face.box.width / 2)
    box = Box(0, face.box.y0, face.box.x1 - cut, face.box.y1)
    shifted = Face(box, face.score, face.landmarks - np.array([cut, 0], np.float32))
    crop = embedder.crop(np.ascontiguousarray(image[:, cut:]), shifted)
    assert crop.shape == (*embedder.size_hw, 3)
    assert np.isfinite(embedder.embed(crop[None]).vector).all()


def test_a_face_without_landmarks_is_refused_or_cut_by_its_box(embedder, faces):
    _, image, face = faces[0]
    bare = Face(face.box, face.score)
    try:
        crop = embedder.crop(image, bare)
    except InvalidArgument:
        with pytest.raises(InvalidArgument, match="landmarks"):
            embedder.crop(image, bare)
    else:
        np.testing.assert_array_equal(crop, embedder.crop(image, face))
