"""The report of an enrolment as a file: CSV, JSON, or a page to print."""

from __future__ import annotations

import csv
import html
import io
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.engine import PhotoOutcome

__all__ = ["check_place", "write_report"]

COLUMNS = ("image", "person", "state", "reasons", "message", "face_id", "sha256")
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
table{border-collapse:collapse;width:100%}
td,th{border-top:1px solid #ddd;padding:.3em;text-align:left}
"""

Row = dict[str, str]


def check_place(file: Path) -> None:
    """Refuse a report that could not be written, before anything is enrolled.

    Raises:
        InvalidArgument: not .csv, .json or .html, or no such folder.
    """
    if file.suffix.lower() not in (".csv", ".json", ".html"):
        raise InvalidArgument(f"--report {file.name!r} must end in .csv, .json or .html.")
    if file.is_dir() or not os.access(file.parent, os.W_OK):
        raise InvalidArgument(f"--report {file.name!r} cannot be written there.")


def write_report(file: Path, group: str, outcomes: Sequence[PhotoOutcome]) -> None:
    """Write every photo that was rejected or should be looked at, and how many were enrolled.

    The file appears whole or not at all.

    Raises:
        InvalidArgument: it cannot be written.
    """
    rows = list(_rows(outcomes))
    enrolled = sum(outcome.face_id is not None for outcome in outcomes)
    kind = file.suffix.lower()
    if kind == ".csv":
        text = _csv(rows)
    elif kind == ".json":
        facts = {"group": group, "photos": len(outcomes), "enrolled": enrolled, "listed": rows}
        text = json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
    else:
        text = _page(f"{group}: {enrolled} of {len(outcomes)} photos enrolled", rows)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", errors="replace", newline="")
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InvalidArgument(
            f"--report {file.name!r} cannot be written: {error.strerror}. "
            "What was enrolled is kept."
        ) from None


def _rows(outcomes: Sequence[PhotoOutcome]) -> Iterator[Row]:
    for outcome in outcomes:
        told = outcome.rejection or outcome.warning
        if told is not None:
            yield {
                "image": told.image,
                "person": outcome.photo.person,
                "state": "warning" if outcome.rejection is None else "rejected",
                "reasons": " ".join(told.reasons),
                "message": told.message,
                "face_id": outcome.face_id or outcome.known_face or "",
                "sha256": outcome.sha256 or "",
            }


def _csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _inert(value) for name, value in row.items()})
    return text.getvalue()


def _inert(value: str) -> str:
    """A file's name must not become a formula in a spreadsheet."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _page(title: str, rows: Sequence[Row]) -> str:
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    lines = ("".join(f"<td>{html.escape(row[name])}</td>" for name in COLUMNS) for row in rows)
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style><h1>{html.escape(title)}</h1>"
        f"<table><tr>{head}</tr>\n{body}</table></html>\n"
    )
