"""Caffe models against OpenCV's own reader of them."""

from __future__ import annotations

import struct

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest

from mien.errors import ConversionError
from mien.models.convert.caffe import convert

RANDOM = np.random.default_rng(5)
SIDE = 26


def varint(value):
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def field(number, value):
    """One field of a protocol buffer."""
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(**fields):
    """``f3=[1, 2]`` is field 3 twice."""
    pairs = [(int(name[1:]), value) for name, value in fields.items()]
    return b"".join(
        field(number, one)
        for number, value in pairs
        for one in (value if isinstance(value, list) else [value])
    )


def blob(*shape, positive=False):
    values = RANDOM.standard_normal(shape).astype("<f4") * np.float32(0.5)
    if positive:
        values = np.abs(values) + np.float32(0.5)
    return message(f5=values.tobytes(), f7=message(f1=b"".join(map(varint, shape))))


def layer(name, kind, bottoms, tops, *, blobs=(), **parameters):
    return field(
        100, message(f1=name, f2=kind, f3=[*bottoms], f4=[*tops], f7=[*blobs], **parameters)
    )


def convolution(name, bottom, *, channels, outputs, kernel, pad=0, stride=1, dilation=1):
    facts = message(f1=outputs, f3=pad, f4=kernel, f6=stride, f18=dilation)
    weights = [blob(outputs, channels, kernel, kernel), blob(outputs)]
    return layer(name, "Convolution", [bottom], [name], blobs=weights, f106=facts)


def head(name, bottom, outputs):
    """A prediction for each of the four prior boxes of a cell."""
    return (
        convolution(name, bottom, channels=4, outputs=outputs, kernel=3, pad=1)
        + layer(f"{name}_p", "Permute", [name], [f"{name}_p"], f202=message(f1=[0, 2, 3, 1]))
        + layer(f"{name}_f", "Flatten", [f"{name}_p"], [f"{name}_f"], f135=message(f1=1))
    )


def detector():
    """A whole single-shot detector with every kind of layer, as training leaves it."""
    one = message(f5=np.array([2.0], "<f4").tobytes(), f7=message(f1=varint(1)))
    norm = [blob(4), blob(4, positive=True), one]
    resize = message(f8=message(f3=SIDE, f4=SIDE))
    prior = message(f1=8.0, f2=12.0, f3=2.0, f4=1, f5=0, f6=[0.1, 0.1, 0.2, 0.2], f10=4.0, f13=0.5)
    return (
        layer("input", "AnnotatedData", [], ["data", "label"], f100=resize)
        + layer("twice", "Split", ["data"], ["data_0", "data_1"])
        + convolution("conv", "data_0", channels=3, outputs=4, kernel=3, pad=1, stride=2)
        + layer("bn", "BatchNorm", ["conv"], ["conv"], blobs=norm)
        + layer("scale", "Scale", ["conv"], ["conv"], blobs=[blob(4), blob(4)])
        + layer("relu", "ReLU", ["conv"], ["conv"])
        + layer("pool", "Pooling", ["conv"], ["pool"], f121=message(f2=3, f3=2))
        + convolution("wide", "pool", channels=4, outputs=4, kernel=3, pad=2, dilation=2)
        + layer("sum", "Eltwise", ["wide", "pool"], ["sum"])
        + layer("norm", "Normalize", ["sum"], ["norm"], blobs=[blob(4)], f206=message(f1=0, f3=0))
        + head("loc_a", "norm", 16)
        + head("conf_a", "norm", 8)
        + layer("prior_a", "PriorBox", ["norm", "data_1"], ["prior_a"], f203=prior)
        + layer("loc", "Concat", ["loc_a_f"], ["loc"], f104=message(f2=1))
        + layer("conf", "Concat", ["conf_a_f"], ["conf"], f104=message(f2=1))
        + layer("prior", "Concat", ["prior_a"], ["prior"], f104=message(f2=2))
        + layer(
            "loss", "MultiBoxLoss", ["loc", "conf", "prior", "label"], ["loss"], f201=message(f4=2)
        )
    )


DEPLOY = """
input: "data" input_shape { dim: 1 dim: 3 dim: 26 dim: 26 }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 pad: 1 kernel_size: 3 stride: 2 } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
  pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "wide" type: "Convolution" bottom: "pool" top: "wide"
  convolution_param { num_output: 4 pad: 2 kernel_size: 3 dilation: 2 } }
layer { name: "sum" type: "Eltwise" bottom: "wide" bottom: "pool" top: "sum" }
layer { name: "norm" type: "Normalize" bottom: "sum" top: "norm"
  norm_param { across_spatial: false channel_shared: false } }
layer { name: "loc_a" type: "Convolution" bottom: "norm" top: "loc_a"
  convolution_param { num_output: 16 pad: 1 kernel_size: 3 } }
layer { name: "loc_a_p" type: "Permute" bottom: "loc_a" top: "loc_a_p"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conf_a" type: "Convolution" bottom: "norm" top: "conf_a"
  convolution_param { num_output: 8 pad: 1 kernel_size: 3 } }
layer { name: "conf_a_p" type: "Permute" bottom: "conf_a" top: "conf_a_p"
  permute_param { order: 0 order: 2 order: 3 order: 1 } }
layer { name: "conf_r" type: "Reshape" bottom: "conf_a_p" top: "conf_r"
  reshape_param { shape { dim: 0 dim: -1 dim: 2 } } }
layer { name: "conf_s" type: "Softmax" bottom: "conf_r" top: "conf_s" softmax_param { axis: 2 } }
layer { name: "prior_a" type: "PriorBox" bottom: "norm" bottom: "data" top: "prior_a"
  prior_box_param { min_size: 8 max_size: 12 aspect_ratio: 2 flip: true clip: false
    variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 step: 4 offset: 0.5 } }
"""


def test_every_layer_computes_what_opencv_computes():
    source = detector()
    image = RANDOM.standard_normal((1, 3, SIDE, SIDE)).astype(np.float32)
    net = onnxruntime.InferenceSession(convert(source), providers=["CPUExecutionProvider"])
    loc, conf, prior = net.run(["loc", "conf", "prior"], {"data": image})
    prototxt, weights = (np.frombuffer(data, np.uint8) for data in (DEPLOY.encode(), source))
    theirs = cv2.dnn.readNetFromCaffe(prototxt, weights)
    theirs.setInput(image)
    expected = theirs.forward(["loc_a_p", "conf_s", "prior_a"])
    for ours, reference in zip((loc, conf, prior), expected, strict=True):
        np.testing.assert_allclose(ours.ravel(), reference.ravel(), rtol=1e-4, atol=1e-5)
    assert loc.shape == (1, 144, 4)
    assert conf.shape == (1, 144, 2)
    assert prior.shape == (2, 144, 4)


def test_the_same_bytes_every_time():
    source = detector()
    assert convert(source) == convert(source)


def test_the_real_net_sees_what_it_was_trained_to_see(models):
    card = models.card("ssd")
    graph = onnx.load_model_from_string(convert(models.source_path(card).read_bytes())).graph
    shapes = {
        value.name: [d.dim_value or d.dim_param for d in value.type.tensor_type.shape.dim]
        for value in [*graph.input, *graph.output]
    }
    assert shapes == {
        "data": ["n", 3, 300, 300],
        "loc": ["n", 8732, 4],
        "conf": ["n", 8732, 2],
        "prior": [2, 8732, 4],
    }


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (b"", "no layers"),
        (b"not a net at all", "not a Caffe model"),
        (detector()[:-7], "not a Caffe model"),
        (layer("x", "Convolution", ["data"], ["x"]), "x is malformed"),
        (layer("x", "LSTM", ["data"], ["x"]), "LSTM"),
        (layer("x", "AnnotatedData", [], ["data"]), "image size"),
        (layer("x", "AnnotatedData", [], ["d"], f100=message(f8=message(f3=8, f4=8))), "not a s"),
    ],
)
def test_what_cannot_be_converted(source, message):
    with pytest.raises(ConversionError, match=message):
        convert(source)
