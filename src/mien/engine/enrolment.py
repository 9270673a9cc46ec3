"""Enrol photos: one face each, one transaction each, and a reason for every photo refused."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from mien.engine import living
from mien.engine.enrolment_photo import (
    EnrolmentPhoto,
    Look,
    Looked,
    LookOptions,
    Prepared,
    Refused,
    look_at,
    refused,
)
from mien.engine.living import LivenessCheck
from mien.engine.lookalikes import check_calibrated, lookalike
from mien.engine.serving import engine_for
from mien.errors import (
    AlreadyExists,
    ConsentMissing,
    EmbeddingMismatch,
    ImageError,
    InvalidArgument,
    NotFound,
)
from mien.gallery.ledger import PERSON_ERASED
from mien.gallery.origins import face_of_photo
from mien.gallery.policy import DEFAULT_SETTINGS, GroupSettings
from mien.image import ImageInput
from mien.results import Enrolment, Rejection
from mien.stages import stage
from mien.types import Embeddings
from mien.verdict import LivenessVerdict

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery

__all__ = ["LOOKS_LIKE", "EnrolmentPhoto", "PhotoOutcome", "enroll_each", "photos_of", "summary"]

LOOKS_LIKE = "looks_like:"
"""A reason that begins so ends with the name of the person that a face looks like."""


@dataclass(frozen=True, slots=True)
class PhotoOutcome:
    """What became of a photo: a new face, or a rejection. It is durable when it is given.

    Attributes:
        photo: which.
        face_id: id of the new face; None when it was rejected.
        rejection: why it was rejected; None when it was enrolled.
        warning: what should be looked at, although it was enrolled.
        sha256: of the photo's file; None where it could not be read.
        known_face: id of the face that the person has of this photo already.
        liveness: the face's verdict, where liveness was asked for and a face could be judged.
    """

    photo: EnrolmentPhoto
    face_id: str | None
    rejection: Rejection | None
    warning: Rejection | None = None
    sha256: str | None = None
    known_face: str | None = None
    liveness: LivenessVerdict | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where photos go, and what the group asks of them.

    Attributes:
        job_id: the job that the photos are of, or None.
        called: ids of the persons whom the job has given a face, by the name that it calls them;
            they may be renamed meanwhile.
    """

    engine: Engine
    gallery: Gallery
    group: str
    settings: GroupSettings
    create_group: bool
    check: LivenessCheck
    look: Look
    job_id: str | None
    called: dict[str, str]


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
        names = [name_of(image, i) for i, image in enumerate(images)]
    if len(names) != len(images):
        raise InvalidArgument(f"{len(images)} images need as many names, not {len(names)}.")
    return [EnrolmentPhoto(person, image, n) for image, n in zip(images, names, strict=True)]


def enroll_each(
    engine: Engine,
    gallery: Gallery,
    group: str,
    photos: Iterable[EnrolmentPhoto],
    *,
    check: LivenessCheck | None = None,
    threads: Executor | None = None,
    ahead: int | None = None,
    create_group: bool = True,
    look: Look | None = None,
    job_id: str | None = None,
) -> Generator[PhotoOutcome, None, None]:
    """See :meth:`mien.Engine.enroll_each`.

    Args:
        engine, gallery, group, photos: as there.
        check: of liveness; None: the settings' own.
        threads: who looks at the photos; None: the engine's threads.
        ahead: photos that are looked at before their turn; None: twice the thread budget.
        create_group: make the group where it is missing.
        look: looks at a photo; None: the engine does.
        job_id: the job that the photos are of; who is erased meanwhile stays erased.

    Raises:
        NotFound: no such group, and ``create_group`` is False.
    """
    if not create_group:
        gallery.group(group)
    check = living.asked(engine, None) if check is None else check
    wanted = partial(
        _place,
        engine,
        gallery,
        group,
        create_group=create_group,
        check=check,
        look=look,
        job_id=job_id,
        called={},
    )
    place = wanted()
    pool = threads or engine.pool
    waiting: deque[tuple[EnrolmentPhoto, Future[Looked]]] = deque()
    source = iter(photos)
    ahead = ahead or 2 * engine.settings.thread_budget
    try:
        while True:
            for photo in itertools.islice(source, ahead - len(waiting)):
                waiting.append((photo, pool.submit(_prepare, place, photo)))
            if not waiting:
                return
            photo, future = waiting.popleft()
            prepared = future.result()
            try:
                outcome = _store(place, photo, prepared)
            except EmbeddingMismatch:  # the group was moved to another model meanwhile
                assert isinstance(prepared, Prepared)
                place = wanted()
                if place.engine.embedder.contract == prepared.found.contract:
                    raise
                outcome = _store(place, photo, _prepare(place, photo))
            yield outcome
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
        warnings=tuple(outcome.warning for outcome in done if outcome.warning is not None),
        liveness=_verdicts(done),
    )


def _verdicts(done: Sequence[PhotoOutcome]) -> tuple[LivenessVerdict, ...] | None:
    """Verdicts of the enrolled faces; None where liveness was not asked for."""
    stored = [outcome for outcome in done if outcome.face_id is not None]
    told = tuple(one.liveness for one in stored if one.liveness is not None)
    return told if told and len(told) == len(stored) else None


def _place(
    engine: Engine,
    gallery: Gallery,
    group: str,
    *,
    create_group: bool,
    check: LivenessCheck,
    look: Look | None,
    job_id: str | None,
    called: dict[str, str],
) -> _Place:
    """Refuse a group whose model is not here; one that is missing is made for the first face."""
    settings = DEFAULT_SETTINGS
    with contextlib.suppress(NotFound):
        found = gallery.group(group)
        engine, settings = engine_for(engine, found), found.settings
        check = check.at_least(settings)
        check_calibrated(engine, found)
    engine.load()  # here, so that a missing model is raised once and not for every photo
    if check.looks:
        _ = engine.liveness
    look = partial(look_at, engine) if look is None else look
    return _Place(engine, gallery, group, settings, create_group, check, look, job_id, called)


def _prepare(place: _Place, photo: EnrolmentPhoto) -> Looked:
    """Read, detect, judge and embed the face of one photo, unless it is enrolled already."""
    sha256 = None
    try:
        opened = place.engine.photo(photo.image() if callable(photo.image) else photo.image)
        sha256 = opened.sha256
        known = face_of_photo(place.gallery, place.group, photo.person, sha256)
        if known is not None:
            return Refused(_duplicate(photo.name), sha256, known.id)
        asked = place.settings
        options = LookOptions(photo.name, asked.min_quality, asked.images, place.check)
        return place.look(opened, options)
    except (ImageError, InvalidArgument) as error:
        return refused(photo.name, error.code, error.message, sha256)


def _store(place: _Place, photo: EnrolmentPhoto, prepared: Looked) -> PhotoOutcome:
    """Commit one face."""
    if isinstance(prepared, Refused):
        return PhotoOutcome(
            photo, None, prepared.rejection, None, prepared.sha256, prepared.known_face
        )
    found, gallery = prepared.found, place.gallery
    if place.create_group:
        made = gallery.ensure_group(place.group, contract=found.contract)
    else:
        made = gallery.group(place.group)
    warning = None
    if made.settings.duplicates != "allow":
        warning = _other(place, photo, found.embeddings.take([0]))
        if warning is not None and made.settings.duplicates == "refuse":
            return PhotoOutcome(photo, None, warning, None, prepared.sha256)
    known = place.called.get(photo.person)
    try:
        with stage("store"):
            stored = gallery.add_faces(
                place.group,
                known or photo.person,
                found.embeddings.take([0]),
                contract=found.contract,
                source_sha256=prepared.sha256,
                boxes=[found.detection[0].box],
                qualities=[prepared.quality],
                external_image_id=photo.external_image_id,
                images=[prepared.images],
                create_person=known is None,
                job_id=place.job_id,
            )
    except AlreadyExists:
        return PhotoOutcome(photo, None, _duplicate(photo.name), None, prepared.sha256)
    except NotFound as error:
        if known is None and error.details.get("reason") != PERSON_ERASED:
            raise
        gallery.group(place.group)
        rejection = Rejection(photo.name, (PERSON_ERASED,), "The person is not there any more.")
        return PhotoOutcome(photo, None, rejection, None, prepared.sha256)
    except ConsentMissing as error:
        rejection = Rejection(photo.name, (error.code,), error.message)
        return PhotoOutcome(photo, None, rejection, None, prepared.sha256)
    if place.job_id is not None:
        place.called[photo.person] = stored[0].person_id
    return PhotoOutcome(
        photo, stored[0].id, None, warning, prepared.sha256, liveness=prepared.liveness
    )


def _other(place: _Place, photo: EnrolmentPhoto, embeddings: Embeddings) -> Rejection | None:
    """Whom else of the group the face looks like."""
    group = place.gallery.group(place.group)
    contract = place.engine.embedder.contract
    hit = lookalike(place.engine, place.gallery, group, photo.person, embeddings, contract)
    if hit is None:
        return None
    return Rejection(
        photo.name,
        (f"{LOOKS_LIKE}{hit.person}",),
        f"The face looks like {hit.person!r} of this group, not only like {photo.person!r}.",
    )


def _duplicate(name: str) -> Rejection:
    return Rejection(
        name,
        ("duplicate",),
        "This photo is enrolled already.",
    )


def name_of(image: ImageInput, index: int) -> str:
    """What to call a photo whose caller gave it no name: its file name, or its number from 1."""
    if isinstance(image, PathLike):
        return Path(image).name
    if isinstance(image, str) and len(image) < 4096 and not image.startswith("data:"):
        return Path(image).name
    return f"#{index + 1}"
