"""Which key a command opens or makes an archive with. Never an argument: others can read those."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mien.cli.run import Run
from mien.errors import ConfigurationError, InvalidArgument

if TYPE_CHECKING:
    from mien.gallery.protect import KeyWrapper

__all__ = ["key_for", "key_of", "key_options"]

_FILE = click.Path(path_type=Path, dir_okay=False)


def key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--passphrase-file`` and ``--key-file``."""
    command = click.option(
        "--key-file",
        type=_FILE,
        metavar="FILE",
        help="A key instead of a passphrase: 32 bytes in base64, readable for you only.",
    )(command)
    return click.option(
        "--passphrase-file",
        type=_FILE,
        metavar="FILE",
        help="The passphrase is the first line of this file, readable for you only.",
    )(command)


def key_of(run: Run, file: Path, passphrase_file: Path | None, key_file: Path | None) -> KeyWrapper:
    """The key that opens a file: the one that is named, or that the file asks for.

    Raises:
        ArchiveUnusable: there is no such file, or it is none of Mien's.
        InvalidArgument, ConfigurationError, KeyMissing: the key cannot be had.
    """
    from mien.gallery.archive import open_file
    from mien.gallery.protect import key_ring
    from mien.gallery.protect.stream import Passphrase, key_id

    with open_file(file) as stream:
        which = key_id(stream)
    named = passphrase_file or key_file
    if which != Passphrase.current and named is None:
        return key_ring(run.settings, create=False)
    return key_for(run, passphrase_file, key_file, confirm=False)


def key_for(
    run: Run, passphrase_file: Path | None, key_file: Path | None, *, confirm: bool
) -> KeyWrapper:
    """The key that was named: of a file, of ``MIEN_ARCHIVE_PASSPHRASE``, or asked for.

    Args:
        run: the command's.
        passphrase_file: ``--passphrase-file``; key_file: ``--key-file``.
        confirm: ask twice, because something is made with it.

    Raises:
        InvalidArgument: both were named, or none, and there is nobody to ask.
        ConfigurationError, KeyMissing: the file cannot be used.
    """
    from mien.gallery.archive import Passphrase
    from mien.gallery.protect import KeyRing

    if passphrase_file is not None and key_file is not None:
        raise InvalidArgument("Name a passphrase or a key file, not both.")
    if key_file is not None:
        return KeyRing.read(key_file, create=False)
    if passphrase_file is not None:
        return Passphrase(_first_line(passphrase_file))
    if run.settings.archive_passphrase is not None:
        return Passphrase(run.settings.archive_passphrase.get_secret_value())
    if sys.stdin is None or not sys.stdin.isatty():
        raise InvalidArgument(
            "Name the passphrase (--passphrase-file or MIEN_ARCHIVE_PASSPHRASE) or a key "
            "(--key-file)."
        )
    said = click.prompt("Passphrase", hide_input=True, err=True, confirmation_prompt=confirm)
    return Passphrase(said)


def _first_line(file: Path) -> str:
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:
            raise ConfigurationError(
                f"The file {file.name} may be read by others than its owner: chmod 600 it."
            )
        return file.read_text("utf-8").split("\n", 1)[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise ConfigurationError(f"The file {file.name} cannot be used: {reason}.") from None
