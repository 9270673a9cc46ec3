"""Commands over a gallery's group with one photo: identify, verify."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mien.cli.compare import answer_comparison, decision_options
from mien.cli.photos import answer_each, as_source, describe_box
from mien.cli.run import Run, shared_options

if TYPE_CHECKING:
    from pathlib import Path

    from mien.answers import Candidate, FaceMatches, Identification

__all__ = ["identify", "verify"]


@click.command()
@click.argument("group")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    metavar="K",
    help="Candidates of a face at most.",
)
@click.option(
    "--fpir",
    type=float,
    metavar="F",
    help="Decide at this false-positive identification rate (default 0.01).",
)
@click.option("--threshold", type=float, metavar="T", help="Decide at this raw similarity instead.")
@shared_options(detector=True, embedder=True, application=True, liveness=True)
def identify(
    run: Run,
    group: str,
    images: tuple[str, ...],
    top: int,
    fpir: float | None,
    threshold: float | None,
) -> None:
    """Say who of GROUP is in photos. An unknown face has no candidates."""

    def ask(image: str | Path) -> Identification:
        return run.engine.identify(
            run.gallery, group, image, top=top, fpir=fpir, threshold=threshold
        )

    answer_each(run, images, ask, _describe)


def _describe(name: str, identification: Identification) -> str:
    rows = [f"  {_describe_face(matches)}" for matches in identification]
    return "\n".join([f"{name}: {identification}", *rows])


def _describe_face(matches: FaceMatches) -> str:
    place = describe_box(matches.face)
    if matches.liveness is not None:
        place = f"{place}, {matches.liveness}"
    if not matches.candidates:
        return f"unknown ({place})"
    return f"{', '.join(map(_describe_candidate, matches.candidates))} ({place})"


def _describe_candidate(candidate: Candidate) -> str:
    if candidate.confidence is None:
        return f"{candidate.person}: similarity {candidate.similarity:.3f}"
    return f"{candidate.person}: confidence {candidate.confidence:.3f}"


@click.command()
@click.argument("group")
@click.argument("person")
@click.argument("image")
@decision_options
@shared_options(detector=True, embedder=True, application=True, liveness=True)
def verify(
    run: Run, group: str, person: str, image: str, fmr: float | None, threshold: float | None
) -> None:
    """Say whether a photo shows PERSON of GROUP. Exit code 0: match, 1: no match."""
    comparison = run.engine.verify(
        run.gallery, group, person, as_source(image), fmr=fmr, threshold=threshold
    )
    answer_comparison(run, comparison)
