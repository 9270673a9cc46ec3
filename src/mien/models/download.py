"""Downloads over HTTP: resumable, bounded, checked."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from mien.errors import ModelUnavailable
from mien.models.cache import disk_errors
from mien.models.progress import Progress

__all__ = ["download"]

_log = logging.getLogger(__name__)
_ATTEMPTS = 4
_PAUSE_S = 0.5
_TIMEOUT = httpx.Timeout(60.0, connect=15.0)
MAX_BYTES = 4_000_000_000
"""Largest file of unknown size."""


def download(url: str, part: Path, *, size: int | None, pinned: bool, progress: Progress) -> None:
    """Fetch ``url`` into ``part``, going on where an earlier, broken attempt has stopped.

    Args:
        url: https; plain http only where the hash is known (``pinned``) or on this machine.
        part: the unfinished file; whole when this returns, its hash unchecked.
        size: bytes of the file, where they are known.
        pinned: the caller knows the hash that the file must have.
        progress: told of every block.

    Raises:
        ModelUnavailable: no answer, an error status, a connection that keeps breaking, a file
            larger than said, or no space. ``part`` stays, for the next attempt.
    """
    _check_scheme(url, pinned=pinned)
    host, name = urlsplit(url).hostname or "", Path(urlsplit(url).path).name
    reason = ""
    for attempt in range(_ATTEMPTS):
        if attempt:
            time.sleep(_PAUSE_S * 2 ** (attempt - 1))
        try:
            _attempt(url, part, name=name, size=size, pinned=pinned, progress=progress)
        except httpx.HTTPStatusError as error:
            reason = f"status {error.response.status_code}"
            if error.response.status_code < 500 and error.response.status_code != 429:
                break
        except httpx.HTTPError as error:
            reason = type(error).__name__
        else:
            return
        _log.debug("%s from %s, attempt %d: %s", name, host, attempt + 1, reason)
    raise ModelUnavailable(
        f"{name} could not be fetched from {host} ({reason}). Check the network and try again "
        "(it goes on where it stopped), name a mirror that has it (MIEN_MODELS_MIRROR), or import "
        "a bundle (mien models import FILE)."
    )


def _check_scheme(url: str, *, pinned: bool) -> None:
    parts = urlsplit(url)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme == "https" or (parts.scheme == "http" and (pinned or local)):
        return
    raise ModelUnavailable(f"A model is fetched over https only, not from {parts.hostname}.")


def _attempt(
    url: str, part: Path, *, name: str, size: int | None, pinned: bool, progress: Progress
) -> None:
    have = part.stat().st_size if part.exists() else 0
    if have and size is not None and have >= size:
        if have == size:
            return
        part.unlink()
        have = 0
    headers = {"Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with (
        httpx.Client(follow_redirects=True, timeout=_TIMEOUT) as client,
        client.stream("GET", url, headers=headers) as response,
    ):
        if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink()  # as long as the file is, or longer: begin again
            raise httpx.RemoteProtocolError("range refused")
        response.raise_for_status()
        _check_scheme(str(response.url), pinned=pinned)
        resumed = response.status_code == httpx.codes.PARTIAL_CONTENT
        done = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = done + int(length) if length is not None and length.isdigit() else size
        limit = size if size is not None else MAX_BYTES
        with disk_errors(), part.open("ab" if resumed else "wb") as out:
            for block in response.iter_raw():
                done += len(block)
                if done > limit:
                    break
                out.write(block)
                progress(name, done, total)
    if done > limit:
        part.unlink()
        raise ModelUnavailable(f"{name} is larger than its card says; it has been deleted.")
    if total is not None and done < total:
        raise httpx.RemoteProtocolError("short answer")
