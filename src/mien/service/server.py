"""serve: one process, one event loop, until it is interrupted."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
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

__all__ = ["serve"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")
BACKLOG = 2048
STOPPING = (signal.SIGINT, signal.SIGTERM)


def serve(
    settings: Settings, *, engine: Engine | None = None, gallery: Gallery | None = None
) -> None:
    """Serve ``/v1`` and the pages until SIGINT or SIGTERM; running requests are finished.

    At the first start, when the gallery has no key at all, one is created in the application
    ``default`` and printed once to stderr.

    Args:
        settings: host, port, limits and where the gallery is.
        engine, gallery: opened and closed here when not given.

    Raises:
        ConfigurationError: the address cannot be listened on.
        GalleryUnavailable: the database cannot be opened.
    """
    with ExitStack() as stack:
        listener = stack.enter_context(_listen(settings.host, settings.port))
        if gallery is None:
            gallery = stack.enter_context(
                Gallery.open(
                    settings.gallery_url, application=DEFAULT_APPLICATION, index=settings.index
                )
            )
        if engine is None:
            engine = stack.enter_context(Engine(settings=settings))
        _announce(settings, gallery, listener)
        app = create_app(engine, gallery, settings)
        _log_to_stderr()
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.request_timeout_s),
            ws="none",
        )
        _Server(config, app).run(sockets=[listener])


class _Server(uvicorn.Server):
    """Uvicorn that tells the service at once when it has to stop."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

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

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Refuse new work, then let uvicorn wait for what runs; a second SIGINT ends at once."""
        self._app.state.service.stop()
        super().handle_exit(sig, frame)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only where it is; without it, every
    # answer in two packets waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
    _say(f"Mien is at http://{host}:{port} (API documentation: /docs)")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _log_to_stderr() -> None:
    ours = logging.getLogger("mien")
    if not ours.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        ours.addHandler(handler)
    ours.setLevel(logging.INFO)
