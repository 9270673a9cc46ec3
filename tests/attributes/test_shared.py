"""The attributes on the labelled development faces."""

import csv
from pathlib import Path

import pytest

from mien.evaluate import attributes

pytestmark = pytest.mark.shared

BY_HAND = Path(__file__).resolve().parents[2] / "benchmarks" / "lfw_faces_by_hand.csv"


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


def test_eyes_mouth_and_smile_agree_with_what_a_person_sees(engine, shared_data, tmp_path):
    """Labels by hand, of which docs/reference/attributes.md says how they were made."""
    with BY_HAND.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["mouth"] or row["eyes"]]
    columns = ("path", "eyes", "mouth", "smile")
    with (tmp_path / "list.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *([row[c] for c in columns] for row in rows)])
    measures = attributes(engine, tmp_path / "list.csv", shared_data).measures
    assert measures["eyes"]["auc"] >= 0.93
    assert measures["mouth"]["auc"] >= 0.97
    assert measures["smile"]["auc"] >= 0.97


def test_masks_cover_the_mouth_and_not_the_eyes(engine, shared_data, tmp_path):
    with (shared_data / "mfr2" / "labels.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))[::2]
    with (tmp_path / "list.csv").open("w", newline="") as stream:
        write = csv.writer(stream)
        write.writerow(["path", "mouth_covered", "eyes_covered"])
        for row in rows:
            write.writerow([row["path"], "no" if row["mask"] == "no-mask" else "yes", "no"])
    measures = attributes(engine, tmp_path / "list.csv", shared_data).measures
    assert measures["mouth_covered"]["auc"] >= 0.98
    assert measures["mouth_covered"]["fpr"] == 0
    assert measures["eyes_covered"]["fpr"] <= 0.06
