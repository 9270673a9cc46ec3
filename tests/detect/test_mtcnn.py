"""MTCNN against facenet-pytorch: each net on noise, and the whole cascade on real photos."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mien.detect.mtcnn import Mtcnn, MtcnnOptions
from mien.image import open_photo
from mien.models import ModelStore

GOLDEN = json.loads(Path(__file__).with_name("golden_mtcnn.json").read_text())


@pytest.fixture(scope="module")
def store(weights):
    return ModelStore(weights.model_copy(update={"precision": "float32"}))


@pytest.fixture(scope="module")
def nets(store):
    card = store.card("mtcnn", "detect")
    return tuple(store.open(one) for one in [card, *map(store.card, card.needs)])


@pytest.fixture(scope="module")
def photos(people, partial):
    """Every n-th pixel of the sample photos, so that none is longer than 640."""
    paths = [path for files in [*people.values(), *partial.values()] for path in files]
    images = {path.stem: open_photo(path).pixels() for path in paths}
    steps = {name: -(-max(image.shape) // 640) for name, image in images.items()}
    return {
        name: np.ascontiguousarray(image[:: steps[name], :: steps[name]])
        for name, image in images.items()
    }


@pytest.mark.parametrize(
    ("index", "name", "size"), [(0, "pnet", (21, 17)), (1, "rnet", (24, 24)), (2, "onet", (48, 48))]
)
def test_each_net_computes_what_the_reference_computes(nets, index, name, size):
    noise = np.random.default_rng(7).random((2, 3, *size), np.float32) * 2 - 1
    outputs = nets[index].run({"image": noise})
    assert set(outputs) == set(GOLDEN["nets"][name])
    for output, expected in GOLDEN["nets"][name].items():
        np.testing.assert_allclose(outputs[output].ravel(), expected, atol=2e-5)


@pytest.mark.parametrize("min_size", [20, 40])
def test_the_cascade_finds_what_the_reference_finds(store, nets, photos, min_size):
    detector = Mtcnn(store.card("mtcnn"), nets, MtcnnOptions(min_size=min_size))
    assert set(photos) == set(GOLDEN["faces"])
    for name, image in photos.items():
        (faces,) = detector.detect([image])
        expected = GOLDEN["faces"][name][str(min_size)]
        assert len(faces) == len(expected), name
        height, width = image.shape[:2]
        for face, row in zip(faces, expected, strict=True):
            box = np.clip(row["box"], 0, [width, height] * 2)
            np.testing.assert_allclose(face.box.to_list(), box, atol=0.05)
            np.testing.assert_allclose(face.landmarks, row["points"], atol=0.05)
            assert face.score == pytest.approx(row["score"], abs=1e-4)


def test_an_output_pixel_is_the_mean_of_all_pixels_that_it_touches():
    from mien.detect.mtcnn import _Sums

    image = np.random.default_rng(1).integers(0, 256, (31, 23, 3), np.uint8)
    box = np.array([[0, 0, 23, 31], [4, 7, 9, 30], [22, 30, 23, 31]])
    blob = _Sums(image).resized(box, (12, 10))
    for at, (left, top, right, bottom) in enumerate(box):
        part = image[top:bottom, left:right].astype(np.float64)
        height, width = part.shape[:2]
        for row in range(12):
            rows = slice(row * height // 12, -(-(row + 1) * height // 12))
            for column in range(10):
                columns = slice(column * width // 10, -(-(column + 1) * width // 10))
                mean = part[rows, columns].mean(axis=(0, 1))
                np.testing.assert_allclose(
                    blob[at, :, row, column], (mean - 127.5) / 128, atol=1e-5
                )


@pytest.mark.parametrize("size_hw", [(1, 1), (8, 300), (19, 19), (21, 700)])
def test_images_too_small_for_a_face_have_none(store, nets, size_hw):
    image = np.random.default_rng(0).integers(0, 256, (*size_hw, 3), np.uint8)
    (faces,) = Mtcnn(store.card("mtcnn"), nets).detect([image])
    assert faces.landmarks.shape == (len(faces), 5, 2)
    assert len(faces) == 0
