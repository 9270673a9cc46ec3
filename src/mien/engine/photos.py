"""PhotoEngine: what an engine does with photos alone; :class:`mien.Engine` adds decisions."""

from __future__ import annotations

from collections.abc import Sequence

from mien import config
from mien.align import Preprocessing
from mien.analysis import Analysis, FaceAnalysis
from mien.attributes import DEFAULT
from mien.attributes import check as check_actions
from mien.engine import analysing, extraction, living, looking, watching
from mien.engine.living import Liveness, LivenessCheck
from mien.engine.models import ModelEngine
from mien.image import ImageInput, Photo, open_photo
from mien.liveness.sequence import ClipVerdict
from mien.results import Detection, Representation
from mien.types import RGB, Embeddings, Faces

__all__ = ["PhotoEngine"]


class PhotoEngine(ModelEngine):
    """Detects, represents and analyses, with the models and threads of an engine.

    Its arguments are those of :class:`mien.Engine`, which says what they are.
    """

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
