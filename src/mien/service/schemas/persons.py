"""Persons of a group."""

from __future__ import annotations

from pydantic import Field

from mien.service.schemas.base import (
    Answered,
    ExternalId,
    Options,
    Page,
    PageOptions,
    Shape,
    UserData,
)

__all__ = ["NewPerson", "PersonAnswer", "PersonPage", "PersonPageOptions", "PersonShape"]


class NewPerson(Options):
    """A person to create."""

    name: str = Field(min_length=1, max_length=1020)
    user_data: UserData = None
    external_id: ExternalId = None


class PersonPageOptions(PageOptions):
    """Which part of a group's persons."""

    anonymous: bool = Field(
        default=False, description="Those who were registered without a name, not the others."
    )
    external_id: str | None = Field(default=None, description="Only the person who has it.")


class PersonShape(Shape):
    """A person of a group."""

    id: str
    name: str
    created_at: str
    faces: int
    anonymous: bool = Field(description="Registered without a name; called by the id.")
    user_data: str | None
    external_id: str | None
    last_seen_at: str | None


class PersonAnswer(PersonShape, Answered):
    """A person."""


class PersonPage(Page):
    """Persons by name."""

    persons: list[PersonShape]
