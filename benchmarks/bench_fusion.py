"""The fusion against every recognition model from an archive: accuracy and CPU time, in one run.

    make bench-fusion
    make bench-fusion ARGS="--data DIR --score confidence"

The folder (default: MIEN_SHARED_DATA or ../shared/data) holds ``lfw/pairs_folds_1_2.csv``,
``mfr2/pairs.csv`` and their photos. The fusion was fitted on other people. One thread each.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from mien import Engine, config
from mien.evaluate import PairsReport, pairs
from report import REPOSITORY, Row, publish

SINGLE = ("sface", "mobilefacenet", "dlib", "faceres")
LISTS = {"LFW": "lfw/pairs_folds_1_2.csv", "MFR2": "mfr2/pairs.csv"}


def figures(report: PairsReport) -> dict[str, tuple[float, str]]:
    """Name -> value and unit."""
    return {
        "accuracy": (100 * report.accuracy.mean, "%"),
        "AUC": (100 * report.auc, "%"),
        "TAR at FMR 1e-2": (100 * report.tar["1e-2"], "%"),
        "TAR at FMR 1e-3": (100 * report.tar["1e-3"], "%"),
        "a photo, from reading on": (report.ms_per_image_cpu, "CPU ms"),
    }


def measured(name: str, file: Path, root: Path, score: str) -> dict[str, tuple[float, str]]:
    """One model on one list."""
    with Engine(embedder=name, settings=config.load(threads=1)) as engine:
        return figures(pairs(engine, file, root, score=score))


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=shared, help="folder of labelled photos")
    parser.add_argument("--score", choices=["similarity", "confidence"], default="similarity")
    options = parser.parse_args()
    rows = []
    for data_set, list_name in LISTS.items():
        file = options.data / list_name
        if not file.is_file():
            print(f"bench-fusion: {list_name} is not here (set MIEN_SHARED_DATA).")
            continue
        fused = measured("fusion", file, options.data, options.score)
        for name in SINGLE:
            single = measured(name, file, options.data, options.score)
            rows += [
                Row(f"{data_set}, {what}", value, single[what][0], name, unit)
                for what, (value, unit) in fused.items()
            ]
    if rows:
        publish("fusion", rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
