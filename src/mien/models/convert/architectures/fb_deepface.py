"""DeepFace (Taigman, Yang, Ranzato and Wolf 2014, CVPR) as swghosh/DeepFace trained it (MIT)."""

from __future__ import annotations

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch
from mien.models.convert.zip_member import only_member

__all__ = ["convert", "draw"]


def draw() -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/FbDeepFace.py`` has it."""
    net = Sketch(152, 152)
    x = net.conv(net.input, 32, 11, activation="relu", name="C1")
    x = net.pool(x, 3, strides=2, padding="same")
    x = net.conv(x, 16, 9, activation="relu", name="C3")
    x = net.local(x, 16, 9, name="L4")
    x = net.local(x, 16, 7, strides=2, name="L5")
    x = net.local(x, 16, 5, name="L6")
    f7 = net.dense(net.flatten(x), 4096, activation="relu", name="F7")
    return Net(net, net.dense(net.dropout(f7), 8631, activation="softmax", name="F8"), f7)


def convert(source: bytes) -> bytes:
    """4096 numbers of an image of 152 by 152, from the published zip file.

    Raises:
        ConversionError: not a zip file of one .h5 file, or what ``import_weights`` raises.
    """
    return import_weights(only_member(source, ".h5"), draw, called="DeepFace")
