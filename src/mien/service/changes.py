"""The documented shapes of what puts a gallery in order, and of what can be undone."""

from __future__ import annotations

from pydantic import Field

from mien.service.schemas import (
    Answered,
    ExternalId,
    Options,
    Page,
    SettingsOptions,
    Shape,
    UserData,
)

__all__ = [
    "ChangeAnswer",
    "ChangePage",
    "FaceChange",
    "FaceMove",
    "GroupChange",
    "Merge",
    "NewMember",
    "PersonChange",
    "PersonMove",
    "Split",
    "Undo",
]

_NAME = Field(min_length=1, max_length=1020)


class GroupChange(Options):
    """What to change in a group; what is not given stays as it is."""

    name: str = Field(default="", max_length=1020)
    settings: SettingsOptions = SettingsOptions()
    user_data: UserData = None


class PersonChange(Options):
    """What to change in a person; what is not given stays as it is."""

    name: str = Field(default="", max_length=1020)
    user_data: UserData = None
    external_id: ExternalId = None


class FaceChange(Options):
    """What to change in a face; what is not given stays as it is."""

    user_data: UserData = None
    external_image_id: ExternalId = None


class FaceMove(Options):
    """Whose the face is to be."""

    person: str = _NAME
    group: str | None = Field(default=None, description="Where that person is; default: here.")


class PersonMove(Options):
    """Where the person is to be."""

    group: str = _NAME
    name: str | None = Field(default=None, description="The person's name there.")


class Merge(Options):
    """Who is the same person."""

    person: str = _NAME


class Split(Options):
    """Which faces are another's, and whose."""

    name: str = _NAME
    faces: list[str] = Field(min_length=1, max_length=1000)


class NewMember(Options):
    """A person of another group who is to be in this one too."""

    group: str = Field(min_length=1, max_length=1020, description="A group that the person is in.")
    person: str = _NAME
    name: str | None = Field(default=None, description="The person's name here.")


class Undo(Options):
    """Which change is meant."""

    change: str | None = Field(
        default=None, description="Its id; if it is not the newest any more, nothing happens."
    )


class ChangeShape(Shape):
    """A change that can be undone, or was."""

    id: str
    group: str
    kind: str = Field(description="Such as `person.merge`.")
    at: str
    undone_at: str | None
    persons: list[str] = Field(description="Ids of those whom it touched.")


class ChangeAnswer(ChangeShape, Answered):
    """A change that was undone."""


class ChangePage(Page):
    """Changes of a group, newest first."""

    changes: list[ChangeShape]
