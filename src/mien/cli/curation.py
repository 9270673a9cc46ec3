"""Commands that put groups, persons and faces in order: rename, move, merge, split, undo.

They belong to ``mien gallery``, ``mien person`` and ``mien face``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from mien.cli.gallery import gallery
from mien.cli.privacy import person
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.gallery import Person, StoredFace, UndoEntry

__all__ = ["face"]

_SECONDS = {"s": 1, "h": 3600, "d": 86_400, "w": 604_800}
_NONE = "none"

_USER_DATA = click.option("--user-data", metavar="TEXT", help="What to keep with it.")
_NO_USER_DATA = click.option("--no-user-data", is_flag=True, help="Keep nothing with it.")


# ------------------------------------------------------------------ groups


@gallery.command("rename")
@click.argument("group")
@click.argument("name")
@shared_options(application=True)
def rename_group(run: Run, group: str, name: str) -> None:
    """Give GROUP another NAME."""
    renamed = run.gallery.rename_group(group, name)
    run.answer(renamed.to_dict(), f"{group} is called {renamed.name}")


@gallery.command("settings")
@click.argument("group")
@click.option("--max-persons", metavar="N|none", help="At most so many persons.")
@click.option("--max-faces", metavar="N|none", help="At most so many faces.")
@click.option(
    "--images",
    type=click.Choice(["none", "crops", "photos"]),
    help="What is kept of photos.",
)
@click.option(
    "--consent", type=click.Choice(["off", "required"]), help="Whether enrolment needs consent."
)
@click.option("--retain-age", metavar="TIME|none", help="Delete faces after so long: 30d, 52w.")
@click.option(
    "--retain-idle", metavar="TIME|none", help="Delete persons who were not seen for so long."
)
@click.option(
    "--duplicates",
    type=click.Choice(["allow", "warn", "refuse"]),
    help="What to do with a face that looks like somebody else.",
)
@click.option("--min-quality", metavar="Q|none", help="Least quality of a photo, 0 to 1.")
@click.option(
    "--liveness",
    "group_liveness",  # "liveness" is a setting of the program
    type=click.Choice(["off", "observe", "enforce"]),
    help="What enrolling, identifying and verifying ask about liveness at least.",
)
@click.option(
    "--liveness-condition",
    "group_liveness_condition",
    type=click.Choice(["weak", "balanced", "strict"]),
    help="How sure a live face must look at least.",
)
@_USER_DATA
@_NO_USER_DATA
@shared_options(application=True)
def group_settings(
    run: Run, /, group: str, user_data: str | None, no_user_data: bool, **given: str | None
) -> None:
    """Show GROUP's limits and policies, or change those that are given."""
    changes = {
        _NAMES.get(name, name): _value(name, text)
        for name, text in given.items()
        if text is not None
    }
    data = _user_data(user_data, no_user_data)
    if changes:
        data["settings"] = changes
    found = run.gallery.set_group(group, **data) if data else run.gallery.group(group)
    shown = {**found.settings.to_dict(), "user_data": found.user_data}
    lines = [f"{name}: {'none' if value is None else value}" for name, value in shown.items()]
    run.answer({"group": found.name, **shown}, "\n".join(lines))


@gallery.command("changes")
@click.argument("group")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True)
@shared_options(application=True)
def changes(run: Run, group: str, limit: int) -> None:
    """List what was changed in GROUP and can be undone, or was; newest first."""
    found = run.gallery.changes(group, limit=limit)
    text = "\n".join(map(_describe_change, found)) or "no changes"
    run.answer([entry.to_dict() for entry in found], text)


@gallery.command("undo")
@click.argument("group")
@click.option("--change", metavar="ID", help="Only if this is still the newest change.")
@shared_options(application=True)
def undo(run: Run, group: str, change: str | None) -> None:
    """Take back the newest change of GROUP that was not taken back."""
    entry = run.gallery.undo(group, change=change)
    run.answer(entry.to_dict(), f"undone: {_describe_change(entry)}")


# ------------------------------------------------------------------ persons


@person.command("rename")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.argument("new_name", metavar="NAME")
@shared_options(application=True)
def rename_person(run: Run, group: str, name: str, new_name: str) -> None:
    """Give PERSON another NAME in GROUP."""
    _answer_person(run, run.gallery.rename_person(group, name, new_name))


@person.command("set")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.option("--external-id", metavar="ID", help="Your own number for the person.")
@click.option("--no-external-id", is_flag=True, help="Take the number away.")
@_USER_DATA
@_NO_USER_DATA
@shared_options(application=True)
def set_person(
    run: Run,
    group: str,
    name: str,
    external_id: str | None,
    no_external_id: bool,
    user_data: str | None,
    no_user_data: bool,
) -> None:
    """Change what is kept with PERSON, in every group."""
    data = _user_data(user_data, no_user_data)
    if external_id is not None or no_external_id:
        data["external_id"] = _one_of("external-id", external_id, no_external_id)
    _answer_person(run, run.gallery.set_person(group, name, **data))


@person.command("move")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.argument("to_group")
@click.option("--name", "new_name", metavar="NAME", help="The person's name there.")
@shared_options(application=True)
def move_person(run: Run, group: str, name: str, to_group: str, new_name: str | None) -> None:
    """Take PERSON out of GROUP and into TO_GROUP, with all faces."""
    _answer_person(run, run.gallery.move_person(group, name, to_group, name=new_name))


@person.command("join")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.argument("to_group")
@click.option("--name", "new_name", metavar="NAME", help="The person's name there.")
@shared_options(application=True)
def join(run: Run, group: str, name: str, to_group: str, new_name: str | None) -> None:
    """Make PERSON of GROUP a member of TO_GROUP too; the faces are shared."""
    _answer_person(run, run.gallery.add_member(to_group, name, source=group, name=new_name))


@person.command("leave")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@shared_options(application=True)
def leave(run: Run, group: str, name: str) -> None:
    """Take PERSON out of GROUP, who stays in other groups."""
    found = run.gallery.person(group, name)
    run.gallery.remove_member(group, name)
    run.answer({"left": {"group": group, "person": found.id}}, f"{found.name} left {group}")


@person.command("merge")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.argument("other")
@shared_options(application=True)
def merge(run: Run, group: str, name: str, other: str) -> None:
    """Make one person of two: OTHER's faces become PERSON's, and OTHER is gone."""
    _answer_person(run, run.gallery.merge_persons(group, name, other))


@person.command("split")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.argument("new_name", metavar="NAME")
@click.argument("face_ids", metavar="FACE_ID...", nargs=-1, required=True)
@shared_options(application=True)
def split(run: Run, group: str, name: str, new_name: str, face_ids: tuple[str, ...]) -> None:
    """Make a new person NAME of some of PERSON's faces."""
    _answer_person(run, run.gallery.split_person(group, name, face_ids, name=new_name))


# ------------------------------------------------------------------ faces


@click.group()
def face() -> None:
    """Single faces: list, give to another person, note something with them."""


@face.command("list")
@click.argument("group")
@click.argument("name", metavar="[PERSON]", required=False)
@click.option("--external-image-id", metavar="ID", help="Only those of that photo.")
@shared_options(application=True)
def list_faces(run: Run, group: str, name: str | None, external_image_id: str | None) -> None:
    """List the faces of GROUP, or of one PERSON in it, oldest first."""
    found: list[StoredFace] = []
    last: str | None = None
    while page := run.gallery.faces(
        group, name, after=last, limit=1000, external_image_id=external_image_id
    ):
        found += page
        last = page[-1].id
    text = "\n".join(map(_describe_face, found)) or "no faces"
    run.answer([one.to_dict() for one in found], text)


@face.command("move")
@click.argument("group")
@click.argument("face_id")
@click.argument("name", metavar="PERSON")
@click.option("--to", "to_group", metavar="GROUP", help="The group that PERSON is in.")
@shared_options(application=True)
def move_face(run: Run, group: str, face_id: str, name: str, to_group: str | None) -> None:
    """Give a face of GROUP to PERSON."""
    moved = run.gallery.move_face(group, face_id, name, to_group=to_group)
    run.answer(moved.to_dict(), _describe_face(moved))


@face.command("set")
@click.argument("group")
@click.argument("face_id")
@click.option("--external-image-id", metavar="ID", help="Your own number for the photo.")
@click.option("--no-external-image-id", is_flag=True, help="Take the number away.")
@_USER_DATA
@_NO_USER_DATA
@shared_options(application=True)
def set_face(
    run: Run,
    group: str,
    face_id: str,
    external_image_id: str | None,
    no_external_image_id: bool,
    user_data: str | None,
    no_user_data: bool,
) -> None:
    """Change what is kept with a face."""
    data = _user_data(user_data, no_user_data)
    if external_image_id is not None or no_external_image_id:
        data["external_image_id"] = _one_of(
            "external-image-id", external_image_id, no_external_image_id
        )
    changed = run.gallery.set_face(group, face_id, **data)
    run.answer(changed.to_dict(), _describe_face(changed))


# ------------------------------------------------------------------

_TIMES = {"retain_age": "retain_age_s", "retain_idle": "retain_idle_s"}
_NAMES = {
    **_TIMES,
    "group_liveness": "liveness",
    "group_liveness_condition": "liveness_condition",
}
_WORDS = ("images", "consent", "duplicates", "group_liveness", "group_liveness_condition")


def _value(name: str, text: str) -> str | int | float | None:
    """The value of a setting, as it was written on the command line."""
    if name in _WORDS:
        return text
    if text == _NONE:
        return None
    try:
        if name == "min_quality":
            return float(text)
        if name in _TIMES:
            unit = _SECONDS.get(text[-1:])
            return int(text[:-1]) * unit if unit else int(text)
        return int(text)
    except ValueError:
        what = "a time such as 30d, 12h or 52w" if name in _TIMES else "a number"
        option = name.replace("_", "-")
        raise InvalidArgument(f"--{option} takes {what}, or {_NONE}, not {text!r}.") from None


def _user_data(text: str | None, nothing: bool) -> dict[str, Any]:
    if text is None and not nothing:
        return {}
    return {"user_data": _one_of("user-data", text, nothing)}


def _one_of(option: str, text: str | None, nothing: bool) -> str | None:
    if text is not None and nothing:
        raise InvalidArgument(f"Give --{option} or --no-{option}, not both.")
    return text


def _answer_person(run: Run, found: Person) -> None:
    run.answer(found.to_dict(), f"{found.name}: {found.faces} face(s), {found.id}")


def _describe_face(found: StoredFace) -> str:
    return f"{found.id}  {found.person}"


def _describe_change(entry: UndoEntry) -> str:
    state = "" if entry.undone_at is None else "  (undone)"
    return f"{entry.id}  {entry.at:%Y-%m-%d %H:%M:%S}  {entry.kind}{state}"
