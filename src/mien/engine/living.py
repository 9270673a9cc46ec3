"""Liveness in the engine: what a call asks for, the verdicts, and what becomes of faces without.

``off``: nothing is looked at. ``observe``: the answer says of each face whether it is live.
``enforce``: a face that is not taken for live is refused; one of which nothing can be said, too.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.analysis import Analysis, FaceAnalysis
from mien.config import LivenessCondition, LivenessPolicy, Settings
from mien.errors import SpoofSuspected
from mien.gallery.policy import GroupSettings
from mien.image import Photo
from mien.liveness import check_condition, check_policy, stricter
from mien.results import Detection
from mien.stages import stage
from mien.types import Face
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from mien.engine.photos import PhotoEngine

__all__ = [
    "Liveness",
    "LivenessCheck",
    "advice",
    "analysed",
    "asked",
    "detected",
    "refuse",
    "verdicts",
]


@dataclass(frozen=True, slots=True)
class LivenessCheck:
    """What a call asks for.

    Attributes:
        policy: ``off``, ``observe`` or ``enforce``.
        condition: how sure a live face must look: ``weak``, ``balanced`` or ``strict``.

    Raises:
        InvalidArgument: something else.

    Example:
        >>> LivenessCheck("enforce", "strict").condition
        'strict'
    """

    policy: LivenessPolicy = "observe"
    condition: LivenessCondition = "balanced"

    def __post_init__(self) -> None:
        check_policy(self.policy)
        check_condition(self.condition)

    @property
    def looks(self) -> bool:
        """Whether faces are looked at."""
        return self.policy != "off"

    @property
    def enforces(self) -> bool:
        """Whether faces that are not live are refused."""
        return self.policy == "enforce"

    def at_least(self, settings: Settings | GroupSettings) -> LivenessCheck:
        """This check, and what the settings, or a group's, ask for where that is more."""
        own = (settings.liveness, settings.liveness_condition)
        return LivenessCheck(*stricter((self.policy, self.condition), own))


Liveness = LivenessPolicy | LivenessCheck | None
"""A policy (under the settings' condition), a whole check, or None: the settings' own."""


def asked(engine: PhotoEngine, given: Liveness) -> LivenessCheck:
    """What a call asks for.

    Raises:
        InvalidArgument: no such policy.
    """
    if isinstance(given, LivenessCheck):
        return given
    settings = engine.settings
    return LivenessCheck(settings.liveness if given is None else given, settings.liveness_condition)


def verdicts(
    engine: PhotoEngine, photo: Photo, faces: Iterable[Face], check: LivenessCheck
) -> tuple[LivenessVerdict, ...]:
    """One verdict a face; from the photo at full size, since scaling hides what betrays a screen.

    Raises:
        WeightsMissing: the nets cannot be had.
    """
    model, condition = engine.liveness, check.condition
    with stage("liveness"):
        pixels = photo.pixels()
        return tuple(engine.map(lambda f: model.check(pixels, f.box, condition=condition), faces))


def detected(
    engine: PhotoEngine, photo: Photo, found: Detection, check: LivenessCheck
) -> Detection:
    """The detection with its verdicts, if any are asked for.

    Raises:
        SpoofSuspected: a face is not taken for live, and the check enforces.
    """
    if not check.looks:
        return found
    told = verdicts(engine, photo, found.faces, check)
    refuse(check, told)
    return dataclasses.replace(found, liveness=told)


def analysed(engine: PhotoEngine, photo: Photo, found: Analysis, check: LivenessCheck) -> Analysis:
    """The analysis with each face's ``liveness`` beside its attributes, if it is asked for.

    Raises:
        SpoofSuspected: a face is not taken for live, and the check enforces.
    """
    if not check.looks:
        return found
    told = verdicts(engine, photo, found.detection.faces, check)
    refuse(check, told)
    faces = tuple(
        FaceAnalysis(one.face, {**one.values, "liveness": verdict})
        for one, verdict in zip(found.faces, told, strict=True)
    )
    actions = tuple(dict.fromkeys([*found.actions, "liveness"]))
    return dataclasses.replace(found, faces=faces, actions=actions)


def refuse(
    check: LivenessCheck, told: Iterable[LivenessVerdict | None], *, image: str | None = None
) -> None:
    """Raise for the first face that is not taken for live, if the check enforces.

    Args:
        check: what was asked for.
        told: the verdicts; None for a face that there is none of.
        image: which photo, for ``details``.

    Raises:
        SpoofSuspected: there is one.
    """
    for one in told:
        if check.enforces and one is not None and not one.live:
            details: dict[str, str | float] = {
                "verdict": one.verdict,
                "reasons": ", ".join(one.reasons),
                "score": round(one.score, 4),
                "threshold": one.threshold,
            }
            raise SpoofSuspected(
                advice(one), details=details if image is None else {**details, "image": image}
            )


def advice(verdict: LivenessVerdict) -> str:
    """Why a face was refused and what its owner can do."""
    if verdict.verdict == "undetermined":
        return (
            "Whether the face is a live one cannot be said: the photo shows too little around it. "
            "Take one from farther away, with at least as much around the face as the face is wide."
        )
    return (
        "The face is not taken for a live one: it looks like a photo or a screen. Take a photo of "
        "the person, without a screen or a frame around the face."
    )
