"""Recognition models that are had by address alone, with weights from a seed in their place."""

import dataclasses
import functools
import http.server
import json
import logging
import threading
from pathlib import Path

import numpy as np
import pytest

from mien import Engine, config, embed
from mien.errors import ChecksumMismatch, ConversionError, InvalidArgument, LicenceNotAccepted
from mien.models import ModelStore
from mien.models.cache import sha256_of
from mien.models.card import UrlSource
from mien.testing import MockDetector, drawn_face
from mien.types import Box, Face

GOLDEN = json.loads(Path(__file__).with_name("golden_recognisers.json").read_text(encoding="utf-8"))
NAMES = {*GOLDEN} | {
    "arcface",
    "deepface",
    "deepid",
    "facenet",
    "facenet512",
    "ghostfacenet",
    "openface",
    "vgg-face",
}


@pytest.mark.parametrize("name", sorted(NAMES))
def test_it_can_be_chosen_by_its_name(models, name):
    assert name in embed.names()
    card = models.card(name)  # the bare name is enough
    assert card.key == f"embed/{name}"
    assert all(isinstance(source, UrlSource) for source in card.sources)
    assert card.calibration is None
    assert card.needs_acceptance != card.commercial


@pytest.mark.parametrize("name", ["vgg-face", "deepid", "buffalo_l", "adaface_ir18"])
def test_a_licence_that_was_not_accepted_is_asked_for_before_anything_is_fetched(tmp_path, name):
    store = ModelStore(config.load(cache_dir=tmp_path, offline=False, accept_licences=()))
    with pytest.raises(LicenceNotAccepted, match=f"--accept-licence {name}"):
        embed.create(name, store)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", GOLDEN)
def test_it_aligns_and_normalises_as_the_code_that_it_is_known_from(name, models, stand_in, seeded):
    embedder = embed.create(name, stand_in(models.card(name, "embed")))
    points = np.array(seeded.POINTS, np.float32)
    crop = embedder.crop(seeded.noise(), Face(Box(60, 60, 200, 220), 0.9, points))
    made = embedder.embed(crop[None])
    expected = np.array(GOLDEN[name]["vector"])
    vector = (made.vector * made.norm[:, None])[0, : len(expected)]
    assert made.norm[0] == pytest.approx(GOLDEN[name]["norm"], rel=1e-3)
    assert np.abs(vector - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.fixture
def deepid(models, stand_in):
    return stand_in(models.card("deepid", "embed"))


def test_without_a_calibration_a_threshold_on_similarity_has_to_be_given(deepid):
    """The field's thresholds are for crops of its own making: none is taken in silence."""
    image = drawn_face(1)
    with Engine(detector=MockDetector(), embedder="deepid", models=deepid) as engine:
        with pytest.raises(InvalidArgument, match=r"no calibration.*threshold= .*mien eval calib"):
            engine.compare(image, image)
        answer = engine.compare(image, image, threshold=0.985)
    assert (answer.decided_on, answer.threshold, answer.match) == ("similarity", 0.985, True)
    assert answer.confidence is None


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def unpinned(models, seeded, tmp_path):
    """Settings, and the card of deepid at an address of this machine; its hash is not known."""
    (tmp_path / "deepid.h5").write_bytes(seeded.file_of("deepid"))
    card = models.card("deepid", "embed")
    assert card.source_sha256 is None
    handler = functools.partial(Quiet, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{server.server_address[1]}/deepid.h5"
        here = dataclasses.replace(card, sources=(UrlSource(address, None),))
        yield (
            config.load(
                cache_dir=tmp_path / "cache", accept_licences=("deepid",), runtime="onnxruntime"
            ),
            here,
        )
        server.shutdown()
        thread.join()


def store_of(settings, card):
    store = ModelStore(settings)
    store.__dict__["_catalogue"] = {card.key: card}
    return store


def test_a_file_without_a_published_hash_is_pinned_and_part_of_the_contract(
    unpinned, tmp_path, caplog
):
    settings, card = unpinned
    with caplog.at_level(logging.WARNING, "mien"):
        contract = embed.create("deepid", store_of(settings, card)).contract
    assert contract.source_sha256 == sha256_of(tmp_path / "deepid.h5")
    assert contract.source_sha256 in caplog.text
    offline = settings.model_copy(update={"offline": True})
    assert embed.create("deepid", store_of(offline, card)).contract == contract


def test_another_file_at_an_address_that_is_pinned_is_refused(unpinned, tmp_path, seeded):
    settings, card = unpinned
    store = store_of(settings, card)
    store.source_path(card).unlink()
    other = [(name, [array * 2 for array in arrays]) for name, arrays in seeded.layers_of("deepid")]
    (tmp_path / "deepid.h5").write_bytes(seeded.h5_file(other))
    with pytest.raises(ChecksumMismatch):
        embed.create("deepid", store_of(settings, card))


def test_an_answer_that_is_no_weight_file_is_a_typed_error(unpinned, tmp_path):
    settings, card = unpinned
    (tmp_path / "deepid.h5").write_bytes(b"<html>Sign in to download</html>")
    with pytest.raises(ConversionError, match="not a whole Keras"):
        embed.create("deepid", store_of(settings, card))
