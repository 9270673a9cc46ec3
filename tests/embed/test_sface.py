"""SFace against OpenCV's own FaceRecognizerSF, on real photos."""

import cv2
import numpy as np
import pytest

from mien import detect, embed
from mien.errors import InvalidArgument
from mien.image import open_photo
from mien.models import ModelStore
from mien.types import Box, Face


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def at_float32(weights, request):
    if request.param == "openvino":
        pytest.importorskip("openvino", reason="no OpenVINO wheel for this platform")
    return ModelStore(weights.model_copy(update={"precision": "float32", "runtime": request.param}))


@pytest.fixture(scope="module")
def sface(at_float32):
    return embed.create("sface", at_float32)


def test_embeddings_agree_with_opencv(people, at_float32, sface):
    published = at_float32.source_path(at_float32.card("sface", "embed"))
    reference = cv2.FaceRecognizerSF.create(str(published), "")
    detector = detect.create("yunet", at_float32)
    compared = 0
    for paths in people.values():
        for path in paths:
            image = open_photo(path).pixels()
            face = detector.detect([image])[0][0]
            row = np.concatenate([face.box.to_list(), face.landmarks.ravel(), [face.score]])
            bgr = np.ascontiguousarray(image[..., ::-1])
            expected = reference.feature(reference.alignCrop(bgr, row.astype(np.float32)))[0]
            mine = sface.embed(sface.crop(image, face)[None])
            cosine = float(mine.vector[0] @ expected / np.linalg.norm(expected))
            assert cosine >= 0.9999, path.name
            assert mine.norm[0] == pytest.approx(np.linalg.norm(expected), rel=1e-3)
            compared += 1
    assert compared >= 5


def test_a_batch_equals_its_parts(sface):
    crops = np.random.default_rng(0).integers(0, 256, (5, 112, 112, 3), np.uint8)
    together = sface.embed(crops)
    assert together.vector.shape == (5, 128)
    np.testing.assert_allclose(np.linalg.norm(together.vector, axis=1), 1, atol=1e-5)
    for i in range(5):
        alone = sface.embed(crops[i : i + 1])
        np.testing.assert_allclose(alone.vector[0], together.vector[i], atol=1e-4)


def test_no_crop_gives_no_embedding(sface):
    assert sface.embed(np.zeros((0, 112, 112, 3), np.uint8)).vector.shape == (0, 128)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 100, 112, 3), np.uint8),
        np.zeros((1, 112, 112, 3), np.float32),
        np.zeros((112, 112, 3), np.uint8),
    ],
)
def test_refuses_other_crops(sface, crops):
    with pytest.raises(InvalidArgument, match="112"):
        sface.embed(crops)


def test_a_face_without_landmarks_is_not_aligned_silently(sface):
    face = Face(Box(0, 0, 50, 50), 0.9)
    with pytest.raises(InvalidArgument, match="landmarks"):
        sface.crop(np.zeros((60, 60, 3), np.uint8), face)


def test_the_contract_pins_the_published_file(at_float32, sface):
    card = at_float32.card("sface", "embed")
    assert sface.contract.source_sha256 == card.source_sha256
    assert (sface.contract.model, sface.contract.dim) == ("sface", 128)
