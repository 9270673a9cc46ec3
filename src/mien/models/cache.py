"""The cache folder: what lies where, and how a file gets there safely.

::

    cache_dir/
      sources/<sha256>/<file name>       published weight files and sample photos
      converted/<sha256>-<converter>-<version>.onnx
      openvino/<digest>.blob             nets that OpenVINO has compiled
      choices/<digest>.json              runtime and precision measured as fastest
      pins.json                          hashes of URLs whose card gives none
      locks/                             one lock a file that is being made
      tmp/                               files that are being made

A file is made in ``tmp``, checked, and renamed into place, so a file in place is whole: its
existence is enough. Everything may be deleted at any time. A folder that cannot be written to
can still be read from.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock

from mien.errors import ModelUnavailable
from mien.models.card import Source

__all__ = ["Cache", "disk_errors", "sha256_of"]

_BLOCK = 1 << 20


class Cache:
    """Paths in the cache folder, locks and atomic writes.

    Args:
        folder: created when something is first written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def source(self, sha256: str, file_name: str) -> Path:
        """Where the published file with that hash is or would be."""
        return self.folder / "sources" / sha256 / file_name

    def find_source(self, sha256: str) -> Path | None:
        """The published file with that hash, under whatever name, if it is there."""
        folder = self.folder / "sources" / sha256
        with contextlib.suppress(OSError):
            return next((f for f in sorted(folder.iterdir()) if f.is_file()), None)
        return None

    def converted(self, sources: Sequence[Path], converter: str, version: int) -> Path:
        """Where the ONNX file made from a cached weight file, and its companions, would be."""
        hashes = [source.parent.name for source in sources]
        name = hashes[0]
        if len(hashes) > 1:
            name = hashlib.sha256("\n".join(hashes).encode()).hexdigest()
        return self.folder / "converted" / f"{name}-{converter}-{version}.onnx"

    def choice(self, digest: str) -> Path:
        """Where a measured choice of runtime is or would be."""
        return self.folder / "choices" / f"{digest}.json"

    def compiled(self, digest: str) -> Path:
        """Where a net that OpenVINO has compiled is or would be."""
        return self.folder / "openvino" / f"{digest}.blob"

    @contextlib.contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock ``name`` between threads and processes; it dies with the process."""
        with disk_errors():
            folder = self.folder / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            lock = FileLock(folder / f"{name}.lock", thread_local=False)
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def part(self, name: str) -> Path:
        """A place in ``tmp`` for an unfinished file that may be resumed under its lock."""
        with disk_errors():
            folder = self.folder / "tmp"
            folder.mkdir(parents=True, exist_ok=True)
        return folder / name

    @contextlib.contextmanager
    def workshop(self, name: str) -> Iterator[Path]:
        """An empty folder in ``tmp``, removed afterwards; used under the lock ``name``.

        What a killed process left there is removed first.
        """
        folder = self.part(name)
        shutil.rmtree(folder, ignore_errors=True)
        with disk_errors():
            folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def place(self, file: Path, target: Path) -> Path:
        """Move a finished file to ``target`` in one step, its bytes on disk before its name."""
        with disk_errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb+") as handle:
                os.fsync(handle.fileno())
            file.replace(target)
        return target

    def write(self, target: Path, data: bytes) -> Path:
        """Write a small file in one step."""
        part = self.part(f"{uuid.uuid4().hex}.part")
        try:
            with disk_errors():
                part.write_bytes(data)
            return self.place(part, target)
        finally:
            part.unlink(missing_ok=True)

    def pin(self, url: str) -> str | None:
        """The hash that the file at ``url`` had when it was first fetched."""
        return self._pins().get(url)

    def set_pin(self, url: str, sha256: str) -> None:
        """Remember the hash of the file at ``url``."""
        with self.lock("pins"):
            pins = {**self._pins(), url: sha256}
            self.write(
                self.folder / "pins.json", json.dumps(pins, indent=1, sort_keys=True).encode()
            )

    def _pins(self) -> dict[str, str]:
        try:
            pins = json.loads((self.folder / "pins.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {str(k): str(v) for k, v in pins.items()} if isinstance(pins, dict) else {}

    def sha256(self, source: Source) -> str | None:
        """The hash that a source's file must have: the card's, or the pinned one."""
        if source.sha256 is not None:
            return source.sha256
        return self.pin(getattr(source, "url", ""))


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what a file system may answer into a ModelUnavailable that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            reason = "the disk is full: free some space"
        elif error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            reason = "it may not be written to"
        else:
            reason = f"the file system says: {error.strerror or type(error).__name__}"
        raise ModelUnavailable(
            f"The cache folder cannot be used, {reason}, or set MIEN_CACHE_DIR to another folder."
        ) from error


def sha256_of(file: Path) -> str:
    """Hash of a file's bytes, 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with file.open("rb") as handle:
        while block := handle.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()
