"""The page of all models, from their cards: docs/models.md.

    python benchmarks/models_page.py             write docs/models.md (make docs-models)
    python benchmarks/models_page.py --check     only say whether it is up to date
    python benchmarks/models_page.py --figures build/bench/models.json --to page.md

``--figures``: what ``make bench-models`` measured on your own data, in place of the cards' figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mien.config import Settings
from mien.models import ModelCard
from mien.models.card import ArchiveSource, ShippedSource
from mien.models.catalogue import load_catalogue
from mien.models.measured import DATA_SETS, FIGURES, Measured, spelled
from report import REPOSITORY

PAGE = REPOSITORY / "docs" / "models.md"
HEADINGS = {
    "detect": "Detectors",
    "embed": "Recognition models",
    "landmarks": "Landmark models",
    "attributes": "Attributes",
    "liveness": "Liveness",
}
PROTOCOLS = {
    "detection": "found and false",
    "pairs": "pairs of photos",
    "attributes": "labels",
    "landmarks": "points",
    "gate": "another arithmetic against float32",
}
INTRODUCTION = """\
<!-- Generated from the model cards by `make docs-models`. Do not edit. -->

# All models

Every card of the catalogue: under what licence its weights are published, whether that allows
commercial use (as the publishers say; it is not legal advice), where they come from, what runs
them, and what this project measured. How weights are fetched, checked and run:
[models](reference/models.md); what the figures mean: [figures](reference/models.md#figures),
[evaluation](reference/evaluation.md). `mien models show NAME` has the whole card, and where a
model runs on your machine.

`cpu_ms` was measured once for each model, on one of two shared cores of an Intel Xeon with AVX-512
that other work kept busy: it says which model is dearer, not what it costs on your machine. In the
tables of pairs it is the whole way from the file to the embedding, the default detector's work in
it; in those of detectors, detection in a decoded photo.

Models without figures were not measured. Of those that come from an address only, the weights were
not at hand: their loading was compared with another implementation on random weights. For some
others no labelled set was at hand.
"""
OWN_INTRODUCTION = """\
# All models, measured on own data

Figures of `make bench-models` in place of the project's own. Machine and commit stand in
`models.json` beside this page.
"""


def page(cards: Iterable[ModelCard], introduction: str = INTRODUCTION) -> str:
    """The whole page."""
    shelf = list(cards)
    parts = [introduction]
    for task, heading in HEADINGS.items():
        of_task = [card for card in shelf if card.task == task]
        if of_task:
            parts += [f"## {heading}\n", facts_table(of_task), *figure_tables(of_task)]
    named = {one.on for card in shelf for one in card.measured}
    sets = [[name, meaning] for name, meaning in DATA_SETS.items() if name in named]
    if sets:
        parts += ["## Data sets\n", table(["name", "what it is"], sets)]
        parts.append("The sets are not part of the project.\n")
    return "\n".join(parts)


def facts_table(cards: Sequence[ModelCard]) -> str:
    """Licence, use, size, source and runtime of each card."""
    head = ["name", "model", "licence", "commercial use", "size", "source", "runs in"]
    rows = []
    for card in cards:
        use = "yes" if card.commercial else "no"
        if card.needs_acceptance:
            use += ", must be accepted"
        size = f"{card.size / 1e6:.2f} MB" if card.size else ""
        rows.append([_name(card), card.title, card.licence, use, size, _source(card), _runs(card)])
    return table(head, rows)


def figure_tables(cards: Sequence[ModelCard]) -> Iterator[str]:
    """One table for a data set and protocol, best first by its first figure; then the commands."""
    runs: dict[tuple[str, str], list[tuple[ModelCard, Measured]]] = {}
    for card in cards:
        for one in card.measured:
            runs.setdefault((one.protocol, one.on), []).append((card, one))
    for protocol, on in sorted(runs, key=lambda run: (list(PROTOCOLS).index(run[0]), run[1])):
        entries = runs[protocol, on]
        names = [name for name in FIGURES if any(name in one.figures for _, one in entries)]
        entries.sort(key=lambda entry: _rank(entry[1], names[0]))
        timed = any(one.threads for _, one in entries)
        gate = protocol == "gate"
        head = ["name", *(["arithmetic"] if gate else []), *names, *(["threads"] if timed else [])]
        rows = [
            [
                _name(card),
                *([one.arithmetic] if gate else []),
                *(
                    spelled(name, one.figures[name]) if name in one.figures else ""
                    for name in names
                ),
                *([str(one.threads or "")] if timed else []),
            ]
            for card, one in entries
        ]
        yield f"### {on}: {PROTOCOLS[protocol]}\n"
        yield table(head, rows)
        yield "\n".join(how(entries)) + "\n"


def how(entries: Iterable[tuple[ModelCard, Measured]]) -> list[str]:
    """The commands, once for all models that differ in nothing but the name; and the notes."""
    commands: dict[str, list[str]] = {}
    notes = []
    for card, one in entries:
        command, colon, rest = one.how.partition(": ")
        if not colon:
            command, colon, rest = one.how.partition(", ")
        command = " ".join("NAME" if word == card.name else word for word in command.split())
        commands.setdefault(f"`{command}`{colon}{rest}", []).append(_name(card))
        notes += [f"* {_name(card)}: {one.notes}"] if one.notes else []
    if len(commands) == 1:
        return [f"By {next(iter(commands))}.", *([""] if notes else []), *notes]
    return [*(f"* {', '.join(names)}: {text}" for text, names in commands.items()), *notes]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return (
        "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in lines)
        + "\n"
    )


def _rank(one: Measured, name: str) -> float:
    value = one.figures.get(name, float("-inf"))
    return -value if FIGURES[name].better == "more" else value


def _name(card: ModelCard) -> str:
    defaults = {Settings.model_fields[name].default for name in ("detector", "embedder")}
    is_default = card.task in ("detect", "embed") and card.name in defaults
    return f"`{card.name}`" + (" (default)" if is_default else "")


def _source(card: ModelCard) -> str:
    if card.library:
        return f"part of {card.library}"
    source = card.sources[0]
    if isinstance(source, ArchiveSource):
        return f"{source.ecosystem}: {source.package} {source.version}"
    if isinstance(source, ShippedSource):
        return "installed with Mien"
    return f"[address]({source.url})"


def _runs(card: ModelCard) -> str:
    if card.place == "library":
        return str(card.library)
    if card.place == "numpy":
        return "NumPy"
    also = [precision for precision in card.precisions if precision != "float32"]
    return "ONNX Runtime, OpenVINO" + (f" (there also {', '.join(also)})" if also else "")


def with_figures(cards: Iterable[ModelCard], file: Path) -> list[ModelCard]:
    """The cards with what a report of ``make bench-models`` says, and nothing else."""
    own: Mapping[str, list[dict[str, object]]] = json.loads(file.read_text())["measured"]
    return [
        replace(card, measured=tuple(Measured(**one) for one in own.get(card.key, [])))
        for card in cards
    ]


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--figures", type=Path, metavar="JSON", help="report of make bench-models")
    parser.add_argument("--to", type=Path, default=PAGE, metavar="FILE", help="where to")
    options = parser.parse_args()
    cards: list[ModelCard] = list(load_catalogue().values())
    if options.figures:
        if options.to == PAGE:
            parser.error("--figures are not for docs/models.md: name another file with --to")
        text = page(with_figures(cards, options.figures), OWN_INTRODUCTION)
    else:
        text = page(cards)
    if options.check:
        if options.to.is_file() and options.to.read_text(encoding="utf-8") == text:
            return 0
        print("docs/models.md is not what the cards say: run make docs-models", file=sys.stderr)
        return 1
    options.to.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
