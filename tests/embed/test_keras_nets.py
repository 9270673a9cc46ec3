"""Nets published as Keras weights, against DeepFace's own Keras graphs with the same weights."""

import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import onnxruntime as ort
import pytest

from mien.errors import ConversionError
from mien.models.convert import CONVERTERS, converter

GOLDEN = json.loads(Path(__file__).with_name("golden_keras.json").read_text(encoding="utf-8"))
CONVERTER = {
    "arcface": "weights-arcface-r34",
    "deepid": "weights-deepid",
    "facenet": "weights-facenet-128",
    "facenet512": "weights-facenet-512",
    "ghostfacenet": "weights-ghostfacenet",
    "openface": "weights-openface",
}
LARGE = {"arcface", "facenet", "facenet512"}
NAMES = [pytest.param(n, marks=pytest.mark.slow) if n in LARGE else n for n in CONVERTER]


def run(onnx_file, image):
    session = ort.InferenceSession(onnx_file, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": np.ascontiguousarray(image.transpose(0, 3, 1, 2))})[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_net_gives_what_deepface_gives(name, seeded):
    made = converter(CONVERTER[name])(seeded.h5_file(seeded.layers_of(name)))
    shape = [
        dim.dim_value
        for dim in onnx.load_from_string(made).graph.input[0].type.tensor_type.shape.dim
    ]
    image = np.random.default_rng(3).uniform(-1, 1, (1, *shape[2:], 3)).astype(np.float32)
    expected = np.array(GOLDEN[name]["vector"])
    vector = run(made, np.concatenate([image, image[:, ::-1]]))
    assert np.abs(vector[0] - expected).max() < 1e-4 * np.abs(expected).max()
    assert np.abs(vector[1] - expected).max() > 1e-2 * np.abs(expected).max()


def test_names_in_the_file_do_not_matter(seeded):
    """Keras makes up names, and counts on from model to model."""
    layers = seeded.layers_of("deepid")
    renamed = [(f"conv2d_{i + 17}", arrays) for i, (_, arrays) in enumerate(layers)]
    with_others = [("dropout_3", []), *renamed, ("flatten_1", [])]
    convert = converter("weights-deepid")
    assert convert(seeded.h5_file(with_others)) == convert(seeded.h5_file(layers))


def test_a_file_of_the_whole_model_is_read_too(seeded):
    layers, convert = seeded.layers_of("deepid"), converter("weights-deepid")
    assert convert(seeded.h5_file(layers, whole=True)) == convert(seeded.h5_file(layers))


def test_a_long_list_of_layers_is_in_parts(seeded):
    layers, convert = seeded.layers_of("deepid"), converter("weights-deepid")
    buffer = io.BytesIO(seeded.h5_file(layers))
    with h5py.File(buffer, "r+") as file:
        names = list(file.attrs["layer_names"])
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:4], names[4:]
    assert convert(buffer.getvalue()) == convert(seeded.h5_file(layers))


def test_a_layer_of_another_shape_is_named(seeded):
    layers = seeded.layers_of("deepid")
    layers[1] = ("theirs", [layers[1][1][0][..., :39], layers[1][1][1]])
    with pytest.raises(ConversionError, match=r"DeepID.*Conv2.*\(3, 3, 20, 40\).*theirs.*39\)"):
        converter("weights-deepid")(seeded.h5_file(layers))


def test_an_array_too_few_is_named(seeded):
    layers = seeded.layers_of("deepid")
    layers[0] = (layers[0][0], layers[0][1][:1])
    with pytest.raises(ConversionError, match="Conv1"):
        converter("weights-deepid")(seeded.h5_file(layers))


def test_missing_layers_are_named(seeded):
    layers = seeded.layers_of("deepid")
    with pytest.raises(ConversionError, match=r"5 layers with weights, not 6.*missing is fc12"):
        converter("weights-deepid")(seeded.h5_file(layers[:-1]))
    with pytest.raises(ConversionError, match="Conv2"):
        converter("weights-deepid")(seeded.h5_file(layers[:1] + layers[2:]))
    with pytest.raises(ConversionError, match="0 layers with weights"):
        converter("weights-deepid")(seeded.h5_file([]))


def test_a_layer_too_many_is_named(seeded):
    layers = [*seeded.layers_of("deepid"), ("softmax", [np.zeros((160, 1595), np.float32)])]
    with pytest.raises(ConversionError, match=r"7 layers with weights, not 6.*softmax"):
        converter("weights-deepid")(seeded.h5_file(layers))


def test_another_nets_weights_are_refused(seeded):
    with pytest.raises(ConversionError, match="OpenFace"):
        converter("weights-openface")(seeded.h5_file(seeded.layers_of("deepid")))


WEIGHTS = [name for name in CONVERTERS if name.startswith("weights-")]


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.parametrize(
    "source", [b"", b"<html>Not Found</html>", b"\x89HDF\r\n\x1a\n" + bytes(99)]
)
def test_what_is_not_a_weight_file_is_refused(name, source):
    with pytest.raises(ConversionError, match="not a whole"):
        converter(name)(source)


def test_a_torn_file_is_refused(seeded):
    source = seeded.h5_file(seeded.layers_of("deepid"))
    for size in (len(source) // 4, len(source) // 2, len(source) - 1000):
        with pytest.raises(ConversionError):
            converter("weights-deepid")(source[:size])


def zipped(**members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as box:
        for name, data in members.items():
            box.writestr(name.replace("_h5", ".h5").replace("_txt", ".txt"), data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (zipped(a_txt=b"x"), "0 files .h5"),
        (zipped(a_h5=b"x", b_h5=b"y"), "2 files .h5"),
        (zipped(a_h5=b"x", b_txt=b"y"), "not a whole Keras"),
        (zipped(a_h5=b"x" * 5000)[:-40], "not a whole zip"),
    ],
)
def test_the_zip_file_holds_one_h5_file(source, message):
    with pytest.raises(ConversionError, match=message):
        converter("weights-fb-deepface")(source)


def test_a_zip_member_too_large_is_not_unpacked(monkeypatch):
    monkeypatch.setattr("mien.models.convert.zip_member.MAX_BYTES", 4)
    with pytest.raises(ConversionError, match="too large"):
        converter("weights-fb-deepface")(zipped(a_h5=b"12345"))


@pytest.mark.parametrize("name", CONVERTER)
def test_parameters_are_as_keras_counts_them(name, seeded):
    assert parameters_of(seeded.net_of(name)) == GOLDEN[name]["parameters"]


@pytest.mark.parametrize("name", ["vgg-face", "facenet512", "openface", "arcface", "ghostfacenet"])
def test_parameters_fill_the_published_file(models, name, seeded):
    """The file is four bytes a parameter, and names."""
    size = models.card(name, "embed").sources[0].size
    assert 0.94 < 4 * parameters_of(seeded.net_of(name)) / size < 1


def parameters_of(net):
    arrays = net.sketch.arrays.values()
    return sum(int(np.prod(shape)) for shapes in arrays for shape in shapes)
