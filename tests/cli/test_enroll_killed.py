"""Kill -9 in the middle of ``mien enroll --from``: nothing acknowledged is lost.

``make soak`` does it some hundreds of times (MIEN_SOAK=1).
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from mien.gallery import Gallery
from mien.testing import drawn_face

sys.path.insert(0, str(Path(__file__).parent))
from nursery import Nursery

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


class Enrolments:
    """Runs of ``mien enroll --from`` over one folder."""

    def __init__(self, nursery: Nursery, folder: Path, people: Path) -> None:
        self._nursery, self._folder, self._told = nursery, folder, folder / "told"
        self._arguments = ["enroll", "staff", "--from", str(people)]
        os.mkfifo(self._told)

    def run(self, database: Path, *, killed_after: int | None, delay_s: float = 0):
        """The lines that it got out until it was killed so long after so many; its exit code."""
        files = [Path(os.devnull), self._told]
        pid = self._nursery.start(
            self._arguments, files=files, folder=self._folder, gallery=database
        )
        lines = []
        with self._told.open() as told:
            if killed_after is not None:
                while len(lines) < killed_after and (line := told.readline()):
                    lines.append(line)
                time.sleep(delay_s)
                os.kill(pid, signal.SIGKILL)
            lines += told.readlines()
        return lines, self._nursery.reap()


def acknowledged(lines: list[str]) -> list[str]:
    whole = [line for line in lines if line.endswith("\n")]
    return [line.split(maxsplit=1)[1].strip() for line in whole if line.startswith("enrolled ")]


def faces_in(database: Path) -> dict[str, int]:
    with Gallery.open(f"sqlite:///{database}") as gallery:
        persons = gallery.persons("staff", limit=PERSONS + 1)
        return {person.name: person.faces for person in persons}


def test_nothing_acknowledged_is_lost(people, tmp_path):
    with Nursery() as nursery:
        enrolments = Enrolments(nursery, tmp_path, people)
        database = killed_again_and_again(enrolments, tmp_path)
        _, code = enrolments.run(database, killed_after=None)
    assert code == 0
    assert faces_in(database) == {f"person {n}": PHOTOS for n in range(PERSONS)}


def killed_again_and_again(enrolments: Enrolments, folder: Path) -> Path:
    """Kill and compare; the gallery that was enrolled into last."""
    chance = random.Random(20)
    total = PERSONS * PHOTOS
    database, told, in_the_middle = folder / "0.db", set[str](), 0
    for kill in range(KILLS):
        after = len(told) + chance.randrange(1, 15)
        lines, _ = enrolments.run(database, killed_after=after, delay_s=chance.uniform(0, 0.03))
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
            database, told = folder / f"{kill + 1}.db", set()
    assert in_the_middle > KILLS / 2
    return database
