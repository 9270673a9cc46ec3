"""How a command ends: exit codes, and one way to tell what went wrong.

An error is one line on stderr, ``mien: CODE: message``; with ``--json`` it is also the one JSON
document on stdout, ``{"error": {"code", "message", "details"}}``. A traceback is printed only
with ``MIEN_DEBUG=1``.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NoReturn, TextIO

import click

from mien.cli.output import flush_answer, forget, tell, tell_json
from mien.errors import (
    GalleryUnavailable,
    KeyMismatch,
    KeyMissing,
    MienError,
    ModelError,
    ServiceError,
    SpoofSuspected,
)

__all__ = ["ExitCode", "Failure", "MienGroup", "exit_code"]


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    NO = 1  # compare, verify: not a match; a face not taken for live; a log tampered with
    # bad usage or bad input; also a defect of Mien ("internal"), an answer that cannot be written
    BAD_INPUT = 2
    MISSING = 3  # a missing model or service
    INTERRUPTED = 130  # Ctrl-C
    BROKEN_PIPE = 141  # whoever read the answer went away, or stdout is closed


def exit_code(error: MienError) -> ExitCode:
    """The exit code for an error.

    3 where a model, a key, the gallery or a service is missing, 1 where a face is not live, else 2.
    """
    if isinstance(error, SpoofSuspected):
        return ExitCode.NO
    missing = isinstance(
        error, ModelError | GalleryUnavailable | KeyMissing | KeyMismatch | ServiceError
    )
    return ExitCode.MISSING if missing else ExitCode.BAD_INPUT


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as it is told.

    Attributes:
        code: stable; an error's ``code``, or ``usage``, ``interrupted``, ``output``, ``internal``.
        message: one sentence that says what to do.
        details: facts for machines.
        exit_code: what the process ends with.
    """

    code: str
    message: str
    exit_code: ExitCode
    details: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """Read an exception; one that Mien does not raise on purpose gives ``internal``."""
        if isinstance(error, MienError):
            return cls(error.code, error.message, exit_code(error), error.details)
        if isinstance(error, click.ClickException):
            return cls("usage", _usage_message(error), ExitCode.BAD_INPUT)
        if isinstance(error, click.Abort | KeyboardInterrupt):
            return cls("interrupted", "Interrupted.", ExitCode.INTERRUPTED)
        return cls(
            "internal",
            f"An unexpected {type(error).__name__} ended the command: this is a defect of Mien. "
            "Set MIEN_DEBUG=1 to see the traceback, and report it.",
            ExitCode.BAD_INPUT,
        )

    def to_dict(self) -> dict[str, Any]:
        """``{"code", "message", "details"}``."""
        return {"code": self.code, "message": self.message, "details": dict(self.details)}

    def tell(self, *, as_json: bool) -> None:
        """Print the line on stderr and, for ``--json``, the document on stdout."""
        line = " ".join(self.message.split())
        tell(f"mien: {self.code}: {line}", err=True)
        if as_json:
            tell_json({"error": self.to_dict()})


def _usage_message(error: click.ClickException) -> str:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if context is not None:
        message = f"{message} See '{context.command_path} --help'."
    return message


class MienGroup(click.Group):
    """A group of commands that ends every failure as :class:`Failure` tells it."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 - click's own signature
    ) -> click.Context:
        """Read the arguments; where that prints (``--help``), a closed pipe ends with 141."""
        try:
            return super().make_context(info_name, args, parent, **extra)
        except BrokenPipeError:  # click would end with 1
            raise click.exceptions.Exit(ExitCode.BROKEN_PIPE) from None

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a closed pipe is no error to speak of."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise click.exceptions.Exit(ExitCode.BROKEN_PIPE) from None

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,  # noqa: ANN401 - click's own signature
    ) -> NoReturn:
        """Run the command line and leave with its exit code.

        Raises:
            SystemExit: always.
        """
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            code = super().main(arguments, prog_name, complete_var, standalone_mode=False, **extra)
            flush_answer()
        except BrokenPipeError:
            code = ExitCode.BROKEN_PIPE
        except (Exception, KeyboardInterrupt) as error:
            code = _fail(error, as_json="--json" in arguments)
        if _refuses(sys.stdout):
            forget(sys.stdout)
        if _refuses(sys.stderr):
            forget(sys.stderr)
        sys.exit(int(code or 0))


def _fail(error: BaseException, *, as_json: bool) -> int:
    if os.environ.get("MIEN_DEBUG") == "1":
        tell("".join(traceback.format_exception(error)), err=True)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        tell(error.format_message(), err=True)
        return ExitCode.BAD_INPUT
    if isinstance(error, OSError) and _while_printing(error):
        reason = error.strerror or type(error).__name__
        message = f"The answer cannot be written on stdout: {reason}."
        Failure("output", message, ExitCode.BAD_INPUT).tell(as_json=False)
        return ExitCode.BAD_INPUT
    failure = Failure.of(error)
    try:
        failure.tell(as_json=as_json)
        flush_answer()
    except BrokenPipeError:
        return ExitCode.BROKEN_PIPE
    except OSError:  # the reason is on stderr; the document cannot be
        return failure.exit_code
    return failure.exit_code


def _while_printing(error: OSError) -> bool:
    """Whether it came of writing on stdout: of click's ``echo`` (here or for ``--help``)."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and frames[-1].name in {click.echo.__name__, flush_answer.__name__}


def _refuses(stream: TextIO | None) -> bool:
    """Whether a stream holds something that it cannot get rid of."""
    try:
        if stream is not None:
            stream.flush()
    except (OSError, ValueError):
        return True
    return False
