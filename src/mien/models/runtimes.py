"""Runtimes: opens a net in the runtime and the arithmetic that were asked for, or chosen."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import get_args

from mien.config import Precision, Runtime
from mien.errors import InvalidArgument, ModelUnavailable, RuntimeUnavailable
from mien.models.cache import Cache
from mien.models.card import ModelCard
from mien.models.child import measure_in_child, open_candidate
from mien.models.choice import Candidate, Choice, machine_digest
from mien.models.session import Session
from mien.models.whole import is_whole
from mien.spelling import no_such

__all__ = ["Runtimes"]

_log = logging.getLogger(__name__)
_FALLBACK = Candidate("onnxruntime", "float32")


class Runtimes:
    """The runtimes of this machine. A runtime is imported when a net is first opened in it.

    Args:
        cache: where compiled nets and measured choices are kept.
    """

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def open(
        self,
        card: ModelCard,
        path: Path,
        *,
        runtime: str,
        precision: str,
        threads: int,
        streams: int,
    ) -> Session:
        """Open the net in ``path``.

        Args:
            card: what it is.
            path: its ONNX file.
            runtime: ``auto``, ``openvino`` or ``onnxruntime``.
            precision: ``auto``, or one, which is then never replaced by another.
            threads: CPU budget of all streams together.
            streams: runs that proceed side by side.

        Raises:
            RuntimeUnavailable: no runtime that was asked for can run it.
        """

        def opener(candidate: Candidate) -> Session:
            return open_candidate(
                candidate, path, cache=self._cache, threads=threads, streams=streams
            )

        candidates = self.candidates(card, runtime=runtime, precision=precision)
        if not is_whole(path):
            raise _unopened(card, f"{card.name} cannot be run: {path.name} is no whole ONNX file.")
        notes: list[str] = []  # told only where another way works: else the error says it all
        chosen = candidates[0]
        if len(candidates) > 1:
            chosen = self._chosen(card, path, candidates, notes)
        ways = [chosen, Candidate(chosen.runtime, "float32"), _FALLBACK]
        for way in dict.fromkeys(way for way in ways if way in candidates):
            try:
                session = opener(way)
            except (RuntimeUnavailable, ImportError) as error:
                notes.append(f"{card.name} cannot be run by {way.runtime}: {error}")
                last = error
            else:
                for note in notes:
                    _log.warning("%s", note)
                return session
        raise _unopened(card, notes[-1]) from last

    def candidates(self, card: ModelCard, *, runtime: str, precision: str) -> list[Candidate]:
        """The ways to run a net that the card admits and the request allows, default first.

        Raises:
            InvalidArgument: no runtime or precision of that name.
            RuntimeUnavailable: none: no runtime is installed, or none has the precision.
        """
        for kind, name, known in (
            ("runtime", runtime, get_args(Runtime)),
            ("precision", precision, get_args(Precision)),
        ):
            if name not in known:
                raise InvalidArgument(no_such(kind, name, known))
        found = []
        if runtime in ("auto", "openvino") and importlib.util.find_spec("openvino") is not None:
            found += [Candidate("openvino", p) for p in ("float32", "bf16") if p in card.precisions]
        if runtime in ("auto", "onnxruntime") and importlib.util.find_spec("onnxruntime"):
            found.append(_FALLBACK)
        if not found:
            name = "OpenVINO or ONNX Runtime" if runtime == "auto" else runtime
            raise RuntimeUnavailable(f"{name} is not installed: pip install it, or use another.")
        if precision == "auto":
            return found
        exact = [c for c in found if c.precision == precision]
        if not exact:
            where = "" if runtime == "auto" else f" in {runtime}"
            raise RuntimeUnavailable(
                f"{card.name} does not run in {precision}{where}: ask for auto or float32 "
                "(MIEN_PRECISION).",
                details={"model": card.name, "precision": precision},
            )
        return exact

    def stored(self, card: ModelCard, path: Path, candidates: list[Candidate]) -> Choice | None:
        """The choice that was measured earlier on this machine, if there is one."""
        try:
            choice = Choice.from_json(self._file(card, path, candidates).read_bytes())
        except (OSError, ValueError):
            return None
        return choice if Candidate(choice.runtime, choice.precision) in candidates else None

    def measure(self, card: ModelCard, path: Path, candidates: list[Candidate]) -> Choice:
        """Measure now, and keep the result.

        Raises:
            RuntimeUnavailable: no candidate runs.
        """
        choice = measure_in_child(path, card.inputs, candidates, cache=self._cache)
        try:
            self._cache.write(self._file(card, path, candidates), choice.to_json())
        except ModelUnavailable as error:  # full: it is measured again next time
            _log.info("%s", error.message)
        return choice

    def _chosen(
        self, card: ModelCard, path: Path, candidates: list[Candidate], notes: list[str]
    ) -> Candidate:
        """The stored choice, else a measured one; where it could not be kept, the default."""
        choice = self.stored(card, path, candidates)
        if choice is None:
            try:
                with self._cache.lock(self._file(card, path, candidates).stem):
                    choice = self.stored(card, path, candidates)  # another process was quicker
                    choice = choice or self.measure(card, path, candidates)
            except ModelUnavailable:
                return candidates[0]
            except RuntimeUnavailable as error:
                notes.append(f"{card.name}: {error.message}")
                return _FALLBACK if _FALLBACK in candidates else candidates[0]
        return Candidate(choice.runtime, choice.precision)

    def _file(self, card: ModelCard, path: Path, candidates: list[Candidate]) -> Path:
        return self._cache.choice(machine_digest(card, path.stem, candidates))


def _unopened(card: ModelCard, reason: str) -> RuntimeUnavailable:
    return RuntimeUnavailable(
        f"{reason} Check its file with 'mien models verify {card.key}', or use another runtime or "
        "precision.",
        details={"model": card.name},
    )
