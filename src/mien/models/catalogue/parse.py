"""From the TOML of a card to a ModelCard, strictly: what is not known is an error."""

# ruff: noqa: ANN401  (it goes by the annotations of any dataclass)
from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from collections.abc import Mapping
from typing import Any

from mien.errors import ConfigurationError, UnknownMetric
from mien.models.card import ArchiveSource, ModelCard, ShippedSource, Source, Task, UrlSource
from mien.models.measured import Measured

__all__ = ["parse_card"]

_KINDS: dict[str, type[ArchiveSource | UrlSource | ShippedSource]] = {
    "archive": ArchiveSource,
    "url": UrlSource,
    "shipped": ShippedSource,
}


def parse_card(text: str, *, file: str) -> ModelCard:
    """Read one card.

    Tables and keys are the fields of :class:`ModelCard` and of the dataclasses in it; each entry
    of ``sources`` has a ``kind`` (``archive``, ``url`` or ``shipped``) besides. What an entry of
    ``measured`` has besides the fields of :class:`Measured` are its figures.

    Args:
        text: TOML.
        file: its name, for messages.

    Raises:
        ConfigurationError: malformed TOML, an unknown or missing key or figure, a value of another
            type, or sources that do not agree on the hash.
    """
    try:
        table = tomllib.loads(text)
        card: ModelCard = _build(ModelCard, table, at="")
        _check(card)
    except (tomllib.TOMLDecodeError, _WrongError) as error:
        raise ConfigurationError(f"The model card {file} cannot be read: {error}.") from None
    return card


class _WrongError(ValueError):
    """What is wrong with the card, with the key."""


def _build(kind: Any, table: Any, *, at: str) -> Any:
    """An instance of dataclass ``kind`` from ``table``."""
    if not isinstance(table, dict):
        raise _WrongError(f"{at or 'it'} must be a table")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = typing.get_type_hints(kind)
    unknown = sorted(set(table) - set(fields))
    if unknown:
        raise _WrongError(f"unknown key {_join(at, unknown[0])}")
    for name, field in fields.items():
        optional = (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )
        if name not in table and not optional and type(None) not in typing.get_args(hints[name]):
            raise _WrongError(f"{_join(at, name)} is missing")
        if name not in table and not optional:
            table = {**table, name: None}
    return kind(**{n: _value(hints[n], v, at=_join(at, n)) for n, v in table.items()})


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name


def _value(hint: Any, value: Any, *, at: str) -> Any:
    """``value`` checked against the annotation ``hint`` and made immutable."""
    if hint == Source:
        return _source(value, at=at)
    if hint is Measured:
        return _measured(value, at=at)
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, at=at)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        if value is None:
            return None
        return _value(next(a for a in arguments if a is not type(None)), value, at=at)
    if origin is typing.Literal:
        if value not in arguments:
            raise _WrongError(f"{at} must be one of {', '.join(arguments)}")
        return value
    if origin is tuple:
        return _tuple(arguments, value, at=at)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        if not isinstance(value, dict):
            raise _WrongError(f"{at} must be a table")
        return types.MappingProxyType(
            {k: _value(arguments[1], v, at=_join(at, k)) for k, v in value.items()}
        )
    return _scalar(hint, value, at=at)


def _scalar(hint: Any, value: Any, *, at: str) -> Any:
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise _WrongError(f"{at} must be {hint.__name__}, not {type(value).__name__}")
    return value


def _tuple(arguments: tuple[Any, ...], value: Any, *, at: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise _WrongError(f"{at} must be a list")
    if arguments[-1] is Ellipsis:
        arguments = arguments[:1] * len(value)
    if len(arguments) != len(value):
        raise _WrongError(f"{at} must have {len(arguments)} entries, not {len(value)}")
    return tuple(
        _value(hint, v, at=f"{at}[{i}]")
        for i, (hint, v) in enumerate(zip(arguments, value, strict=True))
    )


def _source(value: Any, *, at: str) -> Source:
    if not isinstance(value, dict) or value.get("kind") not in _KINDS:
        raise _WrongError(f'{at} must be a table with kind = "archive", "url" or "shipped"')
    table = {k: v for k, v in value.items() if k != "kind"}
    source: Source = _build(_KINDS[value["kind"]], table, at=at)
    return source


def _measured(value: Any, *, at: str) -> Measured:
    if not isinstance(value, dict):
        raise _WrongError(f"{at} must be a table")
    known = {field.name for field in dataclasses.fields(Measured)} - {"figures"}
    table = {k: v for k, v in value.items() if k in known}
    table["figures"] = {k: v for k, v in value.items() if k not in known}
    try:
        measured: Measured = _build(Measured, table, at=at)
    except UnknownMetric as error:
        raise _WrongError(f"in {at}: {error.message.removesuffix('.')}") from None
    except ValueError as error:
        raise _WrongError(f"in {at}: {error}") from None
    return measured


def _check(card: ModelCard) -> None:
    """Rules between fields."""
    if card.task not in typing.get_args(Task) or not card.name or "/" in card.name:
        raise _WrongError("name must be a word without a slash")
    if bool(card.sources) == bool(card.library):
        raise _WrongError("it must have either sources or a library, with sources = []")
    if len({source.sha256 for source in card.sources}) > 1:
        raise _WrongError("sources must be the same file: their hashes differ")
    for source in card.sources + card.companions:
        hashes = [source.sha256]
        if isinstance(source, ArchiveSource):
            hashes.append(source.archive_sha256)
        if any(h is not None and not _is_sha256(h) for h in hashes):
            raise _WrongError("a sha256 is 64 hexadecimal digits in lower case")
    runs = [(one.on, one.protocol, one.arithmetic) for one in card.measured]
    if len(set(runs)) < len(runs):
        raise _WrongError("measured must have one entry for a data set, protocol and arithmetic")
    if "float32" not in card.precisions:
        raise _WrongError("precisions must include float32")
    if (card.task == "embed") != (card.embedder is not None):
        raise _WrongError("a card has an embedder table if, and only if, its task is embed")


def _is_sha256(text: str) -> bool:
    return len(text) == 64 and set(text) <= set("0123456789abcdef")
