"""Photos: faces to train on and faces that are held out, people and backgrounds apart."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from mien.engine import Engine
from mien.errors import ConfigurationError, ImageError
from mien.train.attacks import Taken
from mien.train.liveness.config import Photos
from mien.types import RGB, Box

__all__ = ["Sample", "Split", "gather", "part_of_person"]

Split = Literal["train", "validation", "test"]

LEAST_FACE = 40
"""Pixels of a face's height; smaller ones are not used."""

SUFFIXES = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True, slots=True)
class Sample:
    """A live face.

    Attributes:
        taken: its photo and box.
        split: what it is used for.
        folder: the data set that it comes from.
    """

    taken: Taken
    split: Split
    folder: str


def gather(root: Path, chosen: Photos, engine: Engine) -> list[Sample]:
    """The largest face of each photo, split by people.

    Whoever looks like somebody who is held out is not trained on.

    Args:
        root: folder of the data sets.
        chosen: which of them.
        engine: detects and embeds.

    Raises:
        ConfigurationError: a data set is not there, or nothing is left to train on.
    """
    samples: list[Sample] = []
    embeddings: list[np.ndarray] = []
    for folder, split, file in _files(root, chosen):
        found = _look(file, engine, chosen.longest)
        if found is not None:
            samples.append(Sample(found[0], split, folder))
            embeddings.append(found[1])
    kept = _without_held_out(samples, np.array(embeddings), chosen.same_person)
    if not any(one.split == "train" for one in kept):
        raise ConfigurationError("No photo is left to train on.")
    return kept


def _files(root: Path, chosen: Photos) -> Iterator[tuple[str, Split, Path]]:
    for folder in (*chosen.train, *chosen.held_out, *chosen.by_person):
        if not (root / folder).is_dir():
            raise ConfigurationError(f"The training data have no folder {folder}.")
    for folder in (*chosen.train, *chosen.held_out):
        split: Split = "test" if folder in chosen.held_out else "train"
        for file in sorted((root / folder).rglob("*")):
            if file.suffix.lower() in SUFFIXES:
                yield folder, split, file
    for folder in chosen.by_person:
        for person in sorted(path for path in (root / folder).iterdir() if path.is_dir()):
            part = part_of_person(person.name, chosen)
            for file in sorted(person.rglob("*")):
                if file.suffix.lower() in SUFFIXES:
                    yield folder, part, file


def part_of_person(person: str, chosen: Photos) -> Split:
    """What somebody of ``by_person`` is used for, by the name alone."""
    place = zlib.crc32(person.encode()) / 2**32
    if place < chosen.test_share:
        return "test"
    return "validation" if place < chosen.test_share + chosen.validation_share else "train"


def _look(file: Path, engine: Engine, longest: int) -> tuple[Taken, np.ndarray] | None:
    """The largest face of a photo and its embedding; None without one that can be used."""
    try:
        photo = engine.photo(file)
        found = engine.represent(photo, max_faces=1)
    except ImageError:
        return None
    if not len(found.embeddings.vector):
        return None
    pixels, box = _smaller(photo.pixels(), found.detection[0].box, longest)
    if box.height < LEAST_FACE or box.width < LEAST_FACE / 2:
        return None
    return Taken(pixels, box), np.asarray(found.embeddings.vector[0], np.float32)


def _smaller(pixels: RGB, box: Box, longest: int) -> tuple[RGB, Box]:
    high, wide = pixels.shape[:2]
    by = min(1.0, longest / max(high, wide))
    if by < 1:
        size = (round(wide * by), round(high * by))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    high, wide = pixels.shape[:2]
    x0, y0 = max(0.0, box.x0 * by), max(0.0, box.y0 * by)
    return pixels, Box(x0, y0, min(box.x1 * by, wide), min(box.y1 * by, high))


def _without_held_out(
    samples: Sequence[Sample], embeddings: np.ndarray, limit: float
) -> list[Sample]:
    """Without faces that look like somebody of a later part: train < validation < test."""
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    order = {"train": 0, "validation": 1, "test": 2}
    rank = np.array([order[one.split] for one in samples])
    kept = []
    for index, one in enumerate(samples):
        later = unit[rank > rank[index]]
        if not len(later) or float((later @ unit[index]).max()) < limit:
            kept.append(one)
    return kept
