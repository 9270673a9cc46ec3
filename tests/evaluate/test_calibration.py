"""Calibrating random templates whose norm says how good they are."""

import dataclasses
import json
import tomllib

import numpy as np
import pytest

from mien.errors import InvalidArgument
from mien.evaluate import (
    CalibrationOptions,
    calibrate,
    calibration,
    calibration_markdown,
    write_calibration,
)
from mien.evaluate.calibration import fit_calibration
from mien.evaluate.card_table import MARKER, calibration_toml
from mien.evaluate.comparisons import compare_all, halves
from mien.match import Calibration
from mien.testing import mock_engine

OPTIONS = CalibrationOptions(default_fmr=1e-2, resamples=20)


def never(*_):
    raise AssertionError("photos were embedded before the list was refused")


def fit(faces, templates, options=OPTIONS):
    half = halves(faces, seed=options.seed)
    return fit_calibration(faces, templates, half, metric="cosine", model="random", options=options)


@pytest.fixture(scope="module")
def report(random_people):
    return fit(*random_people)


def test_counts(report):
    # two halves of 30 people with five faces each
    assert report.facts.genuine_pairs == 60 * 10
    assert report.facts.impostor_pairs == 2 * (150 * 149 // 2 - 30 * 10)
    assert report.facts.fmr_floor == 3 / report.facts.impostor_pairs
    assert report.facts.data == "a: 30 people, 150 photos; b: 30 people, 150 photos"


def test_confidence_is_half_at_the_default_operating_point(report):
    threshold = Calibration(report.facts).threshold(1e-2)
    assert threshold.confidence == 0.5
    without = Calibration(report.facts).confidence(threshold.similarity, np.nan, np.nan)
    assert float(without) == pytest.approx(0.5, abs=1e-4)


def test_no_point_is_below_the_floor_and_each_has_thirty_false_matches(report):
    rates = [point.fmr for point in report.facts.points]
    assert rates == sorted(rates, reverse=True)
    assert min(rates) * report.facts.impostor_pairs >= 30


def test_the_shipped_thresholds_give_the_stated_rates_on_both_halves(report):
    for check in report.checks:
        measured = (check.half_1, check.half_2, check.plain_1, check.plain_2)
        assert all(check.fmr / 2 < rate < check.fmr * 2 for rate in measured)


def test_quality_helps_and_no_bin_lets_too_many_impostors_in(report):
    assert report.worst_ratio <= OPTIONS.max_fmr_ratio
    bins = report.by_quality
    assert sum(part.impostor_pairs for part in bins) == report.facts.impostor_pairs
    genuine = np.array([part.genuine_pairs for part in bins])
    aware = genuine @ [part.fnmr for part in bins]
    plain = genuine @ [part.fnmr_similarity for part in bins]
    assert aware < plain


def test_a_laxer_limit_shrinks_the_quality_terms_less(random_people, report):
    free = fit(*random_people, dataclasses.replace(OPTIONS, max_fmr_ratio=4))
    assert free.penalty < report.penalty
    assert free.worst_ratio > OPTIONS.max_fmr_ratio


def test_strangers_are_named_about_as_often_as_asked(report):
    rows = report.open_set
    searches = sum(row.probes for row in rows)
    named = sum(row.fpir * row.probes for row in rows)
    assert 1e-2 / 3 < named / searches < 3e-2


def test_groups_leave_out_who_has_no_label(report):
    assert set(report.facts.fmr_by_group) == {"F-F", "F-M", "M-M"}
    labelled = sum(part.impostor_pairs for part in report.by_group)
    assert labelled < report.facts.impostor_pairs


def test_intervals_hold_the_rate(report):
    low, high = report.intervals["fmr"]
    assert low <= 1e-2 <= high
    default = next(p for p in report.facts.points if p.fmr == 1e-2)
    low, high = report.intervals["fnmr"]
    assert low <= default.fnmr <= high


def test_it_is_the_same_every_time(random_people, report):
    assert fit(*random_people).to_json() == report.to_json()


def test_without_norms_the_similarity_alone_counts(random_people):
    faces, templates = random_people
    lost = dataclasses.replace(templates, norm=np.full_like(templates.norm, np.nan))
    facts = fit(faces, lost).facts
    assert facts.weights[1:3] == (0, 0)
    assert facts.fmr_by_quality == {}


def test_plain_is_the_similarity_alone_whatever_the_norms(random_people):
    faces, templates = random_people
    plain = fit(faces, templates, dataclasses.replace(OPTIONS, use_norm=False))
    assert plain.facts.weights[1:3] == (0.0, 0.0)
    unknown = np.full(len(templates.norm), np.nan, np.float32)
    without = fit(faces, dataclasses.replace(templates, norm=unknown))
    assert plain.facts.weights == pytest.approx(without.facts.weights)
    assert [p.logit for p in plain.facts.points] == [p.logit for p in without.facts.points]
    assert len(plain.by_quality) > 1  # the rates by norm are measured all the same


def test_nobody_is_in_both_halves(random_people):
    faces, templates = random_people
    half = halves(faces, seed=3)
    for person in set(faces.identity):
        assert len({h for p, h in zip(faces.identity, half, strict=True) if p == person}) == 1
    pairs = compare_all(faces, templates, half, metric="cosine", seed=0)
    assert (half[pairs.a] == half[pairs.b]).all()
    assert (pairs.a != pairs.b).all()


def test_faces_that_were_not_found_take_no_part(random_people):
    faces, templates = random_people
    found = templates.found.copy()
    found[:5] = False
    report = fit(faces, dataclasses.replace(templates, found=found))
    assert report.undetected == faces.names[:5]
    assert report.facts.genuine_pairs == 59 * 10


def test_many_comparisons_are_sampled_but_genuine_ones_are_kept(random_people, monkeypatch):
    from mien.evaluate import comparisons

    faces, templates = random_people
    monkeypatch.setattr(comparisons, "MOST_COMPARISONS", 9000)
    half = halves(faces, seed=0)
    pairs = compare_all(faces, templates, half, metric="cosine", seed=0)
    assert pairs.same.sum() == 60 * 10
    assert 8000 < (~pairs.same).sum() < 9500


def test_too_few_people(random_people):
    with pytest.raises(InvalidArgument, match="needs 300000 impostor pairs"):
        fit(*random_people, dataclasses.replace(OPTIONS, default_fmr=1e-4))


def test_one_fold_cannot_be_cross_fitted(random_people):
    faces, _ = random_people
    with pytest.raises(InvalidArgument, match="two folds"):
        halves(dataclasses.replace(faces, fold=("1",) * len(faces)), seed=0)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"default_fmr": 0.0}, "default_fmr"),
        ({"default_fmr": 0.2}, "default_fmr"),
        ({"norm_reference": -1.0}, "norm_reference"),
        ({"norm_clip": (0.1, 0.2)}, "norm_clip"),
        ({"max_fmr_ratio": 0.5}, "max_fmr_ratio"),
        ({"resamples": 0}, "resamples"),
    ],
)
def test_options_that_cannot_be(option, message):
    with pytest.raises(InvalidArgument, match=message):
        CalibrationOptions(**option)


def test_calibrate_reads_a_list_and_photos(photos, table):
    rows = [[f"p{p}_{x}.png", f"{p}", str(p % 2)] for p in range(6) for x in "ab"]
    listed = table([["path", "id", "fold"], *rows])
    with mock_engine() as engine, pytest.raises(InvalidArgument, match="too few"):
        calibrate(engine, listed, photos, progress=never)


def test_the_list_says_how_many_pairs_there_are_at_best(random_people):
    faces, templates = random_people
    half = halves(faces, seed=0)
    pairs = compare_all(faces, templates, half, metric="cosine", seed=0)
    impostors, genuine = calibration._pairs_at_best(faces, half)
    assert impostors == (~pairs.same).sum()
    assert genuine == [(pairs.same & (pairs.half == h)).sum() for h in (0, 1)]


def test_the_card_keeps_what_stands_above_the_marker(report, tmp_path):
    card = tmp_path / "embed-x.toml"
    card.write_text('name = "x"\n\n[embedder]\ndim = 8\n', encoding="utf-8")
    write_calibration(report.facts, card)
    once = card.read_text(encoding="utf-8")
    write_calibration(report.facts, card)
    assert card.read_text(encoding="utf-8") == once
    assert once.startswith('name = "x"\n\n[embedder]\ndim = 8\n\n' + MARKER)
    table = tomllib.loads(once)
    assert table["embedder"] == {"dim": 8}
    assert table["calibration"]["points"][0]["fmr"] == 0.5
    assert table["calibration"] == tomllib.loads(calibration_toml(report.facts))["calibration"]


def test_a_calibration_that_the_program_did_not_write_is_left_alone(report, tmp_path):
    card = tmp_path / "embed-x.toml"
    card.write_text("[calibration]\nweights = []\n", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="remove it first"):
        write_calibration(report.facts, card)
    assert card.read_text(encoding="utf-8") == "[calibration]\nweights = []\n"
    with pytest.raises(InvalidArgument, match="cannot be written"):
        write_calibration(report.facts, tmp_path / "no" / "card.toml")


def test_a_card_that_is_no_text_is_left_alone(report, tmp_path):
    card = tmp_path / "embed-x.toml"
    card.write_bytes(b"\xff\xfe name")
    with pytest.raises(InvalidArgument, match="not UTF-8"):
        write_calibration(report.facts, card)
    assert card.read_bytes() == b"\xff\xfe name"


def test_reports_for_machines_and_people(report):
    answer = json.loads(report.to_json())
    assert answer["calibration"]["impostor_pairs"] == report.facts.impostor_pairs
    page = calibration_markdown(report)
    assert "not safe on another" in page
    assert f"3 / {report.facts.impostor_pairs}" in page
    assert "F-M" in page
    assert "FMR 0.01" in str(report)
