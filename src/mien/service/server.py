"""serve: one process, one event loop, until it is interrupted."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

import uvicorn
from fastapi import FastAPI

from mien.config import Settings
from mien.engine import Engine
from mien.errors import ConfigurationError
from mien.gallery import DEFAULT_APPLICATION, Gallery
from mien.service.app import create_app
from mien.service.auth import ensure_first_key
from mien.service.connections import KEEP_ALIVE_S, Connections, open_files
from mien.service.logs import log_to_stderr
from mien.service.reload import Reload
from mien.service.state import Service
from mien.service.tls import tls_context
from mien.service.traces import open_tracing

__all__ = ["serve"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")
BACKLOG = 2048
STOPPING = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: Settings,
    *,
    engine: Engine | None = None,
    gallery: Gallery | None = None,
    reread: Callable[[], Settings] | None = None,
) -> None:
    """Serve ``/v1`` and the pages until SIGINT or SIGTERM; running requests are finished.

    At the first start, when the gallery has no key at all, one is created in the application
    ``default`` and printed once to stderr. On SIGHUP the certificate is read again, and so are the
    settings that a running server can take (:data:`mien.config_exposure.RELOADED`), and other
    models are loaded where their settings have changed (:data:`mien.config_exposure.MODELS`).

    Args:
        settings: host, port, limits and where the gallery is.
        engine, gallery: opened and closed here when not given; an engine that is given stays.
        reread: reads the settings again.

    Raises:
        ConfigurationError: the address cannot be listened on, or TLS or traces cannot be had.
        GalleryUnavailable: the database cannot be opened.
    """
    with ExitStack() as stack:
        tls = tls_context(settings)
        tracing = open_tracing() if settings.traces == "otlp" else None
        if tracing is not None:
            stack.callback(tracing.close)
        listener = stack.enter_context(_listen(settings.host, settings.port))
        if gallery is None:
            gallery = stack.enter_context(
                Gallery.open(
                    settings.gallery_url, application=DEFAULT_APPLICATION, index=settings.index
                )
            )
        open_engine = None
        if engine is None:
            open_engine = _engine
            engine = open_engine(settings)
        _announce(settings, gallery, listener)
        app = create_app(engine, gallery, settings, tracing=tracing)
        service: Service = app.state.service
        if open_engine is not None:
            stack.callback(lambda: service.engine.close())
        log_to_stderr(settings.log_format)
        allowed = open_files()
        connections = Connections(
            min(settings.max_connections or allowed, allowed), head_s=settings.header_timeout_s
        )
        service.metrics.watch_connections(connections)
        config = uvicorn.Config(
            app,
            http=connections.protocol,  # type: ignore[arg-type]  # it takes any factory
            timeout_keep_alive=KEEP_ALIVE_S,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.request_timeout_s),
            ws="none",
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            ssl_context_factory=None if tls is None else lambda *_: tls,
        )
        reload = Reload(service, tls, reread, open_engine)
        _Server(config, app, reload).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn that tells the service at once when it has to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, reload: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._reload = reload

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and hear SIGHUP on the event loop."""
        await super().startup(sockets)
        if hasattr(signal, "SIGHUP") and threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._reload)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGINT and SIGTERM; unlike uvicorn's own, do not raise them again at the end."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {one: signal.signal(one, self.handle_exit) for one in STOPPING}
        try:
            yield
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell the open connections that the server stops, then let uvicorn end it.

        A connection that is closed while its client writes a request loses that request. So each
        is closed by an answer first, 503 with ``Connection: close``; who asks nothing for
        ``drain_s`` is taken to be idle.
        """
        service: Service = self._app.state.service
        loop = asyncio.get_running_loop()
        until = loop.time() + service.settings.drain_s
        while self.server_state.connections and loop.time() < until and not self.force_exit:
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Refuse new work, then let uvicorn wait for what runs; a second SIGINT ends at once."""
        self._app.state.service.stop()
        super().handle_exit(sig, frame)


def _engine(settings: Settings) -> Engine:
    return Engine(settings=settings)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without it, every
    # answer in two packets waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # a client that vanished is noticed by then
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * KEEP_ALIVE_S)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Cannot listen on {host}:{port} ({error.strerror}): choose another --host or --port.",
            details={"host": host, "port": port},
        ) from None
    return listener


def _announce(settings: Settings, gallery: Gallery, listener: socket.socket) -> None:
    if settings.auth:
        secret = ensure_first_key(gallery)
        if secret is not None:
            _say(f"Your first API key (shown only now; make more with `mien keys`): {secret}")
    elif settings.host not in LOOPBACK:
        _say("Warning: API keys are off and the server can be reached from other machines.")
    port = listener.getsockname()[1]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    scheme = "http" if settings.tls_cert is None else "https"
    _say(f"Mien is at {scheme}://{host}:{port} (API documentation: /docs)")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
