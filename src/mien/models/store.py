"""ModelStore: cards in, weight files and open sessions out."""

from __future__ import annotations

import difflib
import tempfile
import threading
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from mien.config import Settings
from mien.errors import LicenceNotAccepted, ModelUnavailable, UnknownModel
from mien.models.cache import Cache
from mien.models.card import ArchiveSource, ModelCard, Task
from mien.models.catalogue import load_catalogue
from mien.models.convert import converter
from mien.models.fetch import Fetcher
from mien.models.progress import Progress, silent
from mien.models.runtimes import Runtimes
from mien.models.session import Session

__all__ = ["ModelStore"]


class ModelStore:
    """The models that a program uses. Safe to use from several threads.

    Args:
        settings: cache folder, mirror, offline, accepted licences, runtime, precision, threads.
        progress: told how far a fetch is.

    Example:
        >>> from mien import config
        >>> store = ModelStore(config.load())
        >>> [card.key for card in store.cards("detect")]
        ['detect/yunet']
    """

    def __init__(self, settings: Settings, *, progress: Progress | None = None) -> None:
        self.settings = settings
        self.cache = Cache(settings.cache_dir)
        self._progress = progress or silent
        self._runtimes = Runtimes(settings, self.cache)
        self._sessions: dict[tuple[object, ...], Session] = {}
        self._lock = threading.RLock()
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def _catalogue(self) -> dict[str, ModelCard]:
        return load_catalogue()

    @cached_property
    def _fetcher(self) -> Fetcher:
        siblings = [
            s for card in self.cards() for s in card.sources if isinstance(s, ArchiveSource)
        ]
        return Fetcher(self.settings, self.cache, progress=self._progress, siblings=siblings)

    def cards(self, task: Task | None = None) -> list[ModelCard]:
        """The catalogue, or its cards for one task."""
        return [card for card in self._catalogue.values() if task in (None, card.task)]

    def card(self, name: str, task: Task | None = None) -> ModelCard:
        """The card called ``task/name``, or ``name`` where that is one card (of ``task``).

        Raises:
            UnknownModel: there is none, or there are several; the message names close ones.
        """
        found = [c for c in self.cards(task) if name in (c.name, c.key)]
        if len(found) == 1:
            return found[0]
        if found:
            keys = " or ".join(card.key for card in found)
            raise UnknownModel(f"There are several models called {name!r}: say {keys}.")
        known = [card.name for card in self.cards(task)] + [card.key for card in self.cards(task)]
        close = difflib.get_close_matches(name, known, n=3)
        hint = f"Did you mean {' or '.join(close)}?" if close else "See mien models list."
        kind = f" to {task}" if task else ""
        raise UnknownModel(f"There is no model {name!r}{kind}. {hint}")

    def available(self, card: ModelCard) -> bool:
        """Whether the published file is in the cache."""
        return self._fetcher.cached(card.sources) is not None

    def source_path(self, card: ModelCard) -> Path:
        """The published weight file, fetched if it is not in the cache.

        Raises:
            LicenceNotAccepted: its licence has to be accepted first.
            ModelUnavailable: it cannot be had.
            ChecksumMismatch: what was had is another file.
        """
        accepted = {*self.settings.accept_licences} & {card.name, card.key}
        if card.needs_acceptance and not accepted:
            raise LicenceNotAccepted(
                f"{card.name} is published under {card.licence}. If that fits your use, accept "
                f"it: --accept-licence {card.name}, or MIEN_ACCEPT_LICENCES='[\"{card.name}\"]'.",
                details={"model": card.name, "licence": card.licence},
            )
        return self._fetcher.fetch(card.sources)

    def path(self, card: ModelCard) -> Path:
        """The ONNX file, fetched and converted if need be; raises what :meth:`source_path` does.

        Raises:
            ConversionError: the published file cannot be converted.
        """
        source = self.source_path(card)
        if card.converter is None:
            return source
        convert = converter(card.converter)
        sha256 = source.parent.name
        target = self.cache.converted(sha256, card.converter, convert.version)
        if target.is_file():
            return target
        with self._lock:
            try:
                with self.cache.lock(target.stem):
                    if not target.is_file():
                        self._progress(f"Preparing {card.name}", 0, None)
                        self.cache.write(target, convert(source.read_bytes()))
                    return target
            except ModelUnavailable:  # a cache that can only be read
                private = self._private_folder() / target.name
                if not private.is_file():
                    private.write_bytes(convert(source.read_bytes()))
                return private

    def _private_folder(self) -> Path:
        if self._own_folder is None:
            self._own_folder = tempfile.TemporaryDirectory(prefix="mien-")
        return Path(self._own_folder.name)

    def open(
        self,
        card: ModelCard,
        *,
        threads: int | None = None,
        streams: int = 1,
        runtime: str | None = None,
        precision: str | None = None,
    ) -> Session:
        """A session of the net; the same one for the same arguments.

        Args:
            card: what to run.
            threads: CPU budget of all its runs together; None: the settings'.
            streams: how many runs shall proceed side by side, each on ``threads / streams``.
            runtime: ``auto``, ``openvino`` or ``onnxruntime``; None: the settings'.
            precision: ``auto``, ``float32``, ``bf16`` or ``int8``; None: the settings'.

        Raises:
            RuntimeUnavailable: the runtime or the precision asked for here cannot run the net.
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted, ConversionError: see
                :meth:`path`.
        """
        budget = threads or self.settings.thread_budget
        key = (card.key, budget, streams, runtime, precision)
        with self._lock:
            if key not in self._sessions:
                self._sessions[key] = self._runtimes.open(
                    card,
                    self.path(card),
                    threads=budget,
                    streams=streams,
                    runtime=runtime,
                    precision=precision,
                )
            return self._sessions[key]

    def pull(self, cards: Iterable[ModelCard]) -> list[Path]:
        """Fetch and convert; the ONNX files, in the order of ``cards``."""
        return [self.path(card) for card in cards]
