"""The attributes on the labelled development faces."""

import csv

import pytest

from mien.evaluate import attributes

pytestmark = pytest.mark.shared


def test_masks_of_mfr2_are_told(engine, shared_data):
    report = attributes(engine, shared_data / "mfr2" / "labels.csv", shared_data)
    assert report.undetected == ()
    assert report.measures["mask"]["auc"] >= 0.95
    assert report.measures["mask"]["fpr"] <= 0.05


def test_gender_of_lfw_is_told(engine, shared_data, tmp_path):
    """Every third photo; ``mien eval attributes`` on all of them is the figure in the card."""
    with (shared_data / "lfw" / "gender.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    with (tmp_path / "list.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([rows[0], *rows[1::3]])
    report = attributes(engine, tmp_path / "list.csv", shared_data)
    assert report.undetected == ()
    assert report.measures["gender"]["n"] > 500
    assert report.measures["gender"]["accuracy"] >= 0.96
