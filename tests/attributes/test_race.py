"""Race: off, behind acceptance, and its loader against a small net of the same contract."""

import functools
import hashlib
import http.server
import json
import threading

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien import attributes, config
from mien.attributes.race import DEVIATION, MEAN, RACES, RaceNet, _chip
from mien.errors import LicenceNotAccepted, ModelUnavailable
from mien.models import ModelStore
from mien.models.card import UrlSource

OUTPUTS = {"race": 7, "gender": 2, "age": 9}


def small_net(outputs=OUTPUTS):
    """FairFace's inputs and outputs: the mean of each channel, times fixed weights."""
    random = np.random.default_rng(4)
    nodes = [
        helper.make_node("GlobalAveragePool", ["input"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
    ]
    weights = []
    for name, width in outputs.items():
        weights.append(
            numpy_helper.from_array(random.normal(size=(3, width)).astype("f4"), name[0])
        )
        nodes.append(helper.make_node("MatMul", ["flat", name[0]], [name]))
    value = functools.partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "small",
        [value("input", shape=["n", 3, 224, 224])],
        [value(name, shape=["n", width]) for name, width in outputs.items()],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


@pytest.fixture
def published(tmp_path):
    """Serves a net over localhost; gives a store whose card for race points there."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()

        def store(data, *, accept=("race",)):
            (folder / "fairface.onnx").write_bytes(data)
            settings = config.load(
                cache_dir=tmp_path / "cache", threads=1, accept_licences=accept, offline=False
            )
            made = ModelStore(settings)
            url = f"http://127.0.0.1:{server.server_port}/fairface.onnx"
            source = UrlSource(url, hashlib.sha256(data).hexdigest(), len(data))
            card = made.card("race", "attributes")
            made.__dict__["_catalogue"][card.key] = _replaced(card, sources=(source,))
            return made

        yield store
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def _replaced(card, **changes):
    import dataclasses

    return dataclasses.replace(card, **changes)


def test_it_is_off_and_wants_to_be_accepted(weights):
    assert "race" not in attributes.DEFAULT
    store = ModelStore(weights.model_copy(update={"accept_licences": ()}))
    with pytest.raises(LicenceNotAccepted, match="--accept-licence race"):
        attributes.create("race", store)
    card = store.card("race", "attributes")
    assert card.needs_acceptance
    assert "Art. 5(1)(g)" in card.notes
    assert card.source_sha256.startswith("9c8c47d4")


def test_the_loader_feeds_the_net_as_its_reference_does(published, views):
    data = small_net()
    net = attributes.create("race", published(data))
    reference = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    for view in views.values():
        said = net.measure(view)
        blob = ((_chip(view).astype(np.float32) / 255 - MEAN) / DEVIATION).transpose(2, 0, 1)[None]
        logits = reference.run(["race"], {"input": np.ascontiguousarray(blob)})[0][0]
        expected = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(list(said.scores.values()), expected, atol=1e-4)
        assert tuple(said.scores) == RACES
        assert said.value == RACES[int(expected.argmax())]
        assert sum(said.scores.values()) == pytest.approx(1)
        assert json.loads(said.to_json()) == said.to_dict()


def test_a_net_without_seven_groups_is_refused(published, views):
    net = attributes.create("race", published(small_net({"gender": 2, "age": 9})))
    with pytest.raises(ModelUnavailable, match="another net"):
        net.measure(views["obama.jpg"])
    assert isinstance(net, RaceNet)


def test_the_crop_ends_where_the_photo_ends(views):
    view = views["obama.jpg"]
    assert _chip(view).shape == (224, 224, 3)
    corner = type(view)(view.image[:30, :40], view.face.scaled(0.02))
    assert _chip(corner).shape == (224, 224, 3)
