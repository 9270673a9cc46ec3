"""What a group asks of those who are enrolled in it: limits and policies."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Literal, Self, get_args

from mien.config import LivenessCondition, LivenessPolicy
from mien.errors import InvalidArgument
from mien.types import Result

__all__ = [
    "DEFAULT_SETTINGS",
    "ConsentPolicy",
    "DuplicatePolicy",
    "FaceImage",
    "GroupSettings",
    "ImageKind",
    "ImagePolicy",
    "kinds_kept",
]

ImagePolicy = Literal["none", "crops", "photos"]
"""Whether images are kept: none, a crop about each face, or those crops and the whole photos."""

ImageKind = Literal["crop", "photo"]
"""A crop about the face with what is around it, or the photo that it was found in."""

ConsentPolicy = Literal["off", "required"]
"""Whether a person is enrolled without a record of consent."""

DuplicatePolicy = Literal["allow", "warn", "refuse"]
"""What is done when a face to enrol looks like another person of the group."""

_MAX_COUNT = 2**53  # the largest whole number that every JSON reader keeps
_COUNTS = {"max_persons": 0, "max_faces": 0, "retain_age_s": 1, "retain_idle_s": 1}
_WORDS = {
    "images": get_args(ImagePolicy),
    "consent": get_args(ConsentPolicy),
    "duplicates": get_args(DuplicatePolicy),
    "liveness": get_args(LivenessPolicy),
    "liveness_condition": get_args(LivenessCondition),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupSettings(Result):
    """Limits and policies of one group. Every one can be changed later.

    Attributes:
        max_persons, max_faces: at most so many, 0 to 2^53; None: as the gallery's own limits,
            which hold in any case.
        images: whether crops or photos are kept beside the templates.
        consent: whether enrolment needs a record of the person's consent.
        retain_age_s: seconds after which a face is deleted; None: never.
        retain_idle_s: seconds after which a person who was not seen is deleted; None: never.
        duplicates: what happens when a face looks like somebody else of the group.
        min_quality: a photo below is not enrolled, 0 to 1; None: no such gate.
        liveness, liveness_condition: what enrolling into the group, identifying and verifying in
            it ask at least, whatever the call and the settings ask.

    Raises:
        InvalidArgument: a value that cannot be; the message names it.

    Example:
        >>> GroupSettings(consent="required", max_persons=100).to_dict()["max_persons"]
        100
    """

    max_persons: int | None = None
    max_faces: int | None = None
    images: ImagePolicy = "none"
    consent: ConsentPolicy = "off"
    retain_age_s: int | None = None
    retain_idle_s: int | None = None
    duplicates: DuplicatePolicy = "allow"
    min_quality: float | None = None
    liveness: LivenessPolicy = "off"
    liveness_condition: LivenessCondition = "weak"

    def __post_init__(self) -> None:
        for name, least in _COUNTS.items():
            _check_count(name, getattr(self, name), least)
        for name, words in _WORDS.items():
            _check_word(name, getattr(self, name), words)
        _check_fraction("min_quality", self.min_quality)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Settings from a mapping; what is missing is the default.

        Raises:
            InvalidArgument: a name that is no setting, or a value that cannot be.
        """
        if not isinstance(values, dict):
            raise InvalidArgument("A group's settings are an object of names and values.")
        unknown = values.keys() - {one.name for one in fields(cls)}
        if unknown:
            known = ", ".join(one.name for one in fields(cls))
            raise InvalidArgument(
                f"A group has no setting {str(min(unknown, key=str))[:64]!r}; it has {known}."
            )
        return cls(**values)

    @classmethod
    def from_stored(cls, text: str) -> GroupSettings:
        """Settings as they are stored."""
        return _parsed(text)

    def to_dict(self) -> dict[str, Any]:
        """Every setting by name."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def stored(self) -> str:
        """As they are stored: what is not the default, sorted by name."""
        other = {
            one.name: value
            for one in fields(self)
            if (value := getattr(self, one.name)) != one.default
        }
        return json.dumps(other, sort_keys=True, separators=(",", ":"))


_MEDIA_TYPES = ("avif", "bmp", "gif", "heic", "jpeg", "png", "tiff", "webp")


@dataclass(frozen=True, slots=True)
class FaceImage:
    """An image that is kept with a face, so that another model can look at it again.

    Attributes:
        kind: ``crop`` or ``photo``.
        media_type: of ``data``, such as ``image/jpeg``.
        data: the encoded image.

    Raises:
        InvalidArgument: another kind or media type, or no bytes.
    """

    kind: ImageKind
    media_type: str
    data: bytes = field(repr=False)

    def __post_init__(self) -> None:
        _check_word("kind", self.kind, get_args(ImageKind))
        _check_word("media_type", self.media_type, tuple(f"image/{n}" for n in _MEDIA_TYPES))
        if not isinstance(self.data, bytes) or not self.data:
            raise InvalidArgument("An image that is kept has bytes.")


def kinds_kept(policy: ImagePolicy) -> tuple[ImageKind, ...]:
    """What a group with that policy keeps of a face."""
    kept: dict[ImagePolicy, tuple[ImageKind, ...]] = {
        "none": (),
        "crops": ("crop",),
        "photos": ("crop", "photo"),
    }
    return kept[policy]


@lru_cache(maxsize=256)
def _parsed(text: str) -> GroupSettings:
    # A setting of a newer Mien has its own migration, so every name is known here.
    return GroupSettings.from_dict(json.loads(text))


def _check_count(name: str, value: object, least: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _MAX_COUNT:
        raise InvalidArgument(f"{name} must be a whole number of at least {least}, or null.")


def _check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        raise InvalidArgument(f"{name} must be one of {', '.join(words)}.")


def _check_fraction(name: str, value: Any) -> None:  # noqa: ANN401 - unchecked
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and 0 <= value <= 1):  # NaN is not
        raise InvalidArgument(f"{name} must be a number from 0 to 1, or null.")


DEFAULT_SETTINGS = GroupSettings()
"""What a new group asks: nothing."""
