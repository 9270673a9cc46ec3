"""Commands for the people in a gallery: person, consent, audit."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mien.cli.access import expiry
from mien.cli.exits import ExitCode
from mien.cli.run import Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.gallery import Consent
    from mien.gallery.ledger import AuditEntry

__all__ = ["audit", "consent", "person"]


@click.group()
def person() -> None:
    """A person's rights: a copy of all that is kept, and erasure."""


@person.command("export")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the JSON document there instead of stdout.",
)
@shared_options(application=True)
def export(run: Run, group: str, name: str, out: Path | None) -> None:
    """Give all that is kept of PERSON: groups, templates, images, consents, log."""
    from mien.evaluate.files import check_target, write_whole

    if out is not None:
        check_target(out)
    document = run.gallery.privacy.export(group, name)
    text = json.dumps(document, ensure_ascii=False, indent=2)
    if out is None:
        run.answer(document, text)
        return
    write_whole(text + "\n", out)
    facts = {key: len(document[key]) for key in ("groups", "faces", "images", "consents", "log")}
    counted = ", ".join(f"{count} {key}" for key, count in facts.items())
    run.answer({"out": str(out), **facts}, f"{out}: {counted}")


@person.command("erase")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.option("--yes", is_flag=True, help="Do not ask.")
@shared_options(application=True)
def erase(run: Run, group: str, name: str, yes: bool) -> None:
    """Destroy all that is kept of PERSON, in every group, and the key that opens copies of it."""
    found = run.gallery.person(group, name)
    if not yes:
        if run.as_json or sys.stdin is None or not sys.stdin.isatty():
            raise InvalidArgument("Erasing cannot be undone: give --yes.")
        click.confirm(f"Erase {found.name!r} with {found.faces} face(s)?", abort=True, err=True)
    erased = run.gallery.privacy.erase(group, name)
    run.answer(
        erased.to_dict(),
        f"erased {erased.person_id}: {erased.faces} face(s), {erased.images} image(s), "
        f"{erased.consents} consent(s), in {erased.groups} group(s)",
    )


@click.group()
def consent() -> None:
    """Consent: forms to sign, and who has agreed to what."""


@consent.command("text")
@click.option("--kind", type=click.Choice(["consent", "notice"]), default="consent")
@click.option("--language", type=click.Choice(["en", "ko"]), default="en", show_default=True)
@click.option("--organisation", required=True, help="Who runs the recognition.")
@click.option("--purpose", required=True, help="What for.")
@click.option("--retention", required=True, help="How long templates are kept.")
@click.option("--alternative", required=True, help="What those who say no can use.")
@click.option("--processor", required=True, help="Who works on your behalf, or that nobody does.")
@click.option("--images", required=True, help="Whether photos are kept, in a sentence.")
@click.option("--contact", required=True, help="Whom to ask.")
@shared_options()
def text(run: Run, /, kind: str, language: str, **fields: str) -> None:
    """Fill in a consent form or a notice, Korean or English. Have a lawyer read it."""
    from mien.gallery.texts import VERSION
    from mien.gallery.texts import text as fill

    filled = fill(kind, language, fields)  # type: ignore[arg-type]  # click has checked the choice
    document = {"kind": kind, "language": language, "version": VERSION, "text": filled}
    run.answer(document, filled)


@consent.command("give")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@click.option("--purpose", required=True, help="What for.")
@click.option("--text-version", required=True, help="Version of the text that was agreed to.")
@click.option("--language", default="en", show_default=True, help="Language of that text.")
@click.option("--evidence", help="Where the proof is, such as the number of a signed form.")
@click.option("--expires", metavar="WHEN", help="A date (2027-01-31) or a time from now (52w).")
@click.option("--every-group", is_flag=True, help="It covers every group of the application.")
@shared_options(application=True)
def give(
    run: Run,
    group: str,
    name: str,
    purpose: str,
    text_version: str,
    language: str,
    evidence: str | None,
    expires: str | None,
    every_group: bool,
) -> None:
    """Write down that PERSON agreed; the person is made in GROUP where missing."""
    until = None if expires is None else expiry(expires, now=datetime.now(UTC))
    run.gallery.ensure_person(group, name)
    given = run.gallery.privacy.give_consent(
        group,
        name,
        purpose=purpose,
        text_version=text_version,
        language=language,
        evidence=evidence,
        expires=until,
        every_group=every_group,
    )
    run.answer(given.to_dict(), _describe(given))


@consent.command("list")
@click.argument("group")
@click.argument("name", metavar="PERSON")
@shared_options(application=True)
def list_consents(run: Run, group: str, name: str) -> None:
    """List what PERSON has agreed to, also what has ended."""
    found = run.gallery.privacy.consents(group, name)
    run.answer([one.to_dict() for one in found], "\n".join(map(_describe, found)) or "no consent")


@consent.command("withdraw")
@click.argument("consent_id")
@shared_options(application=True)
def withdraw(run: Run, consent_id: str) -> None:
    """End a consent: at once its person leaves the groups that demand one."""
    ended = run.gallery.privacy.withdraw_consent(consent_id)
    run.answer(ended.to_dict(), _describe(ended))


def _describe(one: Consent) -> str:
    state = "in force" if one.holds(datetime.now(UTC)) else "ended"
    where = "every group" if one.group is None else f"group {one.group}"
    return f"{one.id}: {one.purpose} ({where}, text {one.text_version} {one.language}), {state}"


@click.group()
def audit() -> None:
    """The audit log: who did what, and whether it is as it was written."""


@audit.command("list")
@click.option("--after", type=int, default=0, metavar="N", help="Entries behind this number.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="At most so many."
)
@shared_options(application=True)
def list_entries(run: Run, after: int, limit: int) -> None:
    """List the application's entries, oldest first."""
    found = run.gallery.privacy.audit(after=after, limit=limit)
    run.answer([one.to_dict() for one in found], "\n".join(map(_line, found)) or "no entries")


@audit.command("verify")
@click.option("--head", metavar="HASH", help="Hash of an entry that was noted elsewhere.")
@shared_options(application=True)
def verify(run: Run, head: str | None) -> None:
    """Check every entry against the one before. Exit code 1: the log was tampered with."""
    check = run.gallery.privacy.verify_audit(head=head)
    wrong = check.tampering
    if wrong is None:
        told = f"{check.entries} entries, as they were written; head {check.head}"
    elif wrong.seq is None:
        told = f"the log was cut off: after {check.entries} entries the noted one is not there"
    else:
        told = (
            f"tampered with: entry {wrong.seq} is {wrong.what}, {check.entries} before it are good"
        )
    run.answer(check.to_dict(), told)
    if not check:
        click.get_current_context().exit(ExitCode.NO)


def _line(entry: AuditEntry) -> str:
    facts = ", ".join(f"{key} {value}" for key, value in entry.details.items())
    moment = f"{entry.at:%Y-%m-%d %H:%M:%S}Z"
    return "  ".join([str(entry.seq), moment, entry.actor, entry.action, entry.subject, facts])
