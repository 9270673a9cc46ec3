"""The root of the command line: every command is registered here."""

from __future__ import annotations

import click

import mien
from mien.cli import (
    access,
    albums,
    challenge,
    compare,
    curation,
    doctor,
    enroll,
    evaluate,
    identify,
    liveness,
    migrate,
    models,
    operations,
    photos,
    pictures,  # noqa: F401 - it adds itself to "gallery"
    privacy,
    reembed,  # noqa: F401 - the same
)
from mien.cli import serve as serving
from mien.cli.exits import MienGroup

__all__ = ["cli"]


@click.group(
    cls=MienGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(mien.__version__, prog_name="mien")
def cli() -> None:
    """Self-hosted face recognition: detect, verify and identify faces offline.

    Exit codes: 0 done; 1 the answer is "no" (compare, verify); 2 bad usage or bad input;
    3 a missing model or service.
    """


for command in (
    photos.detect,
    photos.represent,
    photos.analyze,
    liveness.liveness,
    challenge.challenge,
    compare.compare,
    enroll.enroll,
    identify.identify,
    identify.verify,
    albums.cluster,
    albums.find,
    operations.gallery,  # of cli/gallery.py, with what curation.py and operations.py add
    models.models,
    privacy.person,
    privacy.consent,
    privacy.audit,
    curation.face,
    access.apps,
    access.keys,
    evaluate.evaluate,
    doctor.doctor,
    serving.serve,
):
    cli.add_command(command)
operations.gallery.add_command(migrate.migrate)
