"""Searches at full rate while faces come and go: how slow, and is every answer right?"""

from __future__ import annotations

import math
import statistics
import threading
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gallery_ready import FACES_PER_PERSON, large_gallery
from mien import Gallery
from mien.gallery import GalleryLimits
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings
from report import Row

GROUP = "people"
TOP = 5
FACES = 10  # of a person that comes and goes
STAYING = 20  # such persons there at a time
CHECKED = 300
ROUNDING = 2e-5


@dataclass(eq=False)
class Visit:
    """A person that comes and goes; when each write began and had returned."""

    name: str
    vectors: NDArray[np.float32]
    began: float
    returned: float = math.inf
    leaving: float = math.inf
    left: float = math.inf

    def surely_there(self, start: float, end: float) -> bool:
        return self.returned <= start and self.leaving > end

    def possibly_there(self, start: float, end: float) -> bool:
        return self.began <= end and self.left >= start


@dataclass(eq=False)
class Answer:
    """One search: the probe, when it was asked and answered, and the answer."""

    probe: NDArray[np.float32]
    start: float
    end: float
    hits: list[tuple[str, float]]


@dataclass(eq=False)
class Traffic:
    """Enrols and deletes at a rate, in a thread of its own."""

    gallery: Gallery
    dim: int
    faces_per_s: float
    visits: list[Visit] = field(default_factory=list)
    written: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self, seconds: float) -> float:
        """Faces a second that were enrolled, and as many deleted."""
        began, before = time.perf_counter(), self.written
        period = FACES / self.faces_per_s
        due = began
        while time.perf_counter() < began + seconds:
            self._come()
            if len(self._staying()) > STAYING:
                self._go(self._staying()[0])
            due += period
            time.sleep(max(0.0, due - time.perf_counter()))
        return (self.written - before) / (time.perf_counter() - began)

    def clear(self) -> None:
        for visit in self._staying():
            self._go(visit)

    def _staying(self) -> list[Visit]:
        return [visit for visit in self.visits[-2 * STAYING :] if visit.leaving == math.inf]

    def _come(self) -> None:
        number = len(self.visits)
        vectors = unit_vectors(FACES, self.dim, seed=10**9 + number)
        visit = Visit(f"visitor {time.time_ns()}", vectors, time.perf_counter())
        self.visits.append(visit)
        faces = Embeddings(vectors, np.full(FACES, 10, np.float32))
        contract = random_contract(self.dim)
        self.gallery.add_faces(GROUP, visit.name, faces, contract=contract, create_person=True)
        visit.returned = time.perf_counter()
        self.written += FACES

    def _go(self, visit: Visit) -> None:
        visit.leaving = time.perf_counter()
        self.gallery.delete_person(GROUP, visit.name)
        visit.left = time.perf_counter()


def mixed(size: int, dim: int, *, seconds: float, rounds: int, faces_per_s: float) -> list[Row]:
    """Idle and loaded phases in turn, then every answer (or a sample of them) is checked."""
    most = size + 10 * FACES * STAYING
    limits = GalleryLimits(faces_per_group=most, persons_per_group=most)
    with Gallery.open(large_gallery(size, dim), limits=limits) as gallery:
        traffic = Traffic(gallery, dim, faces_per_s)
        for i in range(600):  # so that product codes are made, if they are to be
            ask(gallery, unit_vectors(1, dim, seed=i))
        gallery._searcher._index.settle()
        idle: list[Answer] = []
        busy: list[Answer] = []
        rates = []
        for turn in range(rounds):
            idle += searches(gallery, traffic, seconds, seed=turn)
            rate: list[float] = []
            thread = threading.Thread(target=lambda r=rate: r.append(traffic.run(seconds)))
            thread.start()
            busy += searches(gallery, traffic, seconds, seed=turn)
            thread.join()
            rates += rate
        traffic.clear()
        wrong = problems(size, dim, busy, traffic.visits)
    for problem in wrong[:10]:
        print(f"  WRONG: {problem}")
    shape = f"{size:,} x {dim}"
    rows = []
    for share in (50, 95):
        busy_ms, idle_ms = percentile(busy, share), percentile(idle, share)
        rows.append(Row(f"{shape}: search p{share} under load", busy_ms, idle_ms, "idle", "ms"))
    said = f"asked for {faces_per_s:.0f}, as many deleted"
    rows.append(Row(f"{shape}: faces enrolled", statistics.mean(rates), None, said, "1/s"))
    of = f"of {min(CHECKED, len(busy))} that were checked, of {len(busy)} under load"
    rows.append(Row(f"{shape}: wrong answers", len(wrong), None, of, ""))
    return rows


def ask(gallery: Gallery, probe: NDArray[np.float32]) -> Answer:
    start = time.perf_counter()
    hits = gallery.search(GROUP, probe, k=TOP, contract=random_contract(probe.shape[1]))[0]
    return Answer(probe[0], start, time.perf_counter(), [(h.person, h.similarity) for h in hits])


def searches(gallery: Gallery, traffic: Traffic, seconds: float, *, seed: int) -> list[Answer]:
    """One after the other: faces of nobody, and of those who have just come or gone."""
    answers: list[Answer] = []
    until = time.perf_counter() + seconds
    rng = np.random.default_rng(seed)
    while time.perf_counter() < until:
        probe = unit_vectors(1, traffic.dim, seed=int(rng.integers(1 << 40)))
        if traffic.visits and len(answers) % 2:
            visit = traffic.visits[-1 - int(rng.integers(min(STAYING + 4, len(traffic.visits))))]
            probe = visit.vectors[rng.integers(FACES)][None]
        answers.append(ask(gallery, probe))
    return answers


def percentile(answers: list[Answer], share: float) -> float:
    return float(np.percentile([(one.end - one.start) * 1e3 for one in answers], share))


def problems(size: int, dim: int, answers: list[Answer], visits: list[Visit]) -> list[str]:
    """What is wrong with a sample of the answers, compared with brute force."""
    step = max(1, len(answers) // CHECKED)
    some = answers[::step][:CHECKED]
    probes = np.array([answer.probe for answer in some])
    names, best = [], []
    for start in range(0, size, FACES_PER_PERSON):
        vectors = unit_vectors(min(FACES_PER_PERSON, size - start), dim, seed=start)
        names.append(f"p{start:09}")
        best.append((probes @ vectors.T).max(axis=1))
    resident = np.array(best).T
    wrong = []
    for answer, scores in zip(some, resident, strict=True):
        sure = dict(zip(names, scores.tolist(), strict=True))
        possible = dict(sure)
        for visit in visits:
            score = float((visit.vectors @ answer.probe).max())
            if visit.possibly_there(answer.start, answer.end):
                possible[visit.name] = score
            if visit.surely_there(answer.start, answer.end):
                sure[visit.name] = score
        wrong += faults(answer, sure, possible)
    return wrong


def faults(answer: Answer, sure: dict[str, float], possible: dict[str, float]) -> list[str]:
    """Who was found and was not there, or was there and was not found."""
    found = dict(answer.hits)
    wrong = [
        f"{name} {score} is not {possible.get(name)}"
        for name, score in found.items()
        if abs(possible.get(name, 9.0) - score) > ROUNDING
    ]
    # Whoever was found and deleted before the names were read leaves a gap.
    least = min(found.values()) if len(found) == TOP else -1.0
    maybe = [name for name in possible if name not in sure and name not in found]
    room = TOP - len(found) - len(maybe)
    missing = [name for name, score in sure.items() if score > least + ROUNDING]
    missing = [name for name in missing if name not in found]
    if len(found) == TOP or room > 0:
        wrong += [f"{name} is missing" for name in missing[: max(1, room)]]
    return wrong
