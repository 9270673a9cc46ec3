"""Kill -9 in the middle of ``mien enroll --from``: nothing acknowledged is lost.

``make soak`` does it some hundreds of times (MIEN_SOAK=1).
"""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from mien.gallery import Gallery
from mien.testing import drawn_face

ENTRY = Path(__file__).with_name("mock_entry.py")
KILLS = 400 if os.environ.get("MIEN_SOAK") else 20
PERSONS, PHOTOS = 12, 10


@pytest.fixture
def people(tmp_path):
    for person in range(PERSONS):
        folder = tmp_path / "people" / f"person {person}"
        folder.mkdir(parents=True)
        for photo in range(PHOTOS):
            picture = Image.fromarray(drawn_face(person, (120, 160 + photo)))
            picture.save(folder / f"{photo}.png")
    return tmp_path / "people"


def enroll(people: Path, database: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(ENTRY), "enroll", "staff", "--from", str(people)],
        env={**os.environ, "MIEN_GALLERY": f"sqlite:///{database}", "MIEN_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed_run(people: Path, database: Path, *, after: int, delay_s: float) -> list[str]:
    """Kill a run ``delay_s`` after its ``after``-th line; the lines that it got out."""
    with enroll(people, database) as process:
        assert process.stderr is not None
        lines = []
        while len(lines) < after and (line := process.stderr.readline()):
            lines.append(line)
        time.sleep(delay_s)
        process.kill()
        return lines + process.stderr.readlines()


def acknowledged(lines: list[str]) -> list[str]:
    whole = [line for line in lines if line.endswith("\n")]
    return [line.split(maxsplit=1)[1].strip() for line in whole if line.startswith("enrolled ")]


def faces_in(database: Path) -> dict[str, int]:
    with Gallery.open(f"sqlite:///{database}") as gallery:
        persons = gallery.persons("staff", limit=PERSONS + 1)
        return {person.name: person.faces for person in persons}


def test_nothing_acknowledged_is_lost(people, tmp_path):
    chance = random.Random(20)
    total = PERSONS * PHOTOS
    database, told, in_the_middle = tmp_path / "0.db", set[str](), 0
    for kill in range(KILLS):
        lines = killed_run(
            people,
            database,
            after=len(told) + chance.randrange(1, 15),
            delay_s=chance.uniform(0, 0.03),
        )
        new = acknowledged(lines)
        in_the_middle += len(lines) < total
        assert told.isdisjoint(new), "a face that was acknowledged has been enrolled again"
        told.update(new)
        connection = sqlite3.connect(database)
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()
        kept = faces_in(database)
        for person, faces in kept.items():
            assert faces >= sum(name.startswith(f"{person}/") for name in told)
        assert sum(kept.values()) >= len(told)
        if sum(kept.values()) == total:
            database, told = tmp_path / f"{kill + 1}.db", set()
    assert in_the_middle > KILLS / 2
    with enroll(people, database) as process:
        process.communicate(timeout=120)
    assert process.returncode == 0
    assert faces_in(database) == {f"person {n}": PHOTOS for n in range(PERSONS)}
