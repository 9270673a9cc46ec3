"""Rates of presentation-attack detection against numbers that were counted by hand."""

from __future__ import annotations

import csv

import cv2
import numpy as np
import pytest

from mien import config
from mien.errors import ImageNotFound, InvalidArgument
from mien.evaluate import liveness
from mien.evaluate.attack_rates import bpcer_at_apcer, classification_rates, threshold_at_apcer
from mien.evaluate.liveness import read_liveness
from mien.evaluate.liveness_page import liveness_html
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, drawn_photo, mock_engine

LIVE = np.array([0.9, 0.8, 0.7, 0.6, 0.35])
ATTACKS = {
    "print": np.array([0.1, 0.2, 0.3, 0.75]),  # 1 of 4 above a half
    "phone": np.array([0.05, 0.55, 0.65, 0.15, 0.45]),  # 2 of 5
    "none": np.zeros(0),
}


@pytest.mark.parametrize(
    ("threshold", "apcer", "bpcer"),
    [
        (0.5, 2 / 5, 1 / 5),
        (0.55, 2 / 5, 1 / 5),  # a score at the threshold passes
        (0.7, 1 / 4, 2 / 5),
        (0.0, 1.0, 0.0),
        (1.0, 0.0, 1.0),
    ],
)
def test_rates_at_a_threshold(threshold, apcer, bpcer):
    found = classification_rates(LIVE, ATTACKS, threshold)
    assert found["apcer"] == pytest.approx(apcer)
    assert found["bpcer"] == pytest.approx(bpcer)
    assert found["acer"] == pytest.approx((apcer + bpcer) / 2)


def test_area_and_equal_error_rate():
    # Of 5 x 9 pairs the live face scores higher in 9 + 9 + 8 + 7 + 5.
    found = classification_rates(LIVE, ATTACKS, 0.5)
    assert found["auc"] == pytest.approx(38 / 45)
    # From .6 on: 2 of 9 attacks pass, 1 of 5 live faces does not; just above: 2/9 and 2/5.
    assert 1 / 5 <= found["eer"] <= 2 / 9


@pytest.mark.parametrize(
    ("apcer", "threshold", "bpcer"),
    [
        (0.25, 0.55, 1 / 5),  # print: one of four may pass; phone: one of five (.65)
        (0.20, 0.75, 3 / 5),  # print: none may
        (0.50, 0.45, 1 / 5),  # print: two may (.3 and .75 would); phone: two (.55 and .65)
        (1.0, 0.0, 0.0),
    ],
)
def test_bpcer_where_the_worst_attack_is_held(apcer, threshold, bpcer):
    assert threshold_at_apcer(ATTACKS, apcer) == pytest.approx(threshold)
    assert bpcer_at_apcer(LIVE, ATTACKS, apcer) == pytest.approx(bpcer)
    for scores in ATTACKS.values():
        assert np.sum(scores >= threshold_at_apcer(ATTACKS, apcer)) <= apcer * len(scores)


def test_rates_of_nothing():
    found = classification_rates(np.zeros(0), {}, 0.5)
    assert set(found.values()) == {None}
    assert bpcer_at_apcer(LIVE, {"none": np.zeros(0)}, 0.05) is None
    assert classification_rates(LIVE, {}, 0.5)["bpcer"] == pytest.approx(1 / 5)


# ------------------------------------------------------------------ the whole protocol


def by_corner(photo, box):
    """The net reads its answer from the photo's first pixel."""
    return float(photo[0, 0, 0]) / 255


@pytest.fixture
def engine(tmp_path):
    settings = config.Settings(data_dir=tmp_path)
    with mock_engine(settings, liveness=PassiveLiveness([MockLivenessNet(by_corner)])) as made:
        yield made


def write(folder, name, score):
    photo = drawn_photo([(1, 200, 120, 80)], (360, 480))
    photo[:8, :8] = round(score * 255)
    cv2.imwrite(str(folder / name), photo[..., ::-1])


@pytest.fixture
def listed(tmp_path):
    rows = [
        # path, live, attack, clip, subject, score
        ("a.png", 1, "", "c1", "s1", 0.9),
        ("b.png", 1, "", "c1", "s1", 0.3),
        ("c.png", 1, "", "c2", "s2", 0.8),
        ("d.png", 0, "print", "c3", "s1", 0.1),
        ("e.png", 0, "print", "c3", "s1", 0.7),
        ("f.png", 0, "phone", "c4", "s2", 0.2),
        ("g.png", 0, "", "c4", "s2", 0.6),
    ]
    for name, *_, score in rows:
        write(tmp_path, name, score)
    close = drawn_photo([(1, 10, 10, 180)], (200, 200))
    cv2.imwrite(str(tmp_path / "close.png"), close[..., ::-1])
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((99, 99, 3), 225, np.uint8))
    rows += [("close.png", 0, "print", "c5", "s3", 0), ("empty.png", 1, "", "c6", "s3", 0)]
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "live", "attack", "clip", "subject"])
        writer.writerows(row[:-1] for row in rows)
    return tmp_path / "list.csv"


def test_the_protocol(engine, listed):
    report = liveness(engine, listed, listed.parent)
    told = report.to_dict()
    assert (told["n"], told["bona_fide"], told["no_face"], told["undetermined"]) == (9, 4, 1, 1)
    assert told["by_attack"] == {
        "unnamed": {"n": 1, "no_response": 0, "apcer": 1.0},
        "print": {"n": 3, "no_response": 1, "apcer": 0.5},
        "phone": {"n": 1, "no_response": 0, "apcer": 0.0},
    }
    assert list(told["by_attack"]) == ["unnamed", "print", "phone"]
    assert told["apcer"] == 1.0
    assert told["bpcer"] == pytest.approx(1 / 3, abs=1e-6)
    assert told["acer"] == pytest.approx(2 / 3, abs=1e-6)
    assert told["bpnrr"] == 0.25
    assert told["apnrr"] == 0.2
    unanswered = pytest.approx(2 / 7, abs=1e-6)  # c4 holds attacks of two species
    assert told["by_clip"] == {"n": 7, "no_response": unanswered, "apcer": 1.0, "bpcer": 0.0}
    assert told["by_subject"] == {"n": 7, "no_response": unanswered, "apcer": 1.0, "bpcer": 0.0}
    assert told["whole_system"] is None
    assert told["by_condition"]["strict"]["bpcer"] == pytest.approx(1 / 3, abs=1e-6)
    assert told["by_condition"]["weak"] == {"apcer": 1.0, "bpcer": 0.0}
    page = liveness_html(report)
    assert page.count("<svg") == 4  # all attacks together, and each
    assert "APCER, print" in page


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("path,live\na.png,yes\n", "live must be 0 or 1"),
        ("path,live,attack\na.png,1,print\n", "leave the column attack empty"),
        ("path,live\na.png,1\na.png,0\n", "twice"),
        ("path\na.png\n", "live"),
        ("", "list.csv"),
    ],
)
def test_lists_that_cannot_be(tmp_path, text, says):
    file = tmp_path / "list.csv"
    file.write_text(text)
    with pytest.raises(InvalidArgument, match=says):
        read_liveness(file)


def test_photos_that_are_missing(engine, tmp_path):
    (tmp_path / "list.csv").write_text("path,live\nnot-there.png,1\n")
    with pytest.raises(ImageNotFound):
        liveness(engine, tmp_path / "list.csv", tmp_path)


# ------------------------------------------------------------------ clips, subjects, who gets in


def test_clips_are_judged_once(engine, listed):
    told = liveness(engine, listed, listed.parent).groups
    # c1: .6, c2: .8 live; c3: .4 print; c4: a phone .2 and an unnamed attack .6; c5, c6: no answer
    assert told["clip"]["n"] == 7
    assert told["clip"]["no_response"] == pytest.approx(2 / 7)
    assert told["clip"]["bpcer"] == 0
    assert told["clip"]["apcer"] == 1  # of the unnamed one; the print's mean is at the threshold


@pytest.fixture
def doorstep(tmp_path):
    """Person 1 is enrolled; live photos, good prints, and a print of somebody else."""
    rows = [
        # path, live, attack, subject, enrolled, identity, score
        ("door.png", 1, "", "s1", 1, 1, 0.9),
        ("in.png", 1, "", "s1", 0, 1, 0.9),
        ("dim.png", 1, "", "s1", 0, 1, 0.1),
        ("other.png", 1, "", "s1", 0, 2, 0.9),
        ("print1.png", 0, "print", "s1", 0, 1, 0.9),
        ("print2.png", 0, "print", "s1", 0, 1, 0.1),
        ("phone.png", 0, "phone", "s1", 0, 2, 0.9),
        ("unknown.png", 0, "phone", "s9", 0, 1, 0.9),
    ]
    for name, *_, identity, score in rows:
        photo = drawn_photo([(identity, 200, 120, 80)], (360, 480))
        photo[:8, :8] = round(score * 255)
        cv2.imwrite(str(tmp_path / name), photo[..., ::-1])
    with (tmp_path / "list.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "live", "attack", "subject", "enrolled"])
        writer.writerows(row[:-2] for row in rows)
    return tmp_path / "list.csv"


def test_who_gets_in(engine, doorstep):
    report = liveness(engine, doorstep, doorstep.parent)
    assert report.n == 7  # the enrolled photo is no presentation
    told = report.whole
    assert told.bona_fide == 3
    assert told.frr == pytest.approx(2 / 3)  # one is not taken for live, one is somebody else
    assert told.by_attack["print"] == {"n": 2, "iapmr": 1.0, "iapar": 0.5}
    assert told.by_attack["phone"] == {"n": 1, "iapmr": 0.0, "iapar": 0.0}  # s9 is not enrolled
    assert list(told.by_attack) == ["print", "phone"]
    assert told.riapar == pytest.approx(2 / 3 + 0.5)
    assert report.to_dict()["whole_system"]["by_attack"]["print"]["iapar"] == 0.5
    assert "Who would get in" in liveness_html(report)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("a.png,1,,s1,2", "enrolled must be 0 or 1"),
        ("a.png,0,print,s1,1", "is live and has a subject"),
        ("a.png,1,,,1", "is live and has a subject"),
        ("a.png,1,,s1,1", "none is judged"),
    ],
)
def test_lists_with_enrolled_photos_that_cannot_be(tmp_path, row, says):
    (tmp_path / "list.csv").write_text(f"path,live,attack,subject,enrolled\n{row}\n")
    with pytest.raises(InvalidArgument, match=says):
        read_liveness(tmp_path / "list.csv")
