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

from card_figures import write_measured
from mien import Engine, config, detect, embed
from mien.errors import LicenceNotAccepted, ModelError
from mien.evaluate import detection, pairs
from mien.models import ModelStore
from mien.models.card import ArchiveSource, ModelCard
from mien.models.measured import FIGURES, Measured
from report import REPOSITORY, Row, publish

TRUTH = "detection_gt.json"
PAIRS = {"LFW folds 1-2": "lfw/pairs_folds_1_2.csv", "MFR2": "mfr2/pairs.csv"}


def detector_figures(name: str, models: ModelStore, data: Path) -> list[Measured]:
    """Recall, precision, AP50 and CPU milliseconds a photo."""
    if not (data / TRUTH).is_file():
        return []
    with Engine(detector=name, settings=models.settings, models=models) as engine:
        report = detection(engine, data / TRUTH, data)
    return [
        Measured(
            on="CompreFace and dlib",
            protocol="detection",
            how=f"mien eval detection --truth {TRUTH} --detector {name}",
            threads=models.settings.thread_budget,
            figures={
                "recall": report.recall,
                "precision": report.precision,
                "ap50": report.ap50,
                "cpu_ms": report.ms_per_image_cpu,
            },
        )
    ]


def embedder_figures(name: str, models: ModelStore, data: Path) -> list[Measured]:
    """Accuracy, AUC, TAR and CPU milliseconds a photo, for each list of pairs."""
    done = []
    with Engine(embedder=name, settings=models.settings, models=models) as engine:
        for data_set, file in PAIRS.items():
            if not (data / file).is_file():
                continue
            report = pairs(engine, data / file, data, score="similarity")
            done.append(
                Measured(
                    on=data_set,
                    protocol="pairs",
                    how=f"mien eval pairs --pairs {file} --embedder {name} --score similarity, "
                    f"detector {report.detector}",
                    threads=models.settings.thread_budget,
                    figures={
                        "accuracy": report.accuracy.mean,
                        "auc": report.auc,
                        **{f"tar_{fmr}": tar for fmr, tar in report.tar.items()},
                        "cpu_ms": report.ms_per_image_cpu,
                    },
                )
            )
    return done


def measured(
    cards: list[ModelCard], figures_of: Callable[[str], list[Measured]]
) -> Iterator[tuple[ModelCard, list[Measured]]]:
    """Each card with its figures; models that cannot be had here are named and left out."""
    for card in cards:
        try:
            figures = figures_of(card.name)
        except LicenceNotAccepted:
            print(f"  {card.key}: its licence is not accepted", flush=True)
        except ModelError as error:
            print(f"  {card.key}: {error.message}", flush=True)
        else:
            for one in figures:
                told = "  ".join(f"{name} {value:.4f}" for name, value in one.figures.items())
                print(f"  {card.key} on {one.on}: {told}", flush=True)
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


def rows_of(results: list[tuple[ModelCard, list[Measured]]]) -> list[Row]:
    """A row a figure, against the first model's."""
    rows = []
    (first, base) = results[0] if results else (None, [])
    bases = {(one.on, name): value for one in base for name, value in one.figures.items()}
    for card, measured_here in results:
        for one in measured_here:
            for name, value in one.figures.items():
                baseline = None if card is first else bases.get((one.on, name))
                unit = "CPU ms" if name == "cpu_ms" else FIGURES[name].unit
                what = f"{card.key} {name}, {one.on}"
                rows.append(Row(what, value, baseline, first.name if first else "", unit))
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
                for one in figures:
                    write_measured(card, one)
    publish("models", rows)


if __name__ == "__main__":
    main()
