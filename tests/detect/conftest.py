"""Detectors whose weights are behind addresses, with nets of the tests' own in their place.

``random_nets``: random weights, the inputs and outputs of the published net.
``disguised``: the default detector's net in the clothes of another, so that it finds real faces.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import http.server
import io
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mien.models import ModelStore
from mien.models.card import UrlSource

STRIDES = (8, 16, 32)


class Net:
    """An ONNX graph that grows node by node."""

    def __init__(self, model: onnx.ModelProto | None = None) -> None:
        self.nodes = [] if model is None else list(model.graph.node)
        self.tensors = [] if model is None else list(model.graph.initializer)
        self.opset = 17 if model is None else model.opset_import[0].version
        self.count = 0

    def constant(self, value: object, kind: type = np.float32) -> str:
        self.count += 1
        name = f"own_constant_{self.count}"
        self.tensors.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def add(self, operator: str, *inputs: object, output: str | None = None, **options: object):
        """A node; inputs that are no names become constants."""
        self.count += 1
        names = [one if isinstance(one, str) else self.constant(one) for one in inputs]
        output = output or f"own_{self.count}"
        self.nodes.append(helper.make_node(operator, names, [output], **options))
        return output

    def part(self, value: str, start: int, end: int, axis: int = 2) -> str:
        bounds = [self.constant([one], np.int64) for one in (start, end, axis)]
        return self.add("Slice", value, *bounds)

    def shaped(self, value: str, *shape: int, output: str | None = None) -> str:
        return self.add("Reshape", value, self.constant(shape, np.int64), output=output)

    def model(self, image: str, size: tuple[object, object], outputs: list[str]) -> bytes:
        shape = [1, 3, *size]
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info(image, TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            self.tensors,
        )
        imports = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(graph, opset_imports=imports, ir_version=8)
        return onnx.shape_inference.infer_shapes(model).SerializeToString()


# ---------------------------------------------------------------------------- random weights


def heads(net: Net, image: str, stride: int, channels: dict[str, tuple[int, float, float]]):
    """Convolutions of one cell each; ``(channels, deviation, mean)`` of their outputs, about."""
    random = np.random.default_rng(stride)
    found = {}
    for name, (count, deviation, mean) in channels.items():
        kernel = random.standard_normal((count, 3, stride, stride)) * deviation / stride / 0.45
        bias = np.full(count, mean)
        found[name] = net.add("Conv", image, kernel, bias, strides=[stride, stride])
    return found


def random_scrfd() -> bytes:
    net = Net()
    rows: dict[str, list[str]] = {"score": [], "edges": [], "points": []}
    for stride in STRIDES:
        wanted = {"score": (2, 3, -15), "edges": (8, 0.4, 2), "points": (20, 1, 0)}
        for name, value in heads(net, "input.1", stride, wanted).items():
            if name == "score":
                value = net.add("Sigmoid", value)
            value = net.add("Transpose", value, perm=[2, 3, 0, 1])
            width = {"score": 1, "edges": 4, "points": 10}[name]
            rows[name].append(net.shaped(value, -1, width, output=f"{name}_{stride}"))
    return net.model("input.1", ("h", "w"), rows["score"] + rows["edges"] + rows["points"])


def random_yolov8() -> bytes:
    net = Net()
    outputs = []
    for stride in STRIDES:
        wanted = {"edges": (64, 2, 0), "score": (1, 5, -36), "points": (15, 2, 0)}
        values = heads(net, "images", stride, wanted)
        joined = net.add("Concat", *values.values(), axis=1, output=f"output_{stride}")
        outputs.append(joined)
    return net.model("images", (640, 640), outputs)


def random_retinaface() -> bytes:
    net = Net()
    rows: dict[str, list[str]] = {"loc": [], "conf": [], "landmarks": []}
    small = net.add("Mul", "input", 1 / 128)
    for stride in STRIDES:
        wanted = {"loc": (8, 1, 0), "conf": (4, 4, 0), "landmarks": (20, 2, 0)}
        for name, value in heads(net, small, stride, wanted).items():
            value = net.add("Transpose", value, perm=[0, 2, 3, 1])
            width = {"loc": 4, "conf": 2, "landmarks": 10}[name]
            value = net.shaped(value, 1, -1, width)
            if name == "conf":
                value = net.add("Softmax", net.add("Add", value, [25.0, 0.0]), axis=2)
            rows[name].append(value)
    outputs = [net.add("Concat", *v, axis=1, output=name) for name, v in rows.items()]
    return net.model("input", ("h", "w"), outputs)


def random_keras(shapes: dict[str, list[list[int]]], face_logit: float) -> bytes:
    """A Keras .h5 file of weights: arrays of these shapes by layer, each from its own seed."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in shapes]
        for index, (layer, sizes) in enumerate(shapes.items()):
            random = np.random.default_rng(index)
            group = file.create_group(layer)
            if len(sizes) == 4:  # gamma, beta, mean, variance
                arrays = [1 + 0.1 * random.standard_normal(sizes[0]) for _ in range(4)]
                arrays[1] -= 1
                arrays[2] = (arrays[2] - 1) if layer != "bn_data" else np.full(sizes[2], 127.5)
                arrays[3] = abs(arrays[3]) * (1 if layer != "bn_data" else 4000)
            else:
                fan = np.prod(sizes[0][:3])
                arrays = [random.standard_normal(sizes[0]) * np.sqrt(2 / fan)]
                arrays += [0.1 * random.standard_normal(size) for size in sizes[1:]]
                if layer.startswith("face_rpn"):
                    arrays[0] *= 0.003 if "cls" in layer else 0.0004
                if "cls_score" in layer:
                    more = face_logit + 1.5 * layer.endswith("stride32")  # so that each has some
                    arrays[1] = np.array([0, 0, more, more])
            names = []
            for number, array in enumerate(arrays):
                names.append(f"{layer}/array_{number}:0".encode())
                group.create_dataset(names[-1].decode(), data=np.asarray(array, np.float32))
            group.attrs["weight_names"] = names
    return buffer.getvalue()


@pytest.fixture(scope="session")
def random_nets() -> SimpleNamespace:
    return SimpleNamespace(
        scrfd=random_scrfd,
        yolov8=random_yolov8,
        retinaface=random_retinaface,
        keras=random_keras,
        picture=picture,
    )


def picture(height: int, width: int) -> np.ndarray:
    """Soft coloured noise, RGB."""
    small = np.random.default_rng(5).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    return small.repeat(4, axis=0).repeat(4, axis=1)


# ---------------------------------------------------------------------------- in disguise


def undressed(path: Path, image: str, unprepared: Callable[[Net, str], str]) -> Net:
    """The default detector's net behind what turns another net's input into its own."""
    model = onnx.load(path)
    net = Net(model)
    own = model.graph.input[0].name
    before = Net(model)
    before.nodes, before.tensors = [], net.tensors
    before.count = 100_000
    before.add("Identity", unprepared(before, image), output=own)
    net.nodes = before.nodes + net.nodes
    return net


def turned(net: Net, image: str) -> str:
    """The colours in the other order."""
    return net.add("Gather", image, net.constant([2, 1, 0], np.int64), axis=1)


def cells(net: Net, stride: int, threshold: float) -> dict[str, str]:
    """What the default detector says of each cell, in cells: ``(1, n, ...)``."""
    both = [
        net.add("Clip", f"{kind}_{stride}", np.float32(0), np.float32(1)) for kind in ("cls", "obj")
    ]
    own = net.shaped(net.add("Sqrt", net.add("Mul", *both)), 1, -1, 1)
    shift = math.log(threshold / (1 - threshold))
    logit = net.add("Add", net.add("Mul", net.add("Sub", own, 0.6), 20.0), shift)
    box = net.shaped(f"bbox_{stride}", 1, -1, 4)
    return {
        "logit": logit,
        "score": net.add("Sigmoid", logit),
        "centre": net.part(box, 0, 2),
        "log_size": net.part(box, 2, 4),
        "size": net.add("Exp", net.part(box, 2, 4)),
        "points": net.shaped(f"kps_{stride}", 1, -1, 10),
    }


def as_scrfd(path: Path) -> bytes:
    def unprepared(net: Net, image: str) -> str:
        return turned(net, net.add("Add", net.add("Mul", image, 128.0), 127.5))

    net = undressed(path, "input.1", unprepared)
    rows: list[list[str]] = [[], [], []]
    for stride in STRIDES:
        cell = cells(net, stride, 0.5)
        half = net.add("Mul", cell["size"], 0.5)
        edges = net.add(
            "Concat",
            net.add("Sub", half, cell["centre"]),
            net.add("Add", half, cell["centre"]),
            axis=2,
        )
        for kind, value, width in ((0, cell["score"], 1), (1, edges, 4), (2, cell["points"], 10)):
            twice = net.add("Concat", value, value, axis=2)
            rows[kind].append(net.shaped(twice, -1, width))
    return net.model("input.1", ("h", "w"), rows[0] + rows[1] + rows[2])


def as_yolov8(path: Path) -> bytes:
    net = undressed(path, "images", lambda n, image: turned(n, n.add("Mul", image, 255.0)))
    outputs = []
    for stride in STRIDES:
        cell = cells(net, stride, 0.5)
        half = net.add("Mul", cell["size"], 0.5)
        away = net.add("Sub", cell["centre"], 0.5)
        edges = [net.add("Sub", half, away), net.add("Add", half, away)]
        edges = net.add("Clip", net.add("Concat", *edges, axis=2), np.float32(0), np.float32(15))
        apart = net.add("Sub", net.shaped(edges, 1, -1, 4, 1), np.arange(16))
        weight = net.add("Sub", 1.0, net.add("Abs", apart))
        bins = net.add("Log", net.add("Max", weight, 1e-7))
        points = net.add("Mul", net.shaped(cell["points"], 1, -1, 5, 2), 0.5)
        seen = net.add("Add", net.add("Mul", net.part(points, 0, 1, axis=3), 0.0), 1.0)
        points = net.shaped(net.add("Concat", points, seen, axis=3), 1, -1, 15)
        row = net.add("Concat", net.shaped(bins, 1, -1, 64), cell["logit"], points, axis=2)
        column = net.add("Transpose", row, perm=[0, 2, 1])
        side = 640 // stride
        outputs.append(net.shaped(column, 1, 80, side, side))
    return net.model("images", (640, 640), outputs)


def as_retinaface(path: Path) -> bytes:
    mean = np.array([104, 117, 123]).reshape(1, 3, 1, 1)
    net = undressed(path, "input", lambda n, image: n.add("Add", image, mean))
    rows: list[list[str]] = [[], [], []]
    sides = {8: (16, 32), 16: (64, 128), 32: (256, 512)}
    for stride in STRIDES:
        cell = cells(net, stride, 0.7)
        found: list[list[str]] = [[], [], []]
        for side in sides[stride]:
            by = stride / side / 0.1
            moved = net.add("Mul", net.add("Sub", cell["centre"], 0.5), by)
            grown = net.add("Add", cell["log_size"], math.log(stride / side))
            found[0].append(net.add("Concat", moved, net.add("Mul", grown, 5.0), axis=2))
            other = net.add("Sub", 1.0, cell["score"])
            found[1].append(net.add("Concat", other, cell["score"], axis=2))
            found[2].append(net.add("Mul", net.add("Sub", cell["points"], 0.5), by))
        for kind, width in enumerate((4, 2, 10)):
            rows[kind].append(net.shaped(net.add("Concat", *found[kind], axis=2), 1, -1, width))
    outputs = [net.add("Concat", *value, axis=1) for value in rows]
    return net.model("input", ("h", "w"), outputs)


def as_retinaface_resnet50(path: Path) -> bytes:
    net = undressed(path, "image", turned)
    sides = {8: (32, 16), 16: (128, 64), 32: (512, 256)}
    size = net.part(net.add("Shape", "image"), 2, 4, axis=0)
    outputs = []
    for stride in (32, 16, 8):
        cell = cells(net, stride, 0.9)
        found: list[list[str]] = [[], [], []]
        for side in sides[stride]:
            pixels = [net.add("Mul", cell[one], float(stride)) for one in ("centre", "points")]
            moved, points = (net.add("Mul", net.add("Sub", one, 7.5), 1 / side) for one in pixels)
            pixel_size = net.add("Add", net.add("Mul", cell["size"], float(stride)), 1.0)
            grown = net.add("Log", net.add("Mul", pixel_size, 1 / side))
            found[0].append(cell["score"])
            found[1].append(net.add("Concat", moved, grown, axis=2))
            found[2].append(points)
        map_size = net.add("Div", size, net.constant([stride] * 2, np.int64))
        for value, name, width in zip(found, ("score", "box", "points"), (2, 8, 20), strict=True):
            column = net.add("Transpose", net.add("Concat", *value, axis=2), perm=[0, 2, 1])
            shape = net.add("Concat", net.constant([1, width], np.int64), map_size, axis=0)
            outputs.append(net.add("Reshape", column, shape, output=f"{name}_{stride}"))
    return net.model("image", ("h", "w"), outputs)


DISGUISES = {
    "retinaface_mv2": as_retinaface,
    "retinaface-resnet50": as_retinaface_resnet50,
    "scrfd": as_scrfd,
    "scrfd-500m": as_scrfd,
    "yolov8n-face": as_yolov8,
}


@pytest.fixture(scope="session")
def disguised(models: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModelStore]:
    """A store where the detectors by address fetch the default detector's net in disguise."""
    folder = tmp_path_factory.mktemp("published")
    path = models.path(models.card("yunet", "detect"))
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        cards = {card.key: card for card in models.cards()}
        for name, disguise in DISGUISES.items():
            card = models.card(name, "detect")
            data = disguise(path)
            (folder / f"{name}.onnx").write_bytes(data)
            source = UrlSource(
                f"http://127.0.0.1:{running.server_address[1]}/{name}.onnx",
                hashlib.sha256(data).hexdigest(),
                len(data),
            )
            own = card.converter if (card.converter or "").startswith("detector") else None
            cards[card.key] = dataclasses.replace(card, sources=(source,), converter=own)
        settings = models.settings.model_copy(
            update={
                "cache_dir": tmp_path_factory.mktemp("cache"),
                "accept_licences": tuple(DISGUISES),
                "offline": False,
                "models_mirror": None,
                "runtime": "onnxruntime",  # nothing to measure
            }
        )
        store = ModelStore(settings)
        store.__dict__["_catalogue"] = cards
        yield store
        running.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass
