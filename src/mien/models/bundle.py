"""Bundle: published files in one archive, carried to a machine without a network.

An uncompressed tar: first ``manifest.json``, then ``files/<sha256>`` for each file, in the order
of the manifest. The same models give the same bytes, whoever writes them and when.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from mien.errors import ChecksumMismatch, InvalidArgument
from mien.models.archive import check
from mien.models.cache import Cache, disk_errors
from mien.models.card import ModelCard
from mien.models.progress import Progress

__all__ = ["read_bundle", "write_bundle"]

_FORMAT = 1
_MANIFEST = "manifest.json"
_MAX_MANIFEST = 10_000_000
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Entry:
    """One file of a bundle.

    Attributes:
        sha256, size, name: the file.
        model: key of a card that it is the weight file of.
        url: address that the hash is to be pinned for, where the card gives none.
    """

    sha256: str
    size: int
    name: str
    model: str
    url: str | None = None


def write_bundle(files: Sequence[tuple[ModelCard, Path]], target: Path) -> None:
    """Write the published files of some cards to ``target``, whole or not at all.

    Args:
        files: a card several times where it has companions, its weight file first.
        target: the archive.

    Raises:
        InvalidArgument: ``target`` cannot be written.
    """
    entries = {(card.key, file.parent.name): _entry(card, file) for card, file in files}
    manifest = {"format": _FORMAT, "files": [asdict(entries[key]) for key in sorted(entries)]}
    sources = {file.parent.name: file for _, file in files}
    part = target.with_name(f"{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("wb") as out, tarfile.open(fileobj=out, mode="w") as box:
            _add(box, _MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
            for sha256 in dict.fromkeys(sha256 for _, sha256 in sorted(entries)):
                _add(box, f"files/{sha256}", sources[sha256].read_bytes())
        part.replace(target)
    except OSError as error:
        raise InvalidArgument(
            f"The bundle {target.name} cannot be written: {os.strerror(error.errno or 0)}."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _entry(card: ModelCard, file: Path) -> _Entry:
    weights = card.source_sha256 is None and file.name == card.sources[0].file_name
    url = getattr(card.sources[0], "url", None) if weights else None
    return _Entry(file.parent.name, file.stat().st_size, file.name, card.key, url)


def _add(box: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # time, owner and group are 0
    info.size = len(data)
    box.addfile(info, io.BytesIO(data))


def read_bundle(
    file: Path, cards: Sequence[ModelCard], cache: Cache, *, progress: Progress
) -> list[ModelCard]:
    """Put the files of a bundle into the cache.

    A file is taken only if a card of the catalogue has its hash (or has no hash yet, and its
    address is the bundle's), so a bundle cannot bring in what the catalogue does not know.

    Args:
        file: written by :func:`write_bundle`.
        cards: the catalogue.
        cache: where the files go.
        progress: told of every file.

    Returns:
        The cards that the files belong to.

    Raises:
        InvalidArgument: no such file, or not a bundle.
        ChecksumMismatch: a file in it is not the one that its manifest says.
    """
    try:
        with file.open("rb") as stream, tarfile.open(fileobj=stream, mode="r:") as box:
            found = []
            for entry in _manifest(box):
                card = _card_for(entry, cards, cache)
                if card is not None:
                    _take(box, entry, cache, progress=progress)
                    if entry.url is not None and cache.pin(entry.url) is None:
                        cache.set_pin(entry.url, entry.sha256)
                    found.append(card)
    except FileNotFoundError:
        raise InvalidArgument(f"There is no file {file.name}.") from None
    except (tarfile.TarError, KeyError, TypeError, ValueError, OSError) as error:
        raise InvalidArgument(
            f"{file.name} is not a whole bundle written by mien models bundle "
            f"({type(error).__name__})."
        ) from error
    return list({card.key: card for card in found}.values())


def _manifest(box: tarfile.TarFile) -> list[_Entry]:
    stream = box.extractfile(box.getmember(_MANIFEST))
    document: Any = json.loads(stream.read(_MAX_MANIFEST)) if stream else None
    if document["format"] != _FORMAT:
        raise ValueError("a later format")
    entries = [_Entry(**row) for row in document["files"]]
    for entry in entries:
        if Path(entry.name).name != entry.name or entry.name in {"", ".", ".."}:
            raise ValueError("a name that is a path")
        if len(entry.sha256) != 64 or set(entry.sha256) - set("0123456789abcdef"):
            raise ValueError("a hash that is none")
    return entries


def _card_for(entry: _Entry, cards: Sequence[ModelCard], cache: Cache) -> ModelCard | None:
    for card in sorted(cards, key=lambda card: card.key != entry.model):
        if entry.sha256 in {companion.sha256 for companion in card.companions}:
            return card
        if not card.sources:
            continue
        known = cache.sha256(card.sources[0])
        if known == entry.sha256:
            return card
        if known is None and entry.url == getattr(card.sources[0], "url", None):
            return card
    return None


def _take(box: tarfile.TarFile, entry: _Entry, cache: Cache, *, progress: Progress) -> None:
    info = box.getmember(f"files/{entry.sha256}")
    stream = box.extractfile(info) if info.isreg() else None
    if stream is None or info.size != entry.size:
        raise ChecksumMismatch(f"The bundle's {entry.name} is not of the size that it says.")
    name = f"import-{entry.sha256[:32]}"
    with stream, cache.lock(name), cache.workshop(name) as folder:
        part = folder / entry.name
        done = _copy(stream, part)
        check(part, entry.sha256, what=f"The bundle's {entry.name}")
        cache.place(part, cache.source(entry.sha256, entry.name))
    progress(entry.name, done, done)


def _copy(stream: IO[bytes], target: Path) -> int:
    done = 0
    while block := stream.read(_BLOCK):
        with disk_errors(), target.open("ab") as out:
            out.write(block)
        done += len(block)
    return done
