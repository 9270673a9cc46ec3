"""The attribute protocol on drawn faces, with attributes that say what the test tells them."""

import json

import numpy as np
import pytest

from mien.analysis import Age, Emotion, Eyes, Gender, Occlusion, Presence
from mien.engine import Engine
from mien.errors import ImageNotFound, InvalidArgument
from mien.evaluate import attributes
from mien.evaluate.attribute_lists import YES_OR_NO, read_attributes
from mien.testing import MockDetector, MockEmbedder


class Fixed:
    """Answers by how wide the photo is: 320 for ``_a.png``, 260 for ``_b.png``."""

    def __init__(self, name, wide, narrow):
        self.name, self.wide, self.narrow = name, wide, narrow

    def measure(self, view):
        return self.wide if view.image.shape[1] == 320 else self.narrow


@pytest.fixture
def engine():
    even = {"angry": 0.5, "disgust": 0.5}
    with Engine(
        detector=MockDetector(),
        embedder=MockEmbedder(),
        attributes=[
            Fixed("gender", Gender("female", 0.9), Gender("male", 0.8)),
            Fixed("age", Age(30.0, 25, 35), Age(60.0, 55, 65)),
            Fixed("emotion", Emotion("angry", even), Emotion("disgust", even)),
            Fixed("mask", Presence(True, 0.9), Presence(False, 0.2)),
        ],
    ) as made:
        yield made


def test_every_measure(engine, table, photos):
    listed = table(
        [
            ["path", "age", "gender", "emotion", "mask", "group"],
            ["p0_a.png", "33", "F", "angry", "surgical", "x"],
            ["p0_b.png", "50", "F", "sad", "no-mask", "x"],
            ["p1_a.png", "36", "M", "", "no-mask", "y"],
            ["p1_b.png", "", "M", "", "N95", "y"],
            ["nobody.png", "20", "M", "happy", "N95", "y"],
        ]
    )
    report = attributes(engine, listed, photos)
    assert report.undetected == ("nobody.png",)
    document = json.loads(report.to_json())
    assert document["images"] == 5
    assert document["undetected"] == 1
    assert document["detector"] == "mock"
    assert document["ms_per_image_cpu"] > 0
    assert document["gender"] == {
        "n": 5,
        "accuracy": 0.4,
        "by_group": {"x": 0.5, "y": pytest.approx(1 / 3, abs=1e-6)},
    }
    assert document["age"] == {
        "n": 3,
        "mae": pytest.approx((3 + 10 + 6) / 3, abs=1e-6),
        "in_range": pytest.approx(1 / 3, abs=1e-6),
    }
    assert document["emotion"]["accuracy"] == pytest.approx(1 / 3, abs=1e-6)
    assert document["mask"] == {
        "n": 5,
        "accuracy": 0.4,
        "auc": 0.5,
        "tpr": pytest.approx(1 / 3, abs=1e-6),
        "fpr": 0.5,
    }


def test_without_groups_accuracy_is_by_label(engine, table, photos):
    listed = table([["path", "gender"], ["p0_a.png", "F"], ["p1_a.png", "M"], ["p2_a.png", "F"]])
    report = attributes(engine, listed, photos)
    assert report.measures["gender"]["by_group"] == {"F": 1.0, "M": 0.0}
    assert set(report.measures) == {"gender"}


def test_columns_that_are_answered_by_yes_or_no(table, photos):
    yes, no = Presence(True, 0.9), Presence(False, 0.3)
    said = [
        Fixed("eyes", Eyes(yes, Presence(False, 0.2)), Eyes(no, no)),
        Fixed("mouth", no, yes),
        Fixed("smile", yes, no),
        Fixed("glasses", yes, yes),
        Fixed("occlusion", Occlusion(yes, no, no), Occlusion(no, no, yes)),
    ]
    rows = [
        ["path", *YES_OR_NO],
        ["p0_a.png", "N95", "yes", "open", "closed", "yes", "yes", "no", "no"],
        ["p0_b.png", "no-mask", "no", "closed", "closed", "no", "no", "", "no"],
    ]
    made = Engine(
        detector=MockDetector(),
        embedder=MockEmbedder(),
        attributes=[*said, Fixed("mask", yes, no)],
    )
    with made as engine:
        measures = attributes(engine, table(rows), photos).measures
    assert list(measures) == list(YES_OR_NO)
    right = {"accuracy": 1.0, "auc": 1.0, "tpr": 1.0, "fpr": 0.0}
    for column in ("mask", "eyes", "smile", "eyes_covered"):
        assert measures[column] == {"n": 2, **right}, column
    assert measures["mouth"] == {**measures["mouth"], "accuracy": 0.5, "auc": None, "fpr": 0.5}
    assert measures["glasses"]["accuracy"] == 0.5
    assert measures["mouth_covered"]["n"] == 1
    assert measures["forehead_covered"]["fpr"] == 0.5


def test_only_masked_faces_have_no_auc(engine, table, photos):
    report = attributes(engine, table([["path", "mask"], ["p0_a.png", "N95"]]), photos)
    assert report.measures["mask"]["auc"] is None
    assert np.isnan(report.measures["mask"]["fpr"])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["path"], ["a.png"]], "no labels"),
        ([["gender"], ["M"]], "lacks the column path"),
        ([["path", "gender"], ["a.png", "male"]], "line 2: gender cannot be 'male'"),
        ([["path", "age"], ["a.png", "old"]], "age cannot be 'old'"),
        ([["path", "age"], ["a.png", "nan"]], "age cannot be 'nan'"),
        ([["path", "emotion"], ["a.png", "bored"]], "emotion cannot be 'bored'"),
        ([["path", "mask"], ["a.png", "x"], ["a.png", "x"]], "listed twice"),
        ([["path", "eyes"], ["a.png", "yes"]], "eyes cannot be 'yes'"),
        ([["path", "smile"], ["a.png", "open"]], "smile cannot be 'open'"),
    ],
)
def test_lists_that_cannot_be_used(table, rows, message):
    with pytest.raises(InvalidArgument, match=message):
        read_attributes(table(rows))


def test_missing_photos(engine, table, photos):
    with pytest.raises(ImageNotFound, match=r"gone\.png"):
        attributes(engine, table([["path", "mask"], ["gone.png", "N95"]]), photos)
