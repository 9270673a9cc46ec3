"""Commands over the catalogue and the cache of model files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.exits import ExitCode
from mien.cli.model_cards import describe_card, describe_summary, full_card, summary
from mien.cli.output import tell
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.choice import Choice

__all__ = ["models"]

_TASKS = ["detect", "embed", "landmarks", "attributes", "liveness"]
_NAMES = click.argument("names", nargs=-1, metavar="[NAME...]")

_REMEDIES = {
    "missing": "{key} is not in the cache: get it with 'mien models pull {key}'.",
    "corrupt": "{key} was not the file that its card pins and has been deleted: get it again with "
    "'mien models pull {key}'.",
    "repaired": "{key}: the converted file was damaged and has been made again.",
}


@click.group()
def models() -> None:
    """List, fetch, check and carry model files."""


@models.command("list")
@click.option("--task", type=click.Choice(_TASKS), help="Only models for this task.")
@shared_options(models=True)
def list_models(run: Run, task: str | None) -> None:
    """List the models of the catalogue."""
    rows = [summary(run, card) for card in run.models.cards() if task in (None, card.task)]
    run.answer(rows, "\n".join(map(describe_summary, rows)))


@models.command("show")
@click.argument("name")
@shared_options(models=True)
def show_model(run: Run, name: str) -> None:
    """Show everything that the catalogue says about a model."""
    document = full_card(run, run.models.card(name))
    run.answer(document, describe_card(document))


@models.command("pull")
@_NAMES
@shared_options(models=True)
def pull(run: Run, names: tuple[str, ...]) -> None:
    """Fetch model files into the cache; without a NAME, the default models."""
    cards = _cards(run, names)
    run.models.pull(cards)
    rows = [summary(run, card) for card in cards]
    run.answer(rows, "\n".join(f"{card.key}: ready" for card in cards))


@models.command("verify")
@_NAMES
@shared_options(models=True)
def verify(run: Run, names: tuple[str, ...]) -> None:
    """Check the hashes of cached files; without a NAME, of all that are cached.

    Exit code 0 when all are good or have been repaired, 3 when one is missing or was corrupt.
    """
    cards = _cards(run, names) if names else [c for c in run.models.cards() if c.sources]
    found = run.models.inspect(cards)
    if not names:
        found = [one for one in found if one.state != "missing"]
    rows = [{"name": o.card.name, "task": o.card.task, "state": o.state} for o in found]
    run.answer(rows, "\n".join(f"{o.card.key}: {o.state}" for o in found) or "nothing cached")
    for one in found:
        if one.state in _REMEDIES:
            tell(f"mien: {_REMEDIES[one.state].format(key=one.card.key)}", err=True)
    if any(one.state in ("missing", "corrupt") for one in found):
        click.get_current_context().exit(ExitCode.MISSING)


@models.command("bundle")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@_NAMES
@shared_options(models=True)
def bundle(run: Run, file: Path, names: tuple[str, ...]) -> None:
    """Write model files into one archive FILE for a machine without a network."""
    cards = _cards(run, names)
    run.models.bundle(cards, file)
    document = {"bundle": str(file), "models": [card.key for card in cards]}
    run.answer(document, f"{file}: {', '.join(card.key for card in cards)}")


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@shared_options(models=True)
def import_bundle(run: Run, file: Path) -> None:
    """Read a bundle that 'mien models bundle' wrote on another machine."""
    cards = run.models.import_bundle(file)
    document = {"bundle": str(file), "models": [card.key for card in cards]}
    run.answer(document, f"imported {', '.join(card.key for card in cards)}")


@models.command("tune")
@_NAMES
@shared_options(models=True)
def tune(run: Run, names: tuple[str, ...]) -> None:
    """Measure again which runtime is fastest here; without a NAME, for the default models."""
    rows = [_tuned(card, run.models.tune(card)) for card in _cards(run, names)]
    run.answer(rows, "\n".join(map(_describe_choice, rows)))


def _tuned(card: ModelCard, choice: Choice) -> dict[str, Any]:
    return {"name": card.name, "task": card.task, **asdict(choice)}


def _describe_choice(row: dict[str, Any]) -> str:
    timings = [f"{t['runtime']} {t['precision']} {t['cpu_ms']} ms" for t in row["timings"]]
    return (
        f"{row['task']}/{row['name']}: {row['runtime']} {row['precision']}"
        f" (CPU of one run: {', '.join(timings)})"
    )


def _cards(run: Run, names: tuple[str, ...]) -> list[ModelCard]:
    if names:
        return [run.models.card(name) for name in names]
    settings = run.settings
    return [
        run.models.card(settings.detector, "detect"),
        run.models.card(settings.embedder, "embed"),
    ]
