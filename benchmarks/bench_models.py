"""Every model on labelled photos, by Mien's own evaluation.

    make bench-models
    make bench-models ARGS="--data DIR --pairs door=door/pairs.csv --only sface dlib"

Without lists, those of the project's own sets that the folder (``--data``, ``MIEN_SHARED_DATA`` or
../shared/data) holds: ``detection_gt.json``, ``lfw/pairs_folds_1_2.csv``, ``mfr2/pairs.csv``,
``lfw/gender.csv`` and ``mfr2/labels.csv``. ``--detection``, ``--pairs`` and ``--labels`` name your
own, as for ``mien eval detection``, ``pairs`` and ``attributes``; each may be repeated.

Models are measured one after the other, each on the same photos, with the default detector or
recognition model beside it. Pairs are scored by similarity, so that calibrated models and others
compare. The figures go to build/bench/models.json and, as a page, to build/bench/models.md.
``--write`` puts them into the model cards, for the project's own sets only.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from card_figures import write_measured
from mien import config, detect, embed
from mien.errors import MienError, ModelError
from mien.models import ModelStore
from mien.models.card import ModelCard
from mien.models.measured import DATA_SETS, FIGURES, Measured
from model_figures import OWN, List, of_attributes, of_detector, of_embedder
from models_page import OWN_INTRODUCTION, page, with_figures
from report import BUILD, REPOSITORY, Row, publish

Results = dict[str, list[Measured]]
"""By card key."""


def shelf(models: ModelStore, only: Sequence[str]) -> list[ModelCard]:
    """Detectors and recognition models, the default ones first; by address only if asked for."""
    wanted = {"detect": set(detect.names()) - {"skip"}, "embed": set(embed.names())}
    defaults = {f"detect/{models.settings.detector}", f"embed/{models.settings.embedder}"}
    cards = [card for card in models.cards() if card.name in wanted.get(card.task, ())]
    if only:
        cards = [card for card in cards if {card.name, card.key} & {*only}]
    else:
        cards = [card for card in cards if not card.by_address]
    return sorted(cards, key=lambda card: (card.task, card.key not in defaults, card.name))


def measured(
    models: ModelStore, lists: Sequence[List], data: Path, only: Sequence[str]
) -> Iterator[tuple[str, Measured]]:
    """Each card's key with what was measured; models that cannot be had are named and left out."""
    of_task: dict[str, Callable[[str, ModelStore, List, Path], Measured]] = {
        "detect": of_detector,
        "embed": of_embedder,
    }
    kinds = {"detect": "detection", "embed": "pairs"}
    for card in shelf(models, only):
        for listed in lists:
            if listed.kind != kinds[card.task]:
                continue
            try:
                yield card.key, of_task[card.task](card.name, models, listed, data)
            except ModelError as error:
                print(f"  {card.key}: {error.message}", flush=True)
                break
        models.release()
    attributes = {card.name: card.key for card in models.cards("attributes")}
    for listed in lists:
        if listed.kind == "attributes" and (not only or {*attributes} & {*only}):
            for name, one in of_attributes(models, listed, data).items():
                if name in attributes:
                    yield attributes[name], one


def rows_of(results: Results) -> list[Row]:
    """A row a figure, against the first model of the same list."""
    rows = []
    first: dict[tuple[str, str, str], tuple[str, float]] = {}
    for key, entries in results.items():
        for one in entries:
            for name, value in one.figures.items():
                base = first.setdefault((one.protocol, one.on, name), (key, value))
                unit = "CPU ms" if name == "cpu_ms" else FIGURES[name].unit
                baseline = base[1] if base[0] != key else None
                rows.append(Row(f"{key} {name}, {one.on}", value, baseline, base[0], unit))
    return rows


def report(results: Results, models: ModelStore, folder: Path) -> None:
    """Print the rows, and write them and the page to ``folder``."""
    plain = {
        key: [
            {
                "on": one.on,
                "protocol": one.protocol,
                "how": one.how,
                "threads": one.threads,
                "figures": dict(one.figures),
            }
            for one in entries
        ]
        for key, entries in results.items()
    }
    publish("models", rows_of(results), more={"measured": plain}, folder=folder)
    file = folder / "models.json"
    text = page(with_figures(models.cards(), file), OWN_INTRODUCTION)
    file.with_suffix(".md").write_text(text, encoding="utf-8")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    shared = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=shared, help="folder of labelled photos")
    for option, kind in (("detection", "detection"), ("pairs", "pairs"), ("labels", "attributes")):
        parser.add_argument(
            f"--{option}",
            action="append",
            dest="lists",
            type=lambda text, kind=kind: List.parse(kind, text),
            metavar="[NAME=]FILE",
            help="a list in that folder, and what to call it; in place of the project's own",
        )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="only these models")
    parser.add_argument("--to", type=Path, default=BUILD / "bench", metavar="DIR", help="where to")
    parser.add_argument("--write", action="store_true", help="put the figures into the cards")
    options = parser.parse_args()
    given = options.lists
    options.lists = given or [one for one in OWN if (options.data / one.file).is_file()]
    if options.write and {one.on for one in options.lists} - {*DATA_SETS}:
        parser.error("--write is for the project's own sets; yours are in build/bench/models.md")
    return options


def main() -> int:
    """Measure, print, and write what was asked for."""
    options = arguments()
    if not options.lists:
        print("bench-models: no labelled photos (--data, or MIEN_SHARED_DATA): nothing measured.")
        return 0
    models = ModelStore(config.load())
    cards = {card.key: card for card in models.cards()}
    results: Results = {}
    try:
        for key, one in measured(models, options.lists, options.data, options.only):
            results.setdefault(key, []).append(one)
            told = "  ".join(f"{name} {value:.4f}" for name, value in one.figures.items())
            print(f"  {key} on {one.on}: {told}", flush=True)
            if options.write:
                write_measured(cards[key], one)
    except MienError as error:
        print(f"bench-models: {error.message}", file=sys.stderr)
        return 2
    report(results, models, options.to)
    return 0


if __name__ == "__main__":
    sys.exit(main())
