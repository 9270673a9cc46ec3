"""The pair protocol over drawn faces, end to end."""

import json

import pytest

from mien.engine import Engine
from mien.errors import ImageNotFound, InvalidArgument
from mien.evaluate import pairs, pairs_html, write_page
from mien.evaluate.pair_protocol import seeded_folds
from mien.testing import MockDetector, MockEmbedder, mock_engine

HEADER = ["a", "b", "same"]


@pytest.fixture
def listed(table):
    """Six genuine pairs and fifteen impostor pairs of six people."""
    genuine = [[f"p{i}_a.png", f"p{i}_b.png", "1"] for i in range(6)]
    impostor = [[f"p{i}_a.png", f"p{j}_b.png", "0"] for i in range(6) for j in range(i)]
    return lambda *more: table([HEADER, *genuine, *impostor, *more])


@pytest.mark.parametrize("score", ["confidence", "similarity"])
def test_drawn_people_are_told_apart(photos, listed, score):
    with mock_engine() as engine:
        report = pairs(engine, listed(), photos, score=score)
    answer = json.loads(report.to_json())
    assert set(answer) == {
        "pairs", "images", "undetected", "undetected_images", "folds", "accuracy", "std", "auc",
        "eer", "tar", "threshold", "ms_per_image_cpu", "embedder", "detector", "score",
    }  # fmt: skip
    assert answer["pairs"] == 21
    assert answer["images"] == 12
    assert answer["undetected"] == 0
    assert answer["folds"] == 6  # no more than there are genuine pairs
    assert answer["accuracy"] == answer["auc"] == 1
    assert answer["eer"] == answer["std"] == 0
    assert answer["tar"] == {"1e-2": 1, "1e-3": 1}
    assert answer["score"] == score
    assert answer["ms_per_image_cpu"] > 0
    assert 0 < answer["threshold"] < 1


def test_each_photo_is_embedded_once(photos, listed):
    class Counting(MockEmbedder):
        crops = 0

        def embed(self, crops):
            Counting.crops += len(crops)
            return super().embed(crops)

    with Engine(detector=MockDetector(), embedder=Counting()) as engine:
        pairs(engine, listed(), photos, score="similarity")
    assert Counting.crops == 12


def test_photos_without_a_face_or_not_decodable_lose_their_pairs(photos, listed):
    (photos / "torn.png").write_bytes((photos / "p0_a.png").read_bytes()[:500])
    more = [
        ["p0_a.png", "nobody.png", "1"],
        ["p1_a.png", "nobody.png", "0"],
        ["p2_a.png", "torn.png", "1"],
    ]
    with mock_engine() as engine:
        report = pairs(engine, listed(*more), photos)
    assert set(report.undetected) == {"nobody.png", "torn.png"}
    assert report.to_dict()["undetected"] == 2
    assert report.tar["1e-2"] == pytest.approx(6 / 8)
    assert 0.85 < report.accuracy.mean < 1


def test_without_a_calibration_it_scores_by_similarity(photos, listed):
    with Engine(detector=MockDetector(), embedder=MockEmbedder()) as engine:
        assert pairs(engine, listed(), photos).score == "similarity"
        with pytest.raises(InvalidArgument, match="no calibration"):
            pairs(engine, listed(), photos, score="confidence")


def test_missing_photos_and_bad_scores(photos, listed):
    with mock_engine() as engine:
        with pytest.raises(ImageNotFound, match="1 of the 13"):
            pairs(engine, listed(["p0_a.png", "gone.png", "0"]), photos)
        with pytest.raises(InvalidArgument, match="score must be"):
            pairs(engine, listed(), photos, score="distance")


@pytest.mark.parametrize("fold", [None, "1"])
def test_too_few_pairs_or_folds_are_refused_before_photos_are_embedded(photos, table, fold):
    def never(*_):
        raise AssertionError("photos were embedded")

    rows = [["p0_a.png", "p0_b.png", "1"], ["p0_a.png", "p1_b.png", "0"]]
    header = HEADER if fold is None else [*HEADER, "fold"]
    file = table([header, *(row if fold is None else [*row, fold] for row in rows)])
    with mock_engine() as engine, pytest.raises(InvalidArgument, match="two"):
        pairs(engine, file, photos, progress=never)


def test_folds_are_the_same_every_time_and_balanced(photos):
    import numpy as np

    same = np.arange(100) < 40
    folds = seeded_folds(same)
    assert folds == seeded_folds(same)
    for fold in set(folds):
        inside = np.array(folds) == fold
        assert inside.sum() == 10
        assert same[inside].sum() == 4
    with pytest.raises(InvalidArgument, match="two genuine"):
        seeded_folds(np.array([True, False, False]))


def test_the_page_holds_everything_in_one_file(photos, listed, tmp_path):
    (photos / "<b>.png").write_bytes((photos / "nobody.png").read_bytes())
    with mock_engine() as engine:
        report = pairs(engine, listed(["p0_a.png", "<b>.png", "1"]), photos)
    page = pairs_html(report)
    assert page.count("<svg") == 2
    assert page.count("polyline") >= 2
    assert "&lt;b&gt;.png" in page
    assert "<b>" not in page
    assert "http" not in page
    assert "nan" not in page
    assert "FMR not supported" in page  # 15 impostor pairs say nothing about 1e-3
    write_page(page, tmp_path / "out.html")
    assert (tmp_path / "out.html").read_text(encoding="utf-8") == page
    with pytest.raises(InvalidArgument, match="cannot be written"):
        write_page(page, tmp_path / "no" / "out.html")
