"""Fit the coefficients of the quality score (src/mien/attributes/quality_score.py) and print them.

    python benchmarks/fit_quality.py ../shared/data

Photos: LFW folds 1 and 2, up to four of everybody who has two or more, and MFR2; each as it is and
twice spoilt, by a kind and to a grade drawn at random. Fitted is how alike SFace finds a photo and
the unspoilt photos of the same person, on the mean, by least squares without negative coefficients;
MFR2's photos together count half as much as LFW's. What is printed as out of fold was fitted on the
other half of the people.
"""

from __future__ import annotations

import csv
import sys
import zlib
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from scipy.optimize import nnls
from scipy.stats import spearmanr

from mien import Engine
from mien.attributes.quality_score import (
    HIGHEST_DETECTION,
    HIGHEST_NORM,
    LOWEST_DETECTION,
    LOWEST_NORM,
)
from mien.evaluate.degradations import GRADES, KINDS, spoil
from mien.evaluate.discard import error_versus_discard
from mien.evaluate.templates import subject

FAILS_BELOW = 0.36
MOST, COPIES = 4, 2
MODELS = {
    "without the embedding": ("detection", "eyes_visible", "mouth_visible"),
    "with it": ("recognition", "detection", "eyes_visible", "mouth_visible"),
}


def photos(data: Path) -> list[str]:
    """Paths below ``data``."""
    lists = {"lfw/pairs_folds_1_2.csv": ("a", "b"), "mfr2/labels.csv": ("path",)}
    names = []
    for file, columns in lists.items():
        with (data / file).open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        names.append(sorted({row[column] for row in rows for column in columns}))
    count = Counter(person(name) for name in names[0])
    taken: Counter[str] = Counter()
    chosen = []
    for name in names[0]:
        taken[person(name)] += 1
        if count[person(name)] > 1 and taken[person(name)] <= MOST:
            chosen.append(name)
    return chosen + names[1]


def person(name: str) -> str:
    """Whose photo it is, with the set."""
    return "/".join(name.split("/")[:2])


def look(engine: Engine, image):
    """Box, embedding and what the models use of a photo's subject; None without a face."""
    found = engine.detect(image)
    if not len(found):
        return None
    one = found.faces.take([subject(found.faces, width=found.width, height=found.height)])
    embedding = engine.embed(image, one)
    (measured,) = engine.analyze_faces(image, one, actions=("quality",))
    components = measured["quality"].components
    used = {name: components[name] / 100 for name in ("eyes_visible", "mouth_visible")}
    used["detection"] = share(one[0].score, LOWEST_DETECTION, HIGHEST_DETECTION)
    used["recognition"] = share(embedding.norm[0], LOWEST_NORM, HIGHEST_NORM)
    return one[0].box, embedding.vector[0], used


def share(value, low: float, high: float) -> float:
    return float(np.clip((value - low) / (high - low), 0, 1))


def main() -> None:
    """Look, fit, print."""
    data, engine, generator = Path(sys.argv[1]), Engine(), np.random.default_rng(1)
    seen, clean = [], defaultdict(list)
    for number, name in enumerate(photos(data)):
        image = engine.photo(data / name).pixels()
        first = look(engine, image)
        if first is None:
            continue
        clean[person(name)].append((name, first[1]))
        seen.append((name, *first[1:]))
        for _ in range(COPIES):
            kind = list(KINDS)[int(generator.integers(len(KINDS)))]
            grade = int(generator.integers(1, GRADES + 1))
            spoilt = look(engine, spoil(image, first[0], kind, grade, seed=number))
            if spoilt is not None:
                seen.append((name, *spoilt[1:]))
    rows = []
    for name, vector, used in seen:
        others = [float(vector @ other) for of, other in clean[person(name)] if of != name]
        if others:
            rows.append((name, used, float(np.mean(others))))
    for title, parts in MODELS.items():
        fit(title, parts, rows)


def fit(title: str, parts, rows) -> None:
    """One model."""
    target = np.array([row[2] for row in rows])
    of_lfw = np.array([row[0].startswith("lfw/") for row in rows])
    half = np.array([zlib.crc32(person(row[0]).encode()) % 2 for row in rows])
    weight = np.sqrt(np.where(of_lfw, 1.0, 0.5 * of_lfw.sum() / (~of_lfw).sum()))
    columns = [[row[1][part] for row in rows] for part in parts]
    table = np.column_stack([*columns, np.ones(len(rows)), -np.ones(len(rows))])

    def solve(chosen):
        return nnls(table[chosen] * weight[chosen, None], target[chosen] * weight[chosen])[0]

    outside = np.empty(len(rows))
    for part in (0, 1):
        outside[half == part] = table[half == part] @ solve(half != part)
    *weights, up, down = solve(np.ones(len(rows), bool))
    curve = error_versus_discard(outside, target < FAILS_BELOW)
    told = ", ".join(f"{p} {w:.3f}" for p, w in zip(parts, weights, strict=True))
    print(f"{title}: {told}, constant {up - down:.3f}")
    rank = spearmanr(outside, target)[0]
    gains = f"gain {curve.gain:.2f}, up to 20 % {curve.partial_gain:.2f}"
    print(f"  out of fold, {len(rows)} photos: rank correlation {rank:.3f}, {gains}")


if __name__ == "__main__":
    main()
