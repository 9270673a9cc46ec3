"""kill -9 at any instant: nothing acknowledged is lost, nothing is half there.

``make soak`` does it some hundreds of times (MIEN_SOAK=1).
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mien.gallery import Gallery
from mien.testing.galleries import random_contract, unit_vectors

KILLS = 400 if os.environ.get("MIEN_SOAK") else 20
PROCESS = Path(__file__).with_name("enrolling_process.py")
DIM = 16


def enrol_and_kill(
    url: str, lives: Iterable[tuple[int, float]], *, seed: int = 0
) -> list[list[str]]:
    """Let processes enrol, one after the other, and kill each after its life.

    A life is so many reports (so that a busy machine does not end it before it began) and then
    so many seconds. Returns what they reported.
    """
    reports: list[list[str]] = []
    with subprocess.Popen(
        [sys.executable, PROCESS, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for i, (lines, more_s) in enumerate(lives, seed):
            nursery.stdin.write(f"{i}\n")
            nursery.stdin.flush()
            ready, pid = nursery.stdout.readline().split()
            assert ready == "ready"
            reports += [nursery.stdout.readline().split() for _ in range(lines)]
            time.sleep(more_s)
            os.kill(int(pid), signal.SIGKILL)
            while (line := nursery.stdout.readline()) != "end\n":
                reports.append(line.split())
    whole = {"added": 4, "deleting": 2, "deleted": 2}  # a report that was cut off is none
    return [r for r in reports if r and whole.get(r[0]) == len(r) and len(r[-1]) == 32]


def check(url: str, reports: list[list[str]]) -> int:
    """Everything acknowledged is there and found; returns how many faces there are."""
    numbers = {face: int(line[1]) for line in reports if line[0] == "added" for face in line[2:]}
    gone = {line[1] for line in reports if line[0] == "deleted"}
    perhaps_gone = {line[1] for line in reports if line[0] == "deleting"}
    with Gallery.open(url) as gallery:
        stored, after = {}, None
        while page := gallery.faces("people", after=after, limit=1000):
            stored |= {face.id: face.person for face in page}
            after = page[-1].id
        assert numbers.keys() - perhaps_gone <= stored.keys()
        assert not gone & stored.keys()
        group = gallery.group("people")
        assert group.faces == len(stored)
        assert group.persons == len(gallery.persons("people")) <= 10
        vectors = {}
        for name in {*stored.values()}:
            faces, embeddings = gallery.embeddings("people", name)
            vectors |= dict(zip([face.id for face in faces], embeddings.vector, strict=True))
        assert vectors.keys() == stored.keys()
        for face, number in numbers.items():
            if face in vectors:
                assert vectors[face].tobytes() in unit_vectors(2, DIM, seed=number).tobytes()
        probes = np.array([vectors[face] for face in stored], np.float32).reshape(-1, DIM)
        contract = random_contract(DIM)
        hits = gallery.search("people", probes, k=1, contract=contract)
        assert [hit[0].face_id for hit in hits] == list(stored)
    return len(stored)


def assert_sound(file: Path) -> None:
    """SQLite finds no fault, and no row points nowhere."""
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


def test_killed_at_any_instant(tmp_path):
    file = tmp_path / "faces.db"
    rng = random.Random(1)
    lives = [(rng.randint(0, 8), rng.uniform(0, 0.02)) for _ in range(KILLS)]
    reports = enrol_and_kill(f"sqlite:///{file}", lives)
    found = check(f"sqlite:///{file}", reports)
    added = sum(2 for line in reports if line[0] == "added")
    deleted = sum(line[0] == "deleted" for line in reports)
    assert added > 3 * KILLS  # or the processes were killed before they did anything
    # at most one write of each process was in flight: two faces, or one deletion
    assert added - deleted - KILLS <= found <= added - deleted + 2 * KILLS
    assert_sound(file)


def test_killed_while_the_tables_are_made(tmp_path):
    """A gallery that was never acknowledged opens anew, whatever was left of it."""
    code = (
        "import sys; from mien.gallery import Gallery; "
        "print(1, flush=True); Gallery.open(sys.argv[1])"
    )
    for i, alive_s in enumerate([0, 0.02, 0.06, 0.1, 0.14, 0.18]):
        url = f"sqlite:///{tmp_path / f'{i}.db'}"
        with subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(alive_s)
            process.kill()
        with Gallery.open(url) as gallery:
            assert [a.name for a in gallery.applications()] == ["default"]
        assert_sound(tmp_path / f"{i}.db")
