"""The student beside its teachers: CPU time, live faces refused, verdicts on real attacks.

    make bench-liveness ARGS="--data ../shared/data"

needs MiniFASNet's files in the cache or in MIEN_MODELS_MIRROR. Live photos: data sets (or people)
that the student never saw; the list of faces and boxes is YuNet's, the largest face of each.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from mien import config
from mien.engine import Engine
from mien.errors import ImageError
from mien.image import Photo
from mien.liveness import THRESHOLDS, LivenessNet, PassiveLiveness, create
from mien.liveness.conditions import LEAST_CONTEXT
from mien.liveness.crop import clamped_factor
from mien.liveness.student import FACTORS, SIDE, STUDENT, STUDENT_THRESHOLDS
from mien.models import ModelStore, Session
from mien.train.liveness.config import Run, read_run
from mien.train.liveness.photos import part_of_person
from mien.types import RGB, Box

TEACHERS = ("minifasnet-v2", "minifasnet-v1se")
RUNS = 300
SUFFIXES = {".jpg", ".jpeg", ".png"}
CONFIG = Path(__file__).resolve().parent.parent / "src/mien/train/liveness/student.toml"


def cpu_ms(session: Session, names: tuple[str, ...]) -> dict[str, float]:
    """Median and 90th percentile of the CPU time of one run, milliseconds."""
    image = {name: np.zeros((1, 3, SIDE, SIDE), np.float32) for name in names}
    spent = []
    for _ in range(RUNS):
        start = time.process_time_ns()
        session.run(image)
        spent.append((time.process_time_ns() - start) / 1e6)
    kept = sorted(spent[20:])
    return {"median": round(statistics.median(kept), 2), "p90": round(kept[len(kept) * 9 // 10], 2)}


def times(models: ModelStore) -> dict[str, dict[str, dict[str, float]]]:
    """By net and runtime, one thread."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in (STUDENT, *TEACHERS):
        card = models.card(name, "liveness")
        for candidate in models.ways(card):
            if candidate.precision == "float32":
                runtime = candidate.runtime
                session = models.open(card, threads=1, runtime=runtime, precision="float32")
                found.setdefault(name, {})[runtime] = cpu_ms(session, tuple(card.inputs))
    return found


def live_photos(data: Path, run: Run) -> dict[str, list[Path]]:
    """Photos by set: those of nobody that the student was trained on."""
    lfw = [
        file
        for person in sorted((data / "lfw").iterdir())
        if person.is_dir() and part_of_person(person.name, run.photos) == "test"
        for file in sorted(person.glob("*.jpg"))
    ]
    whole = {
        name: [f for f in sorted((data / name).rglob("*")) if f.suffix.lower() in SUFFIXES]
        for name in ("deepface", "compreface")
    }
    return {**whole, "lfw, people held out": lfw}


def faces(engine: Engine, files: Iterable[Path]) -> Iterable[tuple[RGB, Box, Photo]]:
    """The largest face of each photo."""
    for file in files:
        try:
            photo = engine.photo(file)
            found = engine.detect(photo, liveness="off")
        except ImageError:
            continue
        if len(found):
            best = max(found, key=lambda face: face.box.area)
            yield photo.pixels(), best.box, photo


def share(flags: list[bool]) -> float:
    return round(sum(flags) / len(flags), 4) if flags else float("nan")


def judged(
    engine: Engine, files: list[Path], student: LivenessNet, teachers: list[LivenessNet]
) -> dict[str, object]:
    """How often live faces are refused, by the nets alone and with the evidence."""
    whole = PassiveLiveness([student], thresholds=STUDENT_THRESHOLDS)
    mine, theirs, passed, unseen = [], [], [], 0
    for pixels, box, _ in faces(engine, files):
        if clamped_factor(box, pixels.shape[:2], max(FACTORS)) < LEAST_CONTEXT:
            unseen += 1
            continue
        mine.append(student.live_score(pixels, box))
        theirs.append(float(np.mean([net.live_score(pixels, box) for net in teachers])))
        passed.append(whole.check(pixels, box).score)
    conditions = THRESHOLDS
    return {
        "n": len(mine),
        "without an answer": unseen,
        "rank correlation": round(float(spearmanr(mine, theirs).statistic), 3),
        "student, the net alone": {
            name: share([v < STUDENT_THRESHOLDS[name] for v in mine]) for name in conditions
        },
        "student, with the evidence": {
            name: share([v < STUDENT_THRESHOLDS[name] for v in passed]) for name in conditions
        },
        "teachers, the nets alone": {
            name: share([v < THRESHOLDS[name] for v in theirs]) for name in conditions
        },
        "student's percentiles 2, 5, 8, 10, 25": np.percentile(mine, [2, 5, 8, 10, 25])
        .round(3)
        .tolist(),
    }


def attacks(
    engine: Engine, folder: Path, student: LivenessNet, teachers: list[LivenessNet]
) -> dict[str, dict[str, object]]:
    """Scores and verdicts on the few real attacks."""
    checks = {
        "student": PassiveLiveness([student], thresholds=STUDENT_THRESHOLDS),
        "teachers": PassiveLiveness(teachers),
    }
    found: dict[str, dict[str, object]] = {}
    for file in sorted(f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES):
        for pixels, box, _ in faces(engine, [file]):
            for name, check in checks.items():
                told = check.check(pixels, box)
                believed = sum(told.nets.values()) / len(told.nets)
                alone = "live" if believed >= told.threshold else "spoof"
                found.setdefault(file.name, {})[name] = {
                    "nets": round(believed, 3),
                    "nets alone": alone,
                    "verdict": told.verdict,
                }
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the data sets; without: only times")
    parser.add_argument("--report", type=Path, default=Path("build/bench/liveness.json"))
    given = parser.parse_args()
    settings = config.load()
    models = ModelStore(settings)
    report: dict[str, object] = {"machine": platform.machine(), "cpu_ms": times(models)}
    if given.data:
        student = create(STUDENT, models)
        teachers = [create(name, models) for name in TEACHERS]
        with Engine(settings=settings, models=models) as engine:
            report["live"] = {
                name: judged(engine, files, student, teachers)
                for name, files in live_photos(given.data, read_run(CONFIG)).items()
            }
            folder = given.data / "spoof_minivision"
            report["real attacks"] = attacks(engine, folder, student, teachers)
    text = json.dumps(report, indent=1)
    given.report.parent.mkdir(parents=True, exist_ok=True)
    given.report.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
