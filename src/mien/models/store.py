"""ModelStore: cards in, weight files and open sessions out."""

from __future__ import annotations

import importlib.metadata
import tempfile
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, partial
from pathlib import Path

from mien.config import MEGABYTE, Settings
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
from mien.models.held import HeldNets
from mien.models.progress import Progress, silent
from mien.models.runtimes import Runtimes
from mien.models.sample_sources import PARTIAL, SAMPLES
from mien.models.session import Session
from mien.models.verify import Verification, inspect
from mien.spelling import near

__all__ = ["ModelStore"]


class ModelStore:
    """The models that a program uses. Safe to use from several threads.

    Args:
        settings: cache folder, mirror, offline, accepted licences, runtime, precision, threads.
        progress: told how far a fetch is.

    Example:
        >>> from mien import config
        >>> store = ModelStore(config.load())
        >>> store.card("yunet").key
        'detect/yunet'
    """

    def __init__(self, settings: Settings, *, progress: Progress | None = None) -> None:
        self.settings = settings
        self.cache = Cache(settings.cache_dir)
        self._progress = progress or silent
        self._runtimes = Runtimes(self.cache)
        self._nets = HeldNets(settings.model_memory_mb * MEGABYTE)
        self._lock = threading.RLock()
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def _catalogue(self) -> dict[str, ModelCard]:
        return load_catalogue()

    @cached_property
    def _fetcher(self) -> Fetcher:
        samples = [*SAMPLES.values(), *PARTIAL.values()]
        members = [source for card in self.cards() for source in card.sources + card.companions]
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
        raise self._unknown(name, task)

    def _unknown(self, name: str, task: Task | None) -> UnknownModel:
        kind = f" to {task}" if task else ""
        message = f"There is no model {name!r:.80}{kind}."
        elsewhere = [card.key for card in self.cards() if name in (card.name, card.key)]
        known = [text for card in self.cards(task) for text in (card.name, card.key)]
        if elsewhere:
            message += f" There is {' and '.join(elsewhere)}."
        if close := near(name, known):
            message += f" Did you mean {' or '.join(close)}?"
        listing = f"mien models list --task {task}" if task else "mien models list"
        return UnknownModel(f"{message} See {listing}.", details={"model": str(name)[:80]})

    def with_needs(self, cards: Iterable[ModelCard]) -> list[ModelCard]:
        """``cards`` and those whose nets they need besides their own, each once.

        Raises:
            UnknownModel: a card needs one that is not in the catalogue.
        """
        found: dict[str, ModelCard] = {}
        waiting = list(cards)
        while waiting:
            card = waiting.pop(0)
            if card.key not in found:
                found[card.key] = card
                waiting.extend(self.card(key) for key in card.needs)
        return list(found.values())

    def available(self, card: ModelCard) -> bool:
        """Whether all published files that the model needs are in the cache, and its library."""
        needed = self.with_needs([card])
        cached = all(self._cached_sources(one) is not None for one in needed)
        return cached and all(_installed(one.library) for one in needed if one.library)

    def source_path(self, card: ModelCard) -> Path:
        """The published weight file, fetched if it is not in the cache.

        Raises:
            LicenceNotAccepted: its licence has to be accepted first.
            ModelUnavailable: it cannot be had, or there is none.
            ChecksumMismatch: what was had is another file.
        """
        if card.library:
            raise ModelUnavailable(f"{card.name} has no file of its own: it is in {card.library}.")
        accepted = {*self.settings.accept_licences} & {card.name, card.key}
        if card.needs_acceptance and not accepted:
            raise LicenceNotAccepted(
                f"{card.name} is published under {card.licence}. If that fits your use, accept "
                f"it: --accept-licence {card.name}, or MIEN_ACCEPT_LICENCES={card.name}.",
                details={"model": card.name, "licence": card.licence},
            )
        return self._fetcher.fetch(card.sources)

    def _source_paths(self, card: ModelCard) -> list[Path]:
        """The published weight file and its companions; raises what :meth:`source_path` does."""
        if card.library:
            return []
        weights = self.source_path(card)
        return [weights, *(self._fetcher.fetch([companion]) for companion in card.companions)]

    def _cached_sources(self, card: ModelCard) -> list[Path] | None:
        """What :meth:`_source_paths` gives, if all of it is in the cache."""
        wanted = [card.sources] if card.sources else []
        wanted += [(companion,) for companion in card.companions]
        found = [file for sources in wanted if (file := self._fetcher.cached(sources))]
        return found if len(found) == len(wanted) else None

    def path(self, card: ModelCard) -> Path:
        """The ONNX file, fetched and converted if need be; raises what :meth:`source_path` does.

        Raises:
            ConversionError: the published file cannot be converted.
        """
        if card.converter is None:
            return self.source_path(card)
        sources = self._source_paths(card)
        version = converter(card.converter).version
        target = self.cache.converted(sources, card.converter, version)
        if target.is_file():
            return target
        with self._lock:
            try:
                with self.cache.lock(target.stem), self.cache.workshop(target.stem) as folder:
                    if not target.is_file():
                        self._progress(f"Preparing {card.name}", 0, None)
                        convert_in_child(card.converter, sources, folder / target.name)
                        self.cache.place(folder / target.name, target)
                        self._progress(f"Preparing {card.name}", 1, 1)
                    return target
            except ModelUnavailable:  # a cache that can only be read
                private = self._private_folder() / target.name
                if not private.is_file():
                    convert_in_child(card.converter, sources, private)
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

        Nets that were not used for long are closed when all hold more than the settings'
        ``model_memory_mb``; their sessions open them again.

        Args:
            card: what to run.
            threads: CPU budget of all its runs together; None: the settings'.
            streams: how many runs shall proceed side by side, each on ``threads / streams``.
            runtime: ``auto``, ``openvino`` or ``onnxruntime``; None: the settings'.
            precision: ``auto``, ``float32``, ``bf16`` or ``int8``, never replaced by another;
                None: the settings', where the card admits it (:meth:`precision_for`).

        Raises:
            RuntimeUnavailable: the runtime or the precision that was asked for cannot run the net.
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted, ConversionError: see
                :meth:`path`.
        """
        budget = threads or self.settings.thread_budget
        key = (card.key, budget, streams, runtime, precision)
        runtime = runtime or self.settings.runtime
        precision = precision or self.precision_for(card)
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
        size = sum(source.size or 0 for source in card.sources[:1])
        with self._lock:
            return self._nets.session(
                key, card.key, file_bytes=size, opener=partial(self._open_sound, card, opener)
            )

    def release(self, card: ModelCard | None = None) -> int:
        """Close the nets of ``card``, or all, and give their memory back; how many were open.

        Runs that are under way end as if nothing had happened, and sessions remain usable: the
        next run opens its net again. What the settings' ``model_memory_mb`` does by itself.
        """
        return self._nets.release(card.key if card else None)

    def holding(self) -> dict[str, int]:
        """Bytes that the open nets are counted to hold, by card key.

        The growth of the process while each was opened and run, and at least its file's size.
        """
        return self._nets.holding()

    def precision_for(self, card: ModelCard) -> str:
        """The settings' precision where the card admits it; otherwise ``float32``.

        A card admits what passed its accuracy gate, so one wish suits models that differ.
        """
        wish = self.settings.precision
        return wish if wish == "auto" or wish in card.precisions else "float32"

    def _open_sound(self, card: ModelCard, opener: Callable[[Path], Session]) -> Session:
        """Open the net; where its file in the cache turns out to be damaged, once more, anew."""
        with self._lock:
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

    def ways(self, card: ModelCard) -> list[Candidate]:
        """How the net can be run with these settings, default first; empty: not at all here."""
        try:
            return self._candidates(card) if card.place == "net" else []
        except RuntimeUnavailable:
            return []

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
            card, runtime=settings.runtime, precision=self.precision_for(card)
        )

    def _cached_path(self, card: ModelCard) -> Path | None:
        """The ONNX file, if it is in the cache."""
        sources = self._cached_sources(card)
        if sources is None or card.converter is None:
            return sources[0] if sources else None
        version = converter(card.converter).version
        target = self.cache.converted(sources, card.converter, version)
        return target if target.is_file() else None

    def pull(self, cards: Iterable[ModelCard]) -> list[Path]:
        """Fetch and convert, also what they need; the files of ``cards`` that have one, in order.

        Raises:
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted, ConversionError: see
                :meth:`path`.
        """
        wanted = list(cards)
        paths = {card.key: self.path(card) for card in self.with_needs(wanted) if card.sources}
        return [paths[card.key] for card in wanted if card.sources]

    def inspect(self, cards: Iterable[ModelCard]) -> list[Verification]:
        """Hash the cached files again; what is corrupt is deleted, and reported, not raised."""
        return [inspect(card, self._cached_sources(card), self.cache) for card in cards]

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
        """Write the published files of ``cards``, and of those that they need, to one archive.

        What is missing is fetched.

        Raises:
            InvalidArgument: ``file`` cannot be written.
            ModelUnavailable, ChecksumMismatch, LicenceNotAccepted: see :meth:`source_path`.
        """
        cards = self.with_needs(cards)
        files = [(card, path) for card in cards for path in self._source_paths(card)]
        write_bundle(files, Path(file))

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


def _installed(distribution: str) -> bool:
    try:
        importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
