"""One group's snapshot: all that the index holds of it, in a file that is encrypted in blocks.

::

    block 0        length of the facts (4) | facts (JSON) | centroids of the product codes
    blocks of ids  all ids, 8 bytes each: segment after segment, then the tail
    row blocks     of each segment: owners | alive | high plane | low plane | product codes
    row blocks     of the tail:     owners | alive | vectors (float32)

Numbers are little-endian. All that a block says of a row is in that block, so that a person is
erased from a file of any size by overwriting a few blocks (:func:`erase`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import GalleryUnavailable
from mien.gallery.index.fixed import OFFSET
from mien.gallery.index.product import Codebook, ProductCodes, code_bytes
from mien.gallery.index.rows import Tail
from mien.gallery.index.segment import Segment
from mien.gallery.index.shelf import View
from mien.gallery.protect.blocks import BlockFile

__all__ = ["Facts", "erase", "facts_of", "read", "write"]

_FORMAT = 1
_BLOCK = 256 * 1024  # bytes, if at least _STEP rows go into it
_STEP = 32  # rows of a block are a multiple of this: product codes are packed by so many
_READERS = 4  # threads that read segments
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a snapshot says of itself, beside its rows.

    Attributes:
        version: number of the group's newest change that is in it.
        erased: what changed up to this number has been erased where it was in it.
        scope: what it was made for; it is of use only where this is the same.
        marks: changes before ``version``, by which the group's history is recognised.
    """

    version: int
    erased: int
    scope: str
    marks: tuple[tuple[int, int, int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """A segment (or the tail, without a scale) in the file."""

    rows: int
    scale: float = 0.0
    error: float = 0.0
    reach: float = 0.0
    product: bool = False


@dataclass(frozen=True, slots=True)
class _Plan:
    """Where in the file everything is."""

    dim: int
    segments: tuple[_Part, ...]
    tail: _Part
    block_bytes: int = field(default=0)

    @classmethod
    def of(cls, view: View, tail_rows: int) -> _Plan:
        segments = tuple(
            _Part(len(one), one.scale, one.error, one.reach, one.product is not None)
            for one in view.segments
        )
        made = cls(int(view.tail.vectors.shape[1]), segments, _Part(tail_rows))
        widest = max(made.row_bytes(part) for part in made.parts)
        head = 64 * 1024 + 8 * 16 * made.dim + 256 * len(segments)
        return replace(made, block_bytes=max(_BLOCK, _STEP * widest, head))

    @property
    def parts(self) -> tuple[_Part, ...]:
        return (*self.segments, self.tail)

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def id_blocks(self) -> int:
        return -(-8 * self.rows // self.block_bytes)

    @property
    def blocks(self) -> int:
        return 1 + self.id_blocks + sum(self.blocks_of(part) for part in self.parts)

    def columns(self, part: _Part) -> list[tuple[str, str, int]]:
        """Names and types of the columns of a row block, and lengths of what is a vector."""
        both = [("owners", "<i8", 0), ("alive", "?", 0)]
        if part is self.tail:
            return [*both, ("vectors", "<f4", self.dim)]
        planes = [*both, ("high", "u1", self.dim), ("low", "<i2", self.dim)]
        return [*planes, ("codes", "u1", code_bytes(self.dim))] if part.product else planes

    def row_bytes(self, part: _Part) -> int:
        return sum(np.dtype(kind).itemsize * (width or 1) for _, kind, width in self.columns(part))

    def rows_in_block(self, part: _Part) -> int:
        return int(self.block_bytes // self.row_bytes(part) // _STEP * _STEP)

    def blocks_of(self, part: _Part) -> int:
        return -(-part.rows // self.rows_in_block(part))

    def first_block(self, number: int) -> int:
        before = self.parts[:number]
        return 1 + self.id_blocks + sum(self.blocks_of(part) for part in before)

    def ended(self, part: _Part, payload: bytearray, rows: slice) -> memoryview:
        """The used bytes of a row block: behind them are rows of an earlier one."""
        return memoryview(payload)[: (rows.stop - rows.start) * self.row_bytes(part)]

    def cut(self, part: _Part, block: bytes | bytearray, rows: int) -> dict[str, NDArray[Any]]:
        """The columns of a row block of ``rows`` rows, which are views of it."""
        columns, offset = {}, 0
        for name, kind, width in self.columns(part):
            count = rows * (width or 1)
            column = np.frombuffer(block, kind, count, offset)
            columns[name] = column.reshape(rows, width) if width else column
            offset += count * np.dtype(kind).itemsize
        return columns


def write(path: Path, view: View, facts: Facts, *, key: bytes, context: bytes) -> None:
    """Write a snapshot, which replaces the old one when it is complete.

    Searches and writes may go on: what is removed while it is being written is either dead in it
    or later than ``facts.version``.

    Raises:
        GalleryUnavailable: it cannot be written.
    """
    tail = view.tail.living()
    plan = _Plan.of(view, len(tail))
    coded = [one.product for one in view.segments if one.product is not None]
    codebook = coded[0].codebook if coded else None
    blocks = _blocks(
        view, tail.ids, (tail.owners, tail.vectors), plan, _head(facts, plan, codebook)
    )
    BlockFile.write(
        path, blocks, count=plan.blocks, block_bytes=plan.block_bytes, key=key, context=context
    )


def facts_of(path: Path, *, key: bytes, context: bytes) -> Facts:
    """The facts of a snapshot; raises as :func:`read`."""
    with BlockFile.open(path, key=key, context=context) as file:
        return _opened(file)[0]


def read(path: Path, *, key: bytes, context: bytes) -> tuple[Facts, View]:
    """A snapshot and its facts.

    Raises:
        KeyMismatch: another key, or a damaged file.
        GalleryUnavailable: no file, one that is not complete, or of another version of Mien.
    """
    with BlockFile.open(path, key=key, context=context) as file:
        facts, plan, codebook = _opened(file)
        ids = _ids(file, plan)
        ends = np.cumsum([0, *(part.rows for part in plan.segments)]).tolist()

        def segment(number: int) -> Segment:
            own = ids[ends[number] : ends[number + 1]]
            with file.again() as mine:
                return _segment(mine, plan, number, own, codebook)

        # New memory is the slow part, and every thread gets its own.
        with ThreadPoolExecutor(_READERS, "mien-snapshot") as pool:
            segments = tuple(pool.map(segment, range(len(plan.segments))))
        return facts, View(segments, _tail(file, plan, ids[ends[-1] :]))


def erase(path: Path, ids: NDArray[np.int64], *, upto: int, key: bytes, context: bytes) -> int:
    """Overwrite the vectors of some ids, on the disk before this returns.

    Args:
        path: of the snapshot.
        ids: what to erase; those that are not in it are passed over.
        upto: what the facts then say of ``erased``.
        key: as when it was written.
        context: as when it was written.

    Returns:
        How many rows were overwritten. Raises as :func:`read`.
    """
    with BlockFile.open(path, key=key, context=context, writable=True) as file:
        facts, plan, codebook = _opened(file)
        rows = np.flatnonzero(np.isin(_ids(file, plan), ids))
        start = 0
        for number, part in enumerate(plan.parts):
            own = rows[(rows >= start) & (rows < start + part.rows)] - start
            width = plan.rows_in_block(part)
            for block in np.unique(own // width).tolist():
                within = own[own // width == block] - block * width
                count = min(width, part.rows - block * width)
                _overwrite(file, plan, (number, block, count), within, codebook)
            start += part.rows
        file.replace(0, _head(replace(facts, erased=upto), plan, codebook))
        file.sync()
        return len(rows)


def _overwrite(
    file: BlockFile,
    plan: _Plan,
    where: tuple[int, int, int],
    rows: NDArray[np.intp],
    codebook: Codebook | None,
) -> None:
    number, block, count = where
    part, at = plan.parts[number], plan.first_block(number) + block
    payload = bytearray(file.read(at))
    columns = plan.cut(part, payload, count)
    columns["alive"][rows] = False
    if part is plan.tail:
        columns["vectors"][rows] = 0
    else:
        columns["high"][rows] = OFFSET
        columns["low"][rows] = 0
        if part.product and codebook is not None:
            columns["codes"][rows] = codebook.nothing()
    file.replace(at, payload)


# ---------------------------------------------------------------- writing


def _head(facts: Facts, plan: _Plan, codebook: Codebook | None) -> bytes:
    document = {
        "format": _FORMAT,
        "facts": asdict(facts),
        "dim": plan.dim,
        "segments": [asdict(part) for part in plan.segments],
        "tail": plan.tail.rows,
        "codebook": codebook is not None,
    }
    text = json.dumps(document).encode()
    centroids = b"" if codebook is None else codebook.centroids.astype("<f4").tobytes()
    return _LENGTH.pack(len(text)) + text + centroids


def _blocks(
    view: View,
    tail_ids: NDArray[np.int64],
    tail: tuple[NDArray[np.int64], NDArray[np.float32]],
    plan: _Plan,
    head: bytes,
) -> Iterator[bytes | memoryview]:
    yield head
    ids = np.concatenate([*(one.ids for one in view.segments), tail_ids]).astype("<i8").tobytes()
    for start in range(0, len(ids), plan.block_bytes):
        yield ids[start : start + plan.block_bytes]
    payload = bytearray(plan.block_bytes)
    for part, segment in zip(plan.segments, view.segments, strict=True):
        width = plan.rows_in_block(part)
        for start in range(0, part.rows, width):
            rows = slice(start, min(start + width, part.rows))
            columns = plan.cut(part, payload, rows.stop - rows.start)
            columns["high"][:] = segment.high[rows]
            columns["low"][:] = segment.low[rows]
            if part.product and segment.product is not None:
                columns["codes"][:] = segment.product.codes(rows.start, rows.stop)
            columns["owners"][:] = segment.owners[rows]
            columns["alive"][:] = segment.alive[rows]  # after the vectors: see Segment.wipe
            yield plan.ended(part, payload, rows)
    owners, vectors = tail
    width = plan.rows_in_block(plan.tail)
    for start in range(0, len(owners), width):
        rows = slice(start, min(start + width, len(owners)))
        columns = plan.cut(plan.tail, payload, rows.stop - rows.start)
        columns["owners"][:] = owners[rows]
        columns["alive"][:] = True
        columns["vectors"][:] = vectors[rows]
        yield plan.ended(plan.tail, payload, rows)


# ---------------------------------------------------------------- reading


def _opened(file: BlockFile) -> tuple[Facts, _Plan, Codebook | None]:
    head = file.read(0)
    (length,) = _LENGTH.unpack_from(head)
    document = json.loads(head[_LENGTH.size : _LENGTH.size + length])
    if document["format"] != _FORMAT:
        raise GalleryUnavailable("The snapshot of the index was written by another Mien.")
    facts = Facts(**document["facts"])
    facts = replace(facts, marks=tuple((int(v), int(p), int(f), i) for v, p, f, i in facts.marks))
    segments = tuple(_Part(**part) for part in document["segments"])
    dim = int(document["dim"])
    plan = _Plan(dim, segments, _Part(int(document["tail"])), file.block_bytes)
    if plan.blocks != file.count:
        raise GalleryUnavailable("The snapshot of the index is not complete.")
    codebook = None
    if document["codebook"]:
        centroids = np.frombuffer(head, "<f4", 16 * dim, _LENGTH.size + length)
        codebook = Codebook(centroids.astype(np.float32), dim)
    return facts, plan, codebook


def _ids(file: BlockFile, plan: _Plan) -> NDArray[np.int64]:
    raw = b"".join(file.blocks(1, plan.id_blocks))
    return np.frombuffer(raw, "<i8", plan.rows).astype(np.int64)


def _row_blocks(
    file: BlockFile, plan: _Plan, number: int
) -> Iterator[tuple[slice, dict[str, NDArray[Any]]]]:
    part = plan.parts[number]
    width = plan.rows_in_block(part)
    found = file.blocks(plan.first_block(number), plan.blocks_of(part))
    for i, block in enumerate(found):
        rows = slice(i * width, min((i + 1) * width, part.rows))
        yield rows, plan.cut(part, block, rows.stop - rows.start)


def _segment(
    file: BlockFile,
    plan: _Plan,
    number: int,
    ids: NDArray[np.int64],
    codebook: Codebook | None,
) -> Segment:
    part = plan.segments[number]
    segment = Segment(part.rows, plan.dim, scale=part.scale)
    segment.error, segment.reach = part.error, part.reach
    segment.ids[:] = ids
    codes = np.empty((part.rows, code_bytes(plan.dim)), np.uint8) if part.product else None
    for rows, columns in _row_blocks(file, plan, number):
        segment.owners[rows] = columns["owners"]
        segment.alive[rows] = columns["alive"]
        segment.high[rows] = columns["high"]
        segment.low[rows] = columns["low"]
        if codes is not None:
            codes[rows] = columns["codes"]
    segment.dead = int(part.rows - segment.alive.sum())
    if codes is not None and codebook is not None:
        segment.product = ProductCodes.of_codes(codebook, codes, segment.scan)
    return segment


def _tail(file: BlockFile, plan: _Plan, ids: NDArray[np.int64]) -> Tail:
    owners = np.empty(len(ids), np.int64)
    vectors = np.empty((len(ids), plan.dim), np.float32)
    ids = ids.copy()
    for rows, columns in _row_blocks(file, plan, len(plan.segments)):
        owners[rows] = columns["owners"]
        vectors[rows] = columns["vectors"]
        ids[rows][~columns["alive"]] = -1
    return Tail(ids, owners, vectors, len(ids))
