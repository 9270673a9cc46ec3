"""mien liveness, --liveness and --condition, and mien eval liveness, over drawn faces."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from mien.cli.run import Rooms
from mien.liveness import PassiveLiveness
from mien.testing import MockLivenessNet, drawn_face, mock_engine


def by_corner(photo, box):
    """The net reads its answer from the photo's first pixel."""
    return float(photo[0, 0, 0]) / 255


@pytest.fixture
def rooms():
    check = PassiveLiveness([MockLivenessNet(by_corner)])
    return Rooms(engine=lambda settings, models: mock_engine(settings, liveness=check))


@pytest.fixture
def photos(tmp_path):
    """Photos of one person by the score that they get."""

    def save(name, score):
        photo = np.array(drawn_face(1))
        photo[0, 0] = round(score * 255)
        Image.fromarray(photo).save(tmp_path / f"{name}.png")
        return f"{name}.png"

    return {name: save(name, score) for name, score in [("live", 0.9), ("fair", 0.5), ("spoof", 0)]}


def test_liveness(mien, photos):
    answer = mien("liveness", photos["live"], "--json")
    assert answer.exit_code == 0
    (entry,) = answer.document
    assert entry["faces"][0]["liveness"]["verdict"] == "live"
    answer = mien("liveness", photos["live"], photos["spoof"])
    assert answer.exit_code == 1
    assert "spoof 0.00 nets_see_an_attack" in answer.stdout
    assert mien("liveness", photos["fair"]).exit_code == 0
    assert mien("liveness", photos["fair"], "--condition", "strict").exit_code == 1


def test_a_photo_without_a_face_is_not_live(mien, tmp_path):
    Image.new("RGB", (90, 90), (120, 130, 140)).save(tmp_path / "empty.png")
    answer = mien("liveness", "empty.png", "--json")
    assert (answer.exit_code, answer.document[0]["faces"]) == (1, [])
    assert mien("liveness", "not-there.png").exit_code == 2


@pytest.mark.parametrize("command", ["detect", "analyze"])
def test_a_photo_at_a_time(mien, photos, command):
    more = ["--actions", "blur"] if command == "analyze" else []
    plain = mien(command, photos["spoof"], *more, "--json").document[0]["faces"][0]
    assert "liveness" not in plain
    told = mien(command, photos["spoof"], *more, "--liveness", "observe", "--json")
    assert told.document[0]["faces"][0]["liveness"]["live"] is False
    refused = mien(command, photos["spoof"], *more, "--liveness", "enforce", "--json")
    assert refused.exit_code == 1
    assert refused.document["error"]["code"] == "spoof_suspected"
    assert mien(command, photos["live"], *more, "--liveness", "enforce").exit_code == 0


def test_with_a_gallery(mien, photos):
    told = mien("enroll", "staff", "Ann", photos["spoof"], "--liveness", "enforce", "--json")
    assert told.exit_code == 2
    assert told.document["rejected"][0]["reasons"] == ["spoof_suspected"]
    done = mien("enroll", "staff", "Ann", photos["live"], "--liveness", "enforce", "--json")
    assert done.document["liveness"][0]["live"] is True
    found = mien("identify", "staff", photos["live"], "--liveness", "observe")
    assert "live 0.90" in found.stdout
    assert mien("verify", "staff", "Ann", photos["fair"], "--liveness", "enforce").exit_code == 0
    strict = ("--liveness", "enforce", "--condition", "strict")
    assert mien("verify", "staff", "Ann", photos["fair"], *strict).exit_code == 1
    compared = mien("compare", photos["live"], photos["spoof"], "--liveness", "observe")
    assert "liveness in A: live" in compared.stdout
    assert "liveness in B: spoof" in compared.stdout


def test_a_policy_that_there_is_not(mien, photos):
    answer = mien("detect", photos["live"], "--liveness", "always")
    assert answer.exit_code == 2
    assert "off, observe, enforce" in answer.stderr


def test_evaluation(mien, photos, tmp_path):
    (tmp_path / "list.csv").write_text(
        "path,live,attack\nlive.png,1,\nfair.png,0,print\nspoof.png,0,phone\n"
    )
    arguments = ("eval", "liveness", "--list", "list.csv", "--root", ".", "--report", "r.html")
    told = mien(*arguments, "--json").document
    assert (told["n"], told["apcer"], told["bpcer"]) == (3, 1.0, 0.0)
    assert "<svg" in (tmp_path / "r.html").read_text()
    assert "print: APCER 1.0000 of 1" in mien(*arguments).stdout
    strict = mien(*arguments, "--condition", "strict", "--json").document
    assert strict["apcer"] == 0.0
