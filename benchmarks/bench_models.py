"""Every detector and every recognition model on labelled photos, by Mien's own evaluation.

    make bench-models
    make bench-models ARGS="--data DIR --only yunet sface --write"

The folder (default: ``MIEN_SHARED_DATA`` or ../shared/data) may hold any of

* ``detection_gt.json``: as for ``mien eval detection``;
* ``lfw/pairs_folds_1_2.csv``, ``mfr2/pairs.csv``: as for ``mien eval pairs``.

Models are measured one after the other, each on the same photos, with the default detector or
recognition model beside it. Pairs are scored by similarity, so that calibrated models and others
compare. ``--write`` puts the figures into the model cards.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from card_metrics import write_metrics
from mien import Engine, config, detect, embed
from mien.errors import LicenceNotAccepted, ModelError
from mien.evaluate import detection, pairs
from mien.models import ModelStore
from mien.models.card import ArchiveSource, ModelCard
from report import REPOSITORY, Row, publish

TRUTH = "detection_gt.json"
PAIRS = {"lfw": "lfw/pairs_folds_1_2.csv", "mfr2": "mfr2/pairs.csv"}
UNITS = {"ms_cpu": "CPU ms"}

Figures = dict[str, float]


def detector_figures(name: str, models: ModelStore, data: Path) -> Figures:
    """Recall, precision, AP50 and CPU milliseconds a photo."""
    if not (data / TRUTH).is_file():
        return {}
    with Engine(detector=name, settings=models.settings, models=models) as engine:
        report = detection(engine, data / TRUTH, data)
    return {
        "detection_recall": report.recall,
        "detection_precision": report.precision,
        "detection_ap50": report.ap50,
        "detection_ms_cpu": report.ms_per_image_cpu,
    }


def embedder_figures(name: str, models: ModelStore, data: Path) -> Figures:
    """Accuracy, AUC, TAR and CPU milliseconds a photo, for each list of pairs."""
    figures: Figures = {}
    with Engine(embedder=name, settings=models.settings, models=models) as engine:
        for listed, file in PAIRS.items():
            if not (data / file).is_file():
                continue
            report = pairs(engine, data / file, data, score="similarity")
            figures |= {
                f"{listed}_accuracy": report.accuracy.mean,
                f"{listed}_auc": report.auc,
                **{f"{listed}_tar_{fmr}": tar for fmr, tar in report.tar.items()},
                f"{listed}_ms_cpu": report.ms_per_image_cpu,
            }
    return figures


def measured(
    cards: list[ModelCard], figures_of: Callable[[str], Figures]
) -> Iterator[tuple[ModelCard, Figures]]:
    """Each card with its figures; models that cannot be had here are named and left out."""
    for card in cards:
        try:
            figures = figures_of(card.name)
        except LicenceNotAccepted:
            print(f"  {card.key}: its licence is not accepted", flush=True)
        except ModelError as error:
            print(f"  {card.key}: {error.message}", flush=True)
        else:
            told = "  ".join(f"{name} {value:.4f}" for name, value in figures.items())
            print(f"  {card.key}: {told}", flush=True)
            yield card, figures


def from_archives(names: list[str], task: str, models: ModelStore) -> list[ModelCard]:
    """Cards of models that come from package archives or libraries, the default one first."""
    default = getattr(models.settings, {"detect": "detector", "embed": "embedder"}[task])
    cards = [models.card(name, task) for name in sorted(names, key=lambda n: (n != default, n))]
    return [
        card
        for card in cards
        if card.library or any(isinstance(source, ArchiveSource) for source in card.sources)
    ]


def rows_of(results: list[tuple[ModelCard, Figures]]) -> list[Row]:
    """A row a figure, against the first model's."""
    rows = []
    for card, figures in results:
        first, base = results[0]
        for name, value in figures.items():
            unit = next((unit for end, unit in UNITS.items() if name.endswith(end)), "share")
            baseline = None if card is first else base.get(name)
            rows.append(Row(f"{card.key} {name}", value, baseline, first.name, unit))
    return rows


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=shared, help="folder of labelled photos")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="only these models")
    parser.add_argument("--write", action="store_true", help="put the figures into the cards")
    return parser.parse_args()


def main() -> None:
    """Measure, print, and write what was asked for."""
    options = arguments()
    models = ModelStore(config.load())
    tasks = {
        "detect": ([n for n in detect.names() if n != "skip"], detector_figures),
        "embed": (embed.names(), embedder_figures),
    }
    rows = []
    for task, (names, figures_of) in tasks.items():
        cards = from_archives(names, task, models)
        if options.only:
            cards = [card for card in cards if {card.name, card.key} & {*options.only}]
        results = list(measured(cards, partial(figures_of, models=models, data=options.data)))
        rows += rows_of(results)
        if options.write:
            for card, figures in results:
                write_metrics(card, figures)
    publish("models", rows)


if __name__ == "__main__":
    main()
