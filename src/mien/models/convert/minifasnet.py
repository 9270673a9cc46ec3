"""MiniFASNet, from the published PyTorch checkpoints to ONNX, without PyTorch.

Source: minivision-ai, Silent-Face-Anti-Spoofing (Apache-2.0), ``src/model_lib/MiniFASNet.py``: a
slimmed MobileFaceNet for crops of 80 x 80 pixels; the SE variants weigh the channels of the last
block of each stage (Hu, Shen, Sun, "Squeeze-and-Excitation Networks", CVPR 2018). How wide the
layers are and which blocks weigh their channels is read from the file, so that one builder makes
V1, V2 and their SE variants.
"""

# ruff: noqa: ANN401  (onnx has no types)
from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from mien.errors import ConversionError
from mien.models.convert.torch import read_tensors

__all__ = ["convert"]

OPSET = 17
IR_VERSION = 8
EPSILON = 1e-5
SIDE = 80

# What a net trained on several devices puts before every name. Only there: the blocks that weigh
# channels are called `se_module`, and a `module.` cut out of the middle would lose them.
PREFIX = "module."

BLOCKS = {"conv_3": 4, "conv_4": 6, "conv_5": 2}


def convert(source: bytes) -> bytes:
    """The net as ONNX: ``image`` (n, 3, 80, 80) BGR 0..255 in, ``logit`` (n, 3) out.

    Class 1 is a live face; the others are attacks.

    Args:
        source: bytes of ``2.7_80x80_MiniFASNetV2.pth`` or ``4_0_0_80x80_MiniFASNetV1SE.pth``.

    Raises:
        ConversionError: not such a checkpoint, or one with layers that the net does not have.
    """
    found = {name.removeprefix(PREFIX): tensor for name, tensor in read_tensors(source).items()}
    try:
        graph = _Graph(found)
        _draw(graph)
        graph.check_all_used()
        model = graph.model()
        onnx.checker.check_model(model, full_check=True)
        result: bytes = model.SerializeToString(deterministic=True)
    except ConversionError:
        raise
    except Exception as error:  # a missing layer, or one of another shape: numpy's, onnx's
        raise ConversionError(
            f"The checkpoint is not one of MiniFASNet ({type(error).__name__})."
        ) from error
    return result


def _draw(graph: _Graph) -> None:
    """All layers, in the order of ``MiniFASNet.forward``."""
    at = graph.block("conv1", "image", stride=2)
    at = graph.block("conv2_dw", at)
    for down, stage in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
        at = graph.depthwise(down, at, stride=2)
        for index in range(BLOCKS[stage]):
            name = f"{stage}.model.{index}"
            inner = graph.depthwise(name, at)
            if graph.has(f"{name}.se_module.fc1.weight"):
                inner = graph.weigh_channels(f"{name}.se_module", inner)
            at = graph.add("Add", [at, inner], name)
    at = graph.block("conv_6_sep", at)
    at = graph.block("conv_6_dw", at, pad=0)
    at = graph.add("Flatten", [at], "flat")
    at = graph.dense("linear", at, "linear")
    at = graph.norm("bn", at)
    graph.dense("prob", at, "logit")


class _Graph:
    """Nodes and weights, as they are added."""

    def __init__(self, tensors: dict[str, NDArray[Any]]) -> None:
        self._tensors = tensors
        self._nodes: list[Any] = []
        self._weights: dict[str, NDArray[np.float32]] = {}

    def has(self, tensor: str) -> bool:
        """Whether the checkpoint has it."""
        return tensor in self._tensors

    def add(self, kind: str, inputs: list[str], output: str, **facts: Any) -> str:
        """A node; the name of its value."""
        self._nodes.append(helper.make_node(kind, inputs, [output], **facts))
        return output

    def block(self, name: str, at: str, *, stride: int = 1, pad: int | None = None) -> str:
        """A convolution, its normalisation and, where the file has its slopes, a PReLU."""
        at = self.norm(f"{name}.bn", self.conv(f"{name}.conv", at, stride=stride, pad=pad))
        if not self.has(f"{name}.prelu.weight"):
            return at
        slope = self._tensors[f"{name}.prelu.weight"].reshape(-1, 1, 1)
        weight = self._weight(f"{name}.prelu.weight", slope)
        return self.add("PRelu", [at, weight], f"{name}.prelu")

    def depthwise(self, name: str, at: str, *, stride: int = 1) -> str:
        """A bottleneck: wider, a convolution of each channel, narrower."""
        at = self.block(f"{name}.conv", at)
        at = self.block(f"{name}.conv_dw", at, stride=stride)
        return self.block(f"{name}.project", at)

    def weigh_channels(self, name: str, at: str) -> str:
        """Squeeze and excitation."""
        gate = self.add("GlobalAveragePool", [at], f"{name}.mean")
        gate = self.norm(f"{name}.bn1", self.conv(f"{name}.fc1", gate))
        gate = self.add("Relu", [gate], f"{name}.relu")
        gate = self.norm(f"{name}.bn2", self.conv(f"{name}.fc2", gate))
        gate = self.add("Sigmoid", [gate], f"{name}.gate")
        return self.add("Mul", [at, gate], name)

    def conv(self, name: str, at: str, *, stride: int = 1, pad: int | None = None) -> str:
        """A convolution without bias, with one group a channel where its kernels are one deep."""
        kernel = self._tensors[f"{name}.weight"]
        groups = len(kernel) if kernel.shape[1] == 1 else 1
        around = kernel.shape[2] // 2 if pad is None else pad
        facts = {"group": groups, "strides": [stride] * 2, "pads": [around] * 4}
        return self.add("Conv", [at, self._weight(f"{name}.weight")], name, **facts)

    def norm(self, name: str, at: str) -> str:
        """Batch normalisation."""
        parts = [
            self._weight(f"{name}.{part}")
            for part in ("weight", "bias", "running_mean", "running_var")
        ]
        return self.add("BatchNormalization", [at, *parts], name, epsilon=EPSILON)

    def dense(self, name: str, at: str, output: str) -> str:
        """A dense layer without bias."""
        return self.add("Gemm", [at, self._weight(f"{name}.weight")], output, transB=1)

    def check_all_used(self) -> None:
        """Refuse a checkpoint with layers that were not drawn: the net would be another one."""
        left = [
            name
            for name in self._tensors
            if name not in self._weights and not name.endswith("num_batches_tracked")
        ]
        if left:
            raise ConversionError(f"MiniFASNet has no layer {min(left)!r}: {len(left)} are left.")

    def model(self) -> Any:
        """The ONNX model."""
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
        logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n", 3])
        weights = [numpy_helper.from_array(value, name) for name, value in self._weights.items()]
        graph = helper.make_graph(self._nodes, "minifasnet", [image], [logit], weights)
        opset = [helper.make_opsetid("", OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)

    def _weight(self, name: str, value: NDArray[Any] | None = None) -> str:
        tensor = self._tensors[name] if value is None else value
        self._weights[name] = np.ascontiguousarray(tensor, np.float32)
        return name
