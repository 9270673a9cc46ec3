"""The net in torch: thinned, exported, fitted. Skipped where torch (``mien[train]``) is not."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mien.liveness.student import SIDE  # noqa: E402
from mien.train.liveness.config import Recipe  # noqa: E402
from mien.train.liveness.distil import Lessons, distil, features, fit_head  # noqa: E402
from mien.train.liveness.export import export  # noqa: E402
from mien.train.liveness.net import BLOCKS, DOWN, thinned, trunk_like  # noqa: E402

RANDOM = np.random.default_rng(2)


def checkpoint(width=96):
    """A checkpoint of random numbers with the names and shapes of a published one."""
    found = {}

    def block(name, out, into, kernel, *, slope=True):
        found[f"{name}.conv.weight"] = RANDOM.normal(0, 0.3, (out, into, kernel, kernel))
        for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            found[f"{name}.bn.{part}"] = value + RANDOM.uniform(0.01, 0.1, out)
        if slope:
            found[f"{name}.prelu.weight"] = RANDOM.uniform(0, 0.1, out)

    def bottleneck(name, into, inner, out):
        block(f"{name}.conv", inner, into, 1)
        block(f"{name}.conv_dw", inner, 1, 3)
        block(f"{name}.project", out, inner, 1, slope=False)

    block("conv1", 32, 3, 3)
    block("conv2_dw", 32, 1, 3)
    into = 32
    for stage, count in BLOCKS.items():
        wide = 64 if stage == "conv_3" else 128
        bottleneck(DOWN[stage], into, width, wide)
        for index in range(count):
            bottleneck(f"{stage}.model.{index}", wide, 13 if index else width, wide)
        into = wide
    block("conv_6_sep", 64, 128, 1)
    block("conv_6_dw", 64, 1, 5, slope=False)
    found["linear.weight"] = RANDOM.normal(0, 0.1, (128, 64))
    found["prob.weight"] = RANDOM.normal(0, 0.1, (3, 128))
    for part, value in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
        found[f"bn.{part}"] = value + RANDOM.uniform(0.01, 0.1, 128)
    return {name: np.asarray(value, np.float32) for name, value in found.items()}


@pytest.fixture(scope="module")
def teacher():
    return checkpoint()


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(RANDOM.uniform(0, 255, (24, 3, SIDE, SIDE)).astype(np.float32))


def run(net, near, far):
    import onnxruntime

    session = onnxruntime.InferenceSession(net, providers=["CPUExecutionProvider"])
    return session.run(["belief"], {"near": near.numpy(), "far": far.numpy()})[0]


def test_the_export_says_what_the_net_says(teacher, images):
    trunks = {name: thinned(teacher, images, keep=0.5) for name in ("near", "far")}
    with torch.no_grad():
        said = [torch.softmax(trunks["near"](images), 1), torch.softmax(trunks["far"](images), 1)]
    found = run(export(trunks), images, images)
    np.testing.assert_allclose(found, sum(said).numpy() / 2, atol=5e-3)  # 16 bits


def test_it_keeps_fewer_channels_and_still_follows(teacher, images):
    whole, half = (thinned(teacher, images, keep=keep) for keep in (1.0, 0.5))
    assert half.conv_23.conv.conv.out_channels == 48 < whole.conv_23.conv.conv.out_channels
    assert half.conv_3.model[1].conv.conv.out_channels == 13  # narrow layers keep all
    blank = trunk_like(teacher, keep=0.5).eval()
    with torch.no_grad():
        wanted = whole.features(images)
        near, far = ((net.features(images) - wanted).square().mean() for net in (half, blank))
    assert near < 0.5 * far


def test_a_head_learns_what_it_is_told(teacher, images):
    net = thinned(teacher, images, keep=0.5)
    seen = torch.from_numpy(RANDOM.normal(0, 1, (400, 64)).astype(np.float32))
    live = (seen[:, 0] > 0).numpy()
    wanted = np.where(live[:, None], [0.02, 0.96, 0.02], [0.5, 0.04, 0.46]).astype(np.float32)
    fit_head(net, seen, wanted, pull=1e-4)
    with torch.no_grad():
        said = torch.softmax(net.head(seen), 1)[:, 1].numpy() > 0.5
    assert (said == live).mean() > 0.95
    held = net.head.weight.detach().clone()
    fit_head(net, seen, wanted[:, [1, 0, 2]], pull=1e4)
    torch.testing.assert_close(net.head.weight.detach(), held, atol=1e-3, rtol=1e-2)


@pytest.mark.slow
def test_a_whole_training_makes_it_better(teacher, images):
    pixels = images.numpy().astype(np.uint8).transpose(0, 2, 3, 1)
    with torch.no_grad():
        exact = thinned(teacher, images, keep=1.0)
        wanted = torch.softmax(exact(images), 1).numpy()
    lessons = Lessons(pixels, wanted, wanted)
    told = []
    recipe = Recipe(keep=0.5, epochs=2, crops=24, batch=8, rate=3e-5)
    net = distil(teacher, lessons, lessons, recipe, say=told.append)
    assert [line.split(":")[0] for line in told] == ["begun", "epoch 1", "epoch 2", "head fitted"]
    assert features(net, pixels).shape == (24, 64)
