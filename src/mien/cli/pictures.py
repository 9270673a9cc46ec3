"""The command gallery image: the image that a group keeps with a face."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.gallery import gallery
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.gallery.policy import ImageKind

__all__ = ["image"]


@gallery.command("image")
@click.argument("group")
@click.argument("face_id", metavar="FACE")
@click.option(
    "--kind",
    type=click.Choice(["crop", "photo"]),
    help="The crop about the face, or the photo; without, the crop if there is one.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the image there; without, to stdout, which must not be a terminal.",
)
@shared_options(application=True)
def image(run: Run, group: str, face_id: str, kind: ImageKind | None, out: Path | None) -> None:
    """Give the image that GROUP keeps with a face (the setting "images")."""
    from mien.evaluate.files import check_target

    if out is None and (run.as_json or sys.stdout is None or sys.stdout.isatty()):
        raise InvalidArgument("An image is no text: give --out FILE.")
    if out is not None:
        check_target(out)
    found = run.gallery.image(group, face_id, kind=kind)
    if out is None:
        sys.stdout.buffer.write(found.data)
        sys.stdout.buffer.flush()
        return
    try:
        out.write_bytes(found.data)
    except OSError as error:
        raise InvalidArgument(f"{out.name} cannot be written: {error.strerror}.") from None
    document = {
        "face": face_id,
        "kind": found.kind,
        "media_type": found.media_type,
        "bytes": len(found.data),
        "out": str(out),
    }
    run.answer(document, f"{out}: {found.kind}, {found.media_type}, {len(found.data)} bytes")
