"""ModelStore: cards in, weight files and open sessions out."""

from __future__ import annotations

import difflib
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path

from mien.config import Settings
from mien.errors import (
    ChecksumMismatch,
    LicenceNotAccepted,
    ModelError,
    ModelUnavailable,
    RuntimeUnavailable,
    UnknownModel,
)
from mien.models.bundle import read_bundle, write_bundle
from mien.models.cache import Cache
from mien.models.card import ArchiveSource, ModelCard, Source, Task
from mien.models.catalogue import load_catalogue
from mien.models.child import convert_in_child
from mien.models.choice import Candidate, Choice
from mien.models.convert import converter
from mien.models.fetch import Fetcher
from mien.models.progress import Progress, silent
from mien.models.runtimes import Runtimes
from mien.models.sample_sources import PARTIAL, SAMPLES
from mien.models.session import Session
from mien.models.verify import Verification, inspect

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
        self._runtimes = Runtimes(self.cache)
        self._sessions: dict[tuple[object, ...], Session] = {}
        self._lock = threading.RLock()
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def _catalogue(self) -> dict[str, ModelCard]:
        return load_catalogue()

    @cached_property
    def _fetcher(self) -> Fetcher:
        samples = [*SAMPLES.values(), *PARTIAL.values()]
        members = [source for card in self.cards() for source in card.sources]
        members += [source for photos in samples for source in photos]
        siblings = [source for source in members if isinstance(source, ArchiveSource)]
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
                f"it: --accept-licence {card.name}, or MIEN_ACCEPT_LICENCES={card.name}.",
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
        version = converter(card.converter).version
        target = self.cache.converted(source.parent.name, card.converter, version)
        if target.is_file():
            return target
        with self._lock:
            try:
                with self.cache.lock(target.stem), self.cache.workshop(target.stem) as folder:
                    if not target.is_file():
                        self._progress(f"Preparing {card.name}", 0, None)
                        convert_in_child(card.converter, source, folder / target.name)
                        self.cache.place(folder / target.name, target)
                        self._progress(f"Preparing {card.name}", 1, 1)
                    return target
            except ModelUnavailable:  # a cache that can only be read
                private = self._private_folder() / target.name
                if not private.is_file():
                    convert_in_child(card.converter, source, private)
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
            RuntimeUnavailable: the runtime or the precision that was asked for, here or in the
                settings, cannot run the net.
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted, ConversionError: see
                :meth:`path`.
        """
        budget = threads or self.settings.thread_budget
        key = (card.key, budget, streams, runtime, precision)
        with self._lock:
            if key not in self._sessions:
                runtime = runtime or self.settings.runtime
                precision = precision or self.settings.precision
                # Refuses before anything is fetched.
                self._runtimes.candidates(card, runtime=runtime, precision=precision)
                opener = partial(
                    self._runtimes.open,
                    card,
                    runtime=runtime,
                    precision=precision,
                    threads=budget,
                    streams=streams,
                )
                self._sessions[key] = self._open_sound(card, opener)
            return self._sessions[key]

    def _open_sound(self, card: ModelCard, opener: Callable[[Path], Session]) -> Session:
        """Open the net; where its file in the cache turns out to be damaged, once more, anew."""
        try:
            return opener(self.path(card))
        except RuntimeUnavailable:
            try:
                (found,) = self.inspect([card])
            except ModelError:  # a cache that can only be read: it cannot be put right
                found = None
            if found is None or found.state == "ok":
                raise
        return opener(self.path(card))

    def choice(self, card: ModelCard) -> Choice | None:
        """What was measured for ``card`` on this machine, without measuring; None if nothing.

        Raises:
            RuntimeUnavailable: no runtime is installed, or none has the settings' precision.
        """
        path = self._cached_path(card)
        if path is None:
            return None
        return self._runtimes.stored(card, path, self._candidates(card))

    def tune(self, card: ModelCard) -> Choice:
        """Measure the runtimes for ``card`` again and keep the result for later sessions.

        Raises:
            RuntimeUnavailable: none of them runs it.
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted, ConversionError: see
                :meth:`path`.
        """
        return self._runtimes.measure(card, self.path(card), self._candidates(card))

    def _candidates(self, card: ModelCard) -> list[Candidate]:
        settings = self.settings
        return self._runtimes.candidates(
            card, runtime=settings.runtime, precision=settings.precision
        )

    def _cached_path(self, card: ModelCard) -> Path | None:
        """The ONNX file, if it is in the cache."""
        source = self._fetcher.cached(card.sources)
        if source is None or card.converter is None:
            return source
        version = converter(card.converter).version
        target = self.cache.converted(source.parent.name, card.converter, version)
        return target if target.is_file() else None

    def pull(self, cards: Iterable[ModelCard]) -> list[Path]:
        """Fetch and convert; the ONNX files, in the order of ``cards``.

        Raises:
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted, ConversionError: see
                :meth:`path`.
        """
        return [self.path(card) for card in cards]

    def inspect(self, cards: Iterable[ModelCard]) -> list[Verification]:
        """Hash the cached files again; what is corrupt is deleted, and reported, not raised."""
        return [inspect(card, self._fetcher.cached(card.sources), self.cache) for card in cards]

    def verify(self, cards: Iterable[ModelCard]) -> list[Verification]:
        """As :meth:`inspect`, for callers that need all of ``cards`` to be good.

        Raises:
            ChecksumMismatch: some were not what their cards pin; they are deleted.
            ModelUnavailable: some are not in the cache.
        """
        report = self.inspect(cards)
        corrupt = ", ".join(one.card.key for one in report if one.state == "corrupt")
        if corrupt:
            raise ChecksumMismatch(
                f"In the cache, {corrupt} was not the file that its card pins; it has been "
                "deleted. Pull it again (mien models pull)."
            )
        missing = ", ".join(one.card.key for one in report if one.state == "missing")
        if missing:
            raise ModelUnavailable(f"{missing} is not in the cache: pull it (mien models pull).")
        return report

    def bundle(self, cards: Iterable[ModelCard], file: Path) -> None:
        """Write the published files of ``cards`` to one archive, fetching what is missing.

        Raises:
            InvalidArgument: ``file`` cannot be written.
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted: see :meth:`source_path`.
        """
        write_bundle([(card, self.source_path(card)) for card in cards], Path(file))

    def import_bundle(self, file: Path) -> list[ModelCard]:
        """Put a bundle's files into the cache; the cards that they belong to.

        Raises:
            InvalidArgument: not a bundle.
            ChecksumMismatch: a file in it is not the one that its manifest says.
        """
        return read_bundle(Path(file), self.cards(), self.cache, progress=self._progress)

    def fetch(self, sources: Sequence[Source]) -> Path:
        """A published file that belongs to no card, such as a sample photo.

        Raises:
            ModelUnavailable, ChecksumMismatch: see :meth:`source_path`.
        """
        return self._fetcher.fetch(sources)
