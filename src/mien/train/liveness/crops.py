"""Crops: pictures of live faces and of simulated attacks, as the nets see them."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.liveness.crop import clamped_factor, cut_context
from mien.liveness.student import FACTORS, SIDE
from mien.train.attacks import ALL_PARTS, KINDS, LIVE_KINDS, Parts, Taken, simulate
from mien.train.attacks.surface import Random
from mien.train.liveness.config import Crops
from mien.train.liveness.photos import Sample, Split
from mien.types import Box

__all__ = ["CropSet", "Mixture", "chosen", "make", "read"]

SEEDS: dict[Split, int] = {"train": 1, "validation": 2, "test": 3}
LIVE_BESIDE = 0.25
"""Share of the live pictures with a rectangle beside the face."""


@dataclass(frozen=True, slots=True)
class Mixture:
    """What pictures are made of.

    Attributes:
        weights: how often each kind of attack is drawn, relative; kinds that are not named: never.
        parts: of the simulation.
    """

    weights: Mapping[str, float]
    parts: Parts = ALL_PARTS


@dataclass(frozen=True, slots=True)
class CropSet:
    """Crops in a folder.

    Attributes:
        pixels: ``(n, 2, 80, 80, 3)`` uint8 RGB: 2.7 and 4 times the face, memory-mapped.
        kind: ``(n,)``, of the simulation's.
        folder: ``(n,)``, the data set that the face comes from.
        context: ``(n,)``, how many times the face's size was to be seen.
    """

    pixels: NDArray[np.uint8]
    kind: NDArray[np.str_]
    folder: NDArray[np.str_]
    context: NDArray[np.float32]

    @property
    def attack(self) -> NDArray[np.bool_]:
        """Which are attacks, ``(n,)``."""
        return np.isin(self.kind, list(KINDS))

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, slots=True)
class _Job:
    samples: Sequence[Sample]
    split: Split
    count: int
    looks: int
    spec: Crops
    mixture: Mixture


_Fact = tuple[str, str, float]

_job: _Job  # in the processes that draw


def make(
    samples: Sequence[Sample],
    split: Split,
    count: int,
    to: Path,
    *,
    spec: Crops,
    mixture: Mixture,
    processes: int = 2,
) -> CropSet:
    """Make ``count`` pictures and cut them; the same arguments give the same crops.

    Args:
        samples: faces; those of ``split`` are used, for the scenes too.
        split: what for; of pictures to train on, several crops are taken.
        count: of pictures.
        to: folder for the crops; what is in it is replaced.
        spec, mixture: how.
        processes: that draw; 0: this one.

    Raises:
        InvalidArgument: no face of that split, or a kind of attack that there is not.
    """
    usable = [one for one in samples if one.split == split]
    unknown = {*mixture.weights} - {*KINDS}
    if not usable or unknown:
        raise InvalidArgument(f"No faces for {split}, or no such attacks: {sorted(unknown)}.")
    job = _Job(usable, split, count, spec.looks if split == "train" else 1, spec, mixture)
    to.mkdir(parents=True, exist_ok=True)
    shape = (count * job.looks, 2, SIDE, SIDE, 3)
    pixels = np.lib.format.open_memmap(to / f"{split}.npy", "w+", np.uint8, shape)
    facts: list[_Fact] = []
    for crops, fact in _drawn(job, processes):
        pixels[len(facts) : len(facts) + len(crops)] = crops
        facts += [fact] * len(crops)
    pixels.flush()
    kind, folder, context = zip(*facts, strict=True)
    np.savez(to / f"{split}.npz", kind=kind, folder=folder, context=np.array(context, np.float32))
    return read(to, split)


def read(folder: Path, split: Split) -> CropSet:
    """Crops that were made before."""
    with np.load(folder / f"{split}.npz") as facts:
        return CropSet(
            np.load(folder / f"{split}.npy", mmap_mode="r"),
            facts["kind"],
            facts["folder"],
            facts["context"],
        )


def chosen(
    crops: CropSet, said: NDArray[np.float32], *, leave_out: Sequence[str], limit: int | None
) -> tuple[CropSet, NDArray[np.float32]]:
    """Crops and answers without some kinds of attack, and at most ``limit`` of them."""
    index = np.flatnonzero(~np.isin(crops.kind, list(leave_out)))[:limit]
    if len(index) == len(crops):
        return crops, said
    some = CropSet(
        crops.pixels[index], crops.kind[index], crops.folder[index], crops.context[index]
    )
    return some, said[index]


def _drawn(job: _Job, processes: int) -> Iterator[tuple[NDArray[np.uint8], _Fact]]:
    """All pictures' crops, in order."""
    if not processes:
        _begin(job)
        yield from map(_draw, range(job.count))
        return
    # Not forked: a process whose libraries have run threads can hang in its copies.
    with multiprocessing.get_context("spawn").Pool(processes, _begin, (job, 1)) as pool:
        yield from pool.imap(_draw, range(job.count), chunksize=16)


def _begin(job: _Job, threads: int | None = None) -> None:
    global _job  # each process has its own
    _job = job
    if threads is not None:
        cv2.setNumThreads(threads)


def _draw(index: int) -> tuple[NDArray[np.uint8], _Fact]:
    """The crops of one picture, and its kind, its data set and the context."""
    job = _job
    random = np.random.default_rng([job.spec.seed, SEEDS[job.split], index])
    weight = np.array([1.0 if one.folder == "lfw" else 3.0 for one in job.samples])
    first, second = random.choice(len(job.samples), 2, p=weight / weight.sum())
    source, scene = job.samples[first], job.samples[second]
    kind = _kind(job, random)
    taken = simulate(
        kind, _prepared(source.taken, random), scene.taken, random, parts=job.mixture.parts
    )
    size = taken.pixels.shape[0], taken.pixels.shape[1]
    boxes = [_jittered(taken, random, job.spec.jitter) for _ in range(job.looks)]
    crops = [[cut_context(taken.pixels, box, by, SIDE) for by in FACTORS] for box in boxes]
    context = clamped_factor(taken.face, size, max(FACTORS))
    return np.array(crops), (kind, source.folder, context)


def _kind(job: _Job, random: Random) -> str:
    weights = job.mixture.weights
    if not weights or random.random() < job.spec.live_share:
        return [*LIVE_KINDS][int(random.random() < LIVE_BESIDE)]
    share = np.array(list(weights.values()))
    return str(random.choice(list(weights), p=share / share.sum()))


def _prepared(taken: Taken, random: Random) -> Taken:
    """Sometimes mirrored, smaller, or cut nearer to the face, as other photos are."""
    pixels, box = taken.pixels, taken.face
    if random.random() < 0.5:
        wide = pixels.shape[1]
        pixels, box = pixels[:, ::-1], Box(wide - box.x1, box.y0, wide - box.x0, box.y1)
    if random.random() < 0.35:
        around = random.uniform(1.5, 4.5) * np.array([box.width, box.height])
        middle = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
        middle = middle + random.normal(0, 0.15, 2) * around
        high, wide = pixels.shape[:2]
        x0, y0 = np.clip(middle - around / 2, 0, [box.x0, box.y0]).astype(int)
        x1, y1 = np.clip(middle + around / 2, [box.x1, box.y1], [wide, high]).astype(int)
        pixels = pixels[y0:y1, x0:x1]
        box = Box(box.x0 - x0, box.y0 - y0, box.x1 - x0, box.y1 - y0)
    by = min(1.0, random.uniform(45, 260) / box.height)
    if by < 1 and random.random() < 0.5:
        size = (max(2, round(pixels.shape[1] * by)), max(2, round(pixels.shape[0] * by)))
        small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        pixels = np.asarray(small, np.uint8)
        x1, y1 = min(box.x1 * by, size[0]), min(box.y1 * by, size[1])
        box = Box(box.x0 * by, box.y0 * by, x1, y1)
    return Taken(np.ascontiguousarray(pixels), box)


def _jittered(taken: Taken, random: Random, deviation: float) -> Box:
    """Another detector's box."""
    box = taken.face
    shift = random.normal(0, deviation, 2) * [box.width, box.height]
    w, h = np.array([box.width, box.height]) * np.exp(random.normal(0, deviation, 2))
    x, y = (box.x0 + box.x1) / 2 + shift[0], (box.y0 + box.y1) / 2 + shift[1]
    high, wide = taken.pixels.shape[:2]
    x0, y0 = max(0.0, x - w / 2), max(0.0, y - h / 2)
    return Box(x0, y0, max(min(x + w / 2, wide), x0 + 4), max(min(y + h / 2, high), y0 + 4))
