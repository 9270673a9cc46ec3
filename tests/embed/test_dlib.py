"""dlib's recogniser, converted, against dlib itself: numbers stored by dlib-bin 20.0.1.

``golden_dlib.json``, for each sample photo: ``crop``, dlib's 128 numbers for the 150 x 150 pixels
``photo[y::step, x::step]``, which need no alignment; ``native``, its numbers for the largest face,
found by dlib's own detector and aligned by its own five points.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from mien import detect, embed
from mien.image import open_photo
from mien.models import ModelStore

GOLDEN = json.loads((Path(__file__).parent / "golden_dlib.json").read_text())


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def at_float32(weights, request):
    if request.param == "openvino":
        pytest.importorskip("openvino", reason="no OpenVINO wheel for this platform")
    return ModelStore(weights.model_copy(update={"precision": "float32", "runtime": request.param}))


@pytest.fixture(scope="module")
def dlib(at_float32):
    return embed.create("dlib", at_float32)


@pytest.fixture(scope="module")
def photos(people):
    return {path.name: open_photo(path).pixels() for paths in people.values() for path in paths}


def test_the_net_computes_what_dlib_computes(dlib, photos):
    crops = []
    for row in GOLDEN:
        x, y, step = row["x"], row["y"], row["step"]
        size = 150 * step
        crops.append(photos[row["photo"]][y : y + size : step, x : x + size : step])
    found = dlib.embed(np.stack(crops))
    expected = np.array([row["crop"] for row in GOLDEN])
    assert len(expected) == 5
    np.testing.assert_allclose(found.vector * found.norm[:, None], expected, atol=2e-4)


def test_aligned_by_five_points_it_is_nearly_what_dlib_gives(at_float32, dlib, photos):
    """Another detector, other landmarks, the same template."""
    detector = detect.create("yunet", at_float32)
    for row in GOLDEN:
        image = photos[row["photo"]]
        (found,) = detector.detect([image])
        mine = dlib.embed(dlib.crop(image, found[0])[None])
        distance = np.linalg.norm(mine.vector[0] * mine.norm[0] - row["native"])
        assert distance < 0.3, row["photo"]  # two photos of one person: below 0.6


def test_the_contract_pins_the_published_file(at_float32, dlib):
    assert dlib.contract.source_sha256 == at_float32.card("dlib", "embed").source_sha256
    assert (dlib.contract.model, dlib.contract.dim, dlib.size_hw) == ("dlib", 128, (150, 150))
