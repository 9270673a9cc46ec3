"""Commands for who may use the service: apps, keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from mien.cli.paging import all_rows
from mien.cli.run import DEFAULT_APPLICATION, Run, shared_options
from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.gallery import ApiKey, Application

__all__ = ["apps", "keys"]

UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


@click.group()
def apps() -> None:
    """Applications: each has its own groups and keys."""


@apps.command("create")
@click.argument("name")
@shared_options(gallery=True, creates=True)
def create_app(run: Run, name: str) -> None:
    """Create an application and its first API key, which is shown once."""
    application = run.gallery.create_application(name)
    _, secret = run.gallery.create_key(name)
    _answer_secret(run, name, application.id, secret)


@apps.command("list")
@shared_options(gallery=True)
def list_apps(run: Run) -> None:
    """List the applications."""
    found = list(all_rows(run.gallery.applications))
    rows = [{"app": a.name, "app_key": a.id, "created_at": a.created_at.isoformat()} for a in found]
    run.answer(rows, "\n".join(f"{a.name}  app key {a.id}" for a in found) or "no applications")


@apps.command("show")
@click.argument("name")
@shared_options(gallery=True)
def show_app(run: Run, name: str) -> None:
    """Show an application and the attributes that the service may answer it."""
    _answer_app(run, run.gallery.application(name))


@apps.command("allow")
@click.argument("name")
@click.option(
    "--attributes",
    metavar="LIST",
    help="All that it may have from now on, of age, gender, emotion and race, separated by "
    "commas; none: nothing of these.",
)
@click.option(
    "--nhn-v1/--no-nhn-v1",
    default=None,
    help="Whether the app key alone opens version 1.0 of the NHN dialect, which knows no secret.",
)
@shared_options(gallery=True)
def allow_app(run: Run, name: str, attributes: str | None, nhn_v1: bool | None) -> None:
    """Say what the service may answer an application, and to whom."""
    if attributes is None and nhn_v1 is None:
        raise InvalidArgument("Say what to allow: --attributes LIST, --nhn-v1 or --no-nhn-v1.")
    if attributes is not None:
        wanted = [one.strip() for one in attributes.split(",") if one.strip()]
        run.gallery.allow_attributes(name, [] if wanted == ["none"] else wanted)
    if nhn_v1 is not None:
        run.gallery.allow_nhn_v1(name, nhn_v1)
    _answer_app(run, run.gallery.application(name))


@click.group()
def keys() -> None:
    """API keys of the service."""


@keys.command("create")
@click.option(
    "--app",
    "name",
    default=DEFAULT_APPLICATION,
    show_default=True,
    metavar="NAME",
    help="Application that the key is for.",
)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    metavar="SCOPE",
    help="What the key may do: detect, gallery:read, gallery:write, admin; repeat it. "
    "Default: all but admin.",
)
@click.option(
    "--role",
    type=click.Choice(["detector", "reader", "operator", "admin"]),
    help="Scopes that belong together, instead of --scope: detector (detect), reader (and "
    "gallery:read), operator (and gallery:write), admin (all).",
)
@click.option(
    "--expires", metavar="WHEN", help="A date (2027-01-31) or a time from now (12h, 30d)."
)
@shared_options(gallery=True, creates=True)
def create_key(
    run: Run, name: str, scopes: tuple[str, ...], role: str | None, expires: str | None
) -> None:
    """Create an API key. It is shown once and kept only as a hash."""
    from mien.gallery import ROLES

    if role is not None:
        if scopes:
            raise InvalidArgument("Give --role or --scope, not both.")
        scopes = tuple(sorted(ROLES[role]))
    application = run.gallery.application(name)
    until = None if expires is None else expiry(expires, now=datetime.now(UTC))
    _, secret = run.gallery.create_key(name, scopes=scopes or None, expires=until)
    _answer_secret(run, name, application.id, secret)


@keys.command("list")
@click.option(
    "--app",
    "name",
    default=DEFAULT_APPLICATION,
    show_default=True,
    metavar="NAME",
    help="Application whose keys are listed.",
)
@shared_options(gallery=True)
def list_keys(run: Run, name: str) -> None:
    """List an application's keys, without their secrets."""
    found = run.gallery.keys(name)
    run.answer([key.to_dict() for key in found], "\n".join(map(_describe, found)) or "no keys")


@keys.command("revoke")
@click.argument("key_id")
@shared_options(gallery=True)
def revoke_key(run: Run, key_id: str) -> None:
    """Revoke a key by its id (see 'mien keys list')."""
    run.gallery.revoke_key(key_id)
    run.answer({"revoked": key_id}, f"revoked {key_id}")


def expiry(text: str, *, now: datetime) -> datetime:
    """When a key ends: an ISO date or time, or a number of hours, days or weeks from ``now``.

    Raises:
        InvalidArgument: neither, or not in the future.

    Example:
        >>> expiry("2d", now=datetime(2027, 1, 1, tzinfo=UTC)).day
        3
    """
    unit = UNITS.get(text[-1:])
    try:
        when = now + int(text[:-1]) * unit if unit else datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidArgument(
            f"--expires {text!r} is neither a date (2027-01-31) nor a time from now (12h, 30d, 4w)."
        ) from None
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    if when <= now:
        raise InvalidArgument(f"--expires {text!r} is not in the future.")
    return when


def _answer_secret(run: Run, name: str, app_key: str, secret: str) -> None:
    document = {"app": name, "app_key": app_key, "key": secret}
    run.answer(
        document,
        f"application: {name}\napp key:     {app_key}\nkey:         {secret}\n"
        "The key is shown only now: keep it safe.",
    )


def _answer_app(run: Run, app: Application) -> None:
    document = {
        "app": app.name,
        "app_key": app.id,
        "created_at": app.created_at.isoformat(),
        "attributes": sorted(app.attributes),
        "nhn_v1": app.nhn_v1,
    }
    allowed = ", ".join(sorted(app.attributes)) or "none"
    opened = "app key alone" if app.nhn_v1 else "with a key"
    run.answer(
        document,
        f"application: {app.name}\napp key:     {app.id}\nNHN v1.0:    {opened}\n"
        f"attributes:  {allowed}",
    )


def _describe(key: ApiKey) -> str:
    until = "never expires" if key.expires_at is None else f"expires {key.expires_at:%Y-%m-%d}"
    state = until if key.revoked_at is None else "revoked"
    return f"{key.id}  {', '.join(sorted(key.scopes))}  {state}"
