"""Detectors whose weights are behind an address: fetched from here, compared with references.

Golden numbers: what the reference implementation that each file names finds in the same picture
with the same net of random weights (see ``random_nets``), suppression switched off in both, so
that every candidate counts. ``golden_retinaface-resnet50.json``: the graph of
``retinaface.model.retinaface_model``, its convolutions a sixteenth as wide, with weights set to
those of the same .h5 file. At full width (118 MB of random weights, 128 x 160 pixels) the largest
differences of the ONNX file's outputs to TensorFlow's were 8e-6 (scores) and 5e-5 (boxes and
landmarks, which went up to 19).
"""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from mien import detect
from mien.errors import ConversionError, LicenceNotAccepted
from mien.models import ModelStore
from mien.models.card import UrlSource
from mien.models.convert.retinaface import convert
from mien.models.plugins import loader
from mien.models.session_onnxruntime import OnnxRuntimeSession

NAMES = ["scrfd", "scrfd-500m", "yolov8n-face", "retinaface_mv2", "retinaface-resnet50"]
RESTRICTED = ["scrfd", "scrfd-500m", "yolov8n-face"]


def golden(name):
    return json.loads((Path(__file__).parent / f"golden_{name}.json").read_text())


def published(random_nets, name):
    """The bytes of a file as it would be at the card's address."""
    if name == "retinaface-resnet50":
        table = golden(name)
        return random_nets.keras(table["layers"], table["face_logit"])
    kind = {"yolov8n-face": "yolov8", "retinaface_mv2": "retinaface"}.get(name, "scrfd")
    return getattr(random_nets, kind)()


@pytest.fixture(scope="module")
def store(weights, tmp_path_factory):
    """A store with a mirror folder, its own cache, and the licences accepted."""
    tmp_path = tmp_path_factory.mktemp("store")
    return ModelStore(
        weights.model_copy(
            update={
                "cache_dir": tmp_path / "cache",
                "models_mirror": str(tmp_path / "mirror"),
                "accept_licences": tuple(RESTRICTED),
                "runtime": "onnxruntime",
            }
        )
    )


def publish(store, name, data):
    """Put ``data`` where the card's file is looked for, under the hash that it has."""
    card = store.card(name, "detect")
    source = UrlSource(card.sources[0].url, hashlib.sha256(data).hexdigest(), len(data))
    folder = Path(store.settings.models_mirror)
    folder.mkdir(exist_ok=True)
    (folder / source.file_name).write_bytes(data)
    changed = dataclasses.replace(card, sources=(source,))
    store.__dict__["_catalogue"] = {c.key: c for c in store.cards()} | {changed.key: changed}
    return changed


def visible(box, width, height):
    """Whether any of it is in the picture: random nets turn boxes inside out."""
    left, top, right, bottom = np.clip(box, 0, [width, height] * 2)
    return left < right and top < bottom


@pytest.mark.parametrize("name", [name for name in NAMES if name != "scrfd-500m"])
def test_every_candidate_is_the_references(store, random_nets, name):
    card = publish(store, name, published(random_nets, name))
    kind = loader("mien.detectors", name).__self__
    detector = kind(card, OnnxRuntimeSession(store.path(card), threads=1), overlap=1.0)
    for row in golden(name)["photos"]:
        height, width = row["size"]
        (found,) = detector.detect([random_nets.picture(height, width)])
        expected = [face for face in row["faces"] if visible(face["box"], width, height)]
        assert len(found) == len(expected) > 0
        order = np.argsort(-found.score, kind="stable")
        expected.sort(key=lambda face: -face["score"])
        edge = [width, height, width, height]
        if name == "retinaface-resnet50":  # it clips to the last pixel, not to its far edge
            edge = [width - 1, height - 1, width - 1, height - 1]
        np.testing.assert_allclose(
            found.score[order], [face["score"] for face in expected], atol=1e-4
        )
        np.testing.assert_allclose(
            found.box_xyxy[order].clip(0, edge),
            np.clip([face["box"] for face in expected], 0, edge),
            rtol=1e-5,
            atol=1e-4,
        )
        np.testing.assert_allclose(
            found.landmarks[order], [face["landmarks"] for face in expected], rtol=1e-5, atol=1e-4
        )


def test_the_converted_graph_gives_what_tensorflow_gives(store, random_nets):
    name = "retinaface-resnet50"
    card = publish(store, name, published(random_nets, name))
    session = store.open(card, runtime="onnxruntime", precision="float32")
    picture = random_nets.picture(256, 320).astype(np.float32)
    outputs = session.run({"image": picture.transpose(2, 0, 1)[None].copy()})
    expected = golden(name)["outputs"]  # scores, boxes, points of 32, 16, 8, channels last
    for index, stride in enumerate((32, 16, 8)):
        for kind, row in zip(("score", "box", "points"), expected[3 * index :][:3], strict=False):
            found = outputs[f"{kind}_{stride}"][0].transpose(1, 2, 0)
            first = row["first"]
            if kind == "score":  # there also of no face, first
                first = np.reshape(first, (-1, 4))[:, 2:].ravel()
            np.testing.assert_allclose(found.ravel()[: len(first)], first, rtol=1e-4, atol=1e-4)
            if kind != "score":
                assert found.sum(dtype=np.float64) == pytest.approx(row["sum"], rel=1e-3, abs=1e-2)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_fetched_by_name_and_detects(store, random_nets, name):
    publish(store, name, published(random_nets, name))
    detector = detect.create(name, store)
    assert detector.name == name
    (faces,) = detector.detect([random_nets.picture(120, 200)])
    assert faces.landmarks.shape == (len(faces), 5, 2)


@pytest.mark.parametrize("name", RESTRICTED)
def test_a_restrictive_licence_has_to_be_accepted(weights, tmp_path, name):
    unasked = weights.model_copy(
        update={"cache_dir": tmp_path, "accept_licences": (), "offline": True}
    )
    with pytest.raises(LicenceNotAccepted, match=f"--accept-licence {name}"):
        detect.create(name, ModelStore(unasked))


@pytest.mark.parametrize("name", NAMES)
def test_cards_pin_a_file_at_an_https_address(models, name):
    card = models.card(name, "detect")
    (source,) = card.sources
    assert source.url.startswith("https://github.com/")
    assert len(source.sha256) == 64
    assert card.needs_acceptance == (name in RESTRICTED)


def test_a_cut_file_is_no_retinaface(random_nets):
    data = published(random_nets, "retinaface-resnet50")
    for wrong in (b"", b"no HDF5", data[: len(data) // 2]):
        with pytest.raises(ConversionError, match="Keras"):
            convert(wrong)


def test_another_nets_file_is_no_retinaface(random_nets):
    table = golden("retinaface-resnet50")
    layers = {k: v for k, v in table["layers"].items() if k != "stage3_unit2_bn1"}
    with pytest.raises(ConversionError, match="stage3_unit2_bn1"):
        convert(random_nets.keras(layers, 0.0))
