"""Commands that keep a gallery safe: export, import, backup, restore, drill, check.

They belong to ``mien gallery``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.archive_keys import key_for, key_of, key_options
from mien.cli.exits import ExitCode
from mien.cli.gallery import gallery
from mien.cli.run import Run, actor, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.gallery.archive import OnConflict
    from mien.gallery.operations import Check

__all__ = ["gallery"]

_FILE = click.Path(path_type=Path, dir_okay=False)
_FORCE = click.option("--force", is_flag=True, help="Replace a file that is there.")
_SAMPLES = click.option(
    "--samples",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Templates of each group that are searched for.",
)
_BRING_BACK = click.option(
    "--bring-back-erased",
    is_flag=True,
    help="Also bring back who was erased, and what consent was withdrawn, since.",
)
_ERASED = click.option(
    "--erased",
    type=_FILE,
    metavar="FILE",
    help="Leave these persons out: ids, one a line, or what `mien audit list --json` printed.",
)


@gallery.command("export")
@click.argument("file", type=_FILE)
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@click.option("--log", is_flag=True, help="Put the audit log in, as evidence.")
@_FORCE
@key_options
@shared_options(application=True)
def export(
    run: Run,
    file: Path,
    groups: tuple[str, ...],
    log: bool,
    force: bool,
    passphrase_file: Path | None,
    key_file: Path | None,
) -> None:
    """Write the application's groups (or only GROUPs) with all persons into FILE, encrypted."""
    from mien.gallery.archive import new_file

    key = key_for(run, passphrase_file, key_file, confirm=True)
    with new_file(file, force=force) as target:
        made = run.gallery.archive.export(target, key=key, only=groups or None, log=log)
    told = f"{made.groups} group(s), {made.persons} person(s), {made.faces} face(s)"
    run.answer({"out": str(file), **made.to_dict()}, f"{file}: {told}")


@gallery.command("import")
@click.argument("file", type=_FILE)
@click.option(
    "--on-conflict",
    type=click.Choice(["refuse", "skip", "rename"]),
    default="refuse",
    show_default=True,
    help="What to do with groups and persons that are there already.",
)
@_BRING_BACK
@_ERASED
@key_options
@shared_options(application=True, creates=True)
def import_archive(
    run: Run,
    file: Path,
    on_conflict: OnConflict,
    bring_back_erased: bool,
    erased: Path | None,
    passphrase_file: Path | None,
    key_file: Path | None,
) -> None:
    """Take in what FILE holds (mien gallery export): all of it, or nothing."""
    from mien.gallery.archive import open_file

    left_out = _ids(erased)
    key = key_of(run, file, passphrase_file, key_file)
    with open_file(file) as source:
        taken = run.gallery.archive.load(
            source,
            key=key,
            on_conflict=on_conflict,
            bring_back_erased=bring_back_erased,
            erased=left_out,
        )
    told = f"{len(taken.groups)} group(s), {taken.persons} person(s), {taken.faces} face(s)"
    if taken.skipped_persons:
        told += f"; {taken.skipped_persons} person(s) were there already"
    if taken.erased_persons or taken.erased_faces:
        told += (
            f"; {taken.erased_persons} person(s) and {taken.erased_faces} face(s) were erased "
            "since and left out"
        )
    run.answer(taken.to_dict(), told)


@gallery.command("inspect")
@click.argument("file", type=_FILE)
@click.option("--log", is_flag=True, help="Print the audit log that is in it.")
@key_options
@shared_options()
def inspect(
    run: Run, file: Path, log: bool, passphrase_file: Path | None, key_file: Path | None
) -> None:
    """Say what an archive or a backup holds, and check every byte of it. Nothing is written."""
    from mien.gallery import archive

    key = key_of(run, file, passphrase_file, key_file)
    entries: list[object] = []
    with archive.open_file(file) as source:
        facts = archive.inspect(source, key=key, entry=entries.append if log else None)
    told = ", ".join(f"{count} {name}" for name, count in facts["counts"].items()) or "nothing"
    lines = [f"{facts['what']} of {facts['created_at']}: {told}"]
    lines += [json.dumps(entry, ensure_ascii=False) for entry in entries]
    run.answer({**facts, **({"log": entries} if log else {})}, "\n".join(lines))


@gallery.command("backup")
@click.argument("file", type=_FILE)
@_FORCE
@shared_options(gallery=True)
def backup(run: Run, file: Path, force: bool) -> None:
    """Write the whole gallery, all applications, into FILE, while it serves and is written to.

    The master key opens it: keep that apart from it.
    """
    from mien.gallery import operations
    from mien.gallery.archive import new_file

    with new_file(file, force=force) as target:
        made = operations.backup(run.gallery, target)
    rows = made.rows
    told = f"{rows.get('persons', 0)} person(s), {rows.get('faces', 0)} face(s)"
    document = {"out": str(file), **made.to_dict()}
    run.answer(document, f"{file}: {told}; opened by the master key {made.key_id}")


@gallery.command("restore")
@click.argument("file", type=_FILE)
@click.option("--replace", is_flag=True, help="Put it in the place of the gallery that is there.")
@_BRING_BACK
@_ERASED
@shared_options(gallery=True)
def restore(
    run: Run, file: Path, replace: bool, bring_back_erased: bool, erased: Path | None
) -> None:
    """Make the gallery from FILE (mien gallery backup): all of it, or nothing.

    Who was erased since the backup is read in the log of the gallery that is replaced, and is not
    brought back.
    """
    from mien.gallery import operations
    from mien.gallery.archive import open_file

    left_out = _ids(erased)
    with open_file(file) as source:
        made = operations.restore(
            source,
            run.settings.gallery_url,
            replace=replace,
            bring_back_erased=bring_back_erased,
            erased=left_out,
            actor=actor(),
        )
    rows = made.rows
    told = (
        f"restored {rows.get('persons', 0)} person(s), {rows.get('faces', 0)} face(s) of "
        f"{made.created_at}"
    )
    if made.erased_persons or made.erased_faces or made.withdrawn_consents:
        told += (
            f"; taken out again, because it was erased or withdrawn since: {made.erased_persons} "
            f"person(s), {made.erased_faces} face(s), {made.withdrawn_consents} consent(s)"
        )
    run.answer(made.to_dict(), told)


@gallery.command("drill")
@click.argument("file", type=_FILE)
@click.option(
    "--into", metavar="URL", help="An empty database to do it in, instead of a temporary file."
)
@_SAMPLES
@key_options
@shared_options()
def drill(
    run: Run,
    file: Path,
    into: str | None,
    samples: int,
    passphrase_file: Path | None,
    key_file: Path | None,
) -> None:
    """Try whether FILE, a backup or an archive, brings everything back. Exit code 1: it does not.

    The gallery in use is not touched.
    """
    from mien.gallery import operations

    key = key_of(run, file, passphrase_file, key_file)
    done = operations.drill(lambda: file.open("rb"), key=key, url=into, samples=samples)
    lines = [f"{done.what} of {done.created_at}"]
    lines += [
        f"  {name}: {count} came back, not what the file holds"
        for name, count in done.missing.items()
    ]
    lines.append(_told(done.check))
    run.answer(done.to_dict(), "\n".join(lines))
    if not done:
        click.get_current_context().exit(ExitCode.NO)


@gallery.command("check")
@_SAMPLES
@click.option("--repair", is_flag=True, help="Rebuild an index that is wrong; nothing else.")
@shared_options(gallery=True)
def check(run: Run, samples: int, repair: bool) -> None:
    """Check the whole gallery while it serves. Exit code 1: something is wrong."""
    from mien.gallery import operations

    found = operations.check(run.gallery, samples=samples, repair=repair)
    run.answer(found.to_dict(), _told(found))
    if not found:
        click.get_current_context().exit(ExitCode.NO)


@gallery.command("rebuild-index")
@click.argument("group", required=False)
@shared_options(application=True)
def rebuild_index(run: Run, group: str | None) -> None:
    """Make the index of GROUP, or of all groups of the application, anew from the records."""
    from mien.gallery import operations

    rebuilt = operations.rebuild_index(run.gallery, group)
    lines = [
        f"{name}: rebuilt" + ("" if kept else " (too small to be kept between starts)")
        for name, kept in rebuilt.items()
    ]
    run.answer(rebuilt, "\n".join(lines) or "no groups")


def _told(found: Check) -> str:
    lines = [
        f"{found.templates} template(s) and {found.images} image(s) open, {found.searched} "
        f"search(es), {found.log} entries of the audit log"
    ]
    lines += [f"  {one.where}: {one.subject}: {one.what}" for one in found.faults]
    if found.count > len(found.faults):
        lines.append(f"  and {found.count - len(found.faults)} more")
    lines += [f"  index of {name}: rebuilt" for name in found.repaired]
    lines.append("sound" if found else f"{found.count} fault(s)")
    return "\n".join(lines)


def _ids(file: Path | None) -> list[str]:
    """Ids of persons, one a line, or of the erasures in a log that was printed as JSON."""
    if file is None:
        return []
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InvalidArgument(f"{file.name} cannot be read: {reason}.") from None
    if not text.lstrip().startswith("["):
        return text.split()
    try:
        return [one["subject"] for one in json.loads(text) if one["action"] == "person.erase"]
    except (ValueError, KeyError, TypeError):
        raise InvalidArgument(f"{file.name} is not what `mien audit list --json` prints.") from None
