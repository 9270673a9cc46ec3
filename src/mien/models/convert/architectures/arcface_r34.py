"""ArcFace (Deng, Guo, Xue and Zafeiriou 2019, CVPR) on a ResNet-34.

Trained by leondgarse/Keras_insightface (MIT), whose ``resnet_model.py`` this is.
"""

from __future__ import annotations

from mien.models.convert.architectures.importing import Net, import_weights
from mien.models.convert.architectures.sketch import Sketch, Value

__all__ = ["convert", "draw"]

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))
"""Filters and blocks of each stage; a stage's first block halves the image."""


def draw() -> Net:
    """The net, as ``deepface/models/facial_recognition/tf/ArcFace.py`` has it."""
    net = Sketch(112, 112, epsilon=2e-5)
    x = net.conv(net.pad(net.input, 1), 64, 3, bias=False, name="conv1_conv")
    x = net.prelu(net.normalise(x, name="conv1_bn"), name="conv1_prelu")
    for stage, (filters, blocks) in enumerate(STAGES, 2):
        for block in range(1, blocks + 1):
            x = _block(net, x, filters, first=block == 1, name=f"conv{stage}_block{block}")
    x = net.flatten(net.dropout(net.normalise(x)))
    end = net.normalise(net.dense(x, 512, name="dense"), name="embedding")
    return Net(net, end, end)


def _block(net: Sketch, x: Value, filters: int, *, first: bool, name: str) -> Value:
    """A residual block; ``first`` of a stage, it halves the image."""
    strides = 2 if first else 1
    shortcut = x
    if first:
        shortcut = net.conv(x, filters, 1, strides=2, bias=False, name=f"{name}_0_conv")
        shortcut = net.normalise(shortcut, name=f"{name}_0_bn")
    x = net.pad(net.normalise(x, name=f"{name}_1_bn"), 1)
    x = net.conv(x, filters, 3, bias=False, name=f"{name}_1_conv")
    x = net.prelu(net.normalise(x, name=f"{name}_2_bn"), name=f"{name}_1_prelu")
    x = net.conv(net.pad(x, 1), filters, 3, strides=strides, bias=False, name=f"{name}_2_conv")
    return net.add(shortcut, net.normalise(x, name=f"{name}_3_bn"))


def convert(source: bytes) -> bytes:
    """512 numbers of an image of 112 by 112; raises what ``import_weights`` does."""
    return import_weights(source, draw, called="ArcFace")
