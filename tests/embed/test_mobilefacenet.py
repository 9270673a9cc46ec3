"""MobileFaceNet fed as LiteRT was: ``golden_mobilefacenet.json`` is what ai-edge-litert 2.3.0 makes
of the published file from ``(crop - 127.5) / 128``, RGB: the norm, and every 16th number of the
vector of unit length.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mien import embed
from mien.models import ModelStore

GOLDEN = json.loads((Path(__file__).parent / "golden_mobilefacenet.json").read_text())


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_embeddings_are_litert_s(weights, runtime):
    if runtime == "openvino":
        pytest.importorskip("openvino", reason="no OpenVINO wheel for this platform")
    changes = {"precision": "float32", "runtime": runtime}
    net = embed.create("mobilefacenet", ModelStore(weights.model_copy(update=changes)))
    crops = (np.arange(2 * 112 * 112 * 3) ** 2 % 251).astype(np.uint8).reshape(2, 112, 112, 3)
    made = net.embed(crops)
    np.testing.assert_allclose(made.norm, [row["norm"] for row in GOLDEN], rtol=1e-3)
    wanted = [row["vector"] for row in GOLDEN]
    np.testing.assert_allclose(made.vector[:, ::16], wanted, atol=1e-4)
