"""The command gallery reembed: a group goes to another recognition model."""

from __future__ import annotations

from pathlib import Path

import click

from mien.cli.exits import ExitCode
from mien.cli.gallery import gallery
from mien.cli.progress import photo_progress
from mien.cli.run import Run, shared_options

__all__ = ["reembed"]

_SHOWN = 20


@gallery.command("reembed")
@click.argument("group")
@click.option(
    "--from",
    "photos",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of the photos that were enrolled, for faces of which no image is kept.",
)
@click.option("--drop-missing", is_flag=True, help="Delete faces that cannot be embedded again.")
@click.option("--dry-run", is_flag=True, help="Only say which faces have an image or a photo.")
@shared_options(detector=True, embedder=True, application=True)
def reembed(run: Run, group: str, photos: Path | None, drop_missing: bool, dry_run: bool) -> None:
    """Move GROUP to the recognition model of --embedder, while it is searched.

    Every face is embedded again, from the image that is kept with it or from a photo of --from;
    then the group is moved at once. When it was interrupted, run it again. Exit code 2: some faces
    cannot be embedded again, and the group stays as it is.
    """
    show = photo_progress()
    found = run.engine.reembed(
        run.gallery,
        group,
        photos=photos,
        drop_missing=drop_missing,
        dry_run=dry_run,
        watch=lambda done, total: show("embedding", done, total),
    )
    rows = [f"  {one.person}: face {one.face_id}: {one.reason}" for one in found.missing[:_SHOWN]]
    if len(found.missing) > _SHOWN:
        rows.append(f"  and {len(found.missing) - _SHOWN} more (--json lists all)")
    if found.missing and not found.moved:
        rows.append("  give the photos with --from DIR, or delete these faces with --drop-missing")
    run.answer(found.to_dict(), "\n".join([str(found), *rows]))
    if not found.moved and not dry_run:
        click.get_current_context().exit(ExitCode.BAD_INPUT)
