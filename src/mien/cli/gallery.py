"""Commands over a gallery's groups: list, show, delete."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING

import click

from mien.cli.paging import all_rows
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.gallery import Group

__all__ = ["gallery"]


@click.group()
def gallery() -> None:
    """List, show and delete groups and persons."""


@gallery.command("list")
@shared_options(application=True)
def list_groups(run: Run) -> None:
    """List the groups."""
    groups = list(all_rows(run.gallery.groups))
    run.answer(
        [group.to_dict() for group in groups], "\n".join(map(_describe, groups)) or "no groups"
    )


@gallery.command("show")
@click.argument("group")
@shared_options(application=True)
def show_group(run: Run, group: str) -> None:
    """Show a group and its persons."""
    found = run.gallery.group(group)
    persons = list(all_rows(partial(run.gallery.persons, group)))
    rows = [f"  {person.name}: {person.faces} face(s)" for person in persons]
    document = {
        **found.to_dict(),
        "people": [person.to_dict() for person in persons],
    }
    run.answer(document, "\n".join([_describe(found), *rows]))


@gallery.command("delete")
@click.argument("group")
@click.argument("person", required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options(application=True)
def delete(run: Run, group: str, person: str | None, yes: bool) -> None:
    """Delete a group, or one PERSON of it, with all faces."""
    found = run.gallery.group(group)
    faces = found.faces if person is None else run.gallery.person(group, person).faces
    what = f"group {group!r}" if person is None else f"person {person!r} of group {group!r}"
    if not yes:
        _ask(run, f"Delete {what} with {faces} face(s)?")
    if person is None:
        run.gallery.delete_group(group)
    else:
        run.gallery.delete_person(group, person)
    document = {"deleted": {"group": group, "person": person, "faces": faces}}
    run.answer(document, f"deleted {what} with {faces} face(s)")


@gallery.command("audit")
@click.argument("group")
@click.option(
    "--unlike", type=float, metavar="S", help="Mean similarity below which a face is an outlier."
)
@click.option(
    "--alike", type=float, metavar="S", help="Similarity from which two persons are named."
)
@shared_options(models=True, application=True)
def audit(run: Run, group: str, unlike: float | None, alike: float | None) -> None:
    """Report faces of GROUP that do not look like their person, and persons that look alike.

    Nothing is changed. The limits come from the calibration of the group's recognition model.
    """
    from mien.gallery.likeness import audit_group, limits_of
    from mien.match.calibration import Calibration

    found = run.gallery.group(group)
    if unlike is None or alike is None:
        calibration = Calibration.from_card(run.models.card(found.contract.model, "embed"))
        if calibration is None:
            raise InvalidArgument(
                f"{found.contract.model} has no calibration: give --unlike and --alike."
            )
        by_card = limits_of(calibration, found.faces)
        unlike = by_card[0] if unlike is None else unlike
        alike = by_card[1] if alike is None else alike
    report = audit_group(run.gallery, group, unlike=unlike, alike=alike)
    outliers = [
        f"  face {one.face_id} of {one.person}: similarity {one.similarity:.3f}"
        + ("" if one.like is None else f", more like {one.like} ({one.like_similarity:.3f})")
        for one in report.outliers
    ]
    pairs = [
        f"  {one.a} and {one.b}: similarity {one.similarity:.3f}" for one in report.look_alikes
    ]
    run.answer(report.to_dict(), "\n".join([str(report), *outliers, *pairs]))


@gallery.command("purge")
@shared_options(application=True)
def purge(run: Run) -> None:
    """Delete what the groups' retention no longer allows; run it once an hour or a day."""
    purged = run.gallery.privacy.purge()
    run.answer(purged.to_dict(), f"{purged.faces} face(s) and {purged.persons} person(s) deleted")


@gallery.command("renew-keys")
@shared_options(application=True)
def renew_keys(run: Run) -> None:
    """Move the application to a new data key, and all keys to the newest master key.

    The gallery goes on serving. To replace the master key, put the new one first into
    MIEN_MASTER_KEY or the key file, run this, then take the old one out.
    """
    wrapped = run.gallery.renew_master_key()
    persons = run.gallery.renew_data_key()
    document = {"persons": persons, "wrapped_again": wrapped}
    run.answer(document, f"{persons} person(s) moved to a new key; {wrapped} key(s) wrapped again")


def _ask(run: Run, question: str) -> None:
    if run.as_json or sys.stdin is None or not sys.stdin.isatty():
        raise InvalidArgument("Deleting cannot be undone: give --yes.")
    click.confirm(question, abort=True, err=True)


def _describe(group: Group) -> str:
    return f"{group.name}: {group.persons} person(s), {group.faces} face(s), {group.contract.model}"
