"""Lives: writers that change a gallery until they are killed, and say what they have done.

``python -m mien.testing.lives URL FOLDER`` forks them on demand (:func:`main`), so that a life
costs milliseconds. Each has persons of its own and shares some with the others, so that what must
be there after any of its changes is known exactly (:func:`after`).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryUnavailable
from mien.gallery import Gallery, Scoring, StoredFace
from mien.gallery.follower import Follower, SnapshotPolicy
from mien.gallery.index import ExactIndex, Plan
from mien.gallery.index.snapshots import Snapshots
from mien.gallery.search import Searcher
from mien.testing.galleries import random_contract, unit_vectors
from mien.testing.truth import Found
from mien.types import Embeddings

__all__ = [
    "DIM", "GROUPS", "SHARED", "WRITERS", "Change", "Life", "State", "after", "found_by",
    "number_of", "opened", "own_state", "prepare", "state_of",
    "templates",
]  # fmt: skip

DIM = 16
WRITERS = 2
GROUPS: dict[str, Scoring] = {"doors": "max", "badges": "mean"}
SHARED = ("shared 0", "shared 1")
"""Persons of the first group to whom every writer gives faces, and takes only its own away."""

_MANY = 24  # faces of a writer, above which it rather deletes
_HARD = SnapshotPolicy(least=1, behind=0, far_behind=3, quiet_s=0.0, patch_s=0.0)

State = dict[str, tuple[str, frozenset[int]]]
"""Name of a person -> group, and numbers of the faces (those of one writer)."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write.

    Attributes:
        kind: enrol, drop (a face), delete, erase, move, rename, merge, split or give (a face).
        person: whom it is about; group: where the person is.
        other: the other group, name or person of it.
        numbers: of the faces.
    """

    kind: str
    person: str
    group: str
    other: str = ""
    numbers: tuple[int, ...] = ()


@dataclass(slots=True)
class Life:
    """What a writer starts with.

    Attributes:
        writer: 0 or 1; seed: of its choices.
        state: what is there of it already.
        counter: above every number that it has used.
        file: where it writes its report, a line of JSON each: ``["ready"]``, ``["begin", change]``
            before a write, ``["done"]`` after its commit, ``["unavailable", message]`` and then
            ``["is", state]`` where the database was gone in between, ``["paused"]``.
    """

    writer: int
    seed: int
    state: State
    counter: int
    file: str

    def to_json(self) -> str:
        """As one line."""
        return json.dumps({**asdict(self), "state": _plain(self.state)})

    @classmethod
    def from_json(cls, line: str) -> Life:
        """The reverse of :meth:`to_json`."""
        raw = json.loads(line)
        return cls(**{**raw, "state": state_of(raw["state"])})


def state_of(raw: Mapping[str, Any]) -> State:
    """A state out of a report."""
    return {name: (group, frozenset(numbers)) for name, (group, numbers) in raw.items()}


def opened(url: str, folder: Path) -> Gallery:
    """A gallery that writes, patches and reads snapshots of its index as often as it can."""
    gallery = Gallery.open(url)
    gallery._searcher = Searcher(
        gallery._database,
        ExactIndex(plan=Plan(tail=8, segment=64, product_from=2**60)),
        snapshots=Snapshots(folder),
        policy=_HARD,
    )
    return gallery


def prepare(url: str) -> None:
    """Make the groups and the shared persons."""
    with Gallery.open(url) as gallery:
        for name, scoring in GROUPS.items():
            gallery.create_group(name, contract=random_contract(DIM), scoring=scoring)
        for name in SHARED:
            gallery.add_person(next(iter(GROUPS)), name)


def after(state: State, change: Change) -> State:
    """What must be there when ``change`` has been made to ``state``."""
    new, one = dict(state), frozenset(change.numbers)
    group, had = new.get(change.person, (change.group, frozenset[int]()))
    match change.kind:
        case "enrol":
            new[change.person] = (group, had | one)
        case "drop":
            new[change.person] = (group, had - one)
        case "delete" | "erase":
            del new[change.person]
        case "move":
            new[change.person] = (change.other, had)
        case "rename":
            new[change.other] = new.pop(change.person)
        case "merge":
            new[change.person] = (group, had | new.pop(change.other)[1])
        case _:  # split, give
            new[change.person] = (group, had - one)
            new[change.other] = (group, new.get(change.other, (group, frozenset()))[1] | one)
    return {name: held for name, held in new.items() if name not in SHARED or held[1]}


def own_state(gallery: Gallery, writer: int) -> State:
    """What a gallery holds of a writer."""
    state: dict[str, tuple[str, set[int]]] = {}
    for group in GROUPS:
        for person in gallery.persons(group, limit=1000):
            if person.name.startswith(f"{writer}-"):
                state[person.name] = (group, set())
        for face in gallery.faces(group, limit=1000):
            number = number_of(face)
            if number % WRITERS == writer:
                state.setdefault(face.person, (group, set()))[1].add(number)
    return {name: (group, frozenset(numbers)) for name, (group, numbers) in state.items()}


def templates(numbers: Iterable[int]) -> NDArray[np.float32]:
    """``(n, 16)``: the templates of the faces of those numbers."""
    return np.concatenate([unit_vectors(1, DIM, seed=number) for number in numbers])


def found_by(gallery: Gallery, numbers: Iterable[int]) -> dict[str, Found]:
    """Everybody in every group, by similarity to each of the faces of those numbers."""
    found: dict[str, Found] = {}
    for group in GROUPS:
        hits = gallery.search(group, templates(numbers), k=1000, contract=random_contract(DIM))
        found[group] = [[(hit.person, hit.similarity) for hit in row] for row in hits]
    return found


@dataclass(slots=True)
class _Writer:
    """One life at work."""

    life: Life
    gallery: Gallery
    rng: random.Random = field(init=False)
    out: int = field(init=False)
    pausing: bool = False

    def __post_init__(self) -> None:
        self.rng = random.Random(self.life.seed)  # noqa: S311 - to be repeated, not to be secret
        self.out = os.open(self.life.file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        signal.signal(signal.SIGUSR1, self._pause)

    def run(self) -> None:
        self.say("ready")
        while True:
            if self.pausing:
                self.pausing = False
                self._settle()
                self.say("paused")
                os.kill(os.getpid(), signal.SIGSTOP)
            change = self.choose()
            self.say("begin", asdict(change))
            try:
                self.perform(change)
                self.say("done")
                self.life.state = after(self.life.state, change)
                if self.rng.random() < 0.3:
                    found_by(self.gallery, [0])
            except GalleryUnavailable as error:
                self.say("unavailable", error.message)
                self._recover()

    def say(self, *words: object) -> None:
        os.write(self.out, json.dumps(words).encode() + b"\n")

    def choose(self) -> Change:
        rng, state, me = self.rng, self.life.state, self.life.writer
        own = sorted(name for name in state if name not in SHARED)
        with_faces = sorted(name for name in state if state[name][1])
        faces = sum(len(held[1]) for held in state.values())
        kinds = ["enrol"] * (6 if faces < _MANY else 1)
        if own and with_faces:
            kinds += ["drop", "drop", "delete", "erase", "move", "rename", "merge", "split", "give"]
        kind = rng.choice(kinds)
        self.life.counter += 1
        fresh = self.life.counter * 3 * WRITERS + me
        if kind == "enrol":
            name = rng.choice([*own, *SHARED, f"{me}-{fresh}", f"{me}-{fresh}"])
            group = state[name][0] if name in state else rng.choice([*GROUPS])
            group = next(iter(GROUPS)) if name in SHARED else group
            numbers = tuple(fresh + WRITERS * i for i in range(rng.randint(1, 3)))
            return Change("enrol", name, group, numbers=numbers)
        person = rng.choice(with_faces if kind in ("drop", "split", "give") else own)
        group, held = state[person]
        some = tuple(rng.sample(sorted(held), rng.randint(1, len(held)))) if held else ()
        peers = [name for name in own if name != person and state[name][0] == group]
        if kind in ("merge", "give") and not peers:
            kind = "split" if held else "rename"
        other = {
            "move": next(name for name in GROUPS if name != group),
            "rename": f"{me}-{fresh}",
            "split": f"{me}-{fresh}",
        }.get(kind, "")
        if kind in ("merge", "give"):
            other = rng.choice(peers)
        if kind == "split":
            return Change(kind, person, group, other, some)
        return Change(kind, person, group, other, some[:1] if kind in ("drop", "give") else ())

    def perform(self, change: Change) -> None:
        gallery, person, group = self.gallery, change.person, change.group
        match change.kind:
            case "enrol":
                self._enrol(change)
            case "drop":
                gallery.delete_face(group, self._face_ids(change)[0])
            case "delete":
                gallery.delete_person(group, person)
            case "erase":
                gallery.privacy.erase(group, person)
            case "move":
                gallery.move_person(group, person, change.other)
            case "rename":
                gallery.rename_person(group, person, change.other)
            case "merge":
                gallery.merge_persons(group, person, change.other)
            case "split":
                gallery.split_person(group, person, self._face_ids(change), name=change.other)
            case _:
                gallery.move_face(group, self._face_ids(change)[0], change.other)

    def _enrol(self, change: Change) -> None:
        self.gallery.add_faces(
            change.group,
            change.person,
            Embeddings(templates(change.numbers), np.array(change.numbers, np.float32)),
            contract=random_contract(DIM),
            create_person=True,
        )

    def _face_ids(self, change: Change) -> list[str]:
        faces = self.gallery.faces(change.group, change.person, limit=1000)
        return [face.id for face in faces if number_of(face) in change.numbers]

    def _recover(self) -> None:
        """Go on with the same gallery as soon as the database is back."""
        while True:
            try:
                self.life.state = own_state(self.gallery, self.life.writer)
            except GalleryUnavailable:
                time.sleep(0.02)
            else:
                self.say("is", _plain(self.life.state))
                return

    def _settle(self) -> None:
        follower = self.gallery._searcher._follower
        saver = follower._saver if isinstance(follower, Follower) else None
        if saver is not None:
            saver.join()  # who is stopped must not hold a snapshot's lock

    def _pause(self, _signal: int, _frame: FrameType | None) -> None:
        self.pausing = True


def number_of(face: StoredFace) -> int:
    """The number of a face, from which its template is made; its norm carries it."""
    return int(face.norm or 0)


def _plain(state: State) -> dict[str, tuple[str, list[int]]]:
    return {name: (group, sorted(numbers)) for name, (group, numbers) in state.items()}


def _look(url: str, folder: Path, numbers: list[int], answer: Path) -> None:
    """What a new process finds, and whether its index came out of a snapshot."""
    with opened(url, folder) as gallery:
        found = found_by(gallery, numbers)
        follower = gallery._searcher._follower
        assert isinstance(follower, Follower)
        restored = sum(one.version is not None for one in follower._saved.values())
        answer.write_text(json.dumps({"restored": restored, "found": found}))


def _child(url: str, folder: Path, order: str, told: str) -> None:
    if order == "live":
        life = Life.from_json(told)
        _Writer(life, opened(url, folder)).run()
    else:
        question = json.loads(told)
        _look(url, folder, question["numbers"], Path(question["file"]))


def main(url: str, folder: Path) -> None:
    """Orders from standard input, a line each: ``live LIFE``, ``look QUESTION``, ``reap PID``.

    The first two fork a process and print its id; the last waits for its end and prints its
    status.
    """
    for name in ("alembic.command", "faiss", "sqlalchemy.dialects.postgresql.psycopg"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)  # once, and not in every life
    for line in sys.stdin:
        order, _, told = line.rstrip("\n").partition(" ")
        if order == "reap":
            _answer(os.waitpid(int(told), 0)[1])
            continue
        pid = os.fork()
        if not pid:
            status = 1
            try:
                _child(url, folder, order, told)
                status = 0
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(status)
        _answer(pid)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
