"""GhostFaceNetV1, width 1.3, first stride 1 (Alansari et al. 2023, IEEE Access 11).

Trained by HamadYA/GhostFaceNets (MIT), whose ``backbones/ghost_model.py`` this is, with a PReLU in
place of each ReLU.
"""

from __future__ import annotations

from typing import NamedTuple

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch, Value

__all__ = ["convert", "draw"]


class Bottleneck(NamedTuple):
    """A ghost bottleneck: depthwise kernel, stride, channels inside and out, and squeezed."""

    size: int
    strides: int
    inside: int
    out: int
    squeezed: int


BOTTLENECKS = (
    Bottleneck(3, 1, 20, 20, 0),
    Bottleneck(3, 2, 64, 32, 0),
    Bottleneck(3, 1, 92, 32, 0),
    Bottleneck(5, 2, 92, 52, 24),
    Bottleneck(5, 1, 156, 52, 40),
    Bottleneck(3, 2, 312, 104, 0),
    Bottleneck(3, 1, 260, 104, 0),
    Bottleneck(3, 1, 240, 104, 0),
    Bottleneck(3, 1, 240, 104, 0),
    Bottleneck(3, 1, 624, 144, 156),
    Bottleneck(3, 1, 872, 144, 220),
    Bottleneck(5, 2, 872, 208, 220),
    Bottleneck(5, 1, 1248, 208, 0),
    Bottleneck(5, 1, 1248, 208, 312),
    Bottleneck(5, 1, 1248, 208, 0),
    Bottleneck(5, 1, 664, 208, 168),
)


def draw() -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/GhostFaceNet.py`` has it."""
    net = Sketch(112, 112)
    x = net.conv(net.input, 20, 3, padding="same", bias=False)
    x = net.prelu(net.normalise(x))
    for facts in BOTTLENECKS:
        x = _bottleneck(net, x, facts)
    x = net.prelu(net.normalise(net.conv(x, 664, 1, bias=False)))
    x = net.normalise(net.depthwise(x, x.shape[0], name="GDC_dw"), name="GDC_batchnorm")
    x = net.flatten(net.conv(x, 512, 1, name="GDC_conv"))
    end = net.activation(net.normalise(x, name="pre_embedding"), "linear")
    return Net(net, end, end)


def _bottleneck(net: Sketch, inputs: Value, facts: Bottleneck) -> Value:
    x = _ghost(net, inputs, facts.inside, active=True)
    if facts.strides > 1:
        x = net.depthwise(x, facts.size, strides=facts.strides, padding="same")
        x = net.normalise(x)
    if facts.squeezed:
        x = _squeeze(net, x, facts.squeezed)
    x = _ghost(net, x, facts.out, active=False)
    shortcut = inputs
    if facts.strides > 1 or facts.out != inputs.shape[2]:
        shortcut = net.depthwise(inputs, facts.size, strides=facts.strides, padding="same")
        shortcut = net.conv(net.normalise(shortcut), facts.out, 1, bias=False)
        shortcut = net.normalise(shortcut)
    return net.add(shortcut, x)


def _ghost(net: Sketch, x: Value, out: int, *, active: bool) -> Value:
    """Half of the channels by a convolution, the other half from those, one by one."""
    first = net.normalise(net.conv(x, out // 2, 1, padding="same", bias=False))
    first = net.prelu(first) if active else first
    second = net.normalise(net.depthwise(first, 3, padding="same"))
    return net.join(first, net.prelu(second) if active else second)


def _squeeze(net: Sketch, x: Value, squeezed: int) -> Value:
    """Squeeze and excitation."""
    gate = net.prelu(net.conv(net.pixel(net.mean(x)), squeezed, 1))
    gate = net.function(net.conv(gate, x.shape[2], 1), "HardSigmoid")
    return net.multiply(x, gate)


def convert(source: bytes) -> bytes:
    """512 numbers of an image of 112 by 112; raises what ``import_weights`` does."""
    return import_weights(source, draw, called="GhostFaceNet")
