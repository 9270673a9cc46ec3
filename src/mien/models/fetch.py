"""Fetch: from a card's sources to a checked file in the cache; mirror first, network if allowed."""

from __future__ import annotations

import hashlib
import importlib.resources
import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from mien.config import Settings
from mien.errors import ChecksumMismatch, ModelUnavailable
from mien.models.archive import check, extract, fetch_archive
from mien.models.cache import Cache, disk_errors, sha256_of
from mien.models.card import ArchiveSource, ShippedSource, Source, UrlSource
from mien.models.progress import Progress

__all__ = ["Fetcher"]

_log = logging.getLogger(__name__)


class Fetcher:
    """Brings published files into the cache.

    Args:
        settings: ``models_mirror`` and ``offline`` are read.
        cache: where the files go.
        progress: told how far it is.
        siblings: other members of catalogue archives; when an archive is fetched, they are taken
            out of it too, so that an archive is fetched once.
    """

    def __init__(
        self,
        settings: Settings,
        cache: Cache,
        *,
        progress: Progress,
        siblings: Iterable[ArchiveSource] = (),
    ) -> None:
        self._mirror = settings.models_mirror
        self._offline = settings.offline
        self._cache = cache
        self._progress = progress
        self._siblings = tuple(siblings)

    def fetch(self, sources: Sequence[Source]) -> Path:
        """The file that ``sources`` lead to: from the cache, else from the first that has it.

        Raises:
            ModelUnavailable: nobody has it, or nobody may be asked.
            ChecksumMismatch: somebody has another file under its name.
        """
        if found := self.cached(sources) or _installed(sources):
            return found
        with self._cache.lock(_lock_name(sources[0])):
            if found := self.cached(sources):  # another process was quicker
                return found
            refusals: list[ChecksumMismatch | ModelUnavailable] = []
            for attempt in (self._from_mirror, self._from_network):
                for source in sources:
                    try:
                        found = attempt(source)
                    except ChecksumMismatch as error:
                        _log.warning("%s", error.message)
                        refusals.append(error)
                    except ModelUnavailable as error:
                        refusals.append(error)
                    if found:
                        return found
        raise self._worst(refusals, sources[0])

    def cached(self, sources: Sequence[Source]) -> Path | None:
        """The file in the cache, if it is there; one that is installed is copied there first."""
        for source in sources:
            if isinstance(source, ShippedSource):
                self._copy_installed(source)
            sha256 = self._cache.sha256(source)
            if sha256 is not None:
                file = self._cache.source(sha256, source.file_name)
                if file.is_file():
                    return file
        return None

    def _copy_installed(self, source: ShippedSource) -> None:
        """Bring an installed file into the cache, where bundles are made and hashes checked."""
        target = self._cache.source(source.sha256, source.file_name)
        installed = None if target.is_file() else _installed([source])
        if installed is None:
            return
        try:
            with self._cache.workshop(_lock_name(source)) as folder, disk_errors():
                shutil.copyfile(installed, folder / source.file)
                self._cache.place(folder / source.file, target)
        except ModelUnavailable as error:  # a cache that can only be read: it is used where it is
            _log.debug("%s", error.message)

    def _worst(
        self, refusals: list[ChecksumMismatch | ModelUnavailable], source: Source
    ) -> ChecksumMismatch | ModelUnavailable:
        """The refusal to report: a wrong file before a missing one, the first before the last."""
        for error in refusals:
            if isinstance(error, ChecksumMismatch):
                return error
        if isinstance(source, ShippedSource):
            return ModelUnavailable(
                f"{source.file_name} is not whole in the installed package: install Mien again."
            )
        if refusals:
            return refusals[0]
        mirror = " or in the mirror" if self._mirror else ""
        return ModelUnavailable(
            f"{source.file_name} is not in the cache{mirror}, and MIEN_OFFLINE forbids the "
            "network. Pull it where there is one (mien models bundle there, mien models import "
            "here), or name a mirror folder (MIEN_MODELS_MIRROR)."
        )

    def _from_network(self, source: Source) -> Path | None:
        if self._offline or isinstance(source, ShippedSource):
            return None
        if isinstance(source, ArchiveSource):
            return self._take_archive(source)
        return self._take_url(source.url, source)

    def _take_archive(self, source: ArchiveSource) -> Path:
        """Fetch an archive and take out the member, and its siblings where they are missing."""
        name = f"archive-{source.archive_sha256[:32]}"
        with self._cache.lock(name):
            if found := self.cached([source]):  # taken out as somebody's sibling
                return found
            with self._cache.workshop(name) as folder:
                with disk_errors():
                    (folder / "in").mkdir()
                archive = fetch_archive(source, folder / "in", progress=self._progress)
                return self._unpack(archive, source, folder)

    def _unpack(self, archive: Path, source: ArchiveSource, folder: Path) -> Path:
        wanted = [source] + [
            other
            for other in self._siblings
            if other.archive_sha256 == source.archive_sha256
            and other.member != source.member
            and not self.cached([other])
        ]
        for member in wanted:
            target = folder / member.member_sha256
            extract(archive, [(member, target)])
            self._cache.place(target, self._cache.source(member.member_sha256, member.file_name))
        return self._cache.source(source.member_sha256, source.file_name)

    def _take_url(self, url: str, source: Source) -> Path:
        """Download; the first time a file without a known hash comes, its hash is pinned."""
        from mien.models.download import download  # httpx is only imported to download

        sha256 = self._cache.sha256(source)
        part = self._cache.part(f"{_lock_name(source)}.part")
        size = source.size
        for attempt in range(2):
            resumed = part.exists()
            download(url, part, size=size, pinned=sha256 is not None, progress=self._progress)
            try:
                if sha256 is not None:
                    check(part, sha256, what=source.file_name)
                break
            except ChecksumMismatch:
                if attempt or not resumed:  # a resumed file may be of two halves: once more
                    raise
        if sha256 is None:
            sha256 = sha256_of(part)
            self._cache.set_pin(url, sha256)
            _log.warning(
                "%s had no known hash; from now on it must be sha256 %s.", source.file_name, sha256
            )
        return self._cache.place(part, self._cache.source(sha256, source.file_name))

    def _from_mirror(self, source: Source) -> Path | None:
        if not self._mirror:
            return None
        if urlsplit(self._mirror).scheme in {"http", "https"}:
            return None if self._offline else self._from_mirror_url(source)
        return self._from_mirror_folder(source)

    def _from_mirror_url(self, source: Source) -> Path | None:
        base = self._mirror.rstrip("/")
        if self._cache.sha256(source) is not None:
            try:
                return self._take_url(f"{base}/{quote(source.file_name)}", source)
            except ModelUnavailable as error:
                _log.debug("mirror: %s", error.message)
        if not isinstance(source, ArchiveSource):
            return None
        from mien.models.download import download

        name = f"archive-{source.archive_sha256[:32]}"
        with self._cache.lock(name), self._cache.workshop(name) as folder:
            archive = folder / source.archive_name
            try:
                url = f"{base}/{quote(source.archive_name)}"
                download(url, archive, size=None, pinned=True, progress=self._progress)
            except ModelUnavailable as error:
                _log.debug("mirror: %s", error.message)
                return None
            check(archive, source.archive_sha256, what=source.archive_name)
            return self._unpack(archive, source, folder)

    def _from_mirror_folder(self, source: Source) -> Path | None:
        parts = urlsplit(self._mirror)
        mirror = Path(unquote(parts.path)) if parts.scheme == "file" else Path(self._mirror)
        sha256 = self._cache.sha256(source)
        file = mirror / source.file_name
        if sha256 is not None and file.is_file():
            part = self._cache.part(f"{sha256}.part")
            with disk_errors():
                shutil.copyfile(file, part)
            check(part, sha256, what=f"The mirror's {source.file_name}")
            return self._cache.place(part, self._cache.source(sha256, source.file_name))
        if isinstance(source, ArchiveSource) and (mirror / source.archive_name).is_file():
            name = f"archive-{source.archive_sha256[:32]}"
            with self._cache.lock(name), self._cache.workshop(name) as folder:
                archive = folder / source.archive_name
                with disk_errors():
                    shutil.copyfile(mirror / source.archive_name, archive)
                check(archive, source.archive_sha256, what=f"The mirror's {source.archive_name}")
                return self._unpack(archive, source, folder)
        return None


def _installed(sources: Sequence[Source]) -> Path | None:
    """The file of an installed package, if it is there and what its card says."""
    for source in sources:
        if isinstance(source, ShippedSource):
            try:
                folder = importlib.resources.files(source.package)
                file = Path(str(folder.joinpath(source.file)))
                if file.is_file() and sha256_of(file) == source.sha256:
                    return file
            except (ModuleNotFoundError, OSError):
                continue
            _log.warning("%s is missing or damaged in the installed package.", source.file_name)
    return None


def _lock_name(source: Source) -> str:
    """A name for locks and unfinished files that is the same for the same file."""
    if source.sha256 is not None:
        return source.sha256[:32]
    assert isinstance(source, UrlSource)
    return hashlib.sha256(source.url.encode()).hexdigest()[:32]
