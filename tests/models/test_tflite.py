"""TensorFlow Lite to ONNX, against LiteRT's own numbers and against files made here.

``golden_tflite.json`` holds what ai-edge-litert 2.3.0 (one thread) computes from the input of
:func:`golden_input`: every ``step``-th number of each output.
"""

import io
import json
import zipfile
from pathlib import Path

import flatbuffers
import numpy as np
import onnx
import onnxruntime
import pytest

from mien.errors import ConversionError
from mien.models.convert import converter
from mien.models.convert.tflite import convert, convert_task_landmarks

GOLDEN = json.loads((Path(__file__).parent / "golden_tflite.json").read_text())
ADD, CONV, DEPTHWISE, DEQUANTIZE, MAX_POOL, SOFTMAX = 0, 3, 4, 6, 17, 25
SAME, VALID = 0, 1
FLOAT32, FLOAT16, INT8 = 0, 1, 9


def golden_input(shape):
    """Cosines that any language can make; channels last, as LiteRT was fed."""
    step = np.arange(np.prod(shape)) ** 2 % 997
    return np.cos(step / 30).astype(np.float32).reshape(shape)


def run(net, x):
    session = onnxruntime.InferenceSession(net)
    x = x.transpose(0, 3, 1, 2) if x.ndim == 4 else x
    names = [node.name for node in session.get_outputs()]
    answers = session.run(names, {session.get_inputs()[0].name: np.ascontiguousarray(x)})
    return dict(zip(names, answers, strict=True))


@pytest.mark.parametrize("key", GOLDEN)
def test_the_catalogues_nets_compute_what_litert_computes(models, key):
    card = models.card(key)
    net = converter(card.converter)(models.source_path(card).read_bytes())
    outputs = run(net, golden_input(GOLDEN[key]["shape"]))
    assert set(outputs) == set(GOLDEN[key]["outputs"])
    for name, golden in GOLDEN[key]["outputs"].items():
        assert outputs[name].size == golden["size"]
        expected = np.array(golden["values"])
        atol = 2e-5 * max(1, np.abs(expected).max())
        np.testing.assert_allclose(outputs[name].ravel()[:: golden["step"]], expected, atol=atol)


def test_images_come_in_any_number_and_the_bytes_are_the_same(models):
    card = models.card("embed/mobilefacenet")
    source = models.source_path(card).read_bytes()
    net = convert(source)
    assert net == convert(source)
    x = golden_input((3, 112, 112, 3))
    together = run(net, x)["embeddings"]
    for i in range(3):
        alone = run(net, x[i : i + 1])["embeddings"]
        np.testing.assert_allclose(alone[0], together[i], atol=1e-4)


def test_a_prelu_that_was_written_out_is_one_operator(models):
    source = models.source_path(models.card("embed/mobilefacenet")).read_bytes()
    kinds = [node.op_type for node in onnx.load_model_from_string(convert(source)).graph.node]
    assert kinds.count("PRelu") == 33
    assert not {"Abs", "Sub", "Mul", "Relu"} & set(kinds)


# ------------------------------------------------------------------ files made here


class File:
    """A TensorFlow Lite file in the making (field numbers of schema.fbs)."""

    def __init__(self):
        self.builder = flatbuffers.Builder(1024)
        self.tensors, self.buffers, self.operators, self.codes = [], [self._table({})], [], []

    def _table(self, fields):
        """``fields``: number -> ("offset" | "Int8" | "Int32" | "Uint32" | "Bool", value)."""
        self.builder.StartObject(max(fields, default=0) + 1)
        for number, (kind, value) in fields.items():
            if kind == "offset":
                self.builder.PrependUOffsetTRelativeSlot(number, value, 0)
            else:
                getattr(self.builder, f"Prepend{kind}Slot")(number, value, 0)
        return self.builder.EndObject()

    def _offsets(self, items):
        self.builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            self.builder.PrependUOffsetTRelative(item)
        return self.builder.EndVector()

    def _numbers(self, values):
        return self.builder.CreateNumpyVector(np.array(values, np.int32))

    def tensor(self, shape, value=None, *, kind=FLOAT32):
        buffer = 0
        if value is not None:
            raw = np.frombuffer(np.ascontiguousarray(value).tobytes(), np.uint8)
            data = self.builder.CreateNumpyVector(raw)
            self.buffers.append(self._table({0: ("offset", data)}))
            buffer = len(self.buffers) - 1
        name = self.builder.CreateString(f"tensor{len(self.tensors)}")
        sizes = self._numbers(shape)
        fields = {0: ("offset", sizes), 1: ("Int8", kind), 2: ("Uint32", buffer)}
        self.tensors.append(self._table({**fields, 3: ("offset", name)}))
        return len(self.tensors) - 1

    def operator(self, code, inputs, outputs, options=None):
        if code not in self.codes:
            self.codes.append(code)
        fields = {0: ("Uint32", self.codes.index(code))}
        fields[1] = ("offset", self._numbers(inputs))
        fields[2] = ("offset", self._numbers(outputs))
        if options is not None:
            fields[4] = ("offset", self._table(options))
        self.operators.append(self._table(fields))

    def finish(self, inputs, outputs):
        graph = {0: ("offset", self._offsets(self.tensors))}
        graph |= {1: ("offset", self._numbers(inputs)), 2: ("offset", self._numbers(outputs))}
        graph[3] = ("offset", self._offsets(self.operators))
        codes = [self._table({0: ("Int8", code), 3: ("Int32", code)}) for code in self.codes]
        parts = {1: codes, 2: [self._table(graph)], 4: self.buffers}
        model = {n: ("offset", self._offsets(items)) for n, items in parts.items()}
        self.builder.Finish(self._table(model), file_identifier=b"TFL3")
        return bytes(self.builder.Output())


def convolution(weight, *, size, stride, padding, code=CONV, kind=FLOAT32, dilation=1):
    """One convolution of a ``(1, *size, channels)`` image."""
    file = File()
    channels = weight.shape[0] if code == DEPTHWISE else weight.shape[3]
    channels = weight.shape[3] if code == DEPTHWISE else channels
    out = weight.shape[3] if code == DEPTHWISE else weight.shape[0]
    outer = [
        -(-s // stride) if padding == SAME else -(-(s - dilation * (k - 1)) // stride)
        for s, k in zip(size, weight.shape[1:3], strict=True)
    ]
    x = file.tensor((1, *size, channels))
    w = file.tensor(weight.shape, weight, kind=kind)
    if kind == FLOAT16:
        unpacked = file.tensor(weight.shape)
        file.operator(DEQUANTIZE, [w], [unpacked])
        w = unpacked
    b = file.tensor((out,), np.arange(out, dtype=np.float32))
    y = file.tensor((1, *outer, out))
    shift = int(code == DEPTHWISE)
    options = {0: ("Int8", padding), 1: ("Int32", stride), 2: ("Int32", stride)}
    options |= {4 + shift: ("Int32", dilation), 5 + shift: ("Int32", dilation)}
    file.operator(code, [x, w, b], [y], options)
    return file.finish([x], [y])


def expected(weight, x, *, stride, padding, depthwise=False, dilation=1):
    """The definition, pixel by pixel: the odd pixel of SAME padding is at the end."""
    kernel = weight.shape[1:3]
    if padding == SAME:
        totals = [
            max((-(-s // stride) - 1) * stride + (k - 1) * dilation + 1 - s, 0)
            for s, k in zip(x.shape[1:3], kernel, strict=True)
        ]
        x = np.pad(x, [(0, 0), *((t // 2, t - t // 2) for t in totals), (0, 0)])
    spans = [(k - 1) * dilation + 1 for k in kernel]
    sizes = [(s - span) // stride + 1 for s, span in zip(x.shape[1:3], spans, strict=True)]
    out = weight.shape[3] if depthwise else weight.shape[0]
    y = np.zeros((1, *sizes, out), np.float32)
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            top, left = row * stride, column * stride
            patch = x[0, top : top + spans[0] : dilation, left : left + spans[1] : dilation]
            if depthwise:
                y[0, row, column] = (patch * weight[0]).sum(axis=(0, 1))
            else:
                y[0, row, column] = (patch * weight).sum(axis=(1, 2, 3))
    return y + np.arange(out, dtype=np.float32)


@pytest.mark.parametrize("padding", [SAME, VALID])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(7, 8), (8, 5)])
def test_convolutions(padding, stride, size):
    random = np.random.default_rng(0)
    x = random.normal(size=(1, *size, 3)).astype(np.float32)
    for code, shape in ((CONV, (5, 3, 2, 3)), (DEPTHWISE, (1, 3, 2, 3))):
        weight = random.normal(size=shape).astype(np.float32)
        source = convolution(weight, size=size, stride=stride, padding=padding, code=code)
        (answer,) = run(convert(source), x).values()
        wanted = expected(weight, x, stride=stride, padding=padding, depthwise=code == DEPTHWISE)
        np.testing.assert_allclose(answer, wanted, atol=1e-5)


def test_a_dilated_convolution_with_float16_weights():
    weight = np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float16)
    x = golden_input((1, 9, 9, 3))
    source = convolution(weight, size=(9, 9), stride=1, padding=SAME, kind=FLOAT16, dilation=2)
    (answer,) = run(convert(source), x).values()
    wanted = expected(weight.astype(np.float32), x, stride=1, padding=SAME, dilation=2)
    np.testing.assert_allclose(answer, wanted, atol=1e-5)


def test_what_is_not_a_convertible_file():
    weight = np.ones((1, 1, 1, 3), np.float32)
    good = convolution(weight, size=(4, 4), stride=1, padding=SAME)
    for bad in (b"", b"no file at all", good[:-40], good[:60]):
        with pytest.raises(ConversionError):
            convert(bad)
    for at in range(0, len(good), 3):  # damaged anywhere: an error of ours, or another net
        damaged = good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]
        try:
            convert(damaged)
        except ConversionError:
            continue


def test_unknown_operators_and_integer_weights_are_named():
    file = File()
    x, y = file.tensor((1, 4)), file.tensor((1, 4))
    file.operator(SOFTMAX, [x], [y])
    with pytest.raises(ConversionError, match="operator 25"):
        convert(file.finish([x], [y]))
    weight = np.ones((1, 1, 1, 3), np.int8)
    with pytest.raises(ConversionError, match="type 9"):
        convert(convolution(weight, size=(4, 4), stride=1, padding=SAME, kind=INT8))


def test_what_is_not_a_task_file():
    with pytest.raises(ConversionError, match="face_landmarks_detector"):
        convert_task_landmarks(b"PK")
    box = io.BytesIO()
    with zipfile.ZipFile(box, "w") as made:
        made.writestr("other.tflite", b"")
    with pytest.raises(ConversionError, match="face_landmarks_detector"):
        convert_task_landmarks(box.getvalue())
