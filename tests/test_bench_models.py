"""``make bench-models`` on a user's own photos: a report and a page, and no card is changed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mien.models.catalogue import parse_card

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture
def figures(monkeypatch):
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import card_figures
    import model_figures

    yield card_figures, model_figures
    for name in ("card_figures", "model_figures", "report"):
        sys.modules.pop(name, None)


@pytest.fixture
def door(people, tmp_path):
    """Photos of three people, their noses and their pairs."""
    obama, biden = people["Barack Obama"], people["Joe Biden"]
    rows = [(obama[0], obama[1], 1), (obama[0], biden[0], 0)]
    rows += [(obama[1], obama[2], 1), (obama[2], biden[0], 0)]
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("a", "b", "same"), *rows])
    truth = [{"path": str(obama[0]), "faces": [{"nose": [496, 267]}]}]
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    return tmp_path


def bench_models(data, *arguments):
    return subprocess.run(
        [
            sys.executable,
            *("-W", "ignore", str(BENCHMARKS / "bench_models.py")),
            *("--data", str(data), "--to", str(data / "report"), *arguments),
        ],
        env={**os.environ, "MIEN_THREADS": "1"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_own_photos(door):
    lists = ["--detection", "door=truth.json", "--pairs", "staff=pairs.csv"]
    done = bench_models(door, *lists, "--only", "detect/yunet", "embed/dlib")
    assert done.returncode == 0, done.stderr
    assert "detect/yunet on door: recall 1.0000" in done.stdout
    measured = json.loads((door / "report" / "models.json").read_text())["measured"]
    assert set(measured) == {"detect/yunet", "embed/dlib"}
    (pairs,) = measured["embed/dlib"]
    assert (pairs["on"], pairs["protocol"], pairs["threads"]) == ("staff", "pairs", 1)
    assert pairs["figures"]["accuracy"] == 1
    page = (door / "report" / "models.md").read_text()
    assert "### staff: pairs of photos" in page
    assert "LFW" not in page


def test_nothing_to_measure(tmp_path):
    done = bench_models(tmp_path)
    assert done.returncode == 0
    assert "no labelled photos" in done.stdout


def test_own_figures_are_not_for_the_cards(tmp_path):
    done = bench_models(tmp_path, "--pairs", "staff=pairs.csv", "--write")
    assert done.returncode == 2
    assert "--write is for the project's own sets" in done.stderr


def test_a_list_that_is_not_there(tmp_path):
    done = bench_models(tmp_path, "--pairs", "pairs.csv", "--only", "embed/dlib")
    assert done.returncode == 2
    assert "There is no list pairs.csv" in done.stderr


@pytest.mark.parametrize(
    ("text", "on", "file"), [("a=b/c.csv", "a", "b/c.csv"), ("b/c.csv", "c", "b/c.csv")]
)
def test_a_list_and_its_name(figures, text, on, file):
    _, model_figures = figures
    listed = model_figures.List.parse("pairs", text)
    assert (listed.on, listed.file, listed.kind) == (on, file, "pairs")


def test_a_card_keeps_what_is_not_replaced(figures):
    card_figures, _ = figures
    for file in sorted(card_figures.CATALOGUE.glob("*.toml")):
        text = file.read_text(encoding="utf-8")
        before = parse_card(text, file=file.name)
        new = card_figures.Measured(
            on="somewhere", protocol="detection", how="x", figures={"recall": 0.5}
        )
        once = card_figures.with_measured(text, new)
        card = parse_card(once, file=file.name)
        assert new in card.measured
        assert all(one in card.measured for one in before.measured)
        assert len(card.measured) == len(before.measured) + 1
        assert card.calibration == before.calibration
        better = card_figures.Measured(
            on="somewhere", protocol="detection", how="y", figures={"recall": 0.75}
        )
        twice = parse_card(card_figures.with_measured(once, better), file=file.name)
        assert len(twice.measured) == len(card.measured)
        assert [one.how for one in twice.measured if one.on == "somewhere"] == ["y"]
