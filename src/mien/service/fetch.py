"""Photos by URL, for the dialects whose clients send one: fetched so that nobody can misuse it.

A client chooses the URL, so the server must not become its hand inside the network (server-side
request forgery). Each name is resolved once and the connection goes to the address that was
checked, so a name that changes its address in between (DNS rebinding) gains nothing; every
redirect is checked like the first URL; one deadline covers everything; and all that fails says the
same, so that the answers do not map the network.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import quote, urljoin, urlsplit

import certifi
import httpcore

from mien.config import Settings
from mien.errors import ImageTooLarge, ImageUrlError, ImageUrlTimeout
from mien.service.addresses import AddressRules, parse_networks, parse_ports
from mien.service.limits import Places

__all__ = ["Fetcher", "Resolver", "SystemResolver"]

logger = logging.getLogger("mien.service")

MAX_URL = 8192
MAX_ADDRESSES = 4
RESOLVED_AT_ONCE = 16
FETCHES_AT_ONCE = 64
"""Connections to servers of others: no more of this one's, and no flood of anybody's."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
SAFE = "/%:=&?~#+!$,;'@()*[]"
HEADERS = [
    ("Accept", "image/*, */*;q=0.1"),
    ("Accept-Encoding", "identity"),
    ("User-Agent", "mien"),
]
DEFAULT_PORTS = {"http": 80, "https": 443}

Resolver = Callable[[str, int], Awaitable[list[str]]]
"""Host and port -> numeric addresses."""


class SystemResolver:
    """Resolves hosts as the system does, on threads of its own.

    asyncio would take those that it has for everything else: a few names whose servers never
    answer, which anybody can make, would keep them all waiting.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(RESOLVED_AT_ONCE, thread_name_prefix="mien-resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """The addresses of a host.

        Raises:
            OSError: it has none.
        """
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return list(dict.fromkeys(str(one[4][0]) for one in found))

    def close(self) -> None:
        """Resolve nothing more; what is asked already is left to itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Fetcher:
    """Fetches photos under the settings' rules; safe to share between requests of one event loop.

    Args:
        settings: ``fetch_urls``, ``fetch_networks``, ``fetch_ports``, ``fetch_timeout_s``,
            ``fetch_redirects``, ``max_image_bytes``, ``offline``.
        resolver: how names become addresses; None: as the system does it.

    Raises:
        ConfigurationError: networks or ports that are none.

    Example:
        >>> data = await Fetcher(settings).fetch("https://example.com/a.jpg")  # doctest: +SKIP
    """

    def __init__(self, settings: Settings, *, resolver: Resolver | None = None) -> None:
        self.rules = AddressRules(
            networks=parse_networks(settings.fetch_networks),
            ports=parse_ports(settings.fetch_ports),
            public=not settings.offline,
        )
        self._settings = settings
        self._own = SystemResolver()
        self._resolver: Resolver = resolver or self._own
        self._tls: ssl.SSLContext | None = None
        self._places = Places(FETCHES_AT_ONCE)

    def close(self) -> None:
        """Fetch nothing more."""
        self._own.close()

    async def fetch(
        self,
        url: str,
        *,
        max_bytes: int | None = None,
        timeout_s: float | None = None,
        take: Callable[[int], None] | None = None,
    ) -> bytes:
        """The bytes behind a URL.

        Args:
            url: ``http`` or ``https``, as a client wrote it.
            max_bytes: at most so many; None: ``max_image_bytes``.
            timeout_s: seconds for everything, never more than ``fetch_timeout_s``.
            take: told of every chunk's size before it is kept, to count it or to raise.

        Raises:
            ImageUrlError: not a URL that is fetched, or nothing came of it.
            ImageUrlTimeout: not done in time.
            ImageTooLarge: more bytes than allowed.
            Overloaded: too many photos are being fetched at once.
        """
        if not self._settings.fetch_urls:
            raise ImageUrlError("This server does not fetch URLs: send the photo itself.")
        limit = self._settings.max_image_bytes if max_bytes is None else max_bytes
        seconds = self._settings.fetch_timeout_s
        if timeout_s is not None:
            seconds = min(seconds, timeout_s)
        try:
            with self._places.hold():
                async with asyncio.timeout(max(0.0, seconds)):
                    return await self._follow(self._checked(url), limit, take)
        except (TimeoutError, httpcore.TimeoutException):
            raise ImageUrlTimeout(
                "The photo behind the URL did not arrive in time: send the photo itself."
            ) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError, ValueError) as error:
            raise _refused(type(error).__name__) from None

    async def _follow(self, url: str, limit: int, take: Callable[[int], None] | None) -> bytes:
        for _ in range(self._settings.fetch_redirects + 1):
            answer = await self._get(url, limit, take)
            if isinstance(answer, bytes):
                return answer
            url = self._checked(urljoin(url, answer))
        raise ImageUrlError("The URL redirects too often: send the photo itself.")

    async def _get(self, url: str, limit: int, take: Callable[[int], None] | None) -> bytes | str:
        """The photo, or where the answer redirects to."""
        backend = _CheckedBackend(self.rules, self._resolver)
        async with (
            httpcore.AsyncConnectionPool(self._context(), network_backend=backend) as pool,
            pool.stream("GET", url, headers=HEADERS) as answer,
        ):
            given = {name.lower(): value for name, value in answer.headers}
            if answer.status in REDIRECTS and b"location" in given:
                return given[b"location"].decode("utf-8", "replace")
            if answer.status != 200:
                raise _refused(f"status {answer.status}")
            if given.get(b"content-encoding", b"identity").lower() != b"identity":
                raise _refused("content encoding")
            declared = given.get(b"content-length", b"")
            if declared.isdigit() and int(declared[:20]) > limit:
                raise _too_large(limit)
            return await _collect(answer, limit, take)

    def _checked(self, url: str) -> str:
        """The URL in a normal form, if it may be asked as far as its text shows."""
        if len(url) > MAX_URL:
            raise ImageUrlError("The URL is too long.")
        if not url.isprintable() or url != url.strip():
            raise ImageUrlError("The URL is malformed.")
        try:
            parts = urlsplit(url)
            host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii")
            port = DEFAULT_PORTS.get(parts.scheme, 0) if parts.port is None else parts.port
        except ValueError:  # UnicodeError too
            raise ImageUrlError("The URL is malformed.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise ImageUrlError("The URL must begin with http:// or https:// and a host.")
        if parts.username is not None or parts.password is not None:
            raise ImageUrlError("The URL must not hold a user or a password.")
        if not self.rules.allow_port(port):
            raise ImageUrlError(
                f"The URL's port is not one of {self._settings.fetch_ports}.",
                details={"ports": self._settings.fetch_ports},
            )
        name = f"[{host}]" if ":" in host else host
        if port != DEFAULT_PORTS[parts.scheme]:  # a signed URL is signed without it
            name += f":{port}"
        path = quote(parts.path or "/", safe=SAFE)
        query = f"?{quote(parts.query, safe=SAFE)}" if parts.query else ""
        return f"{parts.scheme}://{name}{path}{query}"

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.load_verify_locations(certifi.where())
        return self._tls


class _CheckedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name once, and connects to the addresses that it has checked."""

    def __init__(self, rules: AddressRules, resolver: Resolver) -> None:
        self._rules = rules
        self._resolver = resolver
        self._sockets = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to a host that may be connected to."""
        addresses = await self._resolver(host.strip("[]"), port)
        if not addresses or not all(self._rules.allow_address(one) for one in addresses):
            raise _refused("address")
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return await self._sockets.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.NetworkError:
                continue
        raise _refused("connection")


async def _collect(
    answer: httpcore.Response, limit: int, take: Callable[[int], None] | None
) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in answer.aiter_stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        if take is not None:
            take(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> ImageTooLarge:
    return ImageTooLarge(
        f"The photo behind the URL has more than {limit} bytes.", details={"limit": limit}
    )


def _refused(reason: str) -> ImageUrlError:
    """One message for whatever is there or is not; the log alone has the reason."""
    logger.info("a URL was not fetched: %s", reason)
    return ImageUrlError(
        "The URL cannot be fetched: it must be public and answer 200 with the photo."
    )
