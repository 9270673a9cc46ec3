"""The student's net in torch: two slim MiniFASNets, each begun as a thinned copy of its teacher.

Source of the architecture: minivision-ai, Silent-Face-Anti-Spoofing (Apache-2.0),
``src/model_lib/MiniFASNet.py``. What differs: inner channels are fewer, the last two layers are
one, and each layer has one slope below zero instead of one a channel, so that every runtime joins
it to the convolution.
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
NARROW = 64
"""Layers with fewer inner channels keep them all: they cost little."""
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
        slope: float | torch.Tensor | None = 0.25,
    ) -> None:
        super().__init__()
        around = kernel // 2 if pad is None else pad
        self.conv = nn.Conv2d(c_in, c_out, kernel, stride, around, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c_out)
        self.slope = slope

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn(self.conv(x))
        if self.slope is None:
            return x
        if isinstance(self.slope, torch.Tensor):
            return nn.functional.prelu(x, self.slope)
        return nn.functional.leaky_relu(x, self.slope)


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
        width: channels inside each bottleneck, and of the last layers (``conv_6``), by name.
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
        self.head = nn.Linear(last, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits ``(n, 3)``."""
        return self.head(self.features(x))

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the head looks at, ``(n, last)``."""
        x = self.conv2_dw(self.conv1(x))
        for stage in BLOCKS:
            x = getattr(self, stage)(getattr(self, DOWN[stage])(x))
        return self.conv_6_dw(self.conv_6_sep(x)).flatten(1)


def trunk_like(teacher: Tensors, *, keep: float) -> Trunk:
    """A trunk of random numbers with ``keep`` times the inner channels of a published net."""
    names = [*DOWN.values(), *(f"{s}.model.{i}" for s, n in BLOCKS.items() for i in range(n))]
    inner = {name: len(teacher[f"{name}.conv.conv.weight"]) for name in names}
    width = {name: _rounded(count, keep) for name, count in inner.items()}
    width["conv_6"] = len(teacher["conv_6_sep.conv.weight"])
    gate = "{}.se_module.fc1.weight"
    gates = {
        name: len(teacher[gate.format(name)]) for name in names if gate.format(name) in teacher
    }
    return Trunk(width, gates)


def thinned(teacher: Tensors, images: torch.Tensor, *, keep: float) -> Trunk:
    """A trunk that keeps the inner channels that matter most, weights and all.

    A channel matters by how much it adds to what comes out of its bottleneck on ``images``: the
    root mean square of its activation times the length of its outgoing weights. What goes out of
    a bottleneck is then fitted to the teacher's, layer by layer (He, Zhang, Sun, "Channel Pruning
    for Accelerating Very Deep Neural Networks", ICCV 2017).

    Args:
        teacher: tensors of a published checkpoint, by their names without ``module.``.
        images: ``(n, 3, 80, 80)`` BGR 0..255.
        keep: share of the inner channels that stay.
    """
    full = trunk_like(teacher, keep=1.0).eval()
    _copy(full, teacher, {}, exact=True)
    layers = _inner_layers(teacher)
    seen = _power(full, images, layers)
    slim = trunk_like(teacher, keep=keep).eval()
    kept = {
        name: np.sort(np.argsort(-seen[name] * _outgoing(teacher, name))[: _width(slim, layer)])
        for name, layer in layers.items()
    }
    _copy(slim, teacher, kept)
    with torch.no_grad():
        _refit(slim, full, images)
    return slim


def _refit(slim: Trunk, full: Trunk, images: torch.Tensor) -> None:
    """Fit what goes out of each layer of ``slim`` to what goes out of ``full``'s, in order."""
    here = there = images
    for name in ("conv1", "conv2_dw"):
        here, there = getattr(slim, name)(here), getattr(full, name)(there)
    for stage in BLOCKS:
        pairs = [(getattr(slim, DOWN[stage]), getattr(full, DOWN[stage]))]
        pairs += zip(getattr(slim, stage).model, getattr(full, stage).model, strict=True)
        for mine, other in pairs:
            wanted = other.project(other.conv_dw(other.conv(there)))
            if other.residual and other.se_module is None:
                wanted = wanted + there - here
            inner = mine.conv_dw(mine.conv(here))
            _fit_conv(mine.project, inner, wanted)
            here, there = mine(here), other(there)


def _fit_conv(block: Block, inner: torch.Tensor, wanted: torch.Tensor) -> None:
    rows, targets = (x.permute(0, 2, 3, 1).flatten(0, 2) for x in (inner, wanted))
    weight, shift = _least_squares(rows, targets)
    block.conv.weight.copy_(weight[:, :, None, None])
    _set_norm(block.bn, rows @ weight.T, shift)


def _least_squares(rows: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights ``(out, in)`` and shift ``(out,)``, with a little ridge."""
    x, y = rows.double(), wanted.double()
    x0, y0 = x.mean(0), y.mean(0)
    gram = (x - x0).T @ (x - x0)
    ridge = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram), dtype=gram.dtype)
    weight = torch.linalg.solve(gram + ridge, (x - x0).T @ (y - y0)).T
    return weight.float(), (y0 - weight @ x0).float()


def _set_norm(norm: nn.Module, values: torch.Tensor, shift: torch.Tensor) -> None:
    """A normalisation that adds ``shift`` and changes nothing else, with true statistics."""
    mean, variance = values.mean(0), values.var(0, unbiased=False)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(shift + mean)


def _rounded(count: int, keep: float) -> int:
    if keep >= 1 or count < NARROW:
        return count
    return max(MULTIPLE, min(count, MULTIPLE * round(count * keep / MULTIPLE)))


def _inner_layers(teacher: Tensors) -> dict[str, str]:
    """The bottlenecks, and where their inner channels can be seen."""
    ending = ".conv.conv.weight"
    names = [name.removesuffix(ending) for name in teacher if name.endswith(ending)]
    return {name: f"{name}.conv_dw" for name in names}


def _outgoing(teacher: Tensors, name: str) -> NDArray[np.float32]:
    weight = teacher[f"{name}.project.conv.weight"]
    return np.sqrt((weight.reshape(len(weight), -1) ** 2).sum(0))


def _width(net: Trunk, layer: str) -> int:
    return int(net.get_submodule(layer).conv.out_channels)


def _power(
    net: Trunk, images: torch.Tensor, layers: Mapping[str, str]
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
    ]
    net.eval()
    with torch.no_grad():
        net(images)
    for hook in hooks:
        hook.remove()
    return found


def _copy(
    net: Trunk,
    teacher: Tensors,
    kept: Mapping[str, NDArray[np.intp]],
    *,
    exact: bool = False,
) -> None:
    """The teacher's weights, of the kept inner channels; slopes become their layer's mean.

    Its last two layers have nothing but a normalisation between them: they are one here.

    With ``exact``, each channel keeps its own slope.
    """
    state = net.state_dict()
    for name in state:
        if name.endswith("num_batches_tracked") or name.startswith("head"):
            continue
        value = np.asarray(teacher[name], np.float32)
        for inner, index in kept.items():
            if name.startswith((f"{inner}.conv.", f"{inner}.conv_dw.")):
                value = value[index]
            elif name == f"{inner}.project.conv.weight":
                value = value[:, index]
        state[name] = torch.from_numpy(np.ascontiguousarray(value))
    scale = teacher["bn.weight"] / np.sqrt(teacher["bn.running_var"] + 1e-5)
    shift = teacher["bn.bias"] - teacher["bn.running_mean"] * scale
    weight = teacher["prob.weight"] @ (scale[:, None] * teacher["linear.weight"])
    state["head.weight"] = torch.from_numpy(weight.astype(np.float32))
    state["head.bias"] = torch.from_numpy((teacher["prob.weight"] @ shift).astype(np.float32))
    net.load_state_dict(state)
    for name, module in net.named_modules():
        if isinstance(module, Block) and module.slope is not None:
            slopes = teacher[f"{name}.prelu.weight"]
            for inner, index in kept.items():
                if name in (f"{inner}.conv", f"{inner}.conv_dw"):
                    slopes = slopes[index]
            module.slope = torch.from_numpy(slopes.reshape(-1)) if exact else float(slopes.mean())
