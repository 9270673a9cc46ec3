"""Train the student that ships with Mien, or one that lacks something, and report on it.

    python -m mien.train.liveness src/mien/train/liveness/student.toml --data DIR --to DIR

Needs ``mien[train]`` (torch, for training alone) and the weights of both MiniFASNets.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path

from mien import config
from mien.liveness.conditions import THRESHOLDS
from mien.liveness.student import STUDENT_THRESHOLDS
from mien.models import ModelStore
from mien.train.attacks import KINDS, Parts
from mien.train.liveness.config import read_run
from mien.train.liveness.crops import chosen
from mien.train.liveness.run import Place, prepare, report, train


def main() -> None:
    """Read the arguments, train, and write ``student.onnx`` and ``report.json``."""
    parser = argparse.ArgumentParser(prog="python -m mien.train.liveness", description=__doc__)
    parser.add_argument("config", type=Path, help="TOML")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--to", type=Path, required=True, help="folder for everything made")
    parser.add_argument("--name", default="student", help="of the files written")
    parser.add_argument("--without", nargs="*", default=[], metavar="PART", help="of the drawing")
    parser.add_argument("--leave-out", nargs="*", default=[], choices=list(KINDS), metavar="KIND")
    parser.add_argument("--limit", type=int, help="train on the first so many crops")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--true-weight", type=float)
    given = parser.parse_args()
    run = read_run(given.config)
    changes = {"epochs": given.epochs, "true_weight": given.true_weight}
    wanted = {name: value for name, value in changes.items() if value is not None}
    run = dataclasses.replace(run, recipe=dataclasses.replace(run.recipe, **wanted))
    models, place = ModelStore(config.load()), Place(given.data, given.to)
    taught = prepare(run, place, models, "train", parts=Parts.without(*given.without))
    taught = chosen(*taught, leave_out=given.leave_out, limit=given.limit)
    check = prepare(run, place, models, "validation")
    net = train(run, models, taught, check)
    (place.folder / f"{given.name}.onnx").write_bytes(net)
    found = report(
        net,
        prepare(run, place, models, "test"),
        threshold=STUDENT_THRESHOLDS["balanced"],
        teacher_threshold=THRESHOLDS["balanced"],
    )
    text = json.dumps({"bytes": len(net), **found}, indent=1)
    (place.folder / f"{given.name}.json").write_text(text, encoding="utf-8")
    print(text)  # noqa: T201


if __name__ == "__main__":
    main()
