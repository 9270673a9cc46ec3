"""Makes processes that enrol random faces until they are killed.

``python enrolling_process.py URL`` reads a seed a line and forks a child for each: it reports every
write after its commit. Once the child is dead, ``end`` is printed. Used by test_crash.py.
"""

import os
import sys

import numpy as np

from mien.gallery import Gallery
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

DIM = 16
GROUP = "people"


def enrol(url: str, seed: int) -> None:
    """Add and delete for ever, and say so: before a deletion, and after every commit."""
    contract = random_contract(DIM)
    with Gallery.open(url) as gallery:
        gallery.ensure_group(GROUP, contract=contract)
        print(f"ready {os.getpid()}", flush=True)
        number = seed * 1_000_000
        while True:
            number += 1
            faces = Embeddings(unit_vectors(2, DIM, seed=number), np.full(2, 7, np.float32))
            stored = gallery.add_faces(
                GROUP, f"p{number % 10}", faces, contract=contract, create_person=True
            )
            print(f"added {number} {stored[0].id} {stored[1].id}", flush=True)
            if number % 5 == 0:
                print(f"deleting {stored[1].id}", flush=True)
                gallery.delete_face(GROUP, stored[1].id)
                print(f"deleted {stored[1].id}", flush=True)


def main(url: str) -> None:
    """One child at a time, until the input ends."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            enrol(url, int(line))
        os.waitpid(child, 0)
        print("\nend", flush=True)  # the child may have died in the middle of a line


if __name__ == "__main__":
    main(sys.argv[1])
