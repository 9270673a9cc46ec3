"""The index against FAISS Flat: CPU, memory and recall by the size of a group, on one thread."""

from __future__ import annotations

import dataclasses
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from curves import draw
from mien.gallery.index import Entries, ExactIndex, Plan
from mien.testing.galleries import unit_vectors
from report import BUILD, REPOSITORY, Row

NEVER = 2**62
TOP = 10
PROBES = 100
MATES = {128: (0.45, 0.5, 0.6), 512: (0.25, 0.3, 0.4)}
BATCH = 10_000
# In float32 whatever the size; in bytes; with product codes, whose searches are counted at once.
KINDS = {
    "float32": Plan(tail=NEVER, segment=NEVER),
    "bytes": Plan(tail=1, product_from=NEVER),
    "product codes": Plan(tail=1, product_from=0, product_segment=0, product_searches=1),
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One kind of index at one size; milliseconds of CPU for one probe."""

    kind: str
    size: int
    dim: int
    ms: float
    fastest_ms: float
    slowest_ms: float
    bytes_a_number: float
    recall_at_1: float
    recall_at_10: float


def measure(size: int, dim: int, *, rounds: int, kinds: tuple[str, ...]) -> list[Measured]:
    """FAISS Flat and the given kinds of index, asked in turn, over the same random faces."""
    faiss.omp_set_num_threads(1)
    flat = faiss.IndexFlatIP(dim)
    for batch in batches(size, dim):
        flat.add(batch.vectors)
    probes = hard_probes(flat, size, dim)
    nearest = {name: flat.search(some, TOP)[1] for name, some in probes.items()}
    indexes = {kind: filled(KINDS[kind], size, dim) for kind in kinds}
    some = np.concatenate(list(probes.values()))
    tasks: dict[str, Callable[[NDArray[np.float32]], Any]] = {
        "FAISS Flat": lambda probe: flat.search(probe, TOP),
        **{name: lambda probe, i=i: i.search(1, probe, k=TOP) for name, i in indexes.items()},
    }
    spent: dict[str, list[float]] = {name: [] for name in tasks}
    for i in range(rounds + 1):
        probe = some[i * 7 % len(some)][None]
        for name, task in tasks.items():
            started = time.process_time()
            task(probe)
            if i:
                spent[name].append((time.process_time() - started) * 1e3)
    found = []
    for name, times in spent.items():
        recall, memory = (1.0, 1.0), 4.0
        if name in indexes:
            recall = recalls(indexes[name], probes, nearest)
            view = indexes[name].view(1)
            assert view is not None
            memory = view.nbytes / (size * dim)
        middle = statistics.median(times)
        found.append(Measured(name, size, dim, middle, min(times), max(times), memory, *recall))
    return found


def batches(size: int, dim: int) -> Iterator[Entries]:
    """Random unit vectors, each its own owner; the same each time."""
    for start in range(0, size, BATCH):
        ids = np.arange(start, min(start + BATCH, size), dtype=np.int64)
        yield Entries(ids, ids, unit_vectors(len(ids), dim, seed=start))


def hard_probes(flat: Any, size: int, dim: int) -> dict[str, NDArray[np.float32]]:
    """Faces of nobody, and faces of somebody that are hardly more alike than strangers are."""
    rng = np.random.default_rng(5)
    probes = {"unknown": unit_vectors(PROBES, dim, seed=size + 1)}
    for cosine in MATES[dim]:
        rows = rng.integers(0, size, PROBES)
        mates = np.array([flat.reconstruct(int(row)) for row in rows])
        away = unit_vectors(PROBES, dim, seed=size + 2)
        away -= (away * mates).sum(axis=1, keepdims=True) * mates
        away /= np.linalg.norm(away, axis=1, keepdims=True)
        probes[f"{cosine}"] = (cosine * mates + np.sqrt(1 - cosine**2) * away).astype(np.float32)
    return probes


def filled(plan: Plan, size: int, dim: int) -> ExactIndex:
    """An index whose segments have product codes where the plan says so."""
    index = ExactIndex(plan=plan, kernel="faiss")
    index.rebuild(1, batches(size, dim))
    index.search(1, unit_vectors(2, dim), k=1)
    index.settle()
    return index


def recalls(
    index: ExactIndex,
    probes: dict[str, NDArray[np.float32]],
    nearest: dict[str, NDArray[np.int64]],
) -> tuple[float, float]:
    """Recall@1 and recall@10 against Flat; the worst over the kinds of probes."""
    first, ten = [], []
    for name, some in probes.items():
        ids = np.concatenate([index.search(1, probe[None], k=TOP).ids for probe in some])
        first.append(float((ids[:, 0] == nearest[name][:, 0]).mean()))
        ten.append(
            float(np.mean([np.isin(a, b).mean() for a, b in zip(nearest[name], ids, strict=True)]))
        )
    return min(first), min(ten)


def rows_of(found: list[Measured]) -> list[Row]:
    """Rows for the report."""
    flat = {(one.size, one.dim): one.ms for one in found if one.kind == "FAISS Flat"}
    rows = []
    for one in found:
        if one.kind != "FAISS Flat":
            what = f"{one.size:,} x {one.dim}, {one.kind}"
            rows.append(Row(what, one.ms, flat[one.size, one.dim], "FAISS Flat float32"))
            said = f"recall@1 {one.recall_at_1:.4f}, recall@10 {one.recall_at_10:.4f}"
            rows.append(Row(f"  memory; {said}", one.bytes_a_number, 4.0, "Flat", "B/number"))
    return rows


def scale(sizes: dict[int, tuple[int, ...]], *, rounds: int) -> list[Row]:
    """Measure lengths and their sizes, keep the figures and draw the curves."""
    found: list[Measured] = []
    for dim, several in sizes.items():
        for size in several:
            kinds = tuple(KINDS) if size <= 1_000_000 else ("product codes",)
            if size * dim > 2**28:  # half a GB of bytes each is enough at a time
                for kind in kinds[1:] or kinds:
                    part = measure(size, dim, rounds=rounds, kinds=(kind,))
                    found += part if kind == kinds[-1] else part[1:]
            else:
                found += measure(size, dim, rounds=rounds, kinds=kinds)
            gc.collect()
            print(f"  {size:,} x {dim} done", file=sys.stderr, flush=True)
    document = [dataclasses.asdict(one) for one in found]
    (BUILD / "bench").mkdir(parents=True, exist_ok=True)
    (BUILD / "bench" / "gallery_scale.json").write_text(json.dumps(document, indent=2) + "\n")
    for dim in sizes:
        plot([one for one in found if one.dim == dim], dim)
    return rows_of(found)


def plot(found: list[Measured], dim: int) -> None:
    """Draw the curves of one length into the documentation."""
    curves = {
        name: [(one.size, one.ms) for one in found if one.kind == name]
        for name in ("FAISS Flat", "float32", "bytes", "product codes")
    }
    folder: Path = REPOSITORY / "docs"
    draw(
        folder / f"scale-{dim}.svg",
        f"One probe in a group of faces of {dim} numbers, one thread",
        ("faces", "CPU milliseconds (median)"),
        {name: points for name, points in curves.items() if points},
    )
