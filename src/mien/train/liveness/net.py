"""The student's net in torch: two slim MiniFASNets, each begun as a thinned copy of its teacher.

Source of the architecture: minivision-ai, Silent-Face-Anti-Spoofing (Apache-2.0),
``src/model_lib/MiniFASNet.py``. What differs: inner channels are fewer, and each layer has one
slope below zero instead of one a channel, so that every runtime joins it to the convolution.
"""

# mypy: disable-error-code="misc,no-untyped-call,no-any-return"
from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

__all__ = ["BLOCKS", "DOWN", "Trunk", "thinned", "trunk_like"]

Tensors = Mapping[str, NDArray[np.float32]]

BLOCKS = {"conv_3": 4, "conv_4": 6, "conv_5": 2}
DOWN = {"conv_3": "conv_23", "conv_4": "conv_34", "conv_5": "conv_45"}
"""The layer before each stage, which halves the picture."""
MULTIPLE = 8
"""Widths are multiples of it: runtimes compute so many channels at once."""


class Block(nn.Module):
    """A convolution, its normalisation, and a slope below zero."""

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        pad: int | None = None,
        slope: float | None = 0.25,
    ) -> None:
        super().__init__()
        around = kernel // 2 if pad is None else pad
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, around, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out)
        self.slope = slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(x))
        return x if self.slope is None else nn.functional.leaky_relu(x, self.slope)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.fc2 = nn.Conv2d(inner, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        gate = torch.relu(self.bn1(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(self.bn2(self.fc2(gate)))


class Bottleneck(nn.Module):
    """Wider, a convolution of each channel, narrower; with ``residual``, added to what came in."""

    def __init__(
        self,
        c_in: int,
        inner: int,
        c_out: int,
        *,
        stride: int = 1,
        gate: int = 0,
        residual: bool = False,
    ) -> None:
        super().__init__()
        self.conv = Block(c_in, inner, 1)
        self.conv_dw = Block(inner, inner, 3, stride=stride, groups=inner)
        self.project = Block(inner, c_out, 1, slope=None)
        self.se_module = Gate(c_out, gate) if gate else None
        self.residual = residual

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.project(self.conv_dw(self.conv(x)))
        if self.se_module is not None:
            out = self.se_module(out)
        return x + out if self.residual else out


class Stage(nn.Module):
    """Bottlenecks, one after the other."""

    def __init__(self, blocks: list[Bottleneck]) -> None:
        super().__init__()
        self.model = nn.Sequential(*blocks)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class Trunk(nn.Module):
    """One slim MiniFASNet: ``(n, 3, 80, 80)`` BGR 0..255 in, logits ``(n, 3)`` out.

    Args:
        width: channels inside each bottleneck and of the last layers, by name.
        gates: inner channels of the bottlenecks that weigh their channels.
    """

    def __init__(self, width: Mapping[str, int], gates: Mapping[str, int]) -> None:
        super().__init__()
        self.conv1 = Block(3, 32, 3, stride=2)
        self.conv2_dw = Block(32, 32, 3, groups=32)
        channels = 32
        for stage, count in BLOCKS.items():
            down, wide = DOWN[stage], 64 if stage == "conv_3" else 128
            setattr(self, down, Bottleneck(channels, width[down], wide, stride=2))
            names = [f"{stage}.model.{index}" for index in range(count)]
            blocks = [
                Bottleneck(wide, width[name], wide, gate=gates.get(name, 0), residual=True)
                for name in names
            ]
            setattr(self, stage, Stage(blocks))
            channels = wide
        last = width["conv_6"]
        self.conv_6_sep = Block(channels, last, 1)
        self.conv_6_dw = Block(last, last, 5, groups=last, pad=0, slope=None)
        self.linear = nn.Linear(last, 128, bias=False)
        self.bn = nn.BatchNorm1d(128)
        self.drop = nn.Dropout(0.2)
        self.prob = nn.Linear(128, 3, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2_dw(self.conv1(x))
        for stage in BLOCKS:
            x = getattr(self, stage)(getattr(self, DOWN[stage])(x))
        x = self.conv_6_dw(self.conv_6_sep(x)).flatten(1)
        return self.prob(self.drop(self.bn(self.linear(x))))


def trunk_like(teacher: Tensors, *, keep: float) -> Trunk:
    """A trunk of random numbers with ``keep`` times the inner channels of a published net."""
    names = [*DOWN.values(), *(f"{s}.model.{i}" for s, n in BLOCKS.items() for i in range(n))]
    inner = {name: len(teacher[f"{name}.conv.conv.weight"]) for name in names}
    inner["conv_6"] = len(teacher["conv_6_sep.conv.weight"])
    width = {name: _rounded(count, keep) for name, count in inner.items()}
    gate = "{}.se_module.fc1.weight"
    gates = {
        name: len(teacher[gate.format(name)]) for name in names if gate.format(name) in teacher
    }
    return Trunk(width, gates)


def thinned(teacher: Tensors, images: torch.Tensor, *, keep: float) -> Trunk:
    """A trunk that keeps the inner channels that matter most, weights and all.

    A channel matters by how much it adds to what comes out of its bottleneck on ``images``: the
    root mean square of its activation times the length of its outgoing weights.

    Args:
        teacher: tensors of a published checkpoint, by their names without ``module.``.
        images: ``(n, 3, 80, 80)`` BGR 0..255.
        keep: share of the inner channels that stay.
    """
    full = trunk_like(teacher, keep=1.0)
    _copy(full, teacher, {})
    wide = {name: index for name, index in _inner(teacher, full).items() if index is not None}
    seen = _power(full, images, wide)
    slim = trunk_like(teacher, keep=keep)
    kept = {
        name: np.sort(np.argsort(-seen[name] * _outgoing(teacher, name))[: _width(slim, name)])
        for name in wide
    }
    _copy(slim, teacher, kept)
    return slim


def _rounded(count: int, keep: float) -> int:
    if keep >= 1:
        return count
    return max(MULTIPLE, min(count, MULTIPLE * round(count * keep / MULTIPLE)))


def _inner(teacher: Tensors, net: Trunk) -> dict[str, str | None]:
    names = [
        name.removesuffix(".conv.conv.weight")
        for name in teacher
        if name.endswith(".conv.conv.weight")
    ]
    return {**{name: f"{name}.conv_dw" for name in names}, "conv_6": "conv_6_dw"}


def _outgoing(teacher: Tensors, name: str) -> NDArray[np.float32]:
    out = "linear.weight" if name == "conv_6" else f"{name}.project.conv.weight"
    weight = teacher[out]
    return np.sqrt((weight.reshape(len(weight), -1) ** 2).sum(0))


def _width(net: Trunk, name: str) -> int:
    layer = "conv_6_dw" if name == "conv_6" else f"{name}.conv_dw"
    return int(net.get_submodule(layer).conv.out_channels)


def _power(
    net: Trunk, images: torch.Tensor, layers: Mapping[str, str | None]
) -> dict[str, NDArray[np.float32]]:
    """Root mean square of the activation of each inner channel."""
    found: dict[str, NDArray[np.float32]] = {}

    def watch(name: str) -> Callable[..., None]:
        def hook(_module: object, _given: object, out: torch.Tensor) -> None:
            found[name] = out.square().mean((0, 2, 3)).sqrt().numpy()

        return hook

    hooks = [
        net.get_submodule(layer).register_forward_hook(watch(name))
        for name, layer in layers.items()
        if layer is not None
    ]
    net.eval()
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()
    return found


def _copy(net: Trunk, teacher: Tensors, kept: Mapping[str, NDArray[np.intp]]) -> None:
    """The teacher's weights, of the kept inner channels; slopes become their layer's mean."""
    state = net.state_dict()
    for name in state:
        if name.endswith("num_batches_tracked"):
            continue
        value = np.asarray(teacher[name], np.float32)
        for inner, index in kept.items():
            if inner == "conv_6":
                if name.startswith(("conv_6_sep", "conv_6_dw")):
                    value = value[index]
                elif name == "linear.weight":
                    value = value[:, index]
            elif name.startswith((f"{inner}.conv.", f"{inner}.conv_dw.")):
                value = value[index]
            elif name == f"{inner}.project.conv.weight":
                value = value[:, index]
        state[name] = torch.from_numpy(np.ascontiguousarray(value))
    net.load_state_dict(state)
    for name, module in net.named_modules():
        if isinstance(module, Block) and module.slope is not None:
            slopes = teacher[f"{name}.prelu.weight"]
            for inner, index in kept.items():
                if name in (f"{inner}.conv", f"{inner}.conv_dw") or (
                    inner == "conv_6" and name == "conv_6_sep"
                ):
                    slopes = slopes[index]
            module.slope = float(np.mean(slopes))
