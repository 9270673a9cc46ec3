"""MiniFASNet without PyTorch: equal to the published architecture run in it, and nothing lost."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from mien.errors import ConversionError
from mien.models.convert import minifasnet

GOLDEN = json.loads(Path(__file__).with_name("golden_minifasnet.json").read_text())["logit"]
NET = {"minifasnet-v2": "2.7_80x80_MiniFASNetV2", "minifasnet-v1se": "4_0_0_80x80_MiniFASNetV1SE"}
WIDTH = 4


def images():
    """Black, grey, white, and three ramps."""
    steps = np.arange(80)
    ramps = [np.add.outer(steps * a, steps * b) % 256 for a, b in [(1, 2), (3, 1), (5, 7)]]
    flat = [np.full((3, 80, 80), value) for value in (0, 127, 255)]
    return np.stack([*flat, np.stack(ramps)]).astype(np.float32)


def run(file, image):
    session = ort.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["logit"], {"image": image})[0]


@pytest.mark.shared
@pytest.mark.parametrize("name", NET)
def test_logits_are_those_of_the_reference_network(name, published):
    made = minifasnet.convert((published / f"{NET[name]}.pth").read_bytes())
    logits = run(made, images())
    np.testing.assert_allclose(logits, GOLDEN[name], atol=1e-4)
    np.testing.assert_allclose(run(made, images()[2:3]), logits[2:3], atol=1e-4)  # any batch
    assert np.ptp(np.array(GOLDEN[name]), axis=0).min() > 0.1  # the images differ to the net


# ------------------------------------------------------------------ a small net of random numbers


def norm(random, width):
    spread = random.uniform(0.5, 1, width)
    parts = {"weight": spread, "bias": spread - 0.7, "running_mean": spread - 0.6}
    return {**parts, "running_var": spread, "num_batches_tracked": np.array(3)}


def checkpoint(*, channel_weights=True):
    """Tensors as the file names them, on one device."""
    random = np.random.default_rng(5)
    found = {}

    def put(name, parts):
        found.update({f"{name}.{part}": np.float32(value) for part, value in parts.items()})

    def conv(name, out, deep, size, *, slopes=True):
        put(f"{name}.conv", {"weight": random.normal(size=(out, deep, size, size))})
        put(f"{name}.bn", norm(random, out))
        if slopes:
            put(f"{name}.prelu", {"weight": random.uniform(0, 0.3, out)})

    def bottleneck(name):
        conv(f"{name}.conv", WIDTH, WIDTH, 1)
        conv(f"{name}.conv_dw", WIDTH, 1, 3)
        conv(f"{name}.project", WIDTH, WIDTH, 1, slopes=False)

    conv("conv1", WIDTH, 3, 3)
    conv("conv2_dw", WIDTH, 1, 3)
    for name in ("conv_23", "conv_34", "conv_45"):
        bottleneck(name)
    for stage, count in (("conv_3", 4), ("conv_4", 6), ("conv_5", 2)):
        for index in range(count):
            bottleneck(f"{stage}.model.{index}")
        last = f"{stage}.model.{count - 1}.se_module"
        put(f"{last}.fc1", {"weight": random.normal(size=(2, WIDTH, 1, 1))})
        put(f"{last}.bn1", norm(random, 2))
        put(f"{last}.fc2", {"weight": random.normal(size=(WIDTH, 2, 1, 1))})
        put(f"{last}.bn2", norm(random, WIDTH))
    conv("conv_6_sep", WIDTH, WIDTH, 1)
    conv("conv_6_dw", WIDTH, 1, 5, slopes=False)
    put("linear", {"weight": random.normal(size=(6, WIDTH))})
    put("bn", norm(random, 6))
    put("prob", {"weight": random.normal(size=(3, 6))})
    if channel_weights:
        return found
    return {name: tensor for name, tensor in found.items() if "se_module" not in name}


@pytest.fixture
def convert(monkeypatch):
    def made(tensors):
        monkeypatch.setattr(minifasnet, "read_tensors", lambda _: tensors)
        return minifasnet.convert(b"")

    return made


def test_a_prefix_is_taken_off_where_it_is_one_and_nowhere_else(convert):
    tensors = checkpoint()
    several_devices = {f"module.{name}": tensor for name, tensor in tensors.items()}
    made = convert(tensors)
    assert convert(several_devices) == made
    without = convert(checkpoint(channel_weights=False))
    assert np.abs(run(made, images()) - run(without, images())).max() > 1e-3


def test_what_the_net_does_not_have_is_refused(convert):
    with pytest.raises(ConversionError, match=r"no layer 'extra\.weight'"):
        convert({**checkpoint(), "extra.weight": np.zeros(3)})


@pytest.mark.parametrize("lost", ["conv1.conv.weight", "conv_4.model.5.se_module.bn1.bias"])
def test_a_checkpoint_with_a_part_missing(convert, lost):
    tensors = checkpoint()
    del tensors[lost]
    with pytest.raises(ConversionError, match="MiniFASNet"):
        convert(tensors)


def test_layers_of_another_shape(convert):
    tensors = {**checkpoint(), "linear.weight": np.zeros((6, 9), np.float32)}
    with pytest.raises(ConversionError, match="MiniFASNet"):
        convert(tensors)


@pytest.mark.parametrize("source", [b"", b"not a checkpoint", b"\x80\x02}q\x00."])
def test_other_files(source):
    with pytest.raises(ConversionError):
        minifasnet.convert(source)
