"""Detection: matching, average precision, and the list that says where the faces are."""

import json

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import average_precision_score

from mien.errors import ImageNotFound, InvalidArgument
from mien.evaluate.detection import average_precision, detection, matches
from mien.evaluate.detection_truth import TrueFaces, read_truth
from mien.testing import drawn_photo, mock_engine
from mien.types import Faces

NONE = np.zeros((0, 4))


def faces(*rows):
    """Boxes x0, y0, x1, y1 with a score each."""
    table = np.array(rows, np.float32).reshape(-1, 5)
    return Faces(table[:, :4], table[:, 4])


def truth(boxes=(), noses=()):
    return TrueFaces(
        "x.png", np.array(boxes, float).reshape(-1, 4), np.array(noses, float).reshape(-1, 2)
    )


@pytest.mark.parametrize(
    ("found", "there", "expected"),
    [
        (faces(), truth(boxes=[[0, 0, 9, 9]]), []),
        (faces([0, 0, 10, 10, 0.9]), truth(), [False]),
        (faces([0, 0, 10, 10, 0.9]), truth(boxes=[[0, 0, 10, 5]]), [True]),  # exactly one half
        (faces([0, 0, 10, 10, 0.9]), truth(boxes=[[0, 0, 10, 4.9]]), [False]),
        (faces([0, 0, 10, 10, 0.9]), truth(noses=[[10, 10]]), [True]),
        (faces([0, 0, 10, 10, 0.9]), truth(noses=[[10.1, 5]]), [False]),
        # the second find of a face is false, whichever comes first
        (faces([0, 0, 10, 10, 0.8], [0, 0, 10, 9, 0.9]), truth(boxes=[[0, 0, 10, 10]]), [0, 1]),
        # each of two noses in one box belongs to the box that it is in the middle of
        (
            faces([0, 0, 10, 10, 0.8], [4, 0, 14, 10, 0.9]),
            truth(noses=[[5, 5], [9, 5]]),
            [True, True],
        ),
        (faces([0, 0, 9, 9, 0.7], [50, 50, 59, 59, 0.9]), truth(noses=[[4, 4]]), [True, False]),
        (
            faces([0, 0, 10, 10, 0.9], [30, 0, 40, 10, 0.8]),
            truth(boxes=[[30, 0, 40, 10]], noses=[[5, 5]]),
            [True, True],
        ),
    ],
)
def test_what_is_a_hit(found, there, expected):
    assert matches(found, there).tolist() == [bool(value) for value in expected]


def test_average_precision_by_hand():
    score = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    hit = np.array([True, False, True, False])
    # recall 1/3 at precision 1, recall 2/3 at precision 2/3, the third face is never found
    assert average_precision(score, hit, 3) == pytest.approx((1 + 2 / 3) / 3)
    assert average_precision(score[:0], hit[:0], 3) == 0
    assert average_precision(score, np.ones(4, bool), 4) == 1


@pytest.mark.parametrize("seed", range(5))
def test_average_precision_is_at_least_scikit_learns(seed):
    """Theirs does not make precision fall, so it is a lower bound, and equal where it falls."""
    random = np.random.default_rng(seed)
    hit = random.random(40) < 0.6
    score = random.permutation(40).astype(np.float32) / 40
    theirs = average_precision_score(hit, score)
    assert theirs <= average_precision(score, hit, int(hit.sum())) <= 1
    sorted_hit = np.sort(hit)[::-1]
    falling = average_precision(np.linspace(1, 0, 40, dtype=np.float32), sorted_hit, hit.sum())
    assert falling == 1


@pytest.fixture
def drawn(tmp_path):
    """Two faces, one face, nobody, and a broken photo, with their truth."""
    Image.fromarray(drawn_photo([(1, 20, 30, 80), (2, 200, 60, 60)], (240, 320))).save(
        tmp_path / "two.png"
    )
    Image.fromarray(drawn_photo([(3, 50, 50, 100)], (240, 320))).save(tmp_path / "one.png")
    Image.fromarray(np.full((240, 320, 3), 225, np.uint8)).save(tmp_path / "nobody.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    def write(*entries):
        (tmp_path / "truth.json").write_text(json.dumps(entries))
        return tmp_path / "truth.json", tmp_path

    return write


TWO = {"path": "two.png", "w": 320, "faces": [{"box": [20, 30, 80, 80]}, {"nose": [230, 90]}]}
ONE = {"path": "one.png", "faces": [{"box": [50, 50, 100, 100], "landmarks68": []}]}
NOBODY = {"path": "nobody.png", "faces": []}


def test_a_perfect_detector(drawn):
    with mock_engine() as engine:
        report = detection(engine, *drawn(TWO, ONE, NOBODY))
    document = report.to_dict()
    cost = document.pop("ms_per_image_cpu")
    assert cost > 0
    assert document == {
        "images": 3,
        "faces": 3,
        "found": 3,
        "false": 0,
        "recall": 1,
        "precision": 1,
        "ap50": 1,
        "unreadable_images": [],
        "missed_images": [],
        "detector": "mock",
    }
    assert "3 of 3 faces" in str(report)


def test_misses_false_finds_and_a_broken_photo(drawn):
    elsewhere = {"path": "one.png", "faces": [{"nose": [300, 20]}]}
    broken = {"path": "broken.png", "faces": [{"nose": [5, 5]}]}
    with mock_engine() as engine:
        report = detection(engine, *drawn(TWO, elsewhere, broken, NOBODY))
    assert (report.found, report.false, report.faces) == (2, 1, 4)
    assert report.recall == 0.5
    assert report.precision == pytest.approx(2 / 3)
    assert report.unreadable == ("broken.png",)
    assert report.missed == ("one.png", "broken.png")


def test_a_detector_that_finds_nothing_is_precise(drawn):
    nothing = {"path": "nobody.png", "faces": [{"nose": [5, 5]}]}
    with mock_engine() as engine:
        report = detection(engine, *drawn(nothing))
    assert (report.recall, report.precision, report.ap50) == (0, 1, 0)


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        ["two.png"],
        [NOBODY],
        [TWO, TWO],
        [{"path": "", "faces": [{"nose": [1, 1]}]}],
        [{"path": "two.png"}],
        [{"path": "two.png", "faces": [{}]}],
        [{"path": "two.png", "faces": ["face"]}],
        [{"path": "two.png", "faces": [{"box": [1, 2, 3]}]}],
        [{"path": "two.png", "faces": [{"box": [1, 2, 0, 4]}]}],
        [{"path": "two.png", "faces": [{"nose": [1, "2"]}]}],
        [{"path": "two.png", "faces": [{"nose": [1, float("nan")]}]}],
    ],
)
def test_what_is_no_truth(tmp_path, document):
    file = tmp_path / "truth.json"
    file.write_text(json.dumps(document))
    with pytest.raises(InvalidArgument, match=r"truth\.json"):
        read_truth(file)


def test_files_that_are_not_there(drawn, tmp_path):
    with pytest.raises(InvalidArgument, match=r"no list missing\.json"):
        read_truth(tmp_path / "missing.json")
    (tmp_path / "broken.json").write_text("[")
    with pytest.raises(InvalidArgument, match="JSON"):
        read_truth(tmp_path / "broken.json")
    with mock_engine() as engine, pytest.raises(ImageNotFound, match=r"gone\.png"):
        detection(engine, *drawn({"path": "gone.png", "faces": [{"nose": [1, 1]}]}))


@pytest.mark.shared
def test_the_default_detector_finds_every_face_that_a_nose_marks(engine, shared_data, tmp_path):
    entries = json.loads((shared_data / "detection_gt.json").read_text())
    small = [e for e in entries if e["set"] == "compreface" and e["w"] < 1000]
    (tmp_path / "truth.json").write_text(json.dumps(small))
    report = detection(engine, tmp_path / "truth.json", shared_data)
    assert report.images >= 12
    assert report.recall == 1
    assert report.false <= 1
