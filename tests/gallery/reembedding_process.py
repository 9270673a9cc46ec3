"""Processes over drawn faces for test_reembed_killed.py: one moves a group, one searches it.

``python reembedding_process.py move URL`` forks a child for each line of its input, which moves the
group to the later model and reports its batches; once it is dead, ``end`` is printed.
``... search URL`` searches with whichever model the group has, until its input ends.
"""

import os
import sys
import time

from mien.engine import Engine, reembedding
from mien.errors import EmbeddingMismatch
from mien.gallery import Gallery
from mien.testing import MockDetector, MockEmbedder, drawn_face

GROUP = "people"
PERSONS = 26


def engine() -> Engine:
    """One that knows both models."""
    both = [MockEmbedder(), MockEmbedder(version=2)]
    return Engine(detector=MockDetector(), embedder=MockEmbedder(version=2), embedders=both)


def photo(person: int, width: int = 160):
    return drawn_face(person, (120, width))


def move(url: str) -> None:
    """Move the group, three faces a transaction, slowly enough to be killed in between."""
    reembedding._AT_ONCE = 3

    def tell(*numbers: int) -> None:
        print(*numbers, flush=True)
        time.sleep(0.02)

    with engine() as used, Gallery.open(url) as gallery:
        print(f"ready {os.getpid()}", flush=True)
        done = used.reembed(gallery, GROUP, watch=tell)
        print("moved" if done.moved else f"left {done}", flush=True)


def move_again_and_again(url: str) -> None:
    """One child at a time, until the input ends."""
    for _ in sys.stdin:
        child = os.fork()
        if not child:
            move(url)
            os._exit(0)
        os.waitpid(child, 0)
        print("\nend", flush=True)  # the child may have died in the middle of a line


def search(url: str) -> None:
    """Identify people with raw probes of both models; report each answer that is wrong."""
    with engine() as used, Gallery.open(url) as gallery:
        embedders = used.embedders._given.values()
        probes = [
            (person, one, used.with_embedder(one).represent(photo(person, 170)).embeddings.vector)
            for person in range(0, PERSONS, 7)
            for one in embedders
        ]
        answers = {1: 0, 2: 0}
        print("ready", flush=True)
        for line in sys.stdin:
            for person, one, probe in probes:
                try:
                    (hits,) = gallery.search(GROUP, probe, k=1, contract=one.contract)
                except EmbeddingMismatch:
                    continue
                answers[one.contract.preprocessing] += 1
                if hits[0].person != f"p{person}" or hits[0].similarity < 0.9:
                    print(f"wrong {person} {hits}", flush=True)
            found = used.identify(gallery, GROUP, photo(int(line), 180), threshold=0.9)
            named = [candidate.person for candidate in next(iter(found)).candidates]
            print(f"{line.strip()} {named} {answers[1]} {answers[2]}", flush=True)


if __name__ == "__main__":
    {"move": move_again_and_again, "search": search}[sys.argv[1]](sys.argv[2])
