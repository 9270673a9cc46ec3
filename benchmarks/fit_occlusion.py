"""Fit the occlusion attribute's three linear models, and measure them on people not fitted on.

    python benchmarks/fit_occlusion.py            # two halves of the people, one fitted, one scored
    python benchmarks/fit_occlusion.py --write    # then fit on all and write the weights

Photos: LFW folds 1-2 of ../shared/data (or of the folder that MIEN_SHARED_DATA names), every
second one; each is painted over once a part (occluders.py). Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from mien import Engine, config
from mien.attributes.covered import PARTS, chip_of
from mien.attributes.face_mesh import MeshReader
from mien.attributes.occlusion import measures
from mien.attributes.protocol import FaceView
from mien.evaluate.templates import subject
from occluders import KINDS, Painter

REPOSITORY = Path(__file__).resolve().parent.parent
WEIGHTS = REPOSITORY / "src" / "mien" / "attributes" / "occlusion.json"
STRENGTH = {"eyes": 0.01, "mouth": 0.1, "forehead": 0.1}  # of the fit: smaller is smoother
SEED = 11


@dataclass(frozen=True)
class Row:
    """One face: whose, what is painted over it, and the measures of each part."""

    person: str
    part: str
    kind: str
    values: dict[str, np.ndarray]


def rows() -> list[Row]:
    """Every second photo as it is, and once painted for each part."""
    root = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    with (root / "lfw" / "gender.csv").open(newline="") as stream:
        paths = [row["path"] for row in csv.DictReader(stream)][::2]
    engine = Engine(settings=config.load())
    reader = MeshReader.load(engine.models)
    photos = [engine.photo(root / path).pixels() for path in paths]
    paint = Painter(photos[::7], SEED)
    found: list[Row] = []
    for number, (path, image) in enumerate(zip(paths, photos, strict=True)):
        detection = engine.detect(image)
        if not len(detection):
            continue
        chosen = subject(detection.faces, width=detection.width, height=detection.height)
        face = detection.faces.take([chosen])[0]
        mesh = reader.mesh(FaceView(image, face))
        person = path.split("/")[1]
        points = mesh.points[0, :, :2].astype(float)
        looks = {("none", ""): image}
        for part, kinds in KINDS.items():
            kind = kinds[number % len(kinds)]
            looks[part, kind] = paint(image, points, part, kind)
        for (part, kind), look in looks.items():
            chip = chip_of(look, reader.mesh(FaceView(look, face)))
            found.append(Row(person, part, kind, {p: measures(chip, p) for p in PARTS}))
    return found


def fit(values: np.ndarray, covered: np.ndarray, strength: float) -> tuple[np.ndarray, float]:
    """Weights and constant of a logistic regression, in the measures' own units."""
    scale = StandardScaler().fit(values)
    model = LogisticRegression(C=strength, max_iter=5000, class_weight="balanced")
    model.fit(scale.transform(values), covered)
    weights = model.coef_[0] / scale.scale_
    return weights, float(model.intercept_[0] - weights @ scale.mean_)


def report(found: list[Row], part: str) -> None:
    """Each half of the people scored by the fit on the other; painted against bare."""
    values = np.array([row.values[part] for row in found])
    covered = np.array([row.part == part for row in found])
    bare = np.array([row.part == "none" for row in found])
    people = sorted({row.person for row in found})
    half = {p: i % 2 for i, p in enumerate(np.random.default_rng(SEED).permutation(people))}
    side = np.array([half[row.person] for row in found])
    kinds = np.array([row.kind if row.part == part else "" for row in found])

    def scored(left_out: str) -> np.ndarray:
        score = np.zeros(len(found))
        for one in (0, 1):
            fitted = (side != one) & ((kinds != left_out) if left_out else True)
            weights, constant = fit(values[fitted], covered[fitted], STRENGTH[part])
            score[side == one] = values[side == one] @ weights + constant
        return score

    score, both = scored(""), covered | bare
    print(f"{part}: AUC {roc_auc_score(covered[both], score[both]):.4f}", end="")
    print(f", at 0.5 finds {np.mean(score[covered] > 0):.3f}", end="")
    print(f" and calls {np.mean(score[bare] > 0):.3f} of the bare covered")
    for kind in sorted(set(kinds) - {""}):
        these = (kinds == kind) | bare
        alone = roc_auc_score(covered[these], scored(kind)[these])
        print(f"  {kind}: AUC {roc_auc_score(covered[these], score[these]):.4f}", end="")
        print(f", without having seen this kind {alone:.4f}")


def main() -> None:
    """Measure; with --write, also write the weights."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--write", action="store_true", help="fit on all, and write the weights")
    write = options.parse_args().write
    cv2.setNumThreads(1)
    found = rows()
    print(f"{sum(row.part == 'none' for row in found)} photos")
    written = {}
    for part in PARTS:
        report(found, part)
        covered = np.array([row.part == part for row in found])
        weights, constant = fit(
            np.array([row.values[part] for row in found]), covered, STRENGTH[part]
        )
        written[part] = {
            "constant": round(constant, 4),
            "weights": [round(float(weight), 4) for weight in weights],
        }
    if write:
        WEIGHTS.write_text(json.dumps(written) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
