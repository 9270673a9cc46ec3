"""OpenFace nn4.small2.v1 (Amos, Ludwiczuk and Satyanarayanan 2016, CMU-CS-16-118).

Trained by cmusatyalab/openface (Apache-2.0); in Keras by iwantooxxoox/Keras-OpenFace (MIT).
"""

from __future__ import annotations

from typing import NamedTuple

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch, Value

__all__ = ["convert", "draw"]


class Reduced(NamedTuple):
    """A branch of two convolutions: channels inside and out, and the stride of the second."""

    inside: int
    out: int
    strides: int = 1


def draw() -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/OpenFace.py`` has it."""
    net = Sketch(96, 96, epsilon=1e-5)
    x = _unit(net, net.pad(net.input, 3), 64, 7, ("conv1", "bn1"), strides=2)
    x = net.pool(net.pad(x, 1), 3, strides=2)
    x = net.function(x, "LocalResponse", alpha=1e-4, beta=0.75)
    x = _unit(net, x, 64, 1, ("conv2", "bn2"))
    x = _unit(net, net.pad(x, 1), 192, 3, ("conv3", "bn3"))
    x = net.function(x, "LocalResponse", alpha=1e-4, beta=0.75)
    x = net.pool(net.pad(x, 1), 3, strides=2)
    x = _inception_3a(net, x)
    x = _inception_3b(net, x)
    x = _shrinking(net, x, Reduced(128, 256, 2), Reduced(32, 64, 2), "inception_3c")
    x = _inception_4a(net, x)
    x = _shrinking(net, x, Reduced(160, 256, 2), Reduced(64, 128, 2), "inception_4e")
    x = _inception_5(net, x, "inception_5a", root=True)
    x = _inception_5(net, x, "inception_5b", root=False)
    x = net.flatten(net.pool(x, 3, strides=1, kind="Average"))
    end = net.function(net.dense(x, 128, name="dense_layer"), "UnitLength")
    return Net(net, end, end)


def _unit(
    net: Sketch, x: Value, filters: int, size: int, names: tuple[str, str], *, strides: int = 1
) -> Value:
    """A convolution with batch normalisation and ReLU."""
    x = net.conv(x, filters, size, strides=strides, name=names[0])
    return net.activation(net.normalise(x, name=names[1]), "relu")


def _branch(net: Sketch, x: Value, size: int, facts: Reduced, name: str) -> Value:
    """A 1 x 1 convolution, then one of ``size``, padded."""
    own = f"{name}_{size}x{size}"
    x = _unit(net, x, facts.inside, 1, (f"{own}_conv1", f"{own}_bn1"))
    names = (f"{own}_conv2", f"{own}_bn2")
    return _unit(net, net.pad(x, size // 2), facts.out, size, names, strides=facts.strides)


def _one(net: Sketch, x: Value, filters: int, name: str) -> Value:
    return _unit(net, x, filters, 1, (f"{name}_conv", f"{name}_bn"))


def _root_pool(net: Sketch, x: Value) -> Value:
    """The root of the sum of squares: Torch's pooling with the norm 2."""
    x = net.pool(net.function(x, "Square"), 3, strides=3, kind="Average")
    return net.function(net.function(x, "Scale", factor=9.0), "SquareRoot")


def _inception_3a(net: Sketch, x: Value) -> Value:
    name = "inception_3a"
    return net.join(
        _branch(net, x, 3, Reduced(96, 128), name),
        _branch(net, x, 5, Reduced(16, 32), name),
        net.pad(_one(net, net.pool(x, 3, strides=2), 32, f"{name}_pool"), 3, 4),
        _one(net, x, 64, f"{name}_1x1"),
    )


def _inception_3b(net: Sketch, x: Value) -> Value:
    name = "inception_3b"
    return net.join(
        _branch(net, x, 3, Reduced(96, 128), name),
        _branch(net, x, 5, Reduced(32, 64), name),
        net.pad(_one(net, _root_pool(net, x), 64, f"{name}_pool"), 4),
        _one(net, x, 64, f"{name}_1x1"),
    )


def _inception_4a(net: Sketch, x: Value) -> Value:
    name = "inception_4a"
    return net.join(
        _branch(net, x, 3, Reduced(96, 192), name),
        _branch(net, x, 5, Reduced(32, 64), name),
        net.pad(_one(net, _root_pool(net, x), 128, f"{name}_pool"), 2),
        _one(net, x, 256, f"{name}_1x1"),
    )


def _shrinking(net: Sketch, x: Value, three: Reduced, five: Reduced, name: str) -> Value:
    """An inception that halves the image."""
    return net.join(
        _branch(net, x, 3, three, name),
        _branch(net, x, 5, five, name),
        net.pad(net.pool(x, 3, strides=2), 0, 1),
    )


def _inception_5(net: Sketch, x: Value, name: str, *, root: bool) -> Value:
    pooled = _root_pool(net, x) if root else net.pool(x, 3, strides=2)
    return net.join(
        _branch(net, x, 3, Reduced(96, 384), name),
        net.pad(_one(net, pooled, 96, f"{name}_pool"), 1),
        _one(net, x, 256, f"{name}_1x1"),
    )


def convert(source: bytes) -> bytes:
    """128 numbers of an image of 96 by 96; raises what ``import_weights`` does."""
    return import_weights(source, draw, called="OpenFace")
