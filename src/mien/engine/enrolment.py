"""Enrol photos: one face each, one transaction each, and a reason for every photo refused."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from mien.config import Settings
from mien.engine import living
from mien.engine.living import LivenessCheck
from mien.errors import AlreadyExists, ImageError, InvalidArgument, NotFound
from mien.image import ImageInput, Photo
from mien.results import Enrolment, Rejection, Representation
from mien.types import Faces
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery

__all__ = ["EnrolmentPhoto", "PhotoOutcome", "enroll_each", "photos_of", "summary"]


@dataclass(frozen=True, slots=True)
class EnrolmentPhoto:
    """A photo to enrol.

    Attributes:
        person: whose.
        image: the photo.
        name: what to call it in the answer.
    """

    person: str
    image: ImageInput
    name: str


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """What became of a photo: a new face, or a rejection. It is durable when it is given.

    Attributes:
        photo: which.
        face_id: id of the new face; None when it was rejected.
        rejection: why it was rejected; None when it was enrolled.
        liveness: the face's verdict, where liveness was asked for and a face could be judged.
    """

    photo: EnrolmentPhoto
    face_id: str | None
    rejection: Rejection | None
    liveness: LivenessVerdict | None = None


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A photo's face, embedded and ready to be stored."""

    found: Representation
    sha256: str
    liveness: LivenessVerdict | None


def photos_of(
    person: str, images: Sequence[ImageInput], names: Sequence[str] | None
) -> list[EnrolmentPhoto]:
    """One person's photos, named.

    Raises:
        InvalidArgument: names and images differ in number, or one photo is given, not a list.
    """
    if isinstance(images, str | bytes):
        raise InvalidArgument("images must be a list of photos: [photo], not photo.")
    if names is None:
        names = [_name(image, i) for i, image in enumerate(images)]
    if len(names) != len(images):
        raise InvalidArgument(f"{len(images)} images need as many names, not {len(names)}.")
    return [EnrolmentPhoto(person, image, n) for image, n in zip(images, names, strict=True)]


def enroll_each(
    engine: Engine,
    gallery: Gallery,
    group: str,
    photos: Iterable[EnrolmentPhoto],
    *,
    check: LivenessCheck,
) -> Iterator[PhotoOutcome]:
    """See :meth:`mien.Engine.enroll_each`. At most twice the thread budget are looked ahead."""
    engine.load()  # here, so that a missing model is raised once and not for every photo
    if check.looks:
        _ = engine.liveness
    _check_group(engine, gallery, group)
    waiting: deque[tuple[EnrolmentPhoto, Future[_Prepared | Rejection]]] = deque()
    source = iter(photos)
    ahead = 2 * engine.settings.thread_budget
    try:
        while True:
            for photo in itertools.islice(source, ahead - len(waiting)):
                waiting.append((photo, engine.pool.submit(_prepare, engine, photo, check)))
            if not waiting:
                return
            photo, future = waiting.popleft()
            yield _store(gallery, group, photo, future.result())
    finally:
        for _, future in waiting:
            future.cancel()


def summary(group: str, outcomes: Iterable[PhotoOutcome]) -> Enrolment:
    """All outcomes as one answer."""
    done = list(outcomes)
    return Enrolment(
        group=group,
        face_ids=tuple(outcome.face_id for outcome in done if outcome.face_id is not None),
        rejected=tuple(outcome.rejection for outcome in done if outcome.rejection is not None),
        persons=tuple(
            dict.fromkeys(outcome.photo.person for outcome in done if outcome.face_id is not None)
        ),
        liveness=_verdicts(done),
    )


def _verdicts(done: Sequence[PhotoOutcome]) -> tuple[LivenessVerdict, ...] | None:
    """Verdicts of the enrolled faces; None where liveness was not asked for."""
    stored = [outcome for outcome in done if outcome.face_id is not None]
    told = tuple(one.liveness for one in stored if one.liveness is not None)
    return told if told and len(told) == len(stored) else None


def _check_group(engine: Engine, gallery: Gallery, group: str) -> None:
    """Refuse a group of another model now; one that is missing is made for the first face."""
    with contextlib.suppress(NotFound):
        gallery.check_contract(gallery.group(group), engine.embedder.contract)


def _prepare(engine: Engine, photo: EnrolmentPhoto, check: LivenessCheck) -> _Prepared | Rejection:
    """Detect, judge and embed the face of one photo."""
    try:
        opened = engine.photo(photo.image)
        found = engine.represent(opened, max_faces=2).without_image()
        sha256 = opened.sha256
        refusal = _refusal(photo.name, found.detection.faces, engine.settings)
        if refusal:
            return refusal
        told = _live(engine, opened, found, check)
    except (ImageError, InvalidArgument) as error:  # InvalidArgument: landmarks that coincide
        return Rejection(photo.name, (error.code,), error.message)
    if told is not None and check.enforces and not told.live:
        return Rejection(
            photo.name,
            ("spoof_suspected",),
            living.advice(told),
        )
    return _Prepared(found, sha256, told)


def _live(
    engine: Engine, photo: Photo, found: Representation, check: LivenessCheck
) -> LivenessVerdict | None:
    """The verdict on the face that is enrolled, if it is asked for."""
    if not check.looks:
        return None
    return living.verdicts(engine, photo, [found.detection[0]], check)[0]


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


def _store(
    gallery: Gallery, group: str, photo: EnrolmentPhoto, prepared: _Prepared | Rejection
) -> PhotoOutcome:
    """Commit one face."""
    if isinstance(prepared, Rejection):
        return PhotoOutcome(photo, None, prepared)
    found = prepared.found
    gallery.ensure_group(group, contract=found.contract)
    try:
        stored = gallery.add_faces(
            group,
            photo.person,
            found.embeddings.take([0]),
            contract=found.contract,
            source_sha256=prepared.sha256,
            boxes=[found.detection[0].box],
            create_person=True,
        )
    except AlreadyExists:
        rejection = Rejection(photo.name, ("duplicate",), "This photo is enrolled already.")
        return PhotoOutcome(photo, None, rejection)
    return PhotoOutcome(photo, stored[0].id, None, prepared.liveness)


def _name(image: ImageInput, index: int) -> str:
    if isinstance(image, PathLike):
        return Path(image).name
    if isinstance(image, str) and len(image) < 4096 and not image.startswith("data:"):
        return Path(image).name
    return f"#{index + 1}"
