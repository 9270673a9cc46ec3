"""FaceNet (Schroff, Kalenichenko and Philbin 2015, CVPR) on an Inception-ResNet v1.

Trained by davidsandberg/facenet (MIT); in Keras by nyoki-mtl/keras-facenet (MIT).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch, Value

__all__ = ["convert_128", "convert_512", "draw"]


class Unit(NamedTuple):
    """A convolution with batch normalisation and ReLU."""

    filters: int
    size: int | tuple[int, int]
    strides: int = 1
    padding: str = "same"


STEM = (Unit(32, 3, 2, "valid"), Unit(32, 3, 1, "valid"), Unit(64, 3))
STEM_AFTER_POOL = (Unit(80, 1, 1, "valid"), Unit(192, 3, 1, "valid"), Unit(256, 3, 2, "valid"))
BLOCK35 = ((Unit(32, 1),), (Unit(32, 1), Unit(32, 3)), (Unit(32, 1), Unit(32, 3), Unit(32, 3)))
BLOCK17 = ((Unit(128, 1),), (Unit(128, 1), Unit(128, (1, 7)), Unit(128, (7, 1))))
BLOCK8 = ((Unit(192, 1),), (Unit(192, 1), Unit(192, (1, 3)), Unit(192, (3, 1))))
MIXED_6A = ((Unit(384, 3, 2, "valid"),), (Unit(192, 1), Unit(192, 3), Unit(256, 3, 2, "valid")))
MIXED_7A = (
    (Unit(256, 1), Unit(384, 3, 2, "valid")),
    (Unit(256, 1), Unit(256, 3, 2, "valid")),
    (Unit(256, 1), Unit(256, 3), Unit(256, 3, 2, "valid")),
)

Branches = Sequence[Sequence[Unit]]


def draw(length: int) -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/Facenet.py`` has it."""
    net = Sketch(160, 160)
    x = _chain(net, net.input, STEM, "Conv2d_1")
    x = _chain(net, net.pool(x, 3, strides=2), STEM_AFTER_POOL, "Conv2d_3")
    for block in range(1, 6):
        x = net.activation(_residual(net, x, BLOCK35, 0.17, f"Block35_{block}"), "relu")
    x = _reduce(net, x, MIXED_6A, "Mixed_6a")
    for block in range(1, 11):
        x = net.activation(_residual(net, x, BLOCK17, 0.1, f"Block17_{block}"), "relu")
    x = _reduce(net, x, MIXED_7A, "Mixed_7a")
    for block in range(1, 6):
        x = net.activation(_residual(net, x, BLOCK8, 0.2, f"Block8_{block}"), "relu")
    x = _residual(net, x, BLOCK8, 1.0, "Block8_6")
    x = net.dense(net.dropout(net.mean(x)), length, bias=False, name="Bottleneck")
    end = net.normalise(x, scale=False, name="Bottleneck_BatchNorm")
    return Net(net, end, end)


def _chain(net: Sketch, x: Value, units: Sequence[Unit], name: str) -> Value:
    for step, (filters, size, strides, padding) in enumerate(units):
        own = f"{name}_{step}"
        x = net.conv(x, filters, size, strides=strides, padding=padding, bias=False, name=own)
        x = net.activation(net.normalise(x, scale=False, name=f"{own}_BatchNorm"), "relu")
    return x


def _branches(net: Sketch, x: Value, branches: Branches, name: str) -> list[Value]:
    return [
        _chain(net, x, units, f"{name}_Branch_{branch}") for branch, units in enumerate(branches)
    ]


def _residual(net: Sketch, x: Value, branches: Branches, scale: float, name: str) -> Value:
    mixed = net.join(*_branches(net, x, branches, name))
    up = net.conv(mixed, x.shape[2], 1, padding="same", name=f"{name}_Conv2d_1x1")
    return net.add(x, net.function(up, "Scale", factor=scale))


def _reduce(net: Sketch, x: Value, branches: Branches, name: str) -> Value:
    return net.join(*_branches(net, x, branches, name), net.pool(x, 3, strides=2))


def convert_128(source: bytes) -> bytes:
    """128 numbers of an image of 160 by 160; raises what ``import_weights`` does."""
    return import_weights(source, partial(draw, 128), called="FaceNet (128)")


def convert_512(source: bytes) -> bytes:
    """512 numbers of an image of 160 by 160; raises what ``import_weights`` does."""
    return import_weights(source, partial(draw, 512), called="FaceNet (512)")
