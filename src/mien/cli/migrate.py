"""The command gallery migrate: another program's gallery, taken into one of Mien's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.enroll import tell_outcomes
from mien.cli.output import tell
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.engine import EnrolmentPhoto
    from mien.engine.foreign import Datastore, ForeignFace
    from mien.types import EmbeddingContract

__all__ = ["migrate"]

KINDS = ("deepface", "compreface", "npz", "pickle", "face_recognition")


@dataclass(frozen=True, slots=True)
class _Source:
    """What the options say about where the faces come from."""

    path: Path
    group: str | None
    stored: bool
    service: str | None

    @property
    def wanted_group(self) -> str:
        if self.group is None:
            raise InvalidArgument("Name the GROUP that the faces go into.")
        return self.group


@click.command()
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("group", required=False)
@click.option("--kind", type=click.Choice(KINDS), help="What SOURCE is (default: a look at it).")
@click.option(
    "--stored",
    is_flag=True,
    help="Of DeepFace and CompreFace take the embeddings that they stored, not the photos.",
)
@click.option("--service", metavar="KEY", help="API key of the CompreFace service that is wanted.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write what was refused and why to a file: .csv, .json or .html.",
)
@shared_options(detector=True, embedder=True, application=True, creates=True)
def migrate(
    run: Run,
    source: Path,
    group: str | None,
    kind: str | None,
    stored: bool,
    service: str | None,
    report: Path | None,
) -> None:
    """Take another program's gallery into GROUP, which is created when it is missing.

    SOURCE is a DeepFace folder, a dump of a CompreFace, or a pickle or .npz of names and vectors,
    as users of face_recognition keep them. Photos are embedded anew. Vectors are taken as they
    are: say with --embedder which model made them; it must be the very same, with the very same
    weights and crops. What is there already is skipped, so running it again completes it.
    """
    from mien.cli.enroll_report import check_place

    if report is not None:
        check_place(report)
    if not source.exists():
        raise InvalidArgument(f"There is no file or folder {source.name!r}.")
    kind = kind or _guessed(source)
    wanted = _Source(source, group, stored, service)
    if service is not None and kind != "compreface":
        raise InvalidArgument("--service belongs to a CompreFace dump.")
    if kind == "deepface" or (kind == "compreface" and source.is_dir()):
        _from_folder(run, wanted, report)
    elif kind == "compreface":
        _from_dump(run, wanted, report)
    else:
        _from_arrays(run, wanted, report, kind)


def _guessed(source: Path) -> str:
    if source.is_dir():
        return "deepface"
    try:
        with source.open("rb") as file:
            begin = file.read(64)
    except OSError as error:
        raise InvalidArgument(f"{source.name!r} cannot be read: {error.strerror}.") from None
    if begin.startswith(b"PK"):
        return "npz"
    if begin.startswith(b"PGDMP") or begin.lstrip().startswith(b"--") or source.suffix == ".sql":
        return "compreface"
    return "pickle"


def _from_folder(run: Run, source: _Source, report: Path | None) -> None:
    from mien.engine.foreign import datastores, photos_of_database

    if not source.path.is_dir():
        raise InvalidArgument(f"{source.path.name!r} is not a folder.")
    stores = datastores(source.path)
    if source.stored:
        _from_datastore(run, source, stores, report)
        return
    for store in stores:
        tell(
            f"{store.file.name} is left out: DeepFace prepares faces in another way than "
            "Mien, so the photos are embedded anew",
            err=True,
        )
    _enrol(run, source.wanted_group, photos_of_database(source.path), report)


def _from_datastore(
    run: Run, source: _Source, stores: list[Datastore], report: Path | None
) -> None:
    from mien.compat.deepface.taking_over import place_of

    if len(stores) != 1:
        raise InvalidArgument(
            f"{source.path.name!r} holds {len(stores)} datastores of DeepFace's; --stored takes "
            "one: put the others elsewhere, or leave --stored out."
        )
    if run.overrides.get("embedder") or run.overrides.get("detector"):
        raise InvalidArgument("The datastore's name says which models made it: leave them out.")
    group, contract = place_of(stores[0])
    if source.group not in (None, group):
        raise InvalidArgument(
            f"These embeddings go into the group {group!r}, where mien.compat.deepface looks for "
            "them: leave GROUP out."
        )
    faces = list(stores[0].faces(source.path, limit=run.settings.migrate_max_bytes))
    _take(run, group, faces, contract, report)


def _from_dump(run: Run, source: _Source, report: Path | None) -> None:
    from mien.engine.foreign import CompreFaceDump

    dump = CompreFaceDump(
        source.path,
        service=source.service,
        max_image_bytes=run.settings.max_image_bytes,
        max_faces=run.settings.bulk_max_photos,
    )
    if not source.stored:
        _enrol(run, source.wanted_group, dump.photos(), report)
        return
    tell(f"the embeddings were made by {', '.join(dump.calculators)}", err=True)
    contract = _named(run).engine.embedder.contract
    _take(run, source.wanted_group, list(dump.faces()), contract, report)


def _from_arrays(run: Run, source: _Source, report: Path | None, kind: str) -> None:
    from mien.engine.foreign import faces_in_arrays

    if source.path.is_dir():
        raise InvalidArgument(f"{source.path.name!r} is a folder, not a file of vectors.")
    if kind == "face_recognition" and not run.overrides.get("embedder"):
        run = run.with_settings(embedder="dlib")  # the weights of its only model
    faces = faces_in_arrays(source.path, limit=run.settings.migrate_max_bytes)
    _take(run, source.wanted_group, faces, _named(run).engine.embedder.contract, report)


def _named(run: Run) -> Run:
    if not run.overrides.get("embedder"):
        raise InvalidArgument(
            "A vector does not say what made it: name with --embedder the model whose very "
            "weights and crops these vectors come from."
        )
    return run


def _enrol(run: Run, group: str, photos: list[EnrolmentPhoto], report: Path | None) -> None:
    outcomes = run.engine.enroll_each(run.gallery, group, photos)
    tell_outcomes(run, group, outcomes, total=len(photos), report=report)


def _take(
    run: Run,
    group: str,
    faces: list[ForeignFace],
    contract: EmbeddingContract,
    report: Path | None,
) -> None:
    from mien.engine.foreign import take_each

    outcomes = take_each(run.gallery, group, faces, contract=contract)
    tell_outcomes(run, group, outcomes, total=len(faces), report=report)
