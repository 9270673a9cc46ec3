"""Frames: what is inside of a sealed stream, one batch of records after the other.

A frame is ``length of the facts (4) | length of the bytes (4) | facts (JSON) | bytes``. The facts
are ``{"kind": ..., "rows": [...]}`` and more by the kind; a value that is bytes stands in a row as
its length, and lies in the bytes behind those before it. The first frame is ``manifest``, the last
one ``end`` with the number of rows of each kind; docs/reference/operations.md lists the others.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mien.errors import ArchiveUnusable
from mien.gallery.protect.stream import SealedReader, SealedWriter

__all__ = ["FORMAT", "Frame", "FrameReader", "FrameWriter"]

FORMAT = 1
MAX_BYTES = 256 * 1024 * 1024
"""A frame with more is refused: it would have to be held in memory."""

_LENGTHS = struct.Struct("<II")
_ENOUGH = 4 * 1024 * 1024  # bytes after which a writer ends a frame


@dataclass(frozen=True, slots=True)
class Frame:
    """One batch.

    Attributes:
        kind: of the rows.
        rows: each a list of JSON values, or of lengths of ``blobs``.
        blob: the values that are bytes, one behind the other.
        facts: what else is said, by name.
    """

    kind: str
    rows: Sequence[Any] = ()
    blob: bytes = b""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def cut(self, lengths: Sequence[Any]) -> list[bytes]:
        """The values in ``blob``, of these lengths, which must make up all of it.

        Raises:
            ArchiveUnusable: they do not.
        """
        if not all(isinstance(n, int) and n >= 0 for n in lengths) or sum(lengths) != len(
            self.blob
        ):
            raise ArchiveUnusable("A part of the file is damaged.")
        parts, start = [], 0
        for length in lengths:
            parts.append(self.blob[start : start + length])
            start += length
        return parts


class FrameWriter:
    """Writes frames into a sealed stream, and counts rows.

    Args:
        stream: where to.
        what: ``archive`` or ``backup``.
        facts: what else the manifest says, JSON values.
    """

    def __init__(
        self,
        stream: SealedWriter,
        what: str,
        **facts: Any,  # noqa: ANN401 - JSON values
    ) -> None:
        self._stream = stream
        self.counts: Counter[str] = Counter()
        manifest = {
            "format": FORMAT,
            "what": what,
            "mien": _version(),
            "created_at": datetime.now(UTC).isoformat(),
            **facts,
        }
        self._put(Frame("manifest", facts=manifest))

    def rows(
        self,
        kind: str,
        rows: Sequence[Any],
        blobs: Sequence[bytes] = (),
        **facts: Any,  # noqa: ANN401 - JSON values
    ) -> None:
        """Write a batch; each row has as many of the ``blobs`` as the next, or there are none."""
        each = len(blobs) // len(rows) if rows else 0
        start, size = 0, 0
        for i in range(len(rows)):
            size += sum(map(len, blobs[i * each : (i + 1) * each]))
            if size >= _ENOUGH or i == len(rows) - 1:
                part = b"".join(blobs[start * each : (i + 1) * each])
                self._put(Frame(kind, rows[start : i + 1], part, facts))
                start, size = i + 1, 0
        if rows:
            self.counts[kind] += len(rows)

    def end(self) -> None:
        """Write the last frame."""
        self._put(Frame("end", facts={"counts": dict(self.counts)}))

    def _put(self, frame: Frame) -> None:
        document = {**frame.facts, "kind": frame.kind, "rows": list(frame.rows)}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
        self._stream.write(_LENGTHS.pack(len(text), len(frame.blob)))
        self._stream.write(text)
        self._stream.write(frame.blob)


class FrameReader:
    """Reads what :class:`FrameWriter` wrote.

    Args:
        stream: where from.
        kind: what the manifest must say that it is: ``archive`` or ``backup``.

    Attributes:
        manifest: facts of the first frame.
        counts: rows of each kind so far; after the last frame, of all.

    Raises:
        ArchiveUnusable: another kind of file, or of a newer Mien.
    """

    def __init__(self, stream: SealedReader, kind: str | None = None) -> None:
        self._stream = stream
        self.counts: Counter[str] = Counter()
        first = self._next()
        if first.kind != "manifest":
            raise ArchiveUnusable("The file does not begin with a manifest: it is damaged.")
        self.manifest = dict(first.facts)
        if not isinstance(version := self.manifest.get("format"), int):
            raise ArchiveUnusable("The file's manifest is damaged.")
        if version > FORMAT:
            raise ArchiveUnusable("The file was made by a newer Mien: upgrade Mien.")
        found = self.manifest.get("what")
        if kind is not None and found != kind:
            raise ArchiveUnusable(
                "This is a backup: use `mien gallery restore`."
                if found == "backup"
                else "This is an archive of one application: use `mien gallery import`."
            )

    def frames(self) -> Iterator[Frame]:
        """All frames between the first and the last.

        Raises:
            ArchiveUnusable: damaged, cut off, or other numbers of rows than the last frame says.
        """
        while (frame := self._next()).kind != "end":
            self.counts[frame.kind] += len(frame.rows)
            yield frame
        if frame.facts.get("counts") != dict(self.counts):
            raise ArchiveUnusable("The file is not complete: it holds other numbers of rows.")
        self._stream.finish()

    def _next(self) -> Frame:
        lengths = _LENGTHS.unpack(self._stream.read(_LENGTHS.size))
        if max(lengths) > MAX_BYTES:
            raise ArchiveUnusable("A part of the file is longer than Mien makes them.")
        text, blob = (self._stream.read(length) for length in lengths)
        try:
            document = json.loads(text)
            kind, rows = document.pop("kind"), document.pop("rows")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise ArchiveUnusable("A part of the file is damaged.") from None
        if not isinstance(kind, str) or not isinstance(rows, list):
            raise ArchiveUnusable("A part of the file is damaged.")
        return Frame(kind, rows, blob, document)


def _version() -> str:
    try:
        return version("mien")
    except PackageNotFoundError:  # run from a folder of sources
        return "unknown"
