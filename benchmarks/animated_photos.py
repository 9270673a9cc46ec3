"""Challenges done by animated photos: how often a session takes one picture for a person.

    python benchmarks/animated_photos.py PHOTOS_FOLDER --count 60 --report animated.json

Each photo with a face of at least 80 pixels is animated (:mod:`mien.testing.animation`) to do
two steps of a challenge, 10 frames a second, in three ways:

- ``bent``: the mesh bends the picture, every frame clean;
- ``bent+noise``: the same, with noise of 2 grey levels, of its own in every frame;
- ``sheet+noise``: the whole photo is turned like a sheet of paper, with noise.

Steps are turns, nods and coming closer: a lid that is painted over an eye is not taken for a blink
by the net, so a challenge with a blink would only make the rates look better.

Passive liveness is looked at in every frame; the verdict is told with it observed and enforced.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from mien import config
from mien.challenge import Plan, judge
from mien.engine import Engine, LivenessCheck
from mien.engine.watching import observe
from mien.errors import ImageError
from mien.liveness import THRESHOLDS
from mien.testing.animation import animate, camera_noise, gestures

SIDE, LEAST_FACE, RATE_HZ, DEGREES = 400, 80, 10.0, 36.0
CHALLENGES = (
    ("turn_left", "nod"),
    ("nod", "turn_right"),
    ("move_closer", "turn_left"),
    ("turn_right", "move_closer"),
)


def photos(engine, folder, count):
    """Photos of at most 400 pixels and the points of their largest face, evenly over a folder."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".png"))
    found = 0
    for path in sorted(files, key=lambda one: hash_of(one.name)):
        try:
            pixels = engine.photo(path).pixels()
        except ImageError:
            continue
        shrink = SIDE / max(pixels.shape[:2])
        if shrink < 1:
            pixels = cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        seen = engine.landmarks(pixels, max_faces=1)
        if not len(seen) or min(seen[0].face.box.width, seen[0].face.box.height) < LEAST_FACE:
            continue
        found += 1
        yield path, pixels, seen[0]["landmarks"].points
        if found == count:
            return


def hash_of(name):
    """A fixed order that has nothing to do with the names'."""
    return int.from_bytes(name.encode(), "big") % 1_000_003


def sequence(pixels, points, steps, kind, rng):
    wanted = gestures(steps, frames_per_step=6, degrees=DEGREES)
    frames = animate(pixels, points, wanted, flat=kind.startswith("sheet"))
    return [camera_noise(one, rng) for one in frames] if kind.endswith("noise") else frames


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=60)
    parser.add_argument("--report", type=Path)
    parser.add_argument("--others", type=int, default=12, help="Photos of the other kinds.")
    parser.add_argument("--kinds", default="bent+noise,bent,sheet+noise")
    given = parser.parse_args()
    rows = []
    with Engine(settings=config.load()) as engine:
        observing = LivenessCheck("observe", "balanced")
        for number, (path, pixels, points) in enumerate(photos(engine, given.folder, given.count)):
            steps = CHALLENGES[number % len(CHALLENGES)]
            for kind in given.kinds.split(",")[: None if number < given.others else 1]:
                rng = np.random.default_rng(number)
                frames = [
                    observe(
                        engine, one, time_s=i / RATE_HZ, received_s=i / RATE_HZ, check=observing
                    )
                    for i, one in enumerate(sequence(pixels, points, steps, kind, rng))
                ]
                plan = Plan(steps=steps, liveness=observing)
                told = judge(engine, plan, frames)
                score = next(c.value for c in told.checks if c.name == "liveness")
                rows.append(
                    {
                        "photo": path.name,
                        "kind": kind,
                        "passed": told.passed,
                        "score": score,
                        "reasons": list(told.reasons),
                        "steps": [one.done for one in told.steps],
                        "enforced": told.passed
                        and score is not None
                        and score >= THRESHOLDS["balanced"],
                        "figures": {c.name: c.value for c in told.checks},
                    }
                )
            if given.report:
                given.report.write_text(json.dumps(rows))
    for kind in given.kinds.split(","):
        print(summary(kind, [row for row in rows if row["kind"] == kind]))


def summary(kind, rows):
    """One line of the table."""
    n = len(rows)
    reasons = Counter(reason for row in rows for reason in row["reasons"])
    live = {
        name: sum(row["score"] is not None and row["score"] >= least for row in rows)
        for name, least in THRESHOLDS.items()
    }
    return (
        f"{kind}: n {n}, pass with observe {sum(row['passed'] for row in rows)}, "
        f"with enforce {sum(row['enforced'] for row in rows)}; "
        f"taken for live by the passive part {live}; reasons {dict(reasons.most_common())}"
    )


if __name__ == "__main__":
    main()
