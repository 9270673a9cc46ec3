"""Weights from a seed, the same on every machine, in files as they are published.

What ``make_golden_keras.py`` uses needs numpy and h5py alone, since it runs without Mien.
"""

from __future__ import annotations

import io
from importlib import import_module

import h5py
import numpy as np


def arrays_of(kind: str, shapes: list[tuple[int, ...]], place: int, seed: int = 0) -> list:
    """Arrays of the layer at ``place`` among the layers with weights, of its class and shapes."""
    random = np.random.default_rng([seed, place])
    if kind == "BatchNormalization":  # gamma where it is used, beta, mean, variance
        made = [random.normal(0, 0.1, shape) for shape in shapes]
        for index in {0, len(shapes) - 1} if len(shapes) == 4 else {2}:
            made[index] = random.uniform(0.8, 1.2, shapes[index])
    elif kind == "PReLU":
        made = [random.uniform(0, 0.4, shapes[0])]
    else:
        kernel = shapes[0]
        inputs = {
            "DepthwiseConv2D": int(np.prod(kernel[:2])),
            "LocallyConnected2D": kernel[-2],
        }.get(kind, int(np.prod(kernel[:-1])))
        made = [random.normal(0, (2 / inputs) ** 0.5, kernel)]
        made += [random.normal(0, 0.05, shape) for shape in shapes[1:]]
    return [array.astype(np.float32) for array in made]


def h5_file(layers: list[tuple[str, list]], *, whole: bool = False) -> bytes:
    """A file of weights alone, or of a whole model without its graph, as Keras 2 writes it.

    Args:
        layers: name and arrays of every layer, in the file's order, also layers without any.
        whole: the arrays lie under ``model_weights``.
    """
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("model_weights") if whole else file
        group.attrs["layer_names"] = [name.encode() for name, _ in layers]
        for name, arrays in layers:
            own = group.create_group(name)
            names = [f"{name}/array_{index}:0" for index in range(len(arrays))]
            own.attrs["weight_names"] = [one.encode() for one in names]
            for one, array in zip(names, arrays, strict=True):
                own[one] = array
    return buffer.getvalue()


def net_of(name: str):
    """The net that an embedder's card converts its weights to."""
    places = {"arcface": "arcface_r34", "facenet512": "facenet", "deepface": "fb_deepface"}
    place = places.get(name, name.replace("-", "_"))
    draw = import_module(f"mien.models.convert.architectures.{place}").draw
    length = {"facenet": 128, "facenet512": 512}.get(name)
    return draw() if length is None else draw(length)


def layers_of(name: str) -> list[tuple[str, list]]:
    """Name and arrays of every layer with weights, as Keras lists them."""
    net = net_of(name)
    kinds = {row.name: row.kind for row in net.sketch.rows(net.end)}
    names = [one for one in net.sketch.keras_order(net.end) if one in net.sketch.arrays]
    return [
        (one, arrays_of(kinds[one], net.sketch.arrays[one], place))
        for place, one in enumerate(names)
    ]


ONNX = {"adaface_ir18", "buffalo_l", "buffalo_s", "edgeface_xxs", "mobileface_mnv2"}


def onnx_file(names: tuple[str, str] = ("input.1", "683"), *, batch: int | str = 1) -> bytes:
    """A small net of the published ones' inputs and outputs: 112 x 112 to 512 numbers.

    It flattens with a reshape to ``(1, -1)``, as exporters with a fixed batch do.
    """
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(5)
    kernel = random.normal(0, 0.1, (8, 3, 16, 16)).astype(np.float32)
    matrix = random.normal(0, 0.1, (8 * 7 * 7, 512)).astype(np.float32)
    slope = random.uniform(0, 0.4, (8, 1, 1)).astype(np.float32)
    shape = np.array([1 if batch == 1 else -1, 8 * 7 * 7], np.int64)
    nodes = [
        helper.make_node("Conv", [names[0], "kernel"], ["map"], strides=[16, 16]),
        helper.make_node("PRelu", ["map", "slope"], ["active"]),
        helper.make_node("Reshape", ["active", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], [names[1]]),
    ]
    constants = {"kernel": kernel, "matrix": matrix, "slope": slope, "shape": shape}
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info(names[0], TensorProto.FLOAT, [batch, 3, 112, 112])],
        [helper.make_tensor_value_info(names[1], TensorProto.FLOAT, [batch, 512])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return model.SerializeToString()


def file_of(name: str) -> bytes:
    """The published file of an embedder, with weights from a seed."""
    return onnx_file() if name in ONNX else h5_file(layers_of(name))


POINTS = ((96.5, 118.25), (160.75, 112.5), (131.0, 150.0), (104.25, 190.5), (160.0, 186.0))
"""Five points of a face in :func:`noise`, a little turned and not quite similar to any template."""


def noise() -> np.ndarray:
    """A coloured image from a seed: RGB 0..255 ``(240, 260, 3)``, smooth over ten pixels."""
    coarse = np.random.default_rng(9).integers(0, 256, (24, 26, 3), np.uint8)
    return np.repeat(np.repeat(coarse, 10, axis=0), 10, axis=1)
