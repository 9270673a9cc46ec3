"""Consent forms and notices, Korean and English, to be filled in by whoever runs the gallery.

They say what Art. 13 GDPR and Korea's PIPA (Art. 15, 23, 26) ask to be said. Starting points
written by engineers, not legal advice.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from importlib.resources import files
from typing import Literal, get_args

from mien.errors import InvalidArgument

__all__ = ["FIELDS", "VERSION", "Kind", "Language", "text"]

Kind = Literal["consent", "notice"]
Language = Literal["en", "ko"]

VERSION = "2026-11"
"""Version of the words; a change of meaning gets a new one, and consent is asked for anew."""

FIELDS = ("organisation", "purpose", "retention", "alternative", "processor", "images", "contact")
"""What has to be filled in: the controller; what for; how long; what those who say no can use;
who processes on the controller's behalf, or that nobody does; whether photos are kept; whom to
ask."""


def text(kind: Kind, language: Language, fields: Mapping[str, str]) -> str:
    """A form in Markdown with ``fields`` filled in.

    Args:
        kind: ``consent``, a form for one person; ``notice``, a sign for the door.
        language: ``en`` or ``ko``.
        fields: all of :data:`FIELDS`.

    Raises:
        InvalidArgument: no such form, or fields that are missing, empty or unknown.

    Example:
        >>> filled = text("notice", "en", dict.fromkeys(FIELDS, "..."))
        >>> filled.splitlines()[0]
        '# Face recognition in use'
    """
    if kind not in get_args(Kind) or language not in get_args(Language):
        raise InvalidArgument("There are the forms consent and notice, in en and ko.")
    missing = [name for name in FIELDS if not fields.get(name, "").strip()]
    unknown = sorted(set(fields) - {*FIELDS})
    if missing or unknown:
        what = f"lacks {', '.join(missing)}" if missing else f"has no {', '.join(unknown)}"
        raise InvalidArgument(f"The form {what}. Its fields: {', '.join(FIELDS)}.")
    template = files(__package__).joinpath(f"{kind}.{language}.md").read_text("utf-8")
    return string.Formatter().vformat(template, (), {**fields, "version": VERSION})
