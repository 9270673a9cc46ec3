"""Attacks on face recognition, simulated: a photo on a screen or on paper, and photographed.

They are crude: they serve to see whether a piece of evidence reacts to what it is meant for, and
whether it stays silent on real photos. What stops them need not stop real attacks.

    python benchmarks/simulated_attacks.py --photos DIR --scenes DIR --to DIR

writes one attack of each kind of ``mien.train.attacks`` for every photo with a face (its largest),
and list.csv for ``mien eval liveness`` and ``fit_liveness.py``. The same names give the same
attacks. The student is trained on the same kinds, of other photos: its rates on them flatter it.
"""

from __future__ import annotations

import argparse
import csv
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mien import Engine
from mien.train.attacks import KINDS, Taken, simulate
from mien.types import RGB

SCENES = 12


def taken(engine: Engine, files: list[Path]) -> Iterator[tuple[Path, Taken]]:
    """The photos with a face, and the largest face of each."""
    for file in files:
        photo = engine.photo(file)
        found = engine.detect(photo, liveness="off")
        if len(found):
            yield file, Taken(photo.pixels(), found[0].box)


def attacks(
    engine: Engine, photos: list[Path], scenes: list[Path]
) -> Iterator[tuple[str, str, RGB]]:
    """Kind, name and picture of each attack."""
    behind = [scene for _, scene in taken(engine, scenes)]
    if not behind:
        raise SystemExit("There is no face in the scenes: a mask needs somebody who wears it.")
    for index, (file, source) in enumerate(taken(engine, photos)):
        for kind in KINDS:
            random = np.random.default_rng(zlib.crc32(f"{file.name}{kind}".encode()))
            made = simulate(kind, source, behind[index % len(behind)], random)
            yield kind, f"{kind}_{index:03d}.png", made.pixels


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=Path, action="append", required=True)
    parser.add_argument("--scenes", type=Path, required=True)
    parser.add_argument("--to", type=Path, required=True)
    given = parser.parse_args()
    photos = [file for folder in given.photos for file in sorted(folder.rglob("*.jpg"))]
    given.to.mkdir(parents=True, exist_ok=True)
    rows = []
    with Engine() as engine:
        scenes = sorted(given.scenes.rglob("*.jpg"))[:SCENES]
        for kind, name, picture in attacks(engine, photos, scenes):
            cv2.imwrite(str(given.to / name), picture[..., ::-1])
            rows.append((name, 0, kind))
    with (given.to / "list.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("path", "live", "attack"), *rows])
    print(f"{len(rows)} attacks from {len(photos)} photos")


if __name__ == "__main__":
    main()
