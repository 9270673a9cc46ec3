"""One photo to enrol: whose it is, and what is known of its face before it is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mien.analysis import Quality
from mien.config import Settings
from mien.engine import living
from mien.engine.keeping import images_for
from mien.engine.living import LivenessCheck
from mien.errors import ImageError, InvalidArgument
from mien.gallery.policy import FaceImage, ImagePolicy
from mien.image import ImageInput, Photo
from mien.results import Rejection, Representation
from mien.types import Faces
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from mien.engine.core import Engine

__all__ = [
    "EnrolmentPhoto",
    "Look",
    "LookOptions",
    "Looked",
    "Prepared",
    "Refused",
    "look_at",
    "refused",
]


@dataclass(frozen=True, slots=True)
class EnrolmentPhoto:
    """A photo to enrol.

    Attributes:
        person: whose.
        image: the photo, or a function that reads it when its turn comes.
        name: what to call it in the answer.
        external_image_id: the caller's own number for it, kept with the face.
    """

    person: str
    image: ImageInput | Callable[[], ImageInput]
    name: str
    external_image_id: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A photo's face, embedded and ready to be stored."""

    found: Representation
    sha256: str
    quality: float | None
    liveness: LivenessVerdict | None
    images: tuple[FaceImage, ...]


@dataclass(frozen=True, slots=True)
class Refused:
    """A photo that is not enrolled."""

    rejection: Rejection
    sha256: str | None = None
    known_face: str | None = None


Looked = Prepared | Refused
"""What is known of a photo before it is stored; it can be pickled."""


@dataclass(frozen=True, slots=True)
class LookOptions:
    """What a look at a photo needs to know.

    Attributes:
        name: of the photo, for the answer.
        min_quality: what the group asks for, 0 to 1, or None.
        images: what the group keeps.
        check: of liveness.
    """

    name: str
    min_quality: float | None
    images: ImagePolicy
    check: LivenessCheck


Look = Callable[[Photo, LookOptions], Looked]
"""Looks at a photo: :func:`look_at` with an engine, here or somewhere else."""


def look_at(engine: Engine, opened: Photo, options: LookOptions) -> Looked:
    """Judge and embed the largest face of a photo; nothing is stored."""
    try:
        return _look(engine, opened, options)
    except (ImageError, InvalidArgument) as error:  # InvalidArgument: landmarks that coincide
        return refused(options.name, error.code, error.message, opened.sha256)


def refused(name: str, reason: str, message: str, sha256: str | None) -> Looked:
    """A photo that is not enrolled."""
    return Refused(Rejection(name, (reason,), message), sha256)


def _look(engine: Engine, opened: Photo, options: LookOptions) -> Looked:
    name = options.name
    found = engine.represent(opened, max_faces=2)
    refusal = _refusal(name, found.detection.faces, engine.settings)
    least, quality = options.min_quality, None
    if refusal is None and least is not None:
        quality, refusal = _judge(engine, name, opened, found.detection.faces, least)
    if refusal is not None:
        return Refused(refusal, opened.sha256)
    told = _live(engine, opened, found, options.check)
    if told is not None and options.check.enforces and not told.live:
        reason = Rejection(name, ("spoof_suspected",), living.advice(told))
        return Refused(reason, opened.sha256)
    box = found.detection[0].box
    images = images_for(opened, box, options.images, engine.settings)
    return Prepared(found.without_image(), opened.sha256, quality, told, images)


def _live(
    engine: Engine, opened: Photo, found: Representation, check: LivenessCheck
) -> LivenessVerdict | None:
    """The verdict on the face that is enrolled, if it is asked for."""
    if not check.looks:
        return None
    return living.verdicts(engine, opened, [found.detection[0]], check)[0]


def _judge(
    engine: Engine, name: str, opened: Photo, faces: Faces, least: float
) -> tuple[float, Rejection | None]:
    """The quality of the largest face, 0 to 1, and what follows where it is below ``least``."""
    (analysed,) = engine.analyze_faces(opened, faces.take([0]), actions=["quality"])
    measured = analysed["quality"]
    assert isinstance(measured, Quality)
    quality = measured.score / 100
    if quality >= least:
        return quality, None
    message = f"The quality of the face is {quality:.2f}; the group asks for {least:.2f}."
    return quality, Rejection(name, ("low_quality", *measured.reasons), message)


def _refusal(name: str, faces: Faces, settings: Settings) -> Rejection | None:
    """Why the largest face may not be enrolled, or None."""
    if not len(faces):
        return Rejection(name, ("no_face",), "No face was found.")
    side = min(faces[0].box.width, faces[0].box.height)
    if side < settings.enrol_min_face:
        return Rejection(
            name,
            ("face_too_small",),
            f"The face measures {side:.0f} pixels; {settings.enrol_min_face} are needed.",
        )
    if len(faces) > 1 and faces[0].box.area < settings.enrol_dominance * faces[1].box.area:
        return Rejection(
            name,
            ("several_faces",),
            "Several faces of similar size: crop the photo to the person's own.",
        )
    return None
