"""Reload: what SIGHUP does to a running server, without a request that fails."""

from __future__ import annotations

import asyncio
import gc
import logging
import ssl
import threading
from collections.abc import Callable

from mien.config import Settings
from mien.config_exposure import MODELS
from mien.engine import Engine
from mien.errors import MienError
from mien.service.errors import log_unexpected
from mien.service.state import Service
from mien.service.tls import load_certificate

__all__ = ["Reload"]

logger = logging.getLogger("mien.service")


class Reload:
    """Takes the certificate, the settings that can be taken, and other models.

    New models are loaded beside the old ones, which go on meanwhile; then requests that come get
    the new ones, and those that are here already end with what they began with. Groups stay with
    the recognition model that they are pinned to.

    Args:
        service: takes the settings and the engine.
        tls: takes the certificate; None: there is none.
        reread: reads the settings again; None: only the certificate is read again.
        open_engine: opens models by settings; None: those of the server were given and stay.
    """

    def __init__(
        self,
        service: Service,
        tls: ssl.SSLContext | None,
        reread: Callable[[], Settings] | None,
        open_engine: Callable[[Settings], Engine] | None,
    ) -> None:
        self._service = service
        self._tls = tls
        self._reread = reread
        self._open_engine = open_engine
        self._one_at_a_time = threading.Lock()

    def __call__(self) -> None:
        """Do it, on the event loop; where something is wrong, all stays and the log says so."""
        try:
            fresh = self._service.settings if self._reread is None else self._reread()
            if self._tls is not None:
                load_certificate(self._tls, fresh)
        except MienError as error:
            logger.error("nothing was reloaded: %s", error.code)
            return
        taken, left = self._service.take_settings(fresh)
        others = [name for name in left if name in MODELS]
        if others and self._open_engine is not None:
            left = [name for name in left if name not in MODELS]
            arguments = (asyncio.get_running_loop(), self._open_engine, fresh)
            threading.Thread(target=self._change, args=arguments, daemon=True).start()
            logger.info("models are being loaded, for: %s", ", ".join(others))
        logger.info(
            "reloaded: %s; only a restart takes: %s",
            ", ".join(taken) or "no setting has changed",
            ", ".join(left) or "nothing",
        )

    def _change(
        self,
        loop: asyncio.AbstractEventLoop,
        open_engine: Callable[[Settings], Engine],
        fresh: Settings,
    ) -> None:
        with self._one_at_a_time:
            try:
                engine = open_engine(fresh)
                engine.load()
            except MienError as error:
                logger.error("the models stay as they are: %s: %s", error.code, error.message)
                return
            except Exception as error:
                log_unexpected(error, request_id="reload")
                return
            if self._service.stopping:
                engine.close()
                return
            changed = threading.Event()
            loop.call_soon_threadsafe(self._take, engine, fresh, changed)
            changed.wait(60)

    def _take(self, engine: Engine, fresh: Settings, changed: threading.Event) -> None:
        old = self._service.take_engine(engine, fresh)
        changed.set()
        logger.info("the models have been changed")
        threading.Thread(target=self._let_go, args=(old,), daemon=True).start()

    def _let_go(self, old: Engine) -> None:
        """Give the memory back when whoever began with these models has ended.

        Released earlier, they would be loaded once more by requests that are still at work.
        """
        self._service.wait_for_stop(self._service.settings.request_timeout_s)
        old.release()
        old.close()
        del old
        gc.collect()  # an engine and those beside it know each other
