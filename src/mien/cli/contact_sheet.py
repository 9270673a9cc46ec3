"""An album on disk: one folder per person with the photos, and a contact sheet of the faces."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mien.errors import InvalidArgument

if TYPE_CHECKING:
    from mien.album import Album, AlbumPerson
    from mien.engine.albums import Seen

__all__ = ["AlbumFolder"]

FACE_SIDE = 112
STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}
section{border-top:1px solid #ddd;padding:.6em 0}h2{font-size:1em;margin:.2em 0}
img{width:84px;height:84px;border-radius:6px;margin:2px;object-fit:cover}
h2 span,p{color:#555;font-weight:normal}
"""


class AlbumFolder:
    """Writes an album beside its place and moves it there whole, so a killed run leaves nothing.

    Args:
        out: the folder to make; it may exist if it is empty.

    Raises:
        InvalidArgument: it is not empty, no folder, or cannot be made.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        try:
            if out.exists() and (not out.is_dir() or any(out.iterdir())):
                raise InvalidArgument(
                    f"{out.name} is there already: name a folder that is new or empty (--out)."
                )
            out.parent.mkdir(parents=True, exist_ok=True)
            self._part = out.with_name(f".{out.name}.{uuid.uuid4().hex[:8]}.part")
            (self._part / "faces").mkdir(parents=True)
        except OSError as error:
            raise InvalidArgument(f"{out.name} cannot be made: {error.strerror}.") from None
        self._pictures: dict[tuple[int, tuple[float, ...]], str] = {}

    def keep_faces(self, seen: Seen) -> None:
        """Cut the faces out of a photo while its pixels are there."""
        import cv2

        from mien.align import cut_square

        if seen.found is None or (pixels := seen.found.detection.image) is None:
            return
        scale = pixels.shape[1] / seen.found.detection.width
        for face in seen.found.detection:
            crop = cut_square(pixels, face.scaled(scale).box, (FACE_SIDE, FACE_SIDE))
            done, encoded = cv2.imencode(".jpg", crop[..., ::-1])
            if done:
                name = f"faces/{len(self._pictures) + 1:06d}.jpg"
                self._write(name, encoded.tobytes())
                self._pictures[seen.number, tuple(face.box.to_list())] = name

    def finish(self, album: Album, files: Sequence[Path], *, link: bool) -> Mapping[str, Path]:
        """Write the persons' folders and the sheet, and move everything to its place.

        Args:
            album: what was found.
            files: the photos, in the album's order.
            link: hard links instead of copies.

        Returns:
            Person's name -> folder.

        Raises:
            InvalidArgument: something cannot be written; nothing is left.
        """
        try:
            for person in album:
                self._fill(person, files, link=link)
            self._write("index.html", self._page(album).encode())
            if self.out.exists():
                self.out.rmdir()
            self._part.rename(self.out)
        except OSError as error:
            self.discard()
            raise InvalidArgument(
                f"{self.out.name} cannot be written: {error.strerror}. Nothing was left."
            ) from None
        return {person.name: self.out / person.name for person in album}

    def discard(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._part, ignore_errors=True)

    def _fill(self, person: AlbumPerson, files: Sequence[Path], *, link: bool) -> None:
        folder = self._part / person.name
        folder.mkdir()
        for face in person.faces:
            source = files[face.photo]
            target = folder / source.name
            if target.exists():  # the same name in another folder
                target = folder / f"{source.stem}-{face.photo + 1}{source.suffix}"
            if link:
                os.link(source, target)
            else:
                shutil.copy2(source, target)

    def _page(self, album: Album) -> str:
        sections = "".join(self._section(person) for person in album)
        rejected = "".join(
            f"<li>{escape(one.image)}: {escape(one.message)}</li>" for one in album.rejected
        )
        missing = f"<h2>Photos that could not be used</h2><ul>{rejected}</ul>" if rejected else ""
        return (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f"<title>Album</title><style>{STYLE}</style></head><body><h1>Album</h1>"
            f"<p>{escape(str(album))}. Faces are put together from a mean similarity of "
            f"{album.threshold:.3f} ({escape(album.embedder)}).</p>{sections}{missing}"
            "</body></html>\n"
        )

    def _section(self, person: AlbumPerson) -> str:
        pictures = "".join(
            f'<img src="{picture}" alt="" title="{escape(face.image)}" loading="lazy">'
            for face in person.faces
            if (picture := self._pictures.get((face.photo, tuple(face.box.to_list()))))
        )
        count = f"{len(person)} photo" + ("s" if len(person) > 1 else "")
        return (
            f'<section><h2><a href="{quote(person.name)}/">{escape(person.name)}</a> '
            f"<span>{count}</span></h2>{pictures}</section>"
        )

    def _write(self, name: str, data: bytes) -> None:
        try:
            (self._part / name).write_bytes(data)
        except OSError as error:
            self.discard()
            raise InvalidArgument(
                f"{self.out.name} cannot be written: {error.strerror}. Nothing was left."
            ) from None
