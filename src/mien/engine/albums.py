"""Albums: sort photos by who is in them, and find all photos of one person."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mien.album import Album, AlbumFace, AlbumPerson, Finding, Findings
from mien.engine.enrolment import name_of
from mien.errors import ImageError, InvalidArgument, NoFaceFound
from mien.image import ImageInput
from mien.match import metrics
from mien.match.clustering import cluster
from mien.match.decision import Decision
from mien.results import Rejection, Representation
from mien.types import Embeddings

if TYPE_CHECKING:
    from mien.engine.core import Engine

__all__ = ["Seen", "album_threshold", "find", "sort_by_person"]

FALSE_NEIGHBOURS = 0.1
"""Of how many faces, one in ten, a stranger may be as like as the album's threshold."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """A photo that was looked through.

    Attributes:
        number: its place among the photos; name: what it is called.
        found: its faces and their embeddings, with the pixels that were looked at; None where it
            could not be used.
        rejection: why not.
    """

    number: int
    name: str
    found: Representation | None
    rejection: Rejection | None


def sort_by_person(
    engine: Engine,
    images: Sequence[ImageInput],
    *,
    names: Sequence[str] | None,
    threshold: float | None,
    watch: Callable[[Seen], None] | None = None,
) -> Album:
    """See :meth:`mien.Engine.cluster`; ``watch`` gets each photo while its pixels are there."""
    called = _names(images, names)
    faces: list[AlbumFace] = []
    parts: list[Embeddings] = []
    rejected: list[Rejection] = []
    for seen in _look_through(engine, images, called):
        if watch is not None:
            watch(seen)
        if seen.rejection is not None:
            rejected.append(seen.rejection)
        if seen.found is None:
            continue
        parts.append(seen.found.embeddings)
        faces += [
            AlbumFace(seen.number, seen.name, face.box, float(norm))
            for face, norm in zip(seen.found.detection, seen.found.embeddings.norm, strict=True)
        ]
    chosen = album_threshold(engine, len(faces)) if threshold is None else threshold
    persons = _persons(faces, parts, chosen)
    return Album(tuple(called), persons, tuple(rejected), chosen, engine.embedder.name)


def album_threshold(engine: Engine, faces: int) -> float:
    """The similarity that one face in ten of an album has to some stranger in it, or fewer.

    The false-match rate is ``0.1 / faces``: a larger album has more strangers to be mistaken for.

    Raises:
        InvalidArgument: the recognition model has no calibration, or is not compared by cosine.
    """
    if engine.embedder.metric != "cosine":
        raise InvalidArgument(
            f"Albums need embeddings that are compared by cosine; {engine.embedder.name} has "
            f"{engine.embedder.metric}."
        )
    if engine.calibration is None:
        raise InvalidArgument(
            f"{engine.embedder.name} has no calibration: give threshold= (mean similarity of two "
            "persons' faces from which they are put together)."
        )
    return engine.calibration.threshold(FALSE_NEIGHBOURS / max(1, faces)).similarity


def find(
    engine: Engine,
    probe: ImageInput,
    images: Sequence[ImageInput],
    *,
    names: Sequence[str] | None,
    decision: Decision,
) -> Findings:
    """See :meth:`mien.Engine.find`."""
    wanted = engine.represent(probe, max_faces=1)
    if not len(wanted):
        raise NoFaceFound(
            "No face was found in the photo of the person to look for.",
            details={"image": "probe"},
        )
    found: list[tuple[float, int, Finding]] = []
    rejected: list[Rejection] = []
    faces = photos = 0
    for seen in _look_through(engine, images, _names(images, names)):
        photos += 1
        if seen.rejection is not None:
            rejected.append(seen.rejection)
        if seen.found is None or not len(seen.found):
            continue
        faces += len(seen.found)
        score, finding = _best(engine, wanted.embeddings, seen.name, seen.found, decision)
        if decision.passes(np.array(score)):
            found.append((-score, seen.number, finding))
    return Findings(
        found=tuple(finding for _, _, finding in sorted(found, key=lambda row: row[:2])),
        photos=photos,
        faces=faces,
        rejected=tuple(rejected),
        decided_on=decision.decided_on,
        threshold=decision.threshold,
        fmr=decision.rate,
        embedder=engine.embedder.name,
        detector=engine.detector.name,
    )


def _best(
    engine: Engine, wanted: Embeddings, name: str, found: Representation, decision: Decision
) -> tuple[float, Finding]:
    """The face of a photo that is most like the person, and the score that decides."""
    own = metrics.similarity(wanted.vector, found.embeddings.vector, engine.embedder.metric)[0]
    confidence = None
    if engine.calibration is not None:
        confidence = engine.calibration.confidence(own, wanted.norm[0], found.embeddings.norm)
    scores = decision.scores(own, confidence)
    best = int(np.argmax(scores))
    sure = None if confidence is None else float(confidence[best])
    finding = Finding(name, found.detection[best].box, float(own[best]), sure)
    return float(scores[best]), finding


def _persons(
    faces: Sequence[AlbumFace], parts: Sequence[Embeddings], threshold: float
) -> tuple[AlbumPerson, ...]:
    if not faces:
        return ()
    vectors = np.concatenate([part.vector for part in parts])
    labels = cluster(vectors, threshold=threshold, photos=[face.photo for face in faces])
    members: list[list[AlbumFace]] = [[] for _ in range(int(labels.max()) + 1)]
    for face, label in zip(faces, labels.tolist(), strict=True):
        members[label].append(face)
    digits = max(4, len(str(len(members))))
    return tuple(
        AlbumPerson(f"person-{number:0{digits}d}", tuple(sorted(one, key=lambda face: -face.norm)))
        for number, one in enumerate(members, 1)
    )


def _look_through(
    engine: Engine, images: Sequence[ImageInput], names: Sequence[str]
) -> Iterator[Seen]:
    """Detect and embed photo after photo on the engine's threads, a few ahead, in order."""
    engine.load()
    waiting: deque[Future[Seen]] = deque()
    source: Iterable[tuple[int, tuple[ImageInput, str]]] = enumerate(
        zip(images, names, strict=True)
    )
    source = iter(source)
    ahead = 2 * engine.settings.thread_budget
    try:
        while True:
            for number, (image, name) in itertools.islice(source, ahead - len(waiting)):
                waiting.append(engine.pool.submit(_look, engine, number, name, image))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _look(engine: Engine, number: int, name: str, image: ImageInput) -> Seen:
    try:
        return Seen(number, name, engine.represent(image), None)
    except (ImageError, InvalidArgument) as error:  # InvalidArgument: landmarks that coincide
        return Seen(number, name, None, Rejection(name, (error.code,), error.message))


def _names(images: Sequence[ImageInput], names: Sequence[str] | None) -> list[str]:
    if names is None:
        return [name_of(image, number) for number, image in enumerate(images)]
    if len(names) != len(images):
        raise InvalidArgument(f"{len(images)} photos need {len(images)} names, not {len(names)}.")
    return list(names)
