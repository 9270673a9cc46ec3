"""Printing: one JSON document, or text that any terminal can take.

The answer has to arrive: what stdout does not take is raised. What is said on stderr is a
courtesy: where nobody can read it, it is dropped and the command goes on.
"""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Mapping
from typing import TextIO

import click

__all__ = ["flush_answer", "forget", "tell", "tell_json"]


def tell(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print a line on stdout, or on stderr.

    What the stream cannot encode (a file name that is no Unicode, Hangul in an ASCII terminal)
    is printed as escapes.

    Args:
        text: the line.
        err: on stderr; a stderr that is closed, full or gone is no error.
        nl: end the line.

    Raises:
        OSError: stdout does not take it; BrokenPipeError where it is closed.
    """
    encoding = _encoding(err=err)
    text = text.encode(encoding, "backslashreplace").decode(encoding)
    if not err:
        _answer(text, nl=nl)
    elif sys.stderr is not None:
        try:
            click.echo(text, err=True, nl=nl)
        except (OSError, ValueError):
            forget(sys.stderr)


def tell_json(document: object) -> None:
    """Print one JSON document on stdout; numbers that are not finite become null.

    Raises:
        OSError: stdout does not take it; BrokenPipeError where it is closed.
    """
    document = _finite(document)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(_encoding(err=False))
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    _answer(text)


def flush_answer() -> None:
    """Hand what was printed on stdout to whoever reads it.

    Raises:
        OSError: stdout does not take it.
    """
    if sys.stdout is not None:
        sys.stdout.flush()


def forget(stream: TextIO | None) -> None:
    """Lead a stream that cannot be written nowhere, so that ending the process does not fail."""
    try:
        if stream is not None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
    except (OSError, ValueError):
        return


def _answer(text: str, *, nl: bool = True) -> None:
    if sys.stdout is None:
        raise BrokenPipeError("stdout is closed")
    click.echo(text, nl=nl)


def _encoding(*, err: bool) -> str:
    return getattr(sys.stderr if err else sys.stdout, "encoding", None) or "utf-8"


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
