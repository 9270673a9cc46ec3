"""face-api's nets against face-api itself."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest

from mien.attributes.emotion import FACE_API_MEAN
from mien.errors import ConversionError
from mien.models.convert import converter
from mien.models.convert.faceapi import read_weights

# FaceExpressionNet.forwardInput of @vladmandic/face-api 1.7.15 on TensorFlow.js 4.22 (CPU), for
# the picture whose i-th number is 7919 i modulo 256.
GOLDEN = [
    0.1813613623380661,
    0.04300758242607117,
    0.6992751955986023,
    0.01836535520851612,
    0.03344905003905296,
    0.00017899152589961886,
    0.024362510070204735,
]


@pytest.fixture(scope="module")
def published(models):
    card = models.card("emotion-face-api", "attributes")
    manifest = models.fetch([card.companions[0]])
    return models.source_path(card).read_bytes(), manifest.read_bytes()


def test_the_net_gives_what_face_api_gives(published):
    made = converter("face-api-expression")(*published)
    assert made == converter("face-api-expression")(*published)
    image = (np.arange(112 * 112 * 3) * 7919 % 256).reshape(1, 112, 112, 3)
    blob = ((image - FACE_API_MEAN) / 255).astype(np.float32).transpose(0, 3, 1, 2)
    session = ort.InferenceSession(made, providers=["CPUExecutionProvider"])
    output = session.run(None, {"input": np.ascontiguousarray(blob)})[0]
    np.testing.assert_allclose(output[0], GOLDEN, atol=2e-6)


def test_the_landmark_net_gives_what_face_api_gives(models):
    """``golden_face_api_68.json``: FaceLandmark68Net.forward of the same package and picture."""
    card = models.card("landmarks68", "landmarks")
    weights = models.source_path(card).read_bytes()
    manifest = models.fetch([card.companions[0]]).read_bytes()
    image = (np.arange(112 * 112 * 3) * 7919 % 256).reshape(1, 112, 112, 3)
    blob = ((image - FACE_API_MEAN) / 255).astype(np.float32).transpose(0, 3, 1, 2)
    made = converter("face-api-landmarks")(weights, manifest)
    session = ort.InferenceSession(made, providers=["CPUExecutionProvider"])
    output = session.run(None, {"input": np.ascontiguousarray(blob)})[0]
    golden = json.loads((Path(__file__).parent / "golden_face_api_68.json").read_text())
    np.testing.assert_allclose(output[0], golden, atol=2e-6)
    with pytest.raises(ConversionError, match="expression net"):
        converter("face-api-expression")(weights, manifest)


def test_weights_are_unpacked_as_the_manifest_says():
    manifest = json.dumps(
        [
            {
                "weights": [
                    {
                        "name": "a",
                        "shape": [2, 2],
                        "dtype": "float32",
                        "quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0},
                    },
                    {"name": "b", "shape": [1], "dtype": "float32"},
                ]
            }
        ]
    ).encode()
    source = bytes([0, 2, 4, 255]) + np.array([3.5], "<f4").tobytes()
    tensors = read_weights(source, manifest)
    assert tensors["a"].tolist() == [[-1.0, 0.0], [1.0, 126.5]]
    assert tensors["b"].tolist() == [3.5]
    with pytest.raises(ConversionError, match="as long as"):
        read_weights(source + b"\0", manifest)


def test_other_files_are_refused(published):
    weights, manifest = published
    for pair in [(b"", manifest), (weights, b"{"), (weights[:-1], manifest), (weights, b"[]")]:
        with pytest.raises(ConversionError):
            converter("face-api-expression")(*pair)
