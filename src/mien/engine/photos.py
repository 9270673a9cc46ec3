"""PhotoEngine: what an engine does with photos alone; :class:`mien.Engine` adds decisions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from mien import config
from mien.align import Preprocessing
from mien.analysis import Analysis, FaceAnalysis
from mien.attributes import DEFAULT, Attribute
from mien.attributes import check as check_actions
from mien.attributes.face_mesh import MeshReader
from mien.detect import Detector
from mien.embed import Embedder
from mien.engine import analysing, extraction, living, looking, watching
from mien.engine.living import Liveness, LivenessCheck
from mien.engine.loaded import Loaded
from mien.engine.serving import Embedders
from mien.engine.threads import Threads
from mien.image import ImageInput, ImageLimits, Photo, open_photo
from mien.liveness import PassiveLiveness
from mien.liveness.sequence import ClipVerdict
from mien.match.calibration import Calibration
from mien.models import ModelStore
from mien.results import Detection, Representation
from mien.types import RGB, Embeddings, Faces

__all__ = ["PhotoEngine"]

Item = TypeVar("Item")
Answer = TypeVar("Answer")


class PhotoEngine:
    """Detects, represents and analyses, with the models and threads of an engine.

    Its arguments are those of :class:`mien.Engine`, which says what they are.
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
        liveness: PassiveLiveness | None = None,
        embedders: Sequence[Embedder] = (),
        mesh: MeshReader | None = None,
    ) -> None:
        self.settings = settings or config.load()
        self.models = models or ModelStore(self.settings)
        self.limits = ImageLimits.from_settings(self.settings)
        self._loaded = Loaded(
            detector=self.settings.detector if detector is None else detector,
            embedder=self.settings.embedder if embedder is None else embedder,
            models=self.models,
            calibration=calibration,
            attributes=attributes,
            liveness=liveness,
            mesh=mesh,
        )
        self._threads = Threads(self.settings.thread_budget)
        self.embedders = Embedders(embedders, self.models)
        self._beside: dict[int, tuple[Embedder, Self]] = {}  # by the identity of their embedder

    # ------------------------------------------------------------------ models

    @property
    def detector(self) -> Detector:
        """The detector, loaded."""
        return self._loaded.detector

    @property
    def embedder(self) -> Embedder:
        """The recognition model, loaded."""
        return self._loaded.embedder

    @property
    def embedder_name(self) -> str:
        """Card name of the recognition model, which need not be loaded."""
        return self._loaded.embedder_name

    def with_embedder(self, embedder: Embedder) -> Self:
        """An engine of the same models and threads, but for its recognition model.

        It needs no closing of its own, and is the same one when it is asked for again.
        """
        beside = self._beside.get(id(embedder))
        if beside is None:
            other = copy.copy(self)
            other._loaded = self._loaded.with_embedder(embedder)
            beside = self._beside.setdefault(id(embedder), (embedder, other))
        return beside[1]

    @property
    def calibration(self) -> Calibration | None:
        """How the recognition model's similarities become confidences; None: not calibrated."""
        return self._loaded.calibration

    def attribute(self, name: str) -> Attribute:
        """An attribute's model, loaded.

        Raises:
            InvalidArgument: no attribute of that name.
            ModelError: its weights cannot be had or run, or their licence is not accepted.
        """
        return self._loaded.attribute(name)

    @property
    def liveness(self) -> PassiveLiveness:
        """The liveness check, loaded.

        Raises:
            WeightsMissing: its nets are not in the cache and cannot be fetched.
        """
        return self._loaded.liveness

    @property
    def mesh_reader(self) -> MeshReader:
        """What finds the mesh and the movements of a face, loaded.

        Raises:
            ModelError: its weights cannot be had or run.
        """
        return self._loaded.mesh_reader

    def load(self) -> None:
        """Fetch and open the models now, so that the first photo does not wait."""
        _ = self.detector, self.embedder, self.calibration

    def release(self) -> None:
        """Let the models go and give their memory back; they are loaded again when needed.

        Calls that are under way end as if nothing had happened. Models that were given as objects
        stay. Of engines that share ``models``, the nets of all are closed.
        """
        self._loaded.release()
        self.embedders.release()
        self._beside.clear()
        self.models.release()

    # ------------------------------------------------------------------ one photo

    def photo(self, image: ImageInput) -> Photo:
        """``image`` opened under the settings' limits; a Photo passes through.

        Raises:
            ImageError: the image cannot be used.
        """
        return image if isinstance(image, Photo) else open_photo(image, limits=self.limits)

    def detect(self, image: ImageInput, *, liveness: Liveness = None) -> Detection:
        """The faces of one photo, largest first.

        Args:
            image: the photo.
            liveness: ``off``, ``observe`` or ``enforce``, or a :class:`LivenessCheck`; None: the
                settings' own.

        Raises:
            SpoofSuspected: liveness is enforced, and a face is not taken for live.
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run.
        """
        check, photo = living.asked(self, liveness), self.photo(image)
        return living.detected(self, photo, looking.detect(self, photo), check)

    def check_liveness(
        self,
        image: ImageInput,
        *,
        condition: config.LivenessCondition | None = None,
        max_faces: int | None = None,
    ) -> Analysis:
        """The faces of one photo, largest first, each with its ``"liveness"``.

        Args:
            image: the photo, not cropped to the face: what is around it says most.
            condition: ``weak``, ``balanced`` or ``strict``; None: the settings' own.
            max_faces: only the largest so many; None: all.

        Raises:
            WeightsMissing: the nets are not in the cache and cannot be fetched.
            InvalidArgument: no such condition.
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run.

        Example:
            >>> with Engine() as engine:                               # doctest: +SKIP
            ...     engine.check_liveness("a.jpg")[0]["liveness"].live
        """
        check = LivenessCheck("observe", condition or self.settings.liveness_condition)
        photo = self.photo(image)
        detection = looking.detect(self, photo)
        if max_faces is not None:
            detection = detection.first(max_faces)
        plain = Analysis(detection, tuple(FaceAnalysis(face, {}) for face in detection))
        return living.analysed(self, photo, plain, check)

    def check_liveness_clip(
        self,
        frames: Sequence[ImageInput],
        *,
        times_s: Sequence[float] | None = None,
        condition: config.LivenessCondition | None = None,
    ) -> ClipVerdict:
        """Whether the largest face of a short clip is a live one: no challenge, only watching.

        Args:
            frames: in order, of one camera; 2 to 600, and not cropped to the face.
            times_s: when each was taken, seconds; None: not known, and nothing is said about it.
            condition: ``weak``, ``balanced`` or ``strict``; None: the settings' own.

        Raises:
            WeightsMissing: the nets are not in the cache and cannot be fetched.
            InvalidArgument: no such condition, or too few or too many frames.
            ImageError: a frame cannot be used.
            ModelError: a model cannot be had or run.

        Example:
            >>> with Engine() as engine:                               # doctest: +SKIP
            ...     engine.check_liveness_clip(["1.jpg", "2.jpg", "3.jpg"]).verdict
        """
        check = LivenessCheck("observe", condition or self.settings.liveness_condition)
        return watching.check_clip(self, frames, times_s=times_s, check=check)

    def extract_faces(
        self,
        image: ImageInput,
        preprocessing: Preprocessing | None = None,
        *,
        max_faces: int | None = None,
    ) -> extraction.Extraction:
        """The faces of one photo, largest first, cut out.

        Args:
            image: the photo.
            preprocessing: how; None: aligned by five landmarks, 112 x 112 pixels.
            max_faces: only the largest so many; None: all.

        Raises:
            NoFaceFound: there is none, and ``preprocessing`` enforces detection.
            ImageError: the image cannot be used.
            ModelError: the detector cannot be had or run.

        Example:
            >>> with Engine() as engine:                               # doctest: +SKIP
            ...     engine.extract_faces("a.jpg", Preprocessing(align="eyes"))[0].crop
        """
        chosen = preprocessing or Preprocessing()
        return extraction.extract_faces(self, self.photo(image), chosen, max_faces=max_faces)

    def represent(
        self,
        image: ImageInput,
        *,
        max_faces: int | None = None,
        preprocessing: Preprocessing | None = None,
    ) -> Representation:
        """The faces of one photo, largest first, and their embeddings.

        Args:
            image: the photo.
            max_faces: only the largest so many; None: all.
            preprocessing: None: as the model's card says, and a photo may show no face. Anything
                that changes the crop or its pixels gives embeddings of another contract, which
                can be compared with their like and with nothing else.

        Raises:
            NoFaceFound: there is none, and ``preprocessing`` enforces detection.
            InvalidArgument: a size or a normalisation that the model cannot take.
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run.
        """
        if preprocessing is not None:
            photo = self.photo(image)
            return extraction.represent(self, photo, preprocessing, max_faces=max_faces)
        photo = self.photo(image)
        detection = looking.detect(self, photo)
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
        liveness: Liveness = None,
    ) -> Analysis:
        """The faces of one photo, largest first, and their attributes.

        Args:
            image: the photo.
            actions: names of attributes, see :func:`mien.attributes.names`.
            max_faces: only the largest so many; None: all.
            liveness: ``off``, ``observe`` or ``enforce``, or a :class:`LivenessCheck`; None: the
                settings' own.

        Raises:
            SpoofSuspected: liveness is enforced, and a face is not taken for live.
            InvalidArgument: an attribute that there is not.
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run, or its licence is not accepted.

        Example:
            >>> with Engine() as engine:                               # doctest: +SKIP
            ...     engine.analyze("a.jpg")[0]["age"].value
        """
        photo = self.photo(image)
        wanted, check = check_actions(actions), living.asked(self, liveness)
        detection = looking.detect(self, photo)
        if max_faces is not None:
            detection = detection.first(max_faces)
        others = [action for action in wanted if not (check.looks and action == "liveness")]
        found = tuple(FaceAnalysis(face, {}) for face in detection)
        if others:
            found = self.analyze_faces(photo, detection.faces, actions=others)
        return living.analysed(self, photo, Analysis(detection, found, wanted), check)

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

    def landmarks(
        self, image: ImageInput, *, model: str = "mediapipe478", max_faces: int | None = None
    ) -> Analysis:
        """The faces of one photo, largest first, each with its ``"landmarks"``.

        Args:
            image: the photo.
            model: ``mediapipe478``, ``landmarks68`` or another of :func:`mien.landmarks.names`.
            max_faces: only the largest so many; None: all.

        Raises:
            UnknownModel: no landmark model of that name.
            ImageError: the image cannot be used.
            ModelError: a model cannot be had or run.

        Example:
            >>> with Engine() as engine:                               # doctest: +SKIP
            ...     engine.landmarks("a.jpg")[0]["landmarks"].named()["noseTip"]
        """
        photo = self.photo(image)
        chosen = self._loaded.landmark_model(model)
        detection = looking.detect(self, photo)
        if max_faces is not None:
            detection = detection.first(max_faces)
        found = analysing.landmarks_of(self, photo, detection.faces, chosen)
        return Analysis(detection, found, ("landmarks",))

    def detection_pixels(self, photo: Photo) -> RGB:
        """The photo as detection gets to see it: a large JPEG is decoded smaller."""
        return looking.detection_pixels(photo)

    def embed(self, image: ImageInput, faces: Faces) -> Embeddings:
        """The embeddings of faces that were detected in ``image``, in their order.

        Args:
            image: the photo.
            faces: with landmarks, in the photo's pixels.

        Raises:
            ImageError: the image cannot be used.
            ModelError: the recognition model cannot be had or run.
        """
        return looking.embed(self, self.photo(image), faces)

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

    # ------------------------------------------------------------------ threads and life

    def map(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> list[Answer]:
        """``function`` of each item on the engine's threads, in order.

        A call from inside such a function runs its items one after the other, so that the budget
        holds and nothing waits for itself.
        """
        return self._threads.map(function, items)

    @property
    def pool(self) -> ThreadPoolExecutor:
        """The engine's threads."""
        return self._threads.pool

    def close(self) -> None:
        """Finish running work and let the threads go. The engine can be used again."""
        self._threads.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
