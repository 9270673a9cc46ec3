"""ModelFiles: from a card to its files, fetched, checked and converted."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from mien.config import Settings
from mien.errors import LicenceNotAccepted, ModelUnavailable
from mien.models.cache import Cache
from mien.models.card import ArchiveSource, ModelCard, Source
from mien.models.child import convert_in_child
from mien.models.convert import converter
from mien.models.fetch import Fetcher
from mien.models.progress import Progress
from mien.models.sample_sources import PARTIAL, SAMPLES

__all__ = ["ModelFiles"]


class ModelFiles:
    """The files of a catalogue's models. Safe to use from several threads.

    Args:
        settings: mirror, offline, accepted licences.
        cache: where files are kept.
        cards: the catalogue: what is wanted of an archive is taken out of it at once.
        progress: told how far a fetch is.
    """

    def __init__(
        self, settings: Settings, cache: Cache, cards: Sequence[ModelCard], progress: Progress
    ) -> None:
        samples = [*SAMPLES.values(), *PARTIAL.values()]
        members = [source for card in cards for source in card.sources + card.companions]
        members += [source for photos in samples for source in photos]
        siblings = [source for source in members if isinstance(source, ArchiveSource)]
        self._settings = settings
        self._cache = cache
        self._progress = progress
        self._fetcher = Fetcher(settings, cache, progress=progress, siblings=siblings)
        self._lock = threading.RLock()
        self._own_folder: tempfile.TemporaryDirectory[str] | None = None

    def fetch(self, sources: Sequence[Source]) -> Path:
        """A published file; raises what :meth:`mien.models.ModelStore.fetch` does."""
        return self._fetcher.fetch(sources)

    def source_path(self, card: ModelCard) -> Path:
        """The published weight file, fetched if it is not in the cache.

        Raises:
            LicenceNotAccepted: its licence has to be accepted first.
            ModelUnavailable: it cannot be had, or there is none.
            ChecksumMismatch: what was had is another file.
        """
        if card.library:
            raise ModelUnavailable(f"{card.name} has no file of its own: it is in {card.library}.")
        accepted = {*self._settings.accept_licences} & {card.name, card.key}
        if card.needs_acceptance and not accepted:
            raise LicenceNotAccepted(
                f"{card.name} is published under {card.licence}. If that fits your use, accept "
                f"it: --accept-licence {card.name}, or MIEN_ACCEPT_LICENCES={card.name}.",
                details={"model": card.name, "licence": card.licence},
            )
        return self._fetcher.fetch(card.sources)

    def source_paths(self, card: ModelCard) -> list[Path]:
        """The published weight file and its companions; raises what :meth:`source_path` does."""
        if card.library:
            return []
        weights = self.source_path(card)
        return [weights, *(self._fetcher.fetch([companion]) for companion in card.companions)]

    def cached_sources(self, card: ModelCard) -> list[Path] | None:
        """What :meth:`source_paths` gives, if all of it is in the cache."""
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
        sources = self.source_paths(card)
        version = converter(card.converter).version
        target = self._cache.converted(sources, card.converter, version)
        if target.is_file():
            return target
        with self._lock:
            try:
                with self._cache.lock(target.stem), self._cache.workshop(target.stem) as folder:
                    if not target.is_file():
                        self._progress(f"Preparing {card.name}", 0, None)
                        convert_in_child(card.converter, sources, folder / target.name)
                        self._cache.place(folder / target.name, target)
                        self._progress(f"Preparing {card.name}", 1, 1)
                    return target
            except ModelUnavailable:  # a cache that can only be read
                private = self._private_folder() / target.name
                if not private.is_file():
                    convert_in_child(card.converter, sources, private)
                return private

    def cached_path(self, card: ModelCard) -> Path | None:
        """The ONNX file, if it is in the cache."""
        sources = self.cached_sources(card)
        if sources is None or card.converter is None:
            return sources[0] if sources else None
        version = converter(card.converter).version
        target = self._cache.converted(sources, card.converter, version)
        return target if target.is_file() else None

    def _private_folder(self) -> Path:
        if self._own_folder is None:
            self._own_folder = tempfile.TemporaryDirectory(prefix="mien-")
        return Path(self._own_folder.name)
