"""A sketch of a Keras net: its layers, and the shapes of the arrays that they must have.

The published files hold weights alone, listed in the order of the model that wrote them, and their
layers' names are of no use where Keras made them up. So weights are given to layers as Keras does:
the n-th layer with weights of the file to the n-th of the net, in the order in which Keras lists
a net's layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mien.models.convert.keras_graph import Row

__all__ = ["Shape", "Sketch", "Value"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Value:
    """What a layer gives.

    Attributes:
        name: the layer's.
        shape: height, width and channels, or one length.
    """

    name: str
    shape: Shape


class Sketch:
    """A net, layer by layer, as its Keras code writes it: also layers that compute nothing count.

    Args:
        height, width: of the RGB or BGR image that it takes.
        epsilon: of its batch normalisations.

    Attributes:
        input: the image.
        arrays: for each layer with weights, the shapes of its arrays in Keras's order.
    """

    def __init__(self, height: int, width: int, *, epsilon: float = 1e-3) -> None:
        self._rows: dict[str, Row] = {}
        self._epsilon = epsilon
        self.arrays: dict[str, list[Shape]] = {}
        shape = (height, width, 3)
        options = {"batch_input_shape": [None, *shape]}
        self.input = self._layer("InputLayer", shape, (), options, name="image")

    def conv(
        self,
        x: Value,
        filters: int,
        size: int | tuple[int, int],
        *,
        strides: int = 1,
        padding: str = "valid",
        bias: bool = True,
        activation: str = "linear",
        name: str | None = None,
    ) -> Value:
        """``Conv2D``."""
        window = (size, size) if isinstance(size, int) else size
        shape = (*_slid(x.shape, window, strides, padding), filters)
        options = {
            "strides": (strides, strides),
            "padding": padding,
            "use_bias": bias,
            "activation": activation,
        }
        arrays = [(*window, x.shape[2], filters), *([(filters,)] if bias else [])]
        return self._layer("Conv2D", shape, [x], options, arrays=arrays, name=name)

    def depthwise(
        self,
        x: Value,
        size: int,
        *,
        strides: int = 1,
        padding: str = "valid",
        name: str | None = None,
    ) -> Value:
        """``DepthwiseConv2D`` without a bias."""
        shape = (*_slid(x.shape, (size, size), strides, padding), x.shape[2])
        options = {
            "strides": (strides, strides),
            "padding": padding,
            "use_bias": False,
            "activation": "linear",
        }
        arrays = [(size, size, x.shape[2], 1)]
        return self._layer("DepthwiseConv2D", shape, [x], options, arrays=arrays, name=name)

    def local(self, x: Value, filters: int, size: int, *, name: str, strides: int = 1) -> Value:
        """``LocallyConnected2D`` with a ReLU."""
        rows, columns = _slid(x.shape, (size, size), strides, "valid")
        options = {"kernel_size": (size, size), "strides": (strides, strides)}
        kernels = (rows * columns, size * size * x.shape[2], filters)
        shape = (rows, columns, filters)
        return self._layer(
            "LocallyConnected2D", shape, [x], options, arrays=[kernels, shape], name=name
        )

    def normalise(self, x: Value, *, scale: bool = True, name: str | None = None) -> Value:
        """``BatchNormalization``."""
        options = {"scale": scale, "center": True, "epsilon": self._epsilon}
        arrays = [(x.shape[-1],)] * (4 if scale else 3)
        return self._layer("BatchNormalization", x.shape, [x], options, arrays=arrays, name=name)

    def prelu(self, x: Value, *, name: str | None = None) -> Value:
        """``PReLU`` with one slope a channel."""
        options = {"shared_axes": [1, 2]}
        return self._layer("PReLU", x.shape, [x], options, arrays=[(1, 1, x.shape[2])], name=name)

    def dense(
        self,
        x: Value,
        length: int,
        *,
        bias: bool = True,
        activation: str = "linear",
        name: str | None = None,
    ) -> Value:
        """``Dense``."""
        options = {"use_bias": bias, "activation": activation}
        arrays: list[Shape] = [(x.shape[0], length), *([(length,)] if bias else [])]
        return self._layer("Dense", (length,), [x], options, arrays=arrays, name=name)

    def activation(self, x: Value, activation: str) -> Value:
        """``Activation``."""
        return self._layer("Activation", x.shape, [x], {"activation": activation})

    def dropout(self, x: Value) -> Value:
        """``Dropout``."""
        return self._layer("Dropout", x.shape, [x], {})

    def pad(self, x: Value, before: int, after: int | None = None) -> Value:
        """``ZeroPadding2D``, on both axes the same."""
        after = before if after is None else after
        added = before + after
        shape = (x.shape[0] + added, x.shape[1] + added, x.shape[2])
        return self._layer("ZeroPadding2D", shape, [x], {"padding": ((before, after),) * 2})

    def pool(
        self, x: Value, size: int, *, strides: int, padding: str = "valid", kind: str = "Max"
    ) -> Value:
        """``MaxPooling2D`` or ``AveragePooling2D``."""
        shape = (*_slid(x.shape, (size, size), strides, padding), x.shape[2])
        options = {"pool_size": (size, size), "strides": (strides, strides), "padding": padding}
        return self._layer(f"{kind}Pooling2D", shape, [x], options)

    def mean(self, x: Value) -> Value:
        """``GlobalAveragePooling2D``."""
        return self._layer("GlobalAveragePooling2D", x.shape[2:], [x], {})

    def pixel(self, x: Value) -> Value:
        """``Reshape`` of a vector to the channels of one pixel."""
        shape = (1, 1, *x.shape)
        return self._layer("Reshape", shape, [x], {"target_shape": shape})

    def flatten(self, x: Value) -> Value:
        """``Flatten``."""
        length = x.shape[0] * x.shape[1] * x.shape[2]
        return self._layer("Flatten", (length,), [x], {})

    def add(self, *xs: Value) -> Value:
        """``Add``."""
        return self._layer("Add", xs[0].shape, xs, {})

    def multiply(self, x: Value, gate: Value) -> Value:
        """``Multiply``."""
        return self._layer("Multiply", x.shape, [x, gate], {})

    def join(self, *xs: Value) -> Value:
        """``Concatenate`` along the channels."""
        shape = (*xs[0].shape[:2], sum(x.shape[2] for x in xs))
        return self._layer("Concatenate", shape, xs, {"axis": 3})

    def function(self, x: Value, kind: str, **options: float) -> Value:
        """A ``Lambda`` or ``Activation`` layer that ``functions`` knows."""
        return self._layer(kind, x.shape, [x], options)

    def rows(self, end: Value) -> list[Row]:
        """The layers that ``end`` is computed from, in an order of computing."""
        wanted: set[str] = set()
        for row in reversed(self._rows.values()):
            if row.name == end.name or row.name in wanted:
                wanted.update({row.name, *row.takes})
        return [row for row in self._rows.values() if row.name in wanted]

    def keras_order(self, end: Value) -> list[str]:
        """The layers that lead to ``end``, listed as Keras lists them.

        By falling distance from the end (the longest path counts), and at the same distance in
        the order in which a depth-first walk from the end meets them. Source: ``map_graph`` in
        ``keras/src/ops/function.py``.
        """
        met: dict[str, int] = {}
        waiting = [end.name]
        while waiting:
            name = waiting.pop()
            if name not in met:
                met[name] = len(met)
                waiting.extend(reversed(self._rows[name].takes))
        distance = dict.fromkeys(met, 0)
        for row in reversed(self.rows(end)):
            for one in row.takes:
                distance[one] = max(distance[one], distance[row.name] + 1)
        return sorted(met, key=lambda name: (-distance[name], met[name]))

    def _layer(
        self,
        kind: str,
        shape: Shape,
        takes: Sequence[Value],
        options: Mapping[str, Any],
        *,
        arrays: Sequence[Shape] = (),
        name: str | None = None,
    ) -> Value:
        name = name or f"{kind}_{len(self._rows)}"
        self._rows[name] = Row(kind, name, options, [x.name for x in takes])
        if arrays:
            self.arrays[name] = list(arrays)
        return Value(name, shape)


def _slid(shape: Shape, window: tuple[int, int], strides: int, padding: str) -> tuple[int, int]:
    """Rows and columns that a window gives when it is slid over an image."""
    if padding == "same":
        return -(-shape[0] // strides), -(-shape[1] // strides)
    return (shape[0] - window[0]) // strides + 1, (shape[1] - window[1]) // strides + 1
