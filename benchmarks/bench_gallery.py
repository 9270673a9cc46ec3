"""The gallery alone, with random templates.

Parts: ``search`` (Gallery.search, freshness, durable writes), ``scale`` (the index against FAISS
Flat from 10^3 faces on), ``ready`` (start to first answer with a million faces), ``load`` (searches
while faces come and go), ``find`` (beside DeepFace.find). ``--large`` adds 10^7 faces (12 GB).
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gallery_load import mixed
from gallery_peer import peer
from gallery_ready import ready, use_a_key
from gallery_scale import scale
from mien import Gallery
from mien.gallery.index import Entries, ExactIndex
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings
from report import Row, publish

PARTS = ("search", "scale", "ready", "load", "find")
SIZES = (1_000, 10_000, 100_000)
SCALE = (1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
MILLION = 1_000_000
TOP = 10
SETTLE_S = 0.05  # threads of BLAS spin on after a product; they must not count for the next task
Task = Callable[[], object]


def in_turn(tasks: dict[str, Task], *, rounds: int, clock: Callable[[], float]) -> dict[str, float]:
    """Median milliseconds of each task, measured one after the other in every round."""
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(rounds):
        for name, task in tasks.items():
            time.sleep(SETTLE_S)
            started = clock()
            task()
            spent[name].append((clock() - started) * 1e3)
    return {name: statistics.median(times) for name, times in spent.items()}


def plain_numpy(vectors: NDArray[np.float32], probe: NDArray[np.float32]) -> object:
    """The ten nearest faces (not persons) in three lines."""
    scores = vectors @ probe[0]
    rows = np.argpartition(scores, -TOP)[-TOP:]
    return rows[np.argsort(-scores[rows])]


def searches(gallery: Gallery, size: int, dim: int, rounds: int) -> list[Row]:
    """Search in a group of ``size`` faces: the whole, and the two kernels of the index."""
    contract, group = random_contract(dim), f"group-{size}-{dim}"
    vectors = unit_vectors(size, dim)
    gallery.create_group(group, contract=contract)
    crowd = max(10, size // 1_000)  # faces of a person
    for start in range(0, size, crowd):
        own = vectors[start : start + crowd]
        face = Embeddings(own, np.full(len(own), 10, np.float32))
        gallery.add_faces(group, f"p{start}", face, contract=contract, create_person=True)
    kernels = {"blas": ExactIndex(kernel="blas"), "faiss": ExactIndex(kernel="faiss")}
    ids = np.arange(size, dtype=np.int64)
    for index in kernels.values():
        index.rebuild(1, [Entries(ids, ids // crowd, vectors)])
    probe, probes = unit_vectors(1, dim, seed=1), unit_vectors(16, dim, seed=2)
    tasks: dict[str, Task] = {
        "gallery": lambda: gallery.search(group, probe, k=TOP, contract=contract),
        "numpy": lambda: plain_numpy(vectors, probe),
        **{f"1-{n}": lambda i=i: i.search(1, probe, k=TOP) for n, i in kernels.items()},
        **{f"16-{n}": lambda i=i: i.search(1, probes, k=TOP) for n, i in kernels.items()},
    }
    spent = in_turn(tasks, rounds=rounds, clock=time.process_time)
    shape = f"{size:,} faces x {dim}"
    return [
        Row(f"Gallery.search, 1 probe, {shape}", spent["gallery"], spent["numpy"], "plain NumPy"),
        Row(f"index, 1 probe, {shape}, BLAS", spent["1-blas"], spent["1-faiss"], "FAISS"),
        Row(f"index, 16 probes, {shape}, BLAS", spent["16-blas"], spent["16-faiss"], "FAISS"),
    ]


def opening(url: str, size: int, dim: int) -> list[Row]:
    """Open a gallery and search it for the first time, which loads the group."""
    started = time.perf_counter()
    with Gallery.open(url) as gallery:
        opened = time.perf_counter()
        probe, group = unit_vectors(1, dim), f"group-{size}-{dim}"
        gallery.search(group, probe, contract=random_contract(dim))
        searched = time.perf_counter()
        row = gallery.group(group)
        gallery.search(group, probe, contract=random_contract(dim))
    assert row.faces == size
    return [
        Row(f"open, file with {size:,} faces", (opened - started) * 1e3, None, "", "ms"),
        Row(f"first search, {size:,} x {dim}", (searched - opened) * 1e3, None, "", "ms"),
    ]


def writes(gallery: Gallery, folder: Path, rounds: int) -> list[Row]:
    """One durable face a transaction, against a bare SQLite commit of the same bytes."""
    contract = random_contract(128)
    gallery.create_group("writes", contract=contract)
    gallery.add_person("writes", "Ann")
    face = Embeddings(unit_vectors(1), np.ones(1, np.float32))
    bare = sqlite3.connect(folder / "bare.db", isolation_level=None)
    bare.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (v BLOB)")
    tasks: dict[str, Task] = {
        "mien": lambda: gallery.add_faces("writes", "Ann", face, contract=contract),
        "sqlite": lambda: bare.execute("INSERT INTO t VALUES (?)", (face.vector.tobytes(),)),
        "version": lambda: [gallery.size("writes") for _ in range(100)],
    }
    spent = in_turn(tasks, rounds=rounds, clock=time.perf_counter)
    bare.close()
    version_us = spent["version"] * 10
    return [
        Row("add one face, durable", spent["mien"], spent["sqlite"], "bare SQLite commit", "ms"),
        Row("freshness check of a search (finds the group too)", version_us, None, "", "us"),
    ]


def small(rounds: int) -> list[Row]:
    """The gallery as it is used every day."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'gallery.db'}"
        with Gallery.open(url) as gallery:
            for dim in (128, 512):
                for size in SIZES:
                    rows += searches(gallery, size, dim, rounds)
            rows += writes(gallery, Path(folder), max(rounds, 100))
        for size in SIZES[1:]:
            rows += opening(url, size, 128)
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--part", action="append", choices=PARTS, help="only this; repeatable")
    parser.add_argument("--large", action="store_true", help="10,000,000 faces too")
    parser.add_argument("--deepface", metavar="PYTHON", help="of an environment that is there")
    args = parser.parse_args()
    use_a_key()
    rows: list[Row] = []
    for part in args.part or PARTS:
        print(f"{part} …", file=sys.stderr, flush=True)
        if part == "search":
            rows += small(args.rounds)
        elif part == "scale":
            large = (10_000_000,) if args.large else ()
            rows += scale({128: (*SCALE, *large), 512: SCALE}, rounds=args.rounds)
        elif part == "ready":
            rows += ready(MILLION, 128, rounds=5)
        elif part == "load":
            rows += mixed(MILLION, 128, seconds=10, rounds=3, faces_per_s=200)
        else:
            rows += peer(10_000, args.rounds, args.deepface)
    publish("gallery", rows)


if __name__ == "__main__":
    main()
