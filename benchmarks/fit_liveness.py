"""Fit the line from a liveness score to a probability, and say how well it holds.

    python benchmarks/fit_liveness.py [nets=NAME,...] live=DIR live=DIR attacks=DIR/list.csv ...

Each ``live`` folder is one set of live photos; each list is of ``simulated_attacks.py``.
Live faces and attacks count alike, and so does each set and each kind of attack. Prints the points
for ``mien.liveness.probability`` and what five-fold cross-validation says of them.
"""

from __future__ import annotations

import csv
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mien import Engine
from mien.errors import ImageError
from mien.evaluate.templates import subject
from mien.liveness import PassiveLiveness, create

POINTS = np.array([0, 0.02, 0.5, 0.7, 1.0])
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
BINS = (0, 0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.01)
Floats = NDArray[np.float64]


def photos(sources: list[str]) -> Iterator[tuple[bool, str, Path]]:
    for source in sources:
        kind, _, where = source.partition("=")
        if kind == "live":
            found = (p for p in sorted(Path(where).rglob("*")) if p.suffix.lower() in SUFFIXES)
            yield from ((True, Path(where).name, file) for file in found)
        else:
            with Path(where).open(encoding="utf-8") as file:
                rows = list(csv.DictReader(file))
            yield from ((False, row["attack"], Path(where).parent / row["path"]) for row in rows)


def line(values: Floats, scores: Floats) -> Floats:
    """A rising line through POINTS; ``values`` are a logit and the logarithms of its steps."""
    logit = values[0] + np.concatenate([[0], np.cumsum(np.exp(values[1:]))])
    return np.clip(np.interp(scores, POINTS, 1 / (1 + np.exp(-logit))), 1e-4, 1 - 1e-4)


def fitted(scores: Floats, live: NDArray[np.bool_], weight: Floats) -> Floats:
    def loss(values: Floats) -> float:
        told = line(values, scores)
        wrong = -np.sum(weight * np.where(live, np.log(told), np.log(1 - told)))
        return float(wrong + 1e-5 * np.sum(values[1:] ** 2))

    start = np.concatenate([[-3], np.full(len(POINTS) - 1, -1.0)])
    options = {"maxiter": 20_000, "maxfev": 20_000}
    return np.asarray(minimize(loss, start, method="Nelder-Mead", options=options).x)


def weights(live: NDArray[np.bool_], names: NDArray[np.str_]) -> Floats:
    weight = np.zeros(len(live))
    for kind in (True, False):
        sets = sorted(set(names[live == kind]))
        for name in sets:
            mine = (live == kind) & (names == name)
            weight[mine] = 1 / len(sets) / mine.sum()
    return weight


def main() -> None:
    """Judge, fit and print."""
    rows = []
    chosen = [word.partition("=")[2] for word in sys.argv[1:] if word.startswith("nets=")]
    with Engine() as engine:
        judge = engine.liveness
        if chosen:
            judge = PassiveLiveness([create(name, engine.models) for name in chosen[0].split(",")])
        for live, name, file in photos([w for w in sys.argv[1:] if not w.startswith("nets=")]):
            try:
                photo = engine.photo(file)
                found = engine.detect(photo, liveness="off")
            except ImageError:
                continue
            if not len(found):
                continue
            face = found[subject(found.faces, width=found.width, height=found.height)]
            verdict = judge.check(photo.pixels(), face.box)
            if verdict.verdict != "undetermined":
                rows.append((live, name, verdict.score))
        print("nets:", ", ".join(net.name for net in judge.nets))
    live = np.array([row[0] for row in rows])
    names = np.array([row[1] for row in rows])
    scores = np.array([row[2] for row in rows])
    weight = weights(live, names)
    values = fitted(scores, live, weight)
    points = zip(POINTS.tolist(), line(values, POINTS).round(3).tolist(), strict=True)
    print("points:", dict(points))
    fold = np.random.default_rng(0).integers(0, 5, len(rows))
    told = np.zeros(len(rows))
    for i in range(5):
        told[fold == i] = line(
            fitted(scores[fold != i], live[fold != i], weight[fold != i]), scores[fold == i]
        )
    loss = float(np.sum(weight * np.where(live, -np.log(told), -np.log(1 - told))) / 2)
    print(f"{len(rows)} faces; logarithmic loss {loss:.3f}, where not knowing is {np.log(2):.3f}")
    for low, high in itertools.pairwise(BINS):
        mine = (told >= low) & (told < high)
        if mine.any():
            said = np.average(told[mine], weights=weight[mine])
            true = weight[mine & live].sum() / weight[mine].sum()
            print(f"  said {said:.3f}: live {true:.3f} of {mine.sum()}")


if __name__ == "__main__":
    main()
