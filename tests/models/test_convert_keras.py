"""Keras .h5 files to ONNX: golden values of Keras itself, and small nets that tests write."""

import io
import json

import h5py
import numpy as np
import onnxruntime as ort
import pytest

from mien.errors import ConversionError
from mien.models.convert import converter

# Keras 3.15.1 on JAX: model(numpy.random.default_rng(7).uniform(-1, 1, (2, H, W, C))), inference.
GOLDEN = {
    "mask": [[0.10695668, 0.89304334], [0.08218869, 0.9178113]],
    "emotion": [
        [
            0.020676022,
            3.6261993e-09,
            0.035468742,
            0.38626292,
            0.51920533,
            0.00047529614,
            0.037911773,
        ],
        [0.024957765, 1.5996594e-08, 0.068471588, 0.4539524, 0.44506434, 0.002753631, 0.0048002354],
    ],
}


def run(onnx_file, image):
    session = ort.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return session.run(None, {name: np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0]


@pytest.mark.parametrize(("name", "shape"), [("mask", (224, 224, 3)), ("emotion", (64, 64, 1))])
def test_published_nets_give_what_keras_gives(models, name, shape):
    source = models.source_path(models.card(name, "attributes")).read_bytes()
    made = converter("keras")(source)
    assert made == converter("keras")(source)
    image = np.random.default_rng(7).uniform(-1, 1, (2, *shape)).astype(np.float32)
    np.testing.assert_allclose(run(made, image), GOLDEN[name], atol=1e-5)


def keras_file(layers, *, sequential=False):
    """A .h5 file of ``(class, options, inputs, arrays)``."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("model_weights")
        rows = []
        for index, (kind, options, inputs, arrays) in enumerate(layers):
            name = f"layer{index}"
            names = [f"{name}/w{i}" for i in range(len(arrays))]
            own = group.create_group(name)
            own.attrs["weight_names"] = [n.encode() for n in names]
            for n, array in zip(names, arrays, strict=True):
                own[n] = array
            calls = [[[f"layer{i}", 0, 0, {}] for i in inputs]] if inputs else []
            row = {"class_name": kind, "config": {"name": name, **options}}
            rows.append(row if sequential else {**row, "name": name, "inbound_nodes": calls})
        group.attrs["layer_names"] = [f"layer{i}".encode() for i in range(len(layers))]
        config = {"class_name": "Sequential", "config": rows}
        if not sequential:
            config = {"class_name": "Model", "config": {"layers": rows}}
        file.attrs["model_config"] = json.dumps(config)
    return buffer.getvalue()


def start(height, width, channels):
    return ("InputLayer", {"batch_input_shape": [None, height, width, channels]}, [], [])


def test_flatten_is_in_keras_order_and_dense_follows():
    random = np.random.default_rng(0)
    kernel, bias = random.normal(size=(24, 3)).astype("f4"), random.normal(size=3).astype("f4")
    dense = {"use_bias": True, "activation": "linear"}
    source = keras_file(
        [start(2, 3, 4), ("Flatten", {}, [0], []), ("Dense", dense, [1], [kernel, bias])]
    )
    image = random.normal(size=(5, 2, 3, 4)).astype("f4")
    expected = image.reshape(5, -1) @ kernel + bias
    np.testing.assert_allclose(run(converter("keras")(source), image), expected, atol=1e-5)


def test_a_sequential_model_starts_without_an_input_layer():
    kernel = np.arange(4, dtype="f4").reshape(1, 1, 2, 2)
    options = {"strides": [1, 1], "padding": "valid", "use_bias": False, "activation": "relu"}
    source = keras_file(
        [
            ("Conv2D", {"batch_input_shape": [None, 3, 3, 2], **options}, [], [kernel]),
            ("Dropout", {}, [], []),
            ("GlobalAveragePooling2D", {}, [], []),
        ],
        sequential=True,
    )
    image = np.random.default_rng(1).normal(size=(2, 3, 3, 2)).astype("f4")
    expected = np.maximum(image @ kernel[0, 0], 0).mean(axis=(1, 2))
    np.testing.assert_allclose(run(converter("keras")(source), image), expected, atol=1e-5)


def test_batch_normalisation_without_scale_or_centre():
    mean, variance = np.array([1, 2], "f4"), np.array([4, 9], "f4")
    options = {"scale": False, "center": False, "epsilon": 0.0}
    source = keras_file(
        [
            start(2, 2, 2),
            ("BatchNormalization", options, [0], [mean, variance]),
            ("GlobalAveragePooling2D", {}, [1], []),
        ]
    )
    image = np.random.default_rng(2).normal(size=(1, 2, 2, 2)).astype("f4")
    expected = ((image - mean) / np.sqrt(variance)).mean(axis=(1, 2))
    np.testing.assert_allclose(run(converter("keras")(source), image), expected, atol=1e-5)


def test_an_unknown_layer_and_an_unknown_activation_are_named():
    lstm = keras_file([start(2, 2, 1), ("LSTM", {}, [0], [])])
    with pytest.raises(ConversionError, match="LSTM"):
        converter("keras")(lstm)
    swish = keras_file([start(2, 2, 1), ("Activation", {"activation": "swish"}, [0], [])])
    with pytest.raises(ConversionError, match="swish"):
        converter("keras")(swish)


@pytest.mark.parametrize("source", [b"", b"not HDF5 at all", b"\x89HDF\r\n\x1a\n" + bytes(200)])
def test_what_is_not_a_keras_file_is_refused(source):
    with pytest.raises(ConversionError, match="not a Keras"):
        converter("keras")(source)


def test_a_truncated_file_is_refused(models):
    source = models.source_path(models.card("emotion", "attributes")).read_bytes()
    with pytest.raises(ConversionError):
        converter("keras")(source[: len(source) // 2])
