"""The documented shapes of taking an application's archive out and in."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from mien.service.schemas import Answered, Options

__all__ = ["ArchiveAnswer", "ArchiveOptions", "NewArchive"]


class NewArchive(Options):
    """What to export."""

    passphrase: str = Field(
        min_length=12, max_length=1024, repr=False, description="All that protects the archive."
    )
    groups: list[str] | None = Field(
        default=None, max_length=200, description="Names; null: all of the application."
    )
    log: bool = Field(default=False, description="Put the audit log in, as evidence.")


class ArchiveOptions(Options):
    """How to import."""

    on_conflict: Literal["refuse", "skip", "rename"] = Field(
        default="refuse", description="Where a group or person is there already."
    )
    bring_back_erased: bool = Field(
        default=False, description="Also who was erased here since the archive was made."
    )


class ArchiveAnswer(Answered):
    """What an import did."""

    groups: dict[str, str] = Field(description="Name in the archive: name here.")
    persons: int
    faces: int
    images: int
    consents: int
    skipped_persons: int = Field(description="There already, and left as they are.")
    skipped_faces: int
    erased_persons: int = Field(description="Left out, because they were erased here.")
    erased_faces: int
    withdrawn_consents: int
    external_ids_left_out: int
