"""kill -9 at any instant, with two writers: nothing acknowledged is lost, nothing is half there.

``make soak`` does it 200 times on each database (MIEN_SOAK=1), with the seed in MIEN_SEED. What the
writers do is in mien.testing.lives, and what must hold afterwards in mien.testing.truth.
"""

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from mien.gallery import Gallery
from mien.gallery.records.vectors import face_entries
from mien.testing import lives
from mien.testing.lives import Change, Life, State
from mien.testing.postgres import PostgresServer, postgres_programs
from mien.testing.truth import assert_found, assert_whole, similarities

SOAK = bool(os.environ.get("MIEN_SOAK"))
KILLS = 200 if SOAK else 10
SERVER_KILLS = 20 if SOAK else 2
SEED = int(os.environ.get("MIEN_SEED", "1"))
PROBES = 40 if SOAK else 10
WAIT_S = 300


class Report:
    """What a writer has said so far; a line that was cut off is none."""

    def __init__(self, life: Life) -> None:
        self.life = life

    @property
    def lines(self) -> list[list]:
        try:
            text = Path(self.life.file).read_bytes()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in text.split(b"\n")[:-1]]

    def wait(self, word: str, count: int) -> None:
        """Until a word has been said so often."""
        until = time.monotonic() + WAIT_S
        while sum(line[0] == word for line in self.lines) < count:
            assert time.monotonic() < until, (word, self.lines[-3:])
            time.sleep(0.005)

    def said(self, word: str) -> int:
        return sum(line[0] == word for line in self.lines)

    def outcome(self) -> tuple[State, Change | None]:
        """What was acknowledged, and the write that was not yet."""
        state, begun = self.life.state, None
        for word, *rest in self.lines:
            if word == "begin":
                begun = Change(**{**rest[0], "numbers": tuple(rest[0]["numbers"])})
            elif word == "done":
                state, begun = lives.after(state, begun), None
            elif word == "is":
                found = lives.state_of(rest[0])
                assert found in (state, begun and lives.after(state, begun)), begun
                state, begun = found, None
        return state, begun


class Town:
    """Two writers on one gallery, a gallery that lives through everything, and the checks."""

    def __init__(self, url, folder, nursery, witness, rng):
        self.url, self.folder, self.nursery, self.witness = url, folder, nursery, witness
        self.rng = rng
        self.states = [{} for _ in range(lives.WRITERS)]
        self.counters = [0] * lives.WRITERS
        self.reports = [None] * lives.WRITERS
        self.pids = [0] * lives.WRITERS
        self.births = 0
        self.tally = Counter()

    def order(self, *words):
        self.nursery.stdin.write(" ".join(map(str, words)) + "\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())

    def bear(self):
        """Start the writers that are dead."""
        for writer in range(lives.WRITERS):
            if not self.pids[writer]:
                self.births += 1
                file = self.folder / f"report-{self.births}"
                seed = self.rng.randrange(2**32)
                life = Life(writer, seed, self.states[writer], self.counters[writer], str(file))
                self.reports[writer] = Report(life)
                self.pids[writer] = self.order("live", life.to_json())

    def kill(self, writers):
        for writer in writers:
            os.kill(self.pids[writer], signal.SIGKILL)
        for writer in writers:
            status = self.order("reap", self.pids[writer])
            assert status == signal.SIGKILL, (status, self.reports[writer].lines[-2:])
            self.pids[writer] = 0
            self.tally["writes"] += self.reports[writer].said("done")
            # the numbers of a write that left nothing behind are not used again either
            self.counters[writer] += self.reports[writer].said("begin")

    @contextmanager
    def paused(self):
        """Those who live stand still between two writes."""
        alive = [i for i in range(lives.WRITERS) if self.pids[i]]
        for writer in alive:
            self.reports[writer].wait("ready", 1)
            before = self.reports[writer].said("paused")
            os.kill(self.pids[writer], signal.SIGUSR1)
            self.reports[writer].wait("paused", before + 1)
        yield
        for writer in alive:
            until = time.monotonic() + WAIT_S
            while " T " not in Path(f"/proc/{self.pids[writer]}/stat").read_text():
                assert time.monotonic() < until
            os.kill(self.pids[writer], signal.SIGCONT)

    def check(self):
        """Everything that was acknowledged is there, and nothing else but whole writes."""
        with self.witness._database.writing():
            pass  # what a server still does for those who were killed is over
        for writer, report in enumerate(self.reports):
            state, begun = report.outcome()
            found = lives.own_state(self.witness, writer)
            if begun is not None and self.pids[writer]:
                raise AssertionError("a writer that stands still has a write under way")
            if found != state:
                assert begun is not None, (found, state)
                assert found == lives.after(state, begun), begun
                self.tally["whole"] += 1
            elif begun is not None:
                self.tally["none"] += 1
            self.states[writer] = found
        assert_whole(self.witness)
        self.check_templates()
        self.check_searches()
        if self.url.startswith("sqlite"):
            assert_sound(Path(self.url.removeprefix("sqlite:///")))

    def check_templates(self):
        numbers = {n for state in self.states for _, held in state.values() for n in held}
        stored = []
        for group in lives.GROUPS:
            with self.witness._database.snapshot() as connection:
                row = self.witness._group(connection, group)
                stored += [v.tobytes() for b in face_entries(connection, row) for v in b.vectors]
        assert sorted(stored) == sorted(lives.templates([n]).tobytes() for n in numbers)
        self.probes = [0, *self.rng.sample(sorted(numbers), min(PROBES, len(numbers)))]

    def check_searches(self):
        """A process that lived through it and a new one find what brute force finds."""
        answer = self.folder / "answer"
        pid = self.order("look", json.dumps({"numbers": self.probes, "file": str(answer)}))
        lived = lives.found_by(self.witness, self.probes)
        assert self.order("reap", pid) == 0
        looked = json.loads(answer.read_text())
        self.tally["snapshots"] += looked["restored"]
        for group in lives.GROUPS:
            wanted = similarities(self.witness, group, lives.templates(self.probes))
            try:
                assert_found(lived[group], wanted)
            except AssertionError:
                self.explain(group)
                raise
            assert_found([[tuple(hit) for hit in row] for row in looked["found"][group]], wanted)

    def explain(self, group):
        """What is needed to tell a stale read from a late write: it cannot be repeated at will."""
        again = lives.found_by(self.witness, self.probes)[group][0]
        wanted = similarities(self.witness, group, lives.templates(self.probes))[0]
        print(f"{group}: found again {sorted(name for name, _ in again)}, stored {sorted(wanted)}")
        for writer, report in enumerate(self.reports):
            alive = self.pids[writer] != 0
            print(f"{writer} {alive=}", lives.own_state(self.witness, writer), report.lines[-4:])

    def end(self):
        self.kill([writer for writer in range(lives.WRITERS) if self.pids[writer]])


def assert_sound(file: Path) -> None:
    """SQLite finds no fault, and no row points nowhere."""
    connection = sqlite3.connect(file)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    connection.close()


@contextmanager
def town(url, folder):
    print(f"MIEN_SEED={SEED}")
    lives.prepare(url)
    command = [sys.executable, "-m", "mien.testing.lives", url, str(folder / "index")]
    with (
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as nursery,
        lives.opened(url, folder / "index") as witness,
    ):
        made = Town(url, folder, nursery, witness, random.Random(SEED))
        try:
            yield made
        finally:
            for pid in filter(None, made.pids):
                os.kill(pid, signal.SIGKILL)
            nursery.stdin.close()


def test_writers_killed_at_any_instant(url, tmp_path):
    with town(url, tmp_path) as made:
        rng, early = made.rng, 0
        for _ in range(KILLS):
            made.bear()
            victims = rng.choice([[0], [1], [0, 1], [0, 1]])
            if rng.random() < 0.1:  # maybe while it opens the gallery
                early += 1
            else:
                for writer in victims:
                    begun = made.reports[writer].said("done")
                    made.reports[writer].wait("done", begun + rng.randint(0, 3))
            time.sleep(rng.uniform(0, 0.03))
            made.kill(victims)
            made.tally["killed"] += len(victims)
            with made.paused():
                made.check()
        made.end()
    print(dict(made.tally), f"{early=}")
    assert made.tally["writes"] > KILLS  # or they were killed before they did anything
    assert made.tally["whole"] + made.tally["none"] > KILLS // 2  # and in the middle of a write
    assert made.tally["snapshots"] > 0


def test_a_postgres_server_killed_at_any_instant(tmp_path):
    """The writers are not started again: they go on when the server is back."""
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresServer(programs) as server, server.database() as url, town(url, tmp_path) as made:
        made.bear()
        for number in range(SERVER_KILLS):
            for report in made.reports:
                report.wait("done", report.said("done") + made.rng.randint(1, 6))
            time.sleep(made.rng.uniform(0, 0.03))
            if number % 2:
                server.kill_one()  # the server ends all other connections, and recovers
            else:
                server.stop(signal.SIGKILL)
                server.start()
            for report in made.reports:  # who had nothing under way may not have seen it
                report.wait("done", report.said("done") + 2)
            with made.paused():
                made.check()
        made.end()
    print(dict(made.tally))
    assert made.tally["snapshots"] > 0
    assert sum(report.said("is") for report in made.reports) > 0  # who had to wait for the server


OPENER = """
import os, sys
import alembic.command
from mien.gallery import Gallery
while line := sys.stdin.readline():
    child = os.fork()
    if not child:
        Gallery.open(line.strip())
        os._exit(0)
    print(child, flush=True)
    sys.stdin.readline()
    print(os.waitpid(child, 0)[1], flush=True)
"""


def test_killed_while_the_tables_are_made(tmp_path):
    """A gallery that was never acknowledged opens anew, whatever was left of it."""
    command, pipe = [sys.executable, "-c", OPENER], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as opener:
        for i, alive_s in enumerate([0, 0.01, 0.03, 0.05, 0.07, 0.1]):
            url = f"sqlite:///{tmp_path / f'{i}.db'}"
            print(url, file=opener.stdin, flush=True)
            child = int(opener.stdout.readline())
            time.sleep(alive_s)
            os.kill(child, signal.SIGKILL)  # it is not reaped yet, even if it has ended
            print("reap", file=opener.stdin, flush=True)
            assert int(opener.stdout.readline()) in (0, signal.SIGKILL)
            with Gallery.open(url) as gallery:
                assert [a.name for a in gallery.applications()] == ["default"]
            assert_sound(tmp_path / f"{i}.db")
