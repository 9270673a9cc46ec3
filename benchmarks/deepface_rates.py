"""Error rates at the thresholds of ``mien.compat.deepface``, over all pairs of labelled photos.

    python benchmarks/deepface_rates.py SFace Dlib --list ../shared/data/lfw/pairs_folds_1_2.csv

The list names photos in its columns ``a`` and ``b``; a photo's person is its file name up to the
last underscore, as in LFW. Of each photo the largest face counts.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np

from mien.compat import deepface as DeepFace  # noqa: N812
from mien.match.metrics import METRICS, distance

RATE = 1e-3


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--normalization", default=None)
    options = parser.parse_args()
    with options.list.open() as file:
        names = sorted({row[side] for row in csv.DictReader(file) for side in ("a", "b")})
    print("model metric threshold FMR FNMR threshold@1e-3 FNMR@1e-3 impostors genuine without_face")
    for model in options.models:
        found = embedded(model, options.list.parent.parent, names, options.normalization)
        people = np.array([Path(name).name.rsplit("_", 1)[0] for name in found])
        vectors = np.array(list(found.values()), np.float32)
        above = np.triu_indices(len(vectors), 1)
        same = people[above[0]] == people[above[1]]
        for metric in METRICS:
            apart = distance(vectors, vectors, metric)[above]
            limit = DeepFace.verification.find_threshold(model, metric, options.normalization)
            at = np.partition(apart[~same], int(RATE * (~same).sum()))[int(RATE * (~same).sum())]
            rates = [(apart[~same] <= limit).mean(), (apart[same] > limit).mean()]
            print(
                f"{model} {metric} {limit:.4f} {rates[0]:.2e} {rates[1]:.4f} {at:.4f} "
                f"{(apart[same] > at).mean():.4f} {(~same).sum()} {same.sum()} "
                f"{len(names) - len(found)}",
                flush=True,
            )


def embedded(
    model: str, folder: Path, names: list[str], mode: str | None
) -> dict[str, list[float]]:
    """The embedding of each photo's largest face; photos without one are left out."""
    found: dict[str, list[float]] = {}
    for name in names:
        try:
            faces = DeepFace.represent(folder / name, model, max_faces=1, normalization=mode)
        except DeepFace.exceptions.FaceNotDetected:
            continue
        found[name] = faces[0]["embedding"]
    return found


if __name__ == "__main__":
    main()
