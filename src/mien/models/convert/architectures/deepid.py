"""DeepID (Sun, Wang and Tang 2014, CVPR) as ruoyiran/DeepID trained it on YouTube Faces."""

from __future__ import annotations

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch

__all__ = ["convert", "draw"]


def draw() -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/DeepID.py`` has it."""
    net = Sketch(55, 47)
    x = net.input
    for step, (filters, size) in enumerate([(20, 4), (40, 3), (60, 3)], 1):
        x = net.conv(x, filters, size, activation="relu", name=f"Conv{step}")
        x = net.dropout(net.pool(x, 2, strides=2))
    third = net.dense(net.flatten(x), 160, name="fc11")
    x = net.conv(x, 80, 2, activation="relu", name="Conv4")
    fourth = net.dense(net.flatten(x), 160, name="fc12")
    end = net.activation(net.add(third, fourth), "relu")
    return Net(net, end, end)


def convert(source: bytes) -> bytes:
    """160 numbers of an image 55 high and 47 wide; raises what ``import_weights`` does."""
    return import_weights(source, draw, called="DeepID")
