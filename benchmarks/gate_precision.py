"""May a faster arithmetic be admitted for a recognition model? The accuracy gate of its card.

    python benchmarks/gate_precision.py sface bf16 --pairs pairs.csv --root FOLDER

Against float32 on the same crops: median cosine >= .9999, first percentile >= .998, and at most
0.1 points lost in accuracy and in TAR at FMR 1e-3 on the pairs. Exit code 1 where it fails.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

from mien import Engine, config
from mien.embed.aligned import AlignedNet
from mien.evaluate.lists import read_pairs
from mien.evaluate.pair_protocol import pairs_report
from mien.evaluate.templates import Templates, embed_files
from mien.models import ModelStore


def embedded(name: str, precision: str, listed: list[str], root: Path) -> tuple[Engine, Templates]:
    """Every photo's embedding in one arithmetic of OpenVINO."""
    settings = config.load(runtime="openvino")
    models = ModelStore(settings)
    card = dataclasses.replace(models.card(name, "embed"), precisions=("float32", precision))
    net = AlignedNet(card, models.open(card, precision=precision))
    engine = Engine(embedder=net, settings=settings, models=models)
    return engine, embed_files(engine, listed, root)


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("embedder")
    parser.add_argument("precision", choices=["bf16", "int8"])
    parser.add_argument("--pairs", required=True, type=Path)
    parser.add_argument("--root", required=True, type=Path)
    given = parser.parse_args()
    pairs = read_pairs(given.pairs)
    reports, vectors, norms = {}, {}, {}
    for precision in ("float32", given.precision):
        engine, templates = embedded(given.embedder, precision, pairs.names, given.root)
        reports[precision] = pairs_report(engine, pairs, templates, score="similarity").to_dict()
        vectors[precision], norms[precision] = templates.vector, templates.norm
    cosine = np.sum(vectors["float32"] * vectors[given.precision], axis=1)
    exact, fast = reports["float32"], reports[given.precision]
    facts = {
        "crops": len(cosine),
        "median": float(np.median(cosine)),
        "percentile_1": float(np.percentile(cosine, 1)),
        "minimum": float(cosine.min()),
        "norm_ratio": float(np.nanmedian(norms[given.precision] / norms["float32"])),
        "accuracy": [exact["accuracy"], fast["accuracy"]],
        "tar_1e-3": [exact["tar"]["1e-3"], fast["tar"]["1e-3"]],
    }
    passed = (
        facts["median"] >= 0.9999
        and facts["percentile_1"] >= 0.998
        and fast["accuracy"] >= exact["accuracy"] - 0.001
        and fast["tar"]["1e-3"] >= exact["tar"]["1e-3"] - 0.001
    )
    print(json.dumps({**facts, "passed": passed}, indent=1))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
