"""Freshness: writers who say what they do, and searches that know what they must find.

Each writer has one person, whose name, faces and user data follow from one number (:func:`state`).
It says the number before each write and after its commit (:class:`Ledger`). A search that lies
between two readings of the ledger must find a state from the number that was done before it to the
one that had begun when it ended: an older one is a stale read.
"""

from __future__ import annotations

import mmap
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mien.gallery import Gallery
from mien.testing.galleries import random_contract
from mien.types import Embeddings

__all__ = ["WRITERS", "Ledger", "check", "prepared", "write"]

WRITERS = 2

_GROUP, _DIM, _FACES = "people", 4, 4
_CONTRACT = random_contract(_DIM)


class Ledger:
    """The numbers of the last write of each writer that was begun, and done; in a file for all."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if not file.exists():
            file.write_bytes(bytes(16 * WRITERS))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), 16 * WRITERS)
        self._numbers = np.frombuffer(self._map, np.int64).reshape(2, WRITERS)

    @property
    def begun(self) -> list[int]:
        """By writer."""
        return [int(number) for number in self._numbers[0]]

    @property
    def done(self) -> list[int]:
        """By writer."""
        return [int(number) for number in self._numbers[1]]

    def begin(self, writer: int, number: int) -> None:
        """Say so before the write."""
        self._numbers[0, writer] = number

    def end(self, writer: int, number: int) -> None:
        """Say so after its commit."""
        self._numbers[1, writer] = number

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        del self._numbers
        self._map.close()


def state(writer: int, number: int) -> tuple[str, int, str | None]:
    """Name, number of the best face and user data after so many writes; each changes one."""
    named, faced, noted = (number + 2) // 3, (number + 1) // 3, number // 3
    return f"w{writer} {named}", faced % _FACES, str(noted) if noted else None


@contextmanager
def prepared(url: str) -> Iterator[Gallery]:
    """A gallery with the writers' persons in it."""
    with Gallery.open(url) as gallery:
        gallery.create_group(_GROUP, contract=_CONTRACT)
        for writer in range(WRITERS):
            name, face, _ = state(writer, 0)
            _enroll(gallery, name, _template(writer, face))
        yield gallery


def write(gallery: Gallery, ledger: Ledger, writer: int, stopped: Callable[[], bool]) -> None:
    """Write on and on: another name, another face in the old one's place, other user data."""
    number = ledger.done[writer]
    while not stopped():
        name, _, _ = state(writer, number)
        number += 1
        ledger.begin(writer, number)
        new_name, face, data = state(writer, number)
        match number % 3:
            case 1:
                gallery.rename_person(_GROUP, name, new_name)
            case 2:
                (old,) = gallery.faces(_GROUP, name)
                _enroll(gallery, name, _template(writer, face))
                gallery.delete_face(_GROUP, old.id)
            case _:
                gallery.set_person(_GROUP, name, user_data=data)
        ledger.end(writer, number)


def check(gallery: Gallery, ledger: Ledger) -> None:
    """Search for every writer's person, and list them.

    Raises:
        AssertionError: what was found is older than what had been acknowledged before.
    """
    probes = np.concatenate([_template(writer, 0) for writer in range(WRITERS)])
    before = ledger.done
    found = gallery.search(_GROUP, probes, k=WRITERS, contract=_CONTRACT)
    noted = {person.name: person.user_data for person in gallery.persons(_GROUP)}
    begun = ledger.begun
    for writer, hits in enumerate(found):
        could = [state(writer, number) for number in range(before[writer], begun[writer] + 1)]
        (hit,) = (hit for hit in hits if hit.person.startswith(f"w{writer} "))
        assert hit.person in {name for name, _, _ in could}, (hit, could)
        scores = [float((_template(writer, face) @ probes[writer])[0]) for _, face, _ in could]
        assert min(abs(hit.similarity - score) for score in scores) < 1e-5, (hit, could)
        (data,) = (text for name, text in noted.items() if name.startswith(f"w{writer} "))
        assert data in {text for _, _, text in could}, (data, could)


def _template(writer: int, face: int) -> NDArray[np.float32]:
    """``(1, 4)``: the faces of a writer lie at other angles to its first, and across the others."""
    angle = face * np.pi / (2 * _FACES)
    vector = np.zeros((1, _DIM), np.float32)
    vector[0, 2 * writer : 2 * writer + 2] = np.cos(angle), np.sin(angle)
    return vector


def _enroll(gallery: Gallery, name: str, template: NDArray[np.float32]) -> None:
    embeddings = Embeddings(template, np.ones(1, np.float32))
    gallery.add_faces(_GROUP, name, embeddings, contract=_CONTRACT, create_person=True)


def main(url: str, file: Path) -> None:
    """The writers, in a process of their own, until standard input ends."""
    ended: list[bool] = []
    with Gallery.open(url) as gallery, Ledger(file) as ledger, ThreadPool(WRITERS) as pool:
        working = pool.starmap_async(
            write, [(gallery, ledger, writer, lambda: bool(ended)) for writer in range(WRITERS)]
        )
        sys.stdin.read()
        ended.append(True)
        working.get()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
