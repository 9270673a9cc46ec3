"""Engine: a photo goes in at one end, faces, embeddings and names come out at the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from os import PathLike
from typing import TYPE_CHECKING

from mien.album import Album, Findings
from mien.answers import Comparison, Identification
from mien.embed import Embedder
from mien.engine import albums, enrolment, living, recognition, reembedding, searching
from mien.engine.living import Liveness, LivenessCheck
from mien.engine.noting import note_identification, note_verification
from mien.engine.photos import PhotoEngine
from mien.engine.reembedding import Reembedding
from mien.engine.serving import with_group
from mien.errors import InvalidArgument
from mien.image import ImageInput
from mien.match.decision import for_identification, for_verification
from mien.matches import TemplateMatches
from mien.results import Enrolment
from mien.types import EmbeddingContract, Embeddings, Metric

if TYPE_CHECKING:
    from mien.gallery import Gallery, Group

__all__ = ["Engine"]


class Engine(PhotoEngine):
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
        liveness: used instead of the registered liveness nets.
        embedders: recognition models beside ``embedder``, for groups that are pinned to theirs.
            Those that are registered need not be given: they are loaded when a group needs them.
        mesh: used instead of MediaPipe's nets where a sequence of frames is watched.

    Example:
        >>> with Engine() as engine:                               # doctest: +SKIP
        ...     engine.compare("a.jpg", "b.jpg").confidence
    """

    def compare(
        self,
        a: ImageInput,
        b: ImageInput,
        *,
        fmr: float | None = None,
        threshold: float | None = None,
        metric: Metric | None = None,
        liveness: Liveness = None,
    ) -> Comparison:
        """The largest face of ``a`` against every face of ``b``.

        Args:
            a, b: the photos.
            fmr: decide on confidence, at this false-match rate (default 1e-3).
            threshold: decide on similarity, at this value; not together with ``fmr``.
            metric: the unit of ``similarity``; None: the model's own.
            liveness: of the largest face of ``a`` and the face of ``b`` that decides:
                ``off``, ``observe`` or ``enforce``, or a :class:`LivenessCheck`; None: the
                settings' own.

        Raises:
            SpoofSuspected: liveness is enforced, and a face is not taken for live.
            NoFaceFound: a photo shows no face; ``details["image"]`` is ``a`` or ``b``.
            InvalidArgument: ``fmr`` and ``threshold`` together, or a rate outside (0, 1).
            ImageError, ModelError: as for :meth:`represent`.
        """
        decision = for_verification(self.calibration, fmr=fmr, threshold=threshold)
        check = living.asked(self, liveness)
        return recognition.compare(self, a, b, decision=decision, metric=metric, check=check)

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
        liveness: Liveness = None,
    ) -> Enrolment:
        """Enrol one person's photos; the group and the person are made when they are missing.

        Each photo is one transaction: accepted ones are durable when this returns. Photos that
        cannot be enrolled are in ``rejected`` with their reasons and change nothing.

        Args:
            gallery: where to.
            group, person: names.
            images: photos of this person; the largest face of each is enrolled.
            names: what to call the photos in ``rejected``; None: file names or numbers.
            liveness: as for :meth:`detect`; a face that is not taken for live is rejected, for
                the reason ``spoof_suspected``.

        Raises:
            EmbeddingMismatch: the group is pinned to a recognition model that is not here.
            InvalidArgument: a name that cannot be.
            GalleryError, ModelError: the gallery or a model cannot be used.
        """
        photos = enrolment.photos_of(person, images, names)
        done = self.enroll_each(gallery, group, photos, liveness=liveness)
        return enrolment.summary(group, done)

    def enroll_each(
        self,
        gallery: Gallery,
        group: str,
        photos: Iterable[enrolment.EnrolmentPhoto],
        *,
        liveness: Liveness = None,
    ) -> Iterator[enrolment.PhotoOutcome]:
        """Enrol photos of many persons, one after the other, looking a few ahead.

        Yields each photo's outcome after its transaction has been committed, in order.
        """
        check = living.asked(self, liveness)
        return enrolment.enroll_each(self, gallery, group, photos, check=check)

    def identify(
        self,
        gallery: Gallery,
        group: str,
        image: ImageInput,
        *,
        top: int = 5,
        fpir: float | None = None,
        threshold: float | None = None,
        liveness: Liveness = None,
    ) -> Identification:
        """Who of the group is in the photo? An unknown face has no candidates.

        Args:
            gallery, group: where to search, with the model that the group is pinned to.
            image: the photo; every face is searched.
            top: candidates for each face at most, at least 1.
            fpir: decide on confidence, at this false-positive identification rate for the
                group's present size (default 1e-2).
            threshold: decide on similarity, at this value; not together with ``fpir``.
            liveness: as for :meth:`detect`. Where it is enforced, a face that is not taken for
                live is not searched and has no candidates.

        Raises:
            SpoofSuspected: liveness is enforced, and no face is taken for live.
            NotFound: no such group.
            EmbeddingMismatch: the group is pinned to a recognition model that is not here.
            InvalidArgument: ``fpir`` and ``threshold`` together, or out of range.
            ImageError, ModelError: as for :meth:`represent`.
        """
        if top < 1:
            raise InvalidArgument("top must be at least 1.")
        check = living.asked(self, liveness)

        def work(engine: Engine, pinned: Group) -> tuple[Identification, LivenessCheck, Group]:
            decision = for_identification(
                engine.calibration, gallery_size=pinned.faces, fpir=fpir, threshold=threshold
            )
            wanted = check.at_least(pinned.settings)
            options = recognition.Search(top, decision, pinned.faces, wanted)
            found = recognition.identify(engine, gallery, group, image, options=options)
            return found, wanted, pinned

        found, asked, searched = with_group(self, gallery, group, work)
        persons = [[one.person_id for one in face.candidates] for face in found.faces]
        best = [each[0] for each in persons if each]
        note_identification(self.settings, gallery, searched, persons, best, liveness=asked.policy)
        return found

    def search(
        self,
        gallery: Gallery,
        group: str,
        embeddings: Embeddings,
        *,
        contract: EmbeddingContract,
        top: int = 5,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> TemplateMatches:
        """Who of the group each template may be; as :meth:`identify`, without a photo.

        Nothing can be said about liveness.

        Args:
            gallery, group: where to search.
            embeddings: of n faces, of unit length; a norm that is not known is NaN.
            contract: what they were made with.
            top, fpir, threshold: as for :meth:`identify`.

        Raises:
            EmbeddingMismatch: ``contract`` is not the group's, or its model is not here.
            NotFound, InvalidArgument, ModelError: as for :meth:`identify`.
        """
        wish = searching.Wish(top, fpir, threshold)
        return searching.search(self, gallery, group, embeddings, contract, wish)

    def search_face(
        self,
        gallery: Gallery,
        group: str,
        face_id: str,
        *,
        own: bool = False,
        top: int = 5,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> TemplateMatches:
        """Who else of the group an enrolled face may be, such as the same person enrolled twice.

        Args:
            gallery, group: where; face_id: of a face in it.
            own: the person whose face it is may be a candidate too.
            top, fpir, threshold: as for :meth:`identify`.

        Raises:
            NotFound: no such group or face.
            EmbeddingMismatch, InvalidArgument, ModelError: as for :meth:`identify`.
        """
        wish = searching.Wish(top, fpir, threshold)
        return searching.search_face(self, gallery, group, face_id, own=own, wish=wish)

    def verify(
        self,
        gallery: Gallery,
        group: str,
        person: str,
        image: ImageInput,
        *,
        fmr: float | None = None,
        threshold: float | None = None,
        liveness: Liveness = None,
    ) -> Comparison:
        """Is the largest face of the photo this person of the group?

        ``fmr``, ``threshold``: as for :meth:`compare`; ``liveness``: as for :meth:`detect`.

        Raises:
            SpoofSuspected: liveness is enforced, and a face is not taken for live.
            NotFound: no such group or person, or the person has no face.
            NoFaceFound: the photo shows no face.
            EmbeddingMismatch, InvalidArgument, ImageError, ModelError: as for :meth:`identify`.
        """
        check = living.asked(self, liveness)

        def work(engine: Engine, pinned: Group) -> tuple[Comparison, Group]:
            decision = for_verification(engine.calibration, fmr=fmr, threshold=threshold)
            wanted = check.at_least(pinned.settings)
            compared = recognition.verify(
                engine, gallery, pinned, person, image, decision=decision, check=wanted
            )
            return compared, pinned

        compared, place = with_group(self, gallery, group, work)
        note_verification(self.settings, gallery, place, person, match=compared.match)
        return compared

    def reembed(
        self,
        gallery: Gallery,
        group: str,
        *,
        embedder: str | Embedder | None = None,
        photos: str | PathLike[str] | None = None,
        drop_missing: bool = False,
        dry_run: bool = False,
        watch: Callable[[int, int], None] | None = None,
    ) -> Reembedding:
        """Move a group to another recognition model, or to a new version of its own.

        The faces are embedded again from the images that are kept with them, or from photos that
        are given, on all threads. The group is searched and enrolled into meanwhile; then it is
        moved in one transaction. Who is killed goes on where it was when called again.

        Args:
            gallery, group: where.
            embedder: the model to move to: a card's name, or an object of the protocol; None: the
                engine's own.
            photos: a folder of photos, looked through with all folders in it: a face whose photo
                is there (the same SHA-256) is embedded from it.
            drop_missing: delete faces that cannot be embedded again. Without it they keep the
                group where it is.
            dry_run: only say which faces have an image or a photo.
            watch: called with the faces that are done and all that there are.

        Raises:
            NotFound: no such group.
            InvalidArgument: ``photos`` is no folder.
            LimitExceeded: another group sees more faces then, and is full.
            EmbeddingMismatch: somebody else moved the group meanwhile.
            GalleryError, ModelError: the gallery or a model cannot be used.
        """
        options = reembedding.Options(photos, drop_missing, dry_run, watch)
        return reembedding.reembed(self, gallery, group, embedder, options)
