"""VGG-Face (Parkhi, Vedaldi and Zisserman 2015, BMVC): VGG-16 with 2622 people."""

from __future__ import annotations

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch

__all__ = ["convert", "draw"]

BLOCKS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""Filters and convolutions of each block."""


def draw() -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/VGGFace.py`` has it."""
    net = Sketch(224, 224)
    x = net.input
    for block, (filters, times) in enumerate(BLOCKS, 1):
        for step in range(1, times + 1):
            x = net.conv(net.pad(x, 1), filters, 3, activation="relu", name=f"conv{block}_{step}")
        x = net.pool(x, 2, strides=2)
    x = net.dropout(net.conv(x, 4096, 7, activation="relu", name="fc6"))
    fc7 = net.conv(x, 4096, 1, activation="relu", name="fc7")
    classes = net.flatten(net.conv(net.dropout(fc7), 2622, 1, name="fc8"))
    return Net(net, net.activation(classes, "softmax"), net.flatten(fc7))


def convert(source: bytes) -> bytes:
    """4096 numbers of an image of 224 by 224; raises what ``import_weights`` does."""
    return import_weights(source, draw, called="VGG-Face")
