"""Every mistake that can be made with a model: a typed error that says what to do."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from mien import Engine, align, attributes, config, detect, embed, landmarks
from mien.attributes.registry import check
from mien.cli.exits import exit_code
from mien.errors import (
    ChecksumMismatch,
    ConfigurationError,
    ConversionError,
    InvalidArgument,
    LicenceNotAccepted,
    MienError,
    ModelError,
    ModelUnavailable,
    RuntimeUnavailable,
    UnknownMetric,
    UnknownModel,
)
from mien.match import similarity
from mien.models import ModelStore, plugins
from mien.models.convert import converter
from mien.models.measured import Measured
from mien.spelling import near, no_such

X = np.zeros((1, 3, 112, 112), np.float32)
GHOST = SimpleNamespace(
    load=lambda: __import__("no_such_module"), dist=SimpleNamespace(name="ghost-models")
)


def unlicensed(models, monkeypatch):
    detect.create("scrfd", ModelStore(config.load(offline=True)))


def without_dlib(models, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dlib", None)
    detect.create("dlib", models)


def without_runtimes(models, monkeypatch):
    monkeypatch.setattr("mien.models.runtimes.importlib.util.find_spec", lambda name: None)
    models.open(models.card("sface"), threads=9)


def broken_package(models, monkeypatch):
    monkeypatch.setattr(plugins, "loaders", lambda group: {"ghost": GHOST})
    plugins.loader("mien.detectors", "ghost")


def sface(models, **inputs):
    card = models.card("sface")
    return models.open(card, runtime="onnxruntime").run(inputs)


MISTAKES = {
    # names
    "a detector": (
        lambda models, _: detect.create("yunett", models),
        UnknownModel,
        ["no model 'yunett' to detect", "Did you mean yunet", "mien models list --task detect"],
    ),
    "a detector in other letters": (
        lambda models, _: detect.create("RetinaFace", models),
        UnknownModel,
        ["Did you mean retinaface"],
    ),
    "a recognition model": (
        lambda models, _: embed.create("ArcFace", models),
        UnknownModel,
        ["Did you mean arcface"],
    ),
    "a detector that recognises": (
        lambda models, _: detect.create("sface", models),
        UnknownModel,
        ["There is embed/sface"],
    ),
    "a part of a detector": (
        lambda models, _: detect.create("mtcnn-rnet", models),
        UnknownModel,
        ["Did you mean mtcnn"],
    ),
    "an engine's detector": (
        lambda models, _: Engine(detector="centreface", models=models).detector,
        UnknownModel,
        ["Did you mean centerface"],
    ),
    "a landmark model": (
        lambda models, _: landmarks.create("mediapipe468", models),
        UnknownModel,
        ["Did you mean mediapipe478"],
    ),
    "an attribute": (
        lambda models, _: check(["agee"]),
        InvalidArgument,
        ["no attribute 'agee'", "Did you mean age", "There are: age, "],
    ),
    "one attribute, not in a list": (lambda *_: check("age"), InvalidArgument, [r"\['age'\]"]),
    "an attribute's loader": (
        lambda models, _: attributes.create("agee", models),
        InvalidArgument,
        ["agee", "Did you mean age"],
    ),
    "code of a model": (
        lambda *_: plugins.loader("mien.detectors", "yunit"),
        UnknownModel,
        ["mien.detectors", "Did you mean yunet"],
    ),
    "a model of a broken package": (
        broken_package,
        ModelUnavailable,
        ["code of ghost", "ModuleNotFoundError", "install ghost-models anew"],
    ),
    "a runtime": (
        lambda models, _: models.open(models.card("sface"), runtime="onnx"),
        InvalidArgument,
        ["no runtime 'onnx'", "Did you mean onnxruntime", "There are: auto, openvino"],
    ),
    "a precision": (
        lambda models, _: models.open(models.card("sface"), precision="float16"),
        InvalidArgument,
        ["no precision 'float16'", "Did you mean float32"],
    ),
    "a precision that the card does not admit": (
        lambda models, _: models.open(models.card("yunet"), precision="int8"),
        RuntimeUnavailable,
        ["yunet does not run in int8", "auto or float32"],
    ),
    "a runtime in the settings": (
        lambda *_: config.load(runtime="openvin"),
        ConfigurationError,
        ["'runtime'", "Did you mean openvino", "MIEN_RUNTIME"],
    ),
    "a setting": (
        lambda *_: config.load(detektor="yunet"),
        ConfigurationError,
        ["no setting 'detektor'", "Did you mean detector"],
    ),
    "a converter": (
        lambda *_: converter("tflit"),
        ConversionError,
        ["no converter 'tflit'", "Did you mean tflite", "There are: "],
    ),
    "a metric": (
        lambda *_: similarity(np.eye(2), np.eye(2), "euclidian"),
        UnknownMetric,
        ["no metric 'euclidian'", "Did you mean euclidean"],
    ),
    "a figure": (
        lambda *_: Measured(on="x", protocol="pairs", how="x", figures={"acuracy": 1}),
        UnknownMetric,
        ["no figure 'acuracy'", "Did you mean accuracy"],
    ),
    "a normalisation": (
        lambda *_: align.normalise(np.zeros((1, 8, 8, 3), np.float32), "facenet2019"),
        InvalidArgument,
        ["no normalisation 'facenet2019'", "Did you mean Facenet2018 or Facenet"],
    ),
    "a name of a million letters": (
        lambda models, _: embed.create("x" * 1_000_000, models),
        UnknownModel,
        ["no model 'xxx"],
    ),
    "no name": (lambda models, _: models.card(""), UnknownModel, ["no model ''"]),
    # inputs
    "crops of another size": (
        lambda models, _: embed.create("sface", models).embed(np.zeros((1, 96, 96, 3), np.uint8)),
        InvalidArgument,
        ["sface takes uint8 crops", "112, 112, 3", "96"],
    ),
    "crops of floats": (
        lambda models, _: embed.create("sface", models).embed(np.zeros((1, 112, 112, 3))),
        InvalidArgument,
        ["uint8", "float64"],
    ),
    "a net's input of another size": (
        lambda models, _: sface(models, data=X[..., :100]),
        InvalidArgument,
        [r"'data' is float32 \(any, 3, 112, 112\), not float32 \(1, 3, 112, 100\)"],
    ),
    "a net's input of another type": (
        lambda models, _: sface(models, data=X.astype(np.float64)),
        InvalidArgument,
        ["float64"],
    ),
    "a net's input of another name": (
        lambda models, _: sface(models, dta=X),
        InvalidArgument,
        ["inputs are data, not dta"],
    ),
    "a net without inputs": (lambda models, _: sface(models), InvalidArgument, ["not none"]),
    # what is missing
    "a licence": (
        unlicensed,
        LicenceNotAccepted,
        ["non-commercial", "--accept-licence scrfd", "MIEN_ACCEPT_LICENCES=scrfd"],
    ),
    "an extra": (without_dlib, ModelUnavailable, [r"pip install 'mien\[dlib\]'", "dlib-cnn"]),
    "all runtimes": (without_runtimes, RuntimeUnavailable, ["not installed: pip install"]),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake(name, models, monkeypatch):
    mistake, kind, says = MISTAKES[name]
    with pytest.raises(MienError) as caught:
        mistake(models, monkeypatch)
    error = caught.value
    assert type(error) is kind
    for text in says:
        assert re.search(text, error.message), error.message
    assert len(error.message) < 800
    assert not re.search(r"(^|\s)/\w+/|Traceback|File \"", error.message)
    assert exit_code(error) == (3 if isinstance(error, ModelError) else 2)


WEIGHTS = {
    "a net that is converted": "detect/yunet",
    "a net as it was published": "attributes/gender",
    "trees that no runtime reads": "landmarks/dlib5",
}


@pytest.fixture
def copied(models, tmp_path):
    """A cache of its own with one model's published file, and no network."""

    def copy(key):
        card = models.card(key)
        source = models.source_path(card)
        target = tmp_path / "cache" / "sources" / source.parent.name / source.name
        target.parent.mkdir(parents=True)
        shutil.copy(source, target)
        return card, target, ModelStore(config.load(cache_dir=tmp_path / "cache", offline=True))

    return copy


def load(store, card):
    if card.task == "landmarks":
        return landmarks.create(card.name, store)
    return store.open(card, runtime="onnxruntime")


@pytest.mark.parametrize("content", [b"", "half"])
@pytest.mark.parametrize("key", WEIGHTS.values(), ids=list(WEIGHTS))
def test_a_corrupt_weight_file(key, content, copied):
    card, file, store = copied(key)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2] if content == "half" else content)
    with pytest.raises(ModelError) as caught:
        load(store, card)
    assert "/" not in caught.value.message.replace(card.key, "").replace("and/or", "")
    (found,) = store.inspect([card])
    assert found.state in ("corrupt", "missing")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(whole)
    load(store, card)  # with the right file all is well


def test_a_mirror_with_a_corrupt_file(models, tmp_path):
    card = models.card("sface")
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    (mirror / card.sources[0].file_name).write_bytes(b"x" * 100)
    store = ModelStore(
        config.load(cache_dir=tmp_path / "cache", offline=True, models_mirror=str(mirror))
    )
    with pytest.raises(ChecksumMismatch, match="not the file that its card pins; it was not kept"):
        store.path(card)
    assert (mirror / card.sources[0].file_name).exists()


def test_every_registered_name_is_known_to_the_catalogue(models):
    """Else a name that ``names()`` gives would be unknown when it is chosen."""
    for task, names in (("detect", detect.names), ("embed", embed.names)):
        cards = {card.name for card in models.cards(task)}
        assert set(names()) <= cards
    assert importlib.metadata.entry_points(group="mien.detectors")


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("vgg", ["vgg-face"]),
        ("yu", []),
        ("YuNet", ["yunet"]),
        ("", []),
        (None, []),
        (5, []),
        ("zzz", []),
        ("Vgg_Face", ["vgg-face"]),
    ],
)
def test_near(name, close):
    assert near(name, ["yunet", "vgg-face"]) == close


def test_no_such():
    assert no_such("metric", "x" * 500, []).endswith("…. There are: none.")
    assert no_such("metric", "cosin", ["cosine"]).endswith(
        "Did you mean cosine? There are: cosine."
    )
