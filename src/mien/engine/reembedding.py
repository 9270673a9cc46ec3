"""Reembedding: every face of a group through another recognition model, then the move."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict, dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mien.embed import Embedder
from mien.engine import looking
from mien.errors import ImageError, InvalidArgument, NotFound
from mien.image import ImageInput
from mien.types import Box, Embeddings, Faces, Result

if TYPE_CHECKING:
    from mien.engine.core import Engine
    from mien.gallery import Gallery
    from mien.gallery.conversion import Conversion, Waiting

__all__ = ["MissingFace", "Options", "Reembedding", "middle_face", "reembed"]

Reason = Literal["no_image", "no_face", "image_unusable"]

AT_ONCE = 64
"""Faces that are laid aside in one transaction."""

_SAME_FACE_IOU = 0.3  # another detector draws its boxes otherwise


@dataclass(frozen=True, slots=True)
class MissingFace(Result):
    """A face that cannot be embedded again.

    Attributes:
        face_id, person: which, and whose.
        reason: ``no_image``: neither an image nor a photo is there; ``no_face``: the detector finds
            the face in none of them; ``image_unusable``: none of them can be decoded.
    """

    face_id: str
    person: str
    reason: Reason

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Reembedding(Result):
    """What a re-embedding did, or would do.

    Attributes:
        group: name; before, contract: the embedding contracts that it was and is (to be) of.
        faces: of the group, before.
        embedded: faces that were embedded in this run.
        resumed: faces that an earlier run had embedded.
        missing: faces that cannot be.
        dropped: of these, those that were deleted.
        moved: whether the group is of the new contract now.
        dry_run: nothing was done; ``embedded`` says how many have an image or a photo.
    """

    group: str
    before: str
    contract: str
    faces: int
    embedded: int
    resumed: int
    missing: tuple[MissingFace, ...]
    dropped: int
    moved: bool
    dry_run: bool

    def to_dict(self) -> dict[str, Any]:
        """The fields by name."""
        names = ("group", "before", "contract", "faces", "embedded", "resumed")
        return {
            **{name: getattr(self, name) for name in names},
            "missing": [one.to_dict() for one in self.missing],
            "dropped": self.dropped,
            "moved": self.moved,
            "dry_run": self.dry_run,
        }

    def __str__(self) -> str:
        if self.before == self.contract:
            return f"{self.group}: {self.faces} face(s), of this recognition model already"
        done = f"{self.embedded} face(s) embedded"
        if self.dry_run:
            done = f"{self.embedded} face(s) can be embedded"
        if self.resumed:
            done += f", {self.resumed} by an earlier run"
        if self.missing:
            done += f", {len(self.missing)} cannot be"
        if self.dropped:
            done += f" and are deleted ({self.dropped})"
        model = self.contract.partition(":")[0]
        ends = f"moved to {model}" if self.moved else "not moved"
        return f"{self.group}: {done}; {ends}"


@dataclass(frozen=True, slots=True)
class Options:
    """As the arguments of :meth:`mien.Engine.reembed`, and for jobs.

    Attributes:
        threads: who looks at the images; None: the engine's threads.
        at_once: faces that are laid aside in one transaction.
    """

    photos: str | PathLike[str] | None = None
    drop_missing: bool = False
    dry_run: bool = False
    watch: Callable[[int, int], None] | None = None
    threads: Executor | None = None
    at_once: int = AT_ONCE


def reembed(
    engine: Engine,
    gallery: Gallery,
    group: str,
    embedder: str | Embedder | None,
    options: Options,
) -> Reembedding:
    """See :meth:`mien.Engine.reembed`."""
    from mien.gallery.conversion import Conversion

    pinned = gallery.group(group)
    if isinstance(embedder, str):
        same = embedder == engine.embedder_name
        embedder = None if same else engine.embedders.named(embedder)
    if embedder is not None:
        engine = engine.with_embedder(embedder)
    engine.load()
    contract = engine.embedder.contract
    files = {} if options.photos is None else _files(Path(options.photos))
    if pinned.contract == contract:
        text = str(contract)
        return Reembedding(
            group, text, text, pinned.faces, 0, 0, (), 0, moved=True, dry_run=options.dry_run
        )
    conversion = Conversion(gallery, group, contract, look_only=options.dry_run)
    return _Work(engine, gallery, conversion, files, options).run()


class _Work:
    """One run over a group."""

    def __init__(
        self,
        engine: Engine,
        gallery: Gallery,
        conversion: Conversion,
        files: dict[str, Path],
        options: Options,
    ) -> None:
        self._engine = engine
        self._gallery = gallery
        self._conversion = conversion
        self._files = files
        self._options = options
        self._resumed = conversion.laid()
        self._embedded = 0

    def run(self) -> Reembedding:
        """Embed all faces, until none that can be is left, and move the group."""
        if self._options.dry_run:
            return self._told(self._look(), moved=False)
        while True:
            missing = self._embed_all()
            if missing and not self._options.drop_missing:
                return self._told(missing, moved=False)
            if self._conversion.switch(drop=[one.face_id for one in missing]):
                return self._told(missing, moved=True)

    def _look(self) -> list[MissingFace]:
        """The faces that have nothing to embed them from."""
        missing = []
        for page in self._pages():
            for face in page:
                if not face.kinds and face.source_sha256 not in self._files:
                    missing.append(MissingFace(face.id, face.person, "no_image"))
                else:
                    self._embedded += 1
        return missing

    def _embed_all(self) -> list[MissingFace]:
        """Lay aside a template of each face that waits; those that have none."""
        missing: list[MissingFace] = []
        for page in self._pages():
            look = self._engine.map if self._options.threads is None else self._options.threads.map
            found = list(zip(page, look(self._embed, page), strict=True))
            done = [(face.id, one) for face, one in found if isinstance(one, Embeddings)]
            if done:
                self._conversion.lay_aside([face_id for face_id, _ in done], _joined(done))
            self._embedded += len(done)
            missing += [
                MissingFace(face.id, face.person, one)
                for face, one in found
                if isinstance(one, str)
            ]
            if self._options.watch is not None:
                seen = self._resumed + self._embedded + len(missing)
                self._options.watch(seen, max(seen, self._conversion.group.faces))
        return missing

    def _pages(self) -> Iterator[list[Waiting]]:
        after = None
        while page := self._conversion.waiting(after=after, limit=self._options.at_once):
            yield page
            after = page[-1].id

    def _embed(self, face: Waiting) -> Embeddings | Reason | None:
        """The face's new template, or why there is none; None: the face is gone."""
        reason: Reason = "no_image"
        try:
            for image, is_crop in self._images(face):
                try:
                    found = self._represent(image, face.box, is_crop=is_crop)
                except (ImageError, InvalidArgument):
                    reason = "image_unusable"
                    continue
                if found is not None:
                    return found
                reason = "no_face"
        except NotFound:  # deleted, with its images
            return None
        return reason

    def _images(self, face: Waiting) -> Iterator[tuple[ImageInput, bool]]:
        """What the face can be embedded from, the best first, and whether it is a crop."""
        file = self._files.get(face.source_sha256 or "")
        if file is not None:
            yield file, False
        group = self._conversion.group.name
        for kind in sorted(face.kinds, reverse=True):  # the photo, then the crop
            yield self._gallery.image(group, face.id, kind=kind).data, kind == "crop"

    def _represent(self, image: ImageInput, box: Box | None, *, is_crop: bool) -> Embeddings | None:
        photo = self._engine.photo(image)
        faces = looking.detect(self._engine, photo).faces
        which = middle_face(faces, photo.width, photo.height) if is_crop else _at(faces, box)
        return None if which is None else self._engine.embed(photo, faces.take([which]))

    def _told(self, missing: list[MissingFace], *, moved: bool) -> Reembedding:
        group = self._conversion.group
        return Reembedding(
            group.name,
            str(group.contract),
            str(self._engine.embedder.contract),
            group.faces,
            self._embedded,
            self._resumed,
            tuple(missing),
            len(missing) if moved else 0,
            moved,
            self._options.dry_run,
        )


def _joined(done: list[tuple[str, Embeddings]]) -> Embeddings:
    parts = [part for _, part in done]
    return Embeddings(
        np.concatenate([part.vector for part in parts]),
        np.concatenate([part.norm for part in parts]),
    )


def _files(folder: Path) -> dict[str, Path]:
    """Every file of a folder and the folders in it, by SHA-256."""
    if not folder.is_dir():
        raise InvalidArgument(f"There is no folder {folder.name!r}.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            try:
                with path.open("rb") as file:
                    found.setdefault(hashlib.file_digest(file, "sha256").hexdigest(), path)
            except OSError as error:
                raise InvalidArgument(f"{path.name!r} cannot be read: {error.strerror}.") from None
    return found


def middle_face(faces: Faces, width: int, height: int) -> int | None:
    """Which is the largest face over the middle of a crop, where its own lies; None: none is."""
    x, y = width / 2, height / 2
    for i, face in enumerate(faces):  # largest first
        if face.box.x0 <= x <= face.box.x1 and face.box.y0 <= y <= face.box.y1:
            return i
    return None


def _at(faces: Faces, box: Box | None) -> int | None:
    """The face that covers ``box`` best; the largest where it is not known."""
    if not len(faces):
        return None
    if box is None:
        return 0
    shared = [_overlap(face.box, box) for face in faces]
    best = int(np.argmax(shared))
    return best if shared[best] >= _SAME_FACE_IOU else None


def _overlap(a: Box, b: Box) -> float:
    """Intersection over union, 0 to 1."""
    width = max(0.0, min(a.x1, b.x1) - max(a.x0, b.x0))
    height = max(0.0, min(a.y1, b.y1) - max(a.y0, b.y0))
    return width * height / max(a.area + b.area - width * height, 1e-9)
