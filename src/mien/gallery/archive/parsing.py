"""What an archive says, checked as strictly as what a caller says: it may come from anywhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from mien.errors import ArchiveUnusable, InvalidArgument
from mien.gallery import checks
from mien.gallery.model import Scoring
from mien.gallery.policy import GroupSettings
from mien.types import EmbeddingContract

__all__ = [
    "ArchivedConsent",
    "ArchivedFace",
    "ArchivedGroup",
    "ArchivedImage",
    "ArchivedPerson",
    "contract_of",
    "parsed",
    "settings_of",
]


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("NUL in a text")
    return text


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within a day of the first or the last that there is
        raise ValueError("no moment in UTC") from None


def _corners(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    if box[0] > box[2] or box[1] > box[3]:
        raise ValueError("the corners of a box are in the wrong order")
    return box


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
Text = Annotated[str, AfterValidator(_no_nul)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class ArchivedContract(_Row):
    """An embedding contract."""

    model: Annotated[Text, Field(min_length=1, max_length=255)]
    source_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    preprocessing: Annotated[int, Field(ge=0, lt=2**31)]
    dim: Annotated[int, Field(ge=1, le=8192)]


class ArchivedGroup(_Row):
    """A group."""

    name: Annotated[str, AfterValidator(checks.group_name)]
    contract: ArchivedContract
    scoring: Scoring
    created_at: Moment
    settings: dict[str, Any]
    user_data: Text | None


class ArchivedConsent(_Row):
    """A consent of a person; ``group`` None: for every group."""

    id: Id
    group: str | None
    purpose: Annotated[Text, Field(min_length=1, max_length=255)]
    text_version: Annotated[Text, Field(min_length=1, max_length=64)]
    language: Annotated[Text, Field(min_length=1, max_length=35)]
    evidence: Annotated[Text, Field(max_length=4096)] | None
    given_at: Moment
    expires_at: Moment | None
    withdrawn_at: Moment | None


class ArchivedPerson(_Row):
    """A person, with the groups (and the name in each) and the consents."""

    id: Id
    anonymous: bool
    created_at: Moment
    last_seen_at: Moment | None
    user_data: Text | None
    external_id: Annotated[str, AfterValidator(checks.external_id)] | None
    groups: list[tuple[str, Annotated[str, AfterValidator(checks.person_name)]]]
    consents: list[ArchivedConsent]


class ArchivedFace(_Row):
    """A face without its template, which lies in the frame's bytes."""

    id: Id
    person: Id
    norm: Finite | None
    source_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None
    box: Annotated[tuple[Finite, Finite, Finite, Finite], AfterValidator(_corners)] | None
    quality: Annotated[float, Field(ge=0, le=1)] | None
    external_image_id: Annotated[str, AfterValidator(checks.external_id)] | None
    user_data: Text | None
    created_at: Moment


class ArchivedImage(_Row):
    """A crop or photo of a face; ``data`` is its length in the frame's bytes."""

    face: Id
    kind: Literal["crop", "photo"]
    media_type: Annotated[Text, Field(min_length=1, max_length=64)]
    data: Annotated[int, Field(ge=0)]


Model = TypeVar("Model", bound=_Row)


@dataclass(frozen=True, slots=True)
class _Where:
    kind: str

    def __call__(self, error: Exception) -> ArchiveUnusable:
        """Says where, and never repeats what stands there: it may be a template."""
        place = ""
        if isinstance(error, ValidationError):
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
        return ArchiveUnusable(
            f"A row of {self.kind!r} holds what cannot be{place and f' ({place})'}: the archive is "
            "damaged, or was not made by Mien."
        )


def parsed(model: type[Model], kind: str, rows: Sequence[Any]) -> list[Model]:
    """Rows of one kind.

    Raises:
        ArchiveUnusable: one that cannot be.
    """
    try:
        return [model.model_validate(row) for row in rows]
    except (ValidationError, InvalidArgument) as error:
        raise _Where(kind)(error) from None


def contract_of(facts: Mapping[str, Any] | ArchivedContract) -> EmbeddingContract:
    """The contract that is named.

    Raises:
        ArchiveUnusable: none.
    """
    one = facts if isinstance(facts, ArchivedContract) else None
    one = one or parsed(ArchivedContract, "faces", [facts])[0]
    return EmbeddingContract(one.model, one.source_sha256, one.preprocessing, one.dim)


def settings_of(group: ArchivedGroup) -> GroupSettings:
    """A group's settings.

    Raises:
        ArchiveUnusable: they cannot be, such as those of a newer Mien.
    """
    try:
        return GroupSettings.from_dict(group.settings)
    except InvalidArgument as error:
        raise _Where("groups")(error) from None
