"""kill -9 in the middle of a re-embedding, again and again, while another process searches."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from pathlib import Path

from mien.engine import Engine
from mien.gallery import Gallery, GroupSettings
from mien.testing import MockDetector, MockEmbedder

sys.path.insert(0, str(Path(__file__).parent))
from reembedding_process import GROUP, PERSONS, photo

PROCESS = Path(__file__).with_name("reembedding_process.py")
KILLS = 100 if os.environ.get("MIEN_SOAK") else 5


class Other:
    """Another process: see reembedding_process.py."""

    def __init__(self, what, url):
        self._process = subprocess.Popen(
            [sys.executable, PROCESS, what, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "MIEN_THREADS": "1"},
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.communicate(timeout=60)

    def write(self, line):
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def read(self):
        return self._process.stdout.readline()

    def ask(self, person):
        """Whom the searching process names; how often either model was answered."""
        self.write(person)
        line = self.read()
        assert re.fullmatch(rf"{person} \['p{person}'\] \d+ \d+\n", line), line
        old, new = line.split()[2:]
        return int(old), int(new)

    def move(self, *, lines, more_s):
        """Move the group, and be killed after so many reports and so long; all reports.

        ``lines`` None: not killed.
        """
        self.write("go")
        word, pid = self.read().split()
        assert word == "ready"
        told = [self.read() for _ in range(lines or 0)]
        if lines is not None:
            time.sleep(more_s)
            with suppress(ProcessLookupError):  # it was faster
                os.kill(int(pid), signal.SIGKILL)
        while (line := self.read()) != "end\n":
            told.append(line)
        return told


def test_killed_in_the_middle_of_a_move(url):
    old, new = MockEmbedder().contract, MockEmbedder(version=2).contract
    with ExitStack() as stack:
        gallery = stack.enter_context(Gallery.open(url))
        engine = stack.enter_context(Engine(detector=MockDetector(), embedder=MockEmbedder()))
        settings = GroupSettings(images="crops")
        gallery.create_group(GROUP, contract=old, settings=settings)
        for person in range(PERSONS):
            engine.enroll(gallery, GROUP, f"p{person}", [photo(person)])
        ids = [face.id for face in gallery.faces(GROUP)]
        searching = stack.enter_context(Other("search", url))
        assert searching.read() == "ready\n"
        moving = stack.enter_context(Other("move", url))
        assert kill_again_and_again(moving, searching, gallery, ids) > KILLS / 2
        assert "moved\n" in moving.move(lines=None, more_s=0)
        assert gallery.group(GROUP).contract == new
        before, after = searching.ask(5), searching.ask(PERSONS - 1)
        assert after[0] == before[0] > 0  # nobody is answered under the old contract any more
        assert after[1] > before[1]
        assert [face.id for face in gallery.faces(GROUP)] == ids
        assert gallery.group(GROUP).faces == PERSONS
        (entry,) = [e for e in gallery.privacy.audit(limit=1000) if e.action == "group.reembed"]
        assert entry.details["faces"] == PERSONS
        assert gallery.privacy.verify_audit()


def kill_again_and_again(moving, searching, gallery, ids):
    """Kill moves while somebody searches; how many had not moved the group yet."""
    chance, last, killed = random.Random(4), 0, 0
    for number in range(KILLS):
        told = moving.move(lines=chance.choice([0, 1, 1]), more_s=chance.uniform(0, 0.01))
        done = [int(line.split()[0]) for line in told if re.fullmatch(r"\d+ \d+\n", line)]
        assert all(count > last for count in done)  # what was acknowledged is not done again
        last = max([last, *done])
        killed += gallery.group(GROUP).contract == MockEmbedder().contract
        assert [face.id for face in gallery.faces(GROUP)] == ids
        searching.ask(number % PERSONS)
    return killed
