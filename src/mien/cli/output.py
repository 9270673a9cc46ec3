"""Printing: one JSON document, or text that any terminal can take."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping

import click

__all__ = ["tell", "tell_json"]


def tell(text: str, *, err: bool = False) -> None:
    """Print a line on stdout, or on stderr.

    What the stream cannot encode (a file name that is no Unicode, Hangul in an ASCII terminal)
    is printed as escapes.
    """
    encoding = _encoding(err=err)
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), err=err)


def tell_json(document: object) -> None:
    """Print one JSON document on stdout; numbers that are not finite become null."""
    document = _finite(document)
    text = json.dumps(document, ensure_ascii=False, allow_nan=False)
    try:
        text.encode(_encoding(err=False))
    except UnicodeEncodeError:
        text = json.dumps(document, allow_nan=False)
    click.echo(text)


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
