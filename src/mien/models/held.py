"""Held nets: the open sessions of a store, the least recently used closed above a budget.

No runtime says what a net holds, and the memory that it works in is often more than its weights:
CenterFace has 7 MB of weights and works in 600 MB on a photo of 1986 x 1545 pixels. So the growth
of the process while a net is opened or run is counted as that net's, though never less than its
file. Growth that other threads cause meanwhile may be counted too; a net that is closed for it is
opened again when it is next used. Nets in constant use are never closed, whatever they hold:
opening one takes 50 to 300 milliseconds, and closing them in turn would cost that at every run.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping

from mien.models.memory import give_back, resident_bytes
from mien.models.session import Array, Session

__all__ = ["HeldNets", "HeldSession"]

_log = logging.getLogger(__name__)

REST_S = 1.0
"""A net that was used less than so many seconds ago is in use."""

Opener = Callable[[], Session]


class HeldSession:
    """A session (see :class:`mien.models.Session`) whose net is closed, and opened again by need.

    A run that is under way when its net is closed ends as if nothing had happened; the memory is
    free after it. The next run opens the net again, which raises what
    :meth:`mien.models.ModelStore.open` raises. Made by :class:`HeldNets`.

    Attributes:
        model: key of the card.
        size: bytes that are counted as the net's while it is open.
        used: when it was last used, seconds of the clock.
        running: runs under way.
    """

    def __init__(self, model: str, opener: Opener, nets: HeldNets, *, file_bytes: int) -> None:
        self.model = model
        self.size = self.running = 0
        self.used = 0.0
        self._file_bytes = file_bytes
        self._opener = opener
        self._nets = nets
        self._session: Session | None = None
        session = self.open()
        self.runtime, self.precision = session.runtime, session.precision
        self.input_names, self.output_names = session.input_names, session.output_names

    def open(self) -> Session:
        """The session itself, opened if it is closed."""
        with self._nets.opening:
            session = self._session
            if session is None:
                self.size = 0
                with self._nets.work(self):
                    session = self._session = self._opener()
                self.size = max(self.size, self._file_bytes)
                self.runtime, self.precision = session.runtime, session.precision
        return session

    def close(self) -> None:
        """Let the net go, until it is next used."""
        self._session = None

    @property
    def is_open(self) -> bool:
        """Whether the net is in memory."""
        return self._session is not None

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """All outputs by name, as float32 arrays that the caller owns."""
        session = self._session or self.open()
        with self._nets.work(self):
            return session.run(inputs)


class HeldNets:
    """The sessions of a store by what they were opened with. Safe to use from several threads.

    Args:
        budget_bytes: what the open nets may hold together; 0: any amount. Above it, those that
            have not been used for longest are closed, but none in use (:data:`REST_S`).
        resident: memory of the process in bytes; 0 where it is not known.
        clock: seconds.

    Attributes:
        opening: held while a net is opened. Whoever opens one holds no lock that opening takes.
    """

    def __init__(
        self,
        budget_bytes: int,
        *,
        resident: Callable[[], int] = resident_bytes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget_bytes
        self._resident = resident
        self._clock = clock
        self._sessions: dict[Hashable, HeldSession] = {}
        self._lock = threading.Lock()
        self.opening = threading.RLock()
        self._counted = 0  # the most resident memory that has been counted as somebody's

    def session(self, key: Hashable, model: str, *, file_bytes: int, opener: Opener) -> HeldSession:
        """The open session for ``key``, opened if need be.

        Args:
            key: what it is opened with.
            model: key of its card.
            file_bytes: what it holds at least.
            opener: opens the net.
        """
        with self.opening:
            held = self._sessions.get(key)
            if held is None:
                held = HeldSession(model, opener, self, file_bytes=file_bytes)
                with self._lock:
                    self._sessions[key] = held
            else:
                held.open()
            held.used = self._clock()
        self._keep_budget()
        return held

    @contextlib.contextmanager
    def work(self, session: HeldSession) -> Iterator[None]:
        """Count what the process grows by inside as the session's."""
        before = self._resident()
        with self._lock:
            session.running += 1
            session.used = self._clock()
        try:
            yield
        finally:
            after = self._resident()
            with self._lock:
                session.running -= 1
                session.used = self._clock()
                grown = after - max(before, self._counted)
                if grown > 0:
                    session.size += grown
                    self._counted = after
        if grown > 0:
            self._keep_budget()

    def holding(self) -> dict[str, int]:
        """Bytes that are counted as each model's, of those whose nets are open."""
        with self._lock:
            found: dict[str, int] = {}
            for session in self._sessions.values():
                if session.is_open:
                    found[session.model] = found.get(session.model, 0) + session.size
        return found

    def release(self, model: str | None = None) -> int:
        """Close the nets of one model, or all; how many were open."""
        with self._lock:
            chosen = [s for s in self._sessions.values() if model in (None, s.model) and s.is_open]
            for session in chosen:
                session.close()
        self._returned(bool(chosen))
        return len(chosen)

    def _keep_budget(self) -> None:
        if not self._budget:
            return
        with self._lock:
            open_ones = [session for session in self._sessions.values() if session.is_open]
            held = sum(session.size for session in open_ones)
            rested = self._clock() - REST_S
            idle = [s for s in open_ones if not s.running and s.used <= rested]
            closed = []
            for session in sorted(idle, key=lambda s: s.used):
                if held > self._budget:
                    held -= session.size
                    session.close()
                    closed.append(session.model)
        if closed:
            _log.info("Closed for the memory of others: %s", ", ".join(closed))
        self._returned(bool(closed))

    def _returned(self, closed: bool) -> None:
        """Give memory back, and forget that it was counted."""
        if closed:
            give_back()
            with self._lock:
                self._counted = min(self._counted, self._resident())
