"""FaceRes against TensorFlow.js, on a cut of a sample photo that every library reads alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien import embed
from mien.image import open_photo
from mien.models import ModelStore

GOLDEN = json.loads(Path(__file__).with_name("golden_faceres.json").read_text())


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def store(weights, request):
    if request.param == "openvino":
        pytest.importorskip("openvino", reason="no OpenVINO wheel for this platform")
    return ModelStore(weights.model_copy(update={"precision": "float32", "runtime": request.param}))


@pytest.fixture(scope="module")
def cut(people):
    """224 x 224 pixels around the astronaut's face."""
    return open_photo(people["Eileen Collins"][0]).pixels()[:224, 112:336]


def test_the_embedding_is_the_references(store, cut):
    found = embed.create("faceres", store).embed(cut[None])
    expected = np.array(GOLDEN["embedding"], np.float32)
    assert found.norm[0] == pytest.approx(np.linalg.norm(expected), rel=1e-4)
    np.testing.assert_allclose(found.vector[0] * found.norm[0], expected, atol=1e-4)


def test_gender_and_age_are_the_references(store, cut):
    session = store.open(store.card("faceres", "embed"))
    blob = cut[..., ::-1].astype(np.float32) - np.array([103.939, 116.779, 123.68], np.float32)
    outputs = session.run({"input_1": np.ascontiguousarray(blob.transpose(2, 0, 1)[None])})
    np.testing.assert_allclose(outputs["gender_pred/Sigmoid"][0], GOLDEN["gender"], atol=1e-5)
    np.testing.assert_allclose(outputs["age_pred/Softmax"][0], GOLDEN["age"], atol=1e-5)
