"""What ``make run`` runs: twice on one gallery, while somebody else has it open."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mien import Gallery

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "first_steps.py"


@pytest.fixture
def first_steps(people, partial, tmp_path):
    """Run the example in a folder of its own; its answer."""

    def run() -> str:
        done = subprocess.run(
            [sys.executable, str(EXAMPLE), "demo/photos"],
            env={**os.environ, "MIEN_GALLERY": "sqlite:///demo/gallery.db"},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def results(printed: str) -> str:
    return printed[printed.index("Who is it") : printed.index("Try it yourself")]


def test_a_second_run_says_the_same_beside_an_open_gallery(first_steps, tmp_path):
    first = first_steps()
    readme = (ROOT / "README.md").read_text()
    for line in results(first).splitlines():
        assert line in readme
    with Gallery.open(f"sqlite:///{tmp_path / 'demo' / 'gallery.db'}") as served:
        second = first_steps()
        assert served.group("demo").faces == 3
    assert results(second) == results(first)
    assert "Barack Obama: 2 photo(s) enrolled in 'demo' already" in second
    assert "rejected" not in second


def test_the_commands_that_it_prints_work(first_steps, tmp_path):
    lines = re.findall(r"^  (.*)$", first_steps().partition("Try it yourself")[2], re.MULTILINE)
    assert lines[0] == "export MIEN_GALLERY=sqlite:///demo/gallery.db"
    environment = {**os.environ, "MIEN_GALLERY": "sqlite:///demo/gallery.db"}
    answers = []
    for line in lines[1:]:
        program, *arguments = shlex.split(line)
        assert (tmp_path / program).resolve().name == "mien"
        command = [sys.executable, "-c", "from mien.cli import main; main()", *arguments]
        answers.append(
            subprocess.run(
                command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
            )
        )
    assert [answer.returncode for answer in answers] == [0, 1, 0, 0]
    assert "Barack Obama: confidence" in answers[0].stdout


def test_make_run_deletes_nothing():
    makefile = (ROOT / "Makefile").read_text()
    recipe = re.search(r"^run:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert recipe is not None
    assert "first_steps.py" in recipe[1]
    assert not re.search(r"\brm\b", recipe[1])
