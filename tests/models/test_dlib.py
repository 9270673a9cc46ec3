"""dlib's file format, and the ONNX made of its nets."""

from __future__ import annotations

import contextlib
import math
import struct

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx.reference import ReferenceEvaluator

from mien.errors import ConversionError
from mien.models.convert.dlib import convert_detector, convert_recogniser
from mien.models.convert.dlib_file import Reader, read_net


def integer(value):
    size = max(1, (abs(value).bit_length() + 7) // 8)
    return bytes([size | (0x80 if value < 0 else 0)]) + abs(value).to_bytes(size, "little")


def floating(value):
    mantissa, exponent = math.frexp(value)
    return integer(int(mantissa * 2**53)) + integer(exponent - 53)


def text(value):
    return integer(len(value)) + value.encode()


def tensor(values):
    shape = (1,) * (4 - values.ndim) + values.shape
    return integer(2) + b"".join(map(integer, shape)) + values.astype("<f4").tobytes()


EMPTY = integer(2) + integer(0) * 4


def alias(*shape):
    return integer(1) + b"".join(map(integer, shape))


def layer(details, *, first=False):
    return details + b"110" + EMPTY * 3 + (integer(1) if first else b"")


def convolution(weight, bias, *, stride=1, padding=0):
    filters, _, rows, columns = weight.shape
    values = np.concatenate([weight.ravel(), bias])
    numbers = [filters, rows, columns, stride, stride, padding, padding]
    return (
        text("con_4")
        + tensor(values.reshape(-1, 1, 1, 1))
        + b"".join(map(integer, numbers))
        + alias(*weight.shape)
        + alias(1, filters, 1, 1)
        + floating(1.0) * 4
    )


def affine(gamma, beta):
    values = np.concatenate([gamma, beta]).reshape(-1, 1, 1, 1)
    count = len(gamma)
    return text("affine_") + tensor(values) + alias(1, count, 1, 1) * 2 + integer(0)


def normalisation(gamma, beta, mean, variance):
    values = np.concatenate([gamma, beta]).reshape(-1, 1, 1, 1)
    parts = [np.asarray(part, np.float32).reshape(-1, 1, 1) for part in (mean, variance)]
    return (
        text("bn_con2")
        + tensor(values)
        + alias(1, len(gamma), 1, 1) * 2
        + b"".join(map(tensor, parts * 2))
        + integer(100) * 2
        + floating(1.0) * 4
        + floating(1e-4)
    )


def pooled(kind, size, stride):
    return text(kind) + integer(size) * 2 + integer(stride) * 2 + integer(0) * 2


RANDOM = np.random.default_rng(5)
FIRST = RANDOM.normal(size=(4, 3, 7, 7)).astype(np.float32)
SECOND = RANDOM.normal(size=(6, 4, 3, 3)).astype(np.float32)
BIASES = RANDOM.normal(size=(2, 6)).astype(np.float32)
DENSE = RANDOM.normal(size=(6, 128)).astype(np.float32)
MEAN = (122.5, 117.0, 104.25)


def recogniser(*, loss="loss_metric_2", block=None):
    """Convolution, one block that halves the picture, pooling over all of it, 128 numbers."""
    versions = [2, 2, 2, 2, 1, 1, 2, 1, 2, 3]  # from the output; a tag and a skip are marks
    dense = (
        text("fc_2") + integer(128) + integer(6) + tensor(DENSE.reshape(6, 128, 1, 1))
        + alias(6, 128, 1, 1) + alias(0, 0, 0, 0) + integer(1) + floating(1.0) * 4
    )  # fmt: skip
    return (
        integer(1) + text(loss) + floating(0.04) + floating(0.6)
        + b"".join(map(integer, versions))
        + text("input_rgb_image_sized") + b"".join(map(floating, MEAN)) + integer(150) * 2
        + layer(convolution(FIRST, BIASES[0, :4], stride=2), first=True)
        + layer(text("relu_"))
        + layer(block or convolution(SECOND, BIASES[1], stride=2))
        + layer(pooled("avg_pool_2", 2, 2))
        + layer(text("add_prev_"))
        + layer(text("avg_pool_2") + integer(0) * 2 + integer(1) * 2 + integer(0) * 2)
        + layer(dense)
    )  # fmt: skip


def detector():
    window = integer(1) + integer(80) * 2 + floating(0.5) * 7
    gamma, beta = BIASES[0, :4], BIASES[1, :4]
    mean, variance = RANDOM.normal(size=4), RANDOM.random(4) + 0.5
    details = normalisation(gamma, beta, mean, variance)
    net = (
        integer(1) + text("loss_mmod_") + window
        + integer(2) + integer(2) + integer(3)
        + text("input_rgb_image_pyramid") + b"".join(map(floating, MEAN))
        + layer(convolution(FIRST, BIASES[0, :4], stride=2), first=True)
        + layer(details)
        + layer(convolution(SECOND[:1], BIASES[0, :1], padding=1))
    )  # fmt: skip
    return net, gamma, beta, mean, variance


def run(net, image):
    return ReferenceEvaluator(onnx.load_model_from_string(net)).run(None, {"image": image})[0]


def slide(image, size, stride):
    """All windows of ``(channels, rows, columns)``: ``(rows, columns, channels, size, size)``."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(1, 2))
    return windows[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4)


def convolved(image, weight, bias, stride):
    windows = slide(image, weight.shape[2], stride)
    answer = np.einsum("rcijk,fijk->frc", windows, weight, optimize=True)
    return answer + bias[:, None, None]


def test_a_block_that_halves_the_picture():
    """Written out with NumPy: the smaller of two pictures is filled with zeros."""
    image = RANDOM.integers(0, 256, (3, 150, 150)).astype(np.float32)
    x = (image - np.array(MEAN)[:, None, None]) / 256
    x = np.maximum(convolved(x, FIRST, BIASES[0, :4], 2), 0)
    inner = convolved(x, SECOND, BIASES[1], 2)
    outer = slide(x, 2, 2).mean(axis=(3, 4)).transpose(2, 0, 1)
    assert (inner.shape, outer.shape) == ((6, 35, 35), (4, 36, 36))
    total = np.pad(inner, ((0, 0), (0, 1), (0, 1))) + np.pad(outer, ((0, 2), (0, 0), (0, 0)))
    expected = total.mean(axis=(1, 2)) @ DENSE
    found = run(convert_recogniser(recogniser()), image[None])
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)


def test_a_normalisation_is_folded_and_the_border_has_the_mean_colour():
    source, gamma, beta, mean, variance = detector()
    image = RANDOM.integers(0, 256, (3, 40, 32)).astype(np.float32)
    x = np.pad((image - np.array(MEAN)[:, None, None]) / 256, ((0, 0), (11, 11), (11, 11)))
    x = convolved(x, FIRST, BIASES[0, :4], 2)
    scale = (gamma / np.sqrt(variance + 1e-4))[:, None, None]
    x = (x - mean[:, None, None]) * scale + beta[:, None, None]
    expected = convolved(np.pad(x, ((0, 0), (1, 1), (1, 1))), SECOND[:1], BIASES[0, :1], 1)
    found = run(convert_detector(source), image[None])
    np.testing.assert_allclose(found[0], expected, rtol=1e-3, atol=1e-3)


def test_the_same_bytes_every_time():
    assert convert_recogniser(recogniser()) == convert_recogniser(recogniser())


@pytest.mark.parametrize(
    "data", [b"", b"not dlib's", recogniser()[:100], recogniser()[:-40], b"\x01" * 50]
)
@pytest.mark.parametrize("convert", [convert_detector, convert_recogniser])
def test_what_is_not_a_net_of_dlib(convert, data):
    with pytest.raises(ConversionError):
        convert(data)


def test_another_net_of_dlib():
    with pytest.raises(ConversionError, match="loss_metric"):
        convert_detector(recogniser())
    with pytest.raises(ConversionError, match="loss_mean"):
        convert_recogniser(recogniser(loss="loss_mean"))
    with pytest.raises(ConversionError, match="prelu_"):
        convert_recogniser(recogniser(block=text("prelu_")))
    with pytest.raises(ConversionError, match="affine"):
        convert_recogniser(recogniser(block=affine(BIASES[0], BIASES[1])))


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers(value):
    assert Reader(integer(value)).integer() == value


@given(st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False))
def test_floating_point_numbers(value):
    assert Reader(floating(value)).floating() == value


NETS = [(convert_recogniser, recogniser()), (convert_detector, detector()[0])]


@settings(deadline=None)
@given(st.sampled_from(NETS), st.floats(0, 1), st.integers(0, 255), st.integers(0, 400))
def test_a_damaged_file_is_a_net_or_a_typed_error(net, place, value, length):
    convert, source = net
    damaged = bytearray(source)
    start = min(int(place * 700), len(damaged) - 1)
    damaged[start] = value
    if length % 3 == 0:
        del damaged[start : start + length]
    with contextlib.suppress(ConversionError):
        convert(bytes(damaged))


@pytest.mark.parametrize(("exponent", "value"), [(32000, math.inf), (32001, -math.inf)])
def test_infinity(exponent, value):
    assert Reader(integer(0) + integer(exponent)).floating() == value


def test_the_real_recogniser(models):
    net = read_net(models.source_path(models.card("dlib", "embed")).read_bytes())
    kinds = [one.kind for one in net.layers]
    assert (kinds.count("con"), kinds.count("add_prev"), kinds.count("fc")) == (29, 14, 1)
    assert struct.pack("<3f", *net.mean) == struct.pack("<3f", 122.782, 117.001, 104.298)
