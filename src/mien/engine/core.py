"""Engine: a photo goes in at one end, faces, embeddings and names come out at the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from mien import config
from mien.album import Album, Findings
from mien.analysis import Analysis, FaceAnalysis
from mien.answers import Comparison, Identification
from mien.attributes import DEFAULT, Attribute
from mien.attributes import check as check_actions
from mien.attributes import create as create_attribute
from mien.detect import Detector
from mien.detect.registry import create as create_detector
from mien.embed import Embedder
from mien.embed.registry import create as create_embedder
from mien.embed.registry import names as embedder_names
from mien.engine import albums, analysing, enrolment, recognition
from mien.errors import InvalidArgument
from mien.image import ImageInput, ImageLimits, Photo, open_photo
from mien.match.calibration import Calibration
from mien.match.decision import for_identification, for_verification
from mien.models import ModelStore
from mien.results import Detection, Enrolment, Representation
from mien.types import RGB, Embeddings, Face, Faces, Metric

if TYPE_CHECKING:
    from mien.gallery import Gallery

__all__ = ["Engine"]

# Large JPEGs are decoded down to this long side: what the detector's finest look needs.
DETECTION_SIDE = 1920

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class Engine:
    """Detects, compares, analyses, enrols and identifies.

    An engine owns its models and its threads, loads what it uses when it is first used, and may
    be called from several threads at once. Photos of one call are worked on in parallel, one
    thread each, within the settings' thread budget.

    Args:
        detector, embedder: a card's name, or an object of the protocol; None: the settings' own.
        settings: None: ``MIEN_*`` variables and ``mien.toml``.
        models: where models come from; None: a store with these settings.
        calibration: None: the embedder card's own.
        attributes: used instead of those registered under their names.

    Example:
        >>> with Engine() as engine:                               # doctest: +SKIP
        ...     engine.compare("a.jpg", "b.jpg").confidence
    """

    def __init__(
        self,
        *,
        detector: str | Detector | None = None,
        embedder: str | Embedder | None = None,
        settings: config.Settings | None = None,
        models: ModelStore | None = None,
        calibration: Calibration | None = None,
        attributes: Sequence[Attribute] = (),
    ) -> None:
        self.settings = settings or config.load()
        self.models = models or ModelStore(self.settings)
        self.limits = ImageLimits.from_settings(self.settings)
        self._detector = self.settings.detector if detector is None else detector
        self._embedder = self.settings.embedder if embedder is None else embedder
        self._calibration = calibration
        self._attributes = {one.name: one for one in attributes}
        self._lock = threading.RLock()
        self._pool: ThreadPoolExecutor | None = None
        self._inside = threading.local()

    # ------------------------------------------------------------------ models

    @property
    def detector(self) -> Detector:
        """The detector, loaded."""
        with self._lock:
            chosen = self._detector
            if isinstance(chosen, str):
                chosen = self._detector = create_detector(chosen, self.models)
            return chosen

    @property
    def embedder(self) -> Embedder:
        """The recognition model, loaded."""
        with self._lock:
            chosen = self._embedder
            if isinstance(chosen, str):
                chosen = self._embedder = create_embedder(chosen, self.models)
            return chosen

    @property
    def calibration(self) -> Calibration | None:
        """How the recognition model's similarities become confidences; None: not calibrated."""
        with self._lock:
            if self._calibration is None:
                chosen = self._embedder
                name = chosen if isinstance(chosen, str) else chosen.name
                if isinstance(chosen, str) or name in embedder_names():
                    self._calibration = Calibration.from_card(self.models.card(name, "embed"))
            return self._calibration

    def attribute(self, name: str) -> Attribute:
        """An attribute's model, loaded.

        Raises:
            InvalidArgument: no attribute of that name.
            ModelError: its weights cannot be had or run, or their licence is not accepted.
        """
        with self._lock:
            if name not in self._attributes:
                self._attributes[name] = create_attribute(name, self.models)
            return self._attributes[name]

    def load(self) -> None:
        """Fetch and open the models now, so that the first photo does not wait."""
        _ = self.detector, self.embedder, self.calibration

    # ------------------------------------------------------------------ one photo

    def photo(self, image: ImageInput) -> Photo:
        """``image`` opened under the settings' limits; a Photo passes through.

        Raises:
            ImageError: the image cannot be used.
        """
        return image if isinstance(image, Photo) else open_photo(image, limits=self.limits)

    def detect(self, image: ImageInput) -> Detection:
        """The faces of one photo, largest first.

        Raises:
            ImageError: the image cannot be used.
            ModelError: the detector cannot be had or run.
        """
        return self._detect(self.photo(image))

    def represent(self, image: ImageInput, *, max_faces: int | None = None) -> Representation:
        """The faces of one photo, largest first, and their embeddings.

        Args:
            image: the photo.
            max_faces: only the largest so many; None: all.

        Raises:
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run.
        """
        photo = self.photo(image)
        detection = self._detect(photo)
        if max_faces is not None:
            detection = detection.first(max_faces)
        embeddings = self.embed(photo, detection.faces)
        return Representation(detection, embeddings, self.embedder.contract)

    def analyze(
        self,
        image: ImageInput,
        *,
        actions: Sequence[str] = DEFAULT,
        max_faces: int | None = None,
    ) -> Analysis:
        """The faces of one photo, largest first, and their attributes.

        Args:
            image: the photo.
            actions: names of attributes, see :func:`mien.attributes.names`.
            max_faces: only the largest so many; None: all.

        Raises:
            InvalidArgument: an attribute that there is not.
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run, or its licence is not accepted.

        Example:
            >>> with Engine() as engine:                               # doctest: +SKIP
            ...     engine.analyze("a.jpg")[0]["age"].value
        """
        photo = self.photo(image)
        wanted = check_actions(actions)
        detection = self._detect(photo)
        if max_faces is not None:
            detection = detection.first(max_faces)
        found = self.analyze_faces(photo, detection.faces, actions=wanted)
        return Analysis(detection, found, wanted)

    def analyze_faces(
        self,
        image: ImageInput,
        faces: Faces,
        *,
        actions: Sequence[str] = DEFAULT,
    ) -> tuple[FaceAnalysis, ...]:
        """The attributes of faces that were detected in ``image``, in their order.

        Args:
            image: the photo.
            faces: in the photo's pixels.
            actions: as for :meth:`analyze`, which says what is raised.
        """
        chosen = [self.attribute(action) for action in check_actions(actions)]
        return analysing.analyze_faces(self, self.photo(image), faces, chosen)

    def detection_pixels(self, photo: Photo) -> RGB:
        """The photo as detection gets to see it: a large JPEG is decoded smaller."""
        return photo.scaled(DETECTION_SIDE)

    def _detect(self, photo: Photo) -> Detection:
        pixels = self.detection_pixels(photo)
        found = self.detector.detect([pixels])[0]
        scale = (photo.width / pixels.shape[1], photo.height / pixels.shape[0])
        faces = found.scaled(*scale, size_hw=(photo.height, photo.width))
        return Detection(photo.width, photo.height, faces, self.detector.name, pixels)

    def embed(self, image: ImageInput, faces: Faces) -> Embeddings:
        """The embeddings of faces that were detected in ``image``, in their order.

        Args:
            image: the photo.
            faces: with landmarks, in the photo's pixels.

        Raises:
            ImageError: the image cannot be used.
            ModelError: the recognition model cannot be had or run.
        """
        photo, embedder = self.photo(image), self.embedder
        if not len(faces):
            height, width = embedder.size_hw
            return embedder.embed(np.zeros((0, height, width, 3), np.uint8))
        parts = self.map(lambda face: embedder.embed(self._crop(photo, face)[None]), faces)
        return Embeddings(
            np.concatenate([part.vector for part in parts]),
            np.concatenate([part.norm for part in parts]),
        )

    def _crop(self, photo: Photo, face: Face) -> NDArray[np.uint8]:
        """The aligned crop, from the full-size photo where a smaller decode would cost detail."""
        embedder = self.embedder
        pixels = self.detection_pixels(photo)
        scale = pixels.shape[1] / photo.width
        if scale < 1 and face.box.width * scale < embedder.size_hw[1]:
            pixels, scale = photo.pixels(), 1.0
        return embedder.crop(pixels, face.scaled(scale))

    # ------------------------------------------------------------------ several photos

    def detect_batch(self, images: Sequence[ImageInput]) -> list[Detection]:
        """:meth:`detect` for each photo, in parallel, in the order given.

        The results do not carry their photos, so that memory does not grow with their number.
        """
        return self.map(lambda image: self.detect(image).without_image(), images)

    def represent_batch(
        self, images: Sequence[ImageInput], *, max_faces: int | None = None
    ) -> list[Representation]:
        """:meth:`represent` for each photo, as :meth:`detect_batch` does it."""
        return self.map(
            lambda image: self.represent(image, max_faces=max_faces).without_image(), images
        )

    def analyze_batch(
        self,
        images: Sequence[ImageInput],
        *,
        actions: Sequence[str] = DEFAULT,
        max_faces: int | None = None,
    ) -> list[Analysis]:
        """:meth:`analyze` for each photo, as :meth:`detect_batch` does it."""
        return self.map(
            lambda image: self.analyze(image, actions=actions, max_faces=max_faces).without_image(),
            images,
        )

    def compare(
        self,
        a: ImageInput,
        b: ImageInput,
        *,
        fmr: float | None = None,
        threshold: float | None = None,
        metric: Metric | None = None,
    ) -> Comparison:
        """The largest face of ``a`` against every face of ``b``.

        Args:
            a, b: the photos.
            fmr: decide on confidence, at this false-match rate (default 1e-3).
            threshold: decide on similarity, at this value; not together with ``fmr``.
            metric: the unit of ``similarity``; None: the model's own.

        Raises:
            NoFaceFound: a photo shows no face; ``details["image"]`` is ``a`` or ``b``.
            InvalidArgument: ``fmr`` and ``threshold`` together, or a rate outside (0, 1).
            ImageError, ModelError: as for :meth:`represent`.
        """
        decision = for_verification(self.calibration, fmr=fmr, threshold=threshold)
        return recognition.compare(self, a, b, decision=decision, metric=metric)

    # ------------------------------------------------------------------ albums

    def cluster(
        self,
        images: Sequence[ImageInput],
        *,
        names: Sequence[str] | None = None,
        threshold: float | None = None,
        watch: Callable[[albums.Seen], None] | None = None,
    ) -> Album:
        """Sort photos by who is in them, without anybody having said who they are.

        Two faces of one photo are never put together. Source of the method, and what it
        measured: :mod:`mien.match.clustering`, docs/reference/albums.md.

        Args:
            images: the photos; they are read one by one, so there may be many.
            names: what to call them in the answer; None: file names or numbers.
            threshold: mean similarity from which faces are put together, between 0 and 1; None:
                chosen by the calibration for so many faces.
            watch: called with every photo, in order, while its pixels are still there.

        Raises:
            InvalidArgument: a threshold out of range, or none where the recognition model has no
                calibration.
            ModelError: a model cannot be had or run.
        """
        return albums.sort_by_person(self, images, names=names, threshold=threshold, watch=watch)

    def find(
        self,
        probe: ImageInput,
        images: Sequence[ImageInput],
        *,
        names: Sequence[str] | None = None,
        fmr: float | None = None,
        threshold: float | None = None,
    ) -> Findings:
        """All photos that show the person of the largest face of ``probe``, the surest first.

        Args:
            probe: the person to look for.
            images: the photos to look through; they are read one by one.
            names: what to call them in the answer; None: file names or numbers.
            fmr: decide on confidence, at this false-match rate of one face (default 1e-3).
            threshold: decide on similarity, at this value; not together with ``fmr``.

        Raises:
            NoFaceFound: ``probe`` shows no face.
            InvalidArgument, ImageError, ModelError: as for :meth:`compare`.
        """
        decision = for_verification(self.calibration, fmr=fmr, threshold=threshold)
        return albums.find(self, probe, images, names=names, decision=decision)

    # ------------------------------------------------------------------ with a gallery

    def enroll(
        self,
        gallery: Gallery,
        group: str,
        person: str,
        images: Sequence[ImageInput],
        *,
        names: Sequence[str] | None = None,
    ) -> Enrolment:
        """Enrol one person's photos; the group and the person are made when they are missing.

        Each photo is one transaction: accepted ones are durable when this returns. Photos that
        cannot be enrolled are in ``rejected`` with their reasons and change nothing.

        Args:
            gallery: where to.
            group, person: names.
            images: photos of this person; the largest face of each is enrolled.
            names: what to call the photos in ``rejected``; None: file names or numbers.

        Raises:
            EmbeddingMismatch: the group is pinned to another recognition model.
            InvalidArgument: a name that cannot be.
            GalleryError, ModelError: the gallery or a model cannot be used.
        """
        photos = enrolment.photos_of(person, images, names)
        return enrolment.summary(group, self.enroll_each(gallery, group, photos))

    def enroll_each(
        self, gallery: Gallery, group: str, photos: Iterable[enrolment.EnrolmentPhoto]
    ) -> Iterator[enrolment.PhotoOutcome]:
        """Enrol photos of many persons, one after the other, looking a few ahead.

        Yields each photo's outcome after its transaction has been committed, in order.
        """
        return enrolment.enroll_each(self, gallery, group, photos)

    def identify(
        self,
        gallery: Gallery,
        group: str,
        image: ImageInput,
        *,
        top: int = 5,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> Identification:
        """Who of the group is in the photo? An unknown face has no candidates.

        Args:
            gallery, group: where to search.
            image: the photo; every face is searched.
            top: candidates for each face at most, at least 1.
            fpir: decide on confidence, at this false-positive identification rate for the
                group's present size (default 1e-2).
            threshold: decide on similarity, at this value; not together with ``fpir``.

        Raises:
            NotFound: no such group.
            EmbeddingMismatch: the group is pinned to another recognition model.
            InvalidArgument: ``fpir`` and ``threshold`` together, or out of range.
            ImageError, ModelError: as for :meth:`represent`.
        """
        if top < 1:
            raise InvalidArgument("top must be at least 1.")
        size = gallery.size(group)
        decision = for_identification(
            self.calibration, gallery_size=size, fpir=fpir, threshold=threshold
        )
        return recognition.identify(
            self, gallery, group, image, top=top, decision=decision, gallery_size=size
        )

    def verify(
        self,
        gallery: Gallery,
        group: str,
        person: str,
        image: ImageInput,
        *,
        fmr: float | None = None,
        threshold: float | None = None,
    ) -> Comparison:
        """Is the largest face of the photo this person of the group?

        Raises:
            NotFound: no such group or person, or the person has no face.
            NoFaceFound: the photo shows no face.
            EmbeddingMismatch, InvalidArgument, ImageError, ModelError: as for :meth:`identify`.
        """
        decision = for_verification(self.calibration, fmr=fmr, threshold=threshold)
        return recognition.verify(self, gallery, group, person, image, decision=decision)

    # ------------------------------------------------------------------ threads and life

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """``function`` of each item on the engine's threads, in order.

        A call from inside such a function runs its items one after the other, so that the budget
        holds and nothing waits for itself.
        """
        work = list(items)
        if len(work) < 2 or self.settings.thread_budget < 2 or getattr(self._inside, "yes", False):
            return [function(item) for item in work]
        return list(self.pool.map(function, work))

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The engine's threads."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(
                    self.settings.thread_budget, "mien", initializer=self._enter_thread
                )
            return self._pool

    def _enter_thread(self) -> None:
        self._inside.yes = True

    def close(self) -> None:
        """Finish running work and let the threads go. The engine can be used again."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
