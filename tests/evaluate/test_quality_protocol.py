"""The quality protocol on drawn faces, and the command's page."""

import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.evaluate import quality, quality_html
from mien.evaluate.degradations import GRADES, KINDS, spoil
from mien.testing import drawn_face, mock_engine
from mien.types import Box


@pytest.fixture
def engine():
    return mock_engine()


@pytest.fixture
def listed(table):
    rows = [["a", "b", "same"]]
    rows += [[f"p{i}_a.png", f"p{i}_b.png", 1] for i in range(6)]
    rows += [[f"p{i}_a.png", f"p{(i + 1) % 6}_b.png", 0] for i in range(6)]
    return table(rows)


def test_it_counts_and_answers(engine, listed, photos):
    report = quality(engine, listed, photos)
    assert (report.pairs, report.images, report.spoilt) == (6, 12, 0)
    assert set(report.curves) == {"quality", "norm"}  # the mock's norm is not SFace's
    document = report.to_dict()
    assert document["curves"]["quality"]["fnmr"]["0"] == pytest.approx(report.fnmr, abs=1e-6)
    assert document["by_kind"] == {}
    assert "<svg" in quality_html(report)


def test_spoilt_photos_are_counted_by_what_was_done(engine, listed, photos):
    first, second = (quality(engine, listed, photos, spoilt=True) for _ in range(2))
    assert first.to_dict() == second.to_dict()  # drawn with a fixed seed
    assert 0 < first.spoilt <= 6
    assert sum(count for count, _ in first.by_kind.values()) == 6
    assert "By what was done" in quality_html(first)


def test_a_photo_of_nobody_fails_and_is_left_out_first(engine, table, photos):
    rows = [["a", "b", "same"], ["p0_a.png", "nobody.png", 1], ["p0_a.png", "p0_b.png", 1]]
    rows += [[f"p{i}_a.png", f"p{i + 1}_b.png", 0] for i in range(3)]
    report = quality(engine, table(rows), photos)
    assert report.undetected == ("nobody.png",)
    assert report.fnmr >= 0.5
    assert report.curves["quality"].at(0.5) < report.fnmr


@pytest.mark.parametrize("fmr", [0, 1, -0.1, float("nan")])
def test_a_rate_that_cannot_be_is_refused(engine, listed, photos, fmr):
    with pytest.raises(InvalidArgument, match="fmr"):
        quality(engine, listed, photos, fmr=fmr)


@pytest.mark.parametrize("kind", KINDS)
def test_grades_spoil_more_and_more(kind):
    image = drawn_face(2, (200, 200))
    changes = []
    for grade in range(1, GRADES + 1):
        spoilt = spoil(image, Box(50, 40, 150, 160), kind, grade)
        assert (spoilt.shape, spoilt.dtype) == (image.shape, np.uint8)
        changes.append(np.abs(spoilt.astype(int) - image).mean())
    assert changes[0] > 0
    assert changes[-1] > 1.4 * changes[0]


@pytest.mark.parametrize(("kind", "grade"), [("blur", 0), ("blur", 6), ("rain", 1)])
def test_what_there_is_not_is_refused(kind, grade):
    with pytest.raises(InvalidArgument, match="grade"):
        spoil(drawn_face(1, (50, 50)), Box(10, 10, 40, 40), kind, grade)
