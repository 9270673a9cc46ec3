"""What ``mien models`` says about a card: one dict for machines, some lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass
from typing import TYPE_CHECKING, Any

from mien.errors import MienError

if TYPE_CHECKING:
    from mien.cli.run import Run
    from mien.models import ModelCard

__all__ = ["describe_card", "describe_source", "describe_summary", "full_card", "summary"]

_INDENT = " " * 4


def summary(run: Run, card: ModelCard) -> dict[str, Any]:
    """What ``mien models list`` says about a card."""
    return {
        "name": card.name,
        "task": card.task,
        "title": card.title,
        "licence": card.licence,
        "commercial": card.commercial,
        "needs_acceptance": card.needs_acceptance,
        "available": run.models.available(card),
        "size": card.size,
        "source": describe_source(card),
        "runs": _runs(run, card),
        "calibrated": card.calibration is not None,
        "measured": [_plain(one) for one in card.measured],
    }


def full_card(run: Run, card: ModelCard) -> dict[str, Any]:
    """Every field of a card as plain dicts, lists, strings and numbers, and its summary."""
    return {**_plain(card), **summary(run, card)}


def describe_source(card: ModelCard) -> str:
    """Where the file comes from first: ``pypi:package==version``, ``package:name``, an address.

    ``library:name`` where it is a part of one.
    """
    from mien.models.card import ArchiveSource, ShippedSource

    if card.library:
        return f"library:{card.library}"
    source = card.sources[0]
    if isinstance(source, ArchiveSource):
        return f"{source.ecosystem}:{source.package}=={source.version}"
    return f"package:{source.package}" if isinstance(source, ShippedSource) else source.url


def describe_summary(row: dict[str, Any]) -> str:
    """Some lines on a card."""
    head = [f"{row['task']}/{row['name']}", _state(row), _licence(row), _size(row["size"])]
    lines = [
        "  ".join(part for part in head if part),
        f"{_INDENT}from {row['source']}",
        f"{_INDENT}runs {_where(row['runs'])}",
        *(f"{_INDENT}{line}" for line in _measured(row)),
    ]
    return "\n".join(lines)


def describe_card(document: dict[str, Any]) -> str:
    """A whole card for people."""
    lines = [f"{document['task']}/{document['name']}: {document['title']}", ""]
    lines += [f"{name:<12}{text}" for name, text in _facts(document) if text]
    lines += ["", *(_measured(document) or ["not measured by this project"])]
    for one in document["measured"]:
        lines.append(f"{_INDENT}{one['on']}: {one['how']}" + (f" {one['notes']}").rstrip())
    if document["notes"]:
        lines += ["", document["notes"]]
    return "\n".join(lines)


def _facts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "licence", _licence(document)
    yield "state", _state(document)
    yield "size", _size(document["size"])
    for source in document["sources"]:
        if "url" in source:
            yield "source", source["url"]
        else:
            package = f"{source['ecosystem']}:{source['package']}=={source['version']}"
            yield "source", f"{package}, {source['member']}"
    if document["sources"]:
        source = document["sources"][0]
        yield "sha256", source.get("member_sha256") or source.get("sha256") or "pinned when fetched"
    yield "library", document["library"] or ""
    yield "needs", ", ".join(document["needs"])
    yield "runs", _where(document["runs"])
    yield "precisions", ", ".join(document["precisions"])
    yield "input", "; ".join(f"{n} {shape}" for n, shape in document["inputs"].items())
    if facts := document["embedder"]:
        side = " x ".join(str(side) for side in reversed(facts["size_hw"]))
        cut = f"aligned to {facts['template']}"
        if facts["template"] == "box":
            cut = f"the square about the box, {facts['box_scale']:g} times as large"
        white = ", each crop brought to mean 0 and deviation 1" if facts["whitened"] else ""
        yield "fed", f"{facts['colour'].upper()}, {side}, {cut}{white}"
        yield "embedding", f"{facts['dim']} numbers, compared by {facts['metric']}"
    if facts := document["calibration"]:
        yield "calibrated", f"{facts['data']}; {facts['impostor_pairs']:,} impostor pairs"
    yield "origin", document["origin"]
    yield "paper", document["paper"]


def _state(row: Mapping[str, Any]) -> str:
    if row["available"]:
        return "available"
    return "not installed" if row["runs"]["place"] == "library" else "not pulled"


def _licence(row: Mapping[str, Any]) -> str:
    use = "commercial use allowed" if row["commercial"] else "no commercial use"
    accept = "; must be accepted" if row["needs_acceptance"] else ""
    return f"{row['licence']} ({use}{accept})"


def _size(size: int | None) -> str:
    return "" if size is None else f"{size / 1e6:.1f} MB"


def _runs(run: Run, card: ModelCard) -> dict[str, Any]:
    ways = [asdict(way) for way in run.models.ways(card)]
    try:
        choice = run.models.choice(card) if card.place == "net" else None
    except MienError:
        choice = None
    chosen = {"runtime": choice.runtime, "precision": choice.precision} if choice else None
    return {"place": card.place, "library": card.library, "ways": ways, "chosen": chosen}


def _where(runs: Mapping[str, Any]) -> str:
    if runs["place"] == "library":
        return f"in {runs['library']}"
    if runs["place"] == "numpy":
        return "in Mien itself, with NumPy"
    if not runs["ways"]:
        return "nowhere here: no runtime that it runs in is installed"
    chosen = runs["chosen"] or (runs["ways"][0] if len(runs["ways"]) == 1 else None)
    ways = [f"{way['runtime']} {way['precision']}" for way in runs["ways"]]
    if chosen is None:
        return f"in the fastest of {', '.join(ways)}, to be measured when it is first opened"
    taken = f"{chosen['runtime']} {chosen['precision']}"
    others = [way for way in ways if way != taken]
    return f"in {taken}" + (f" (fastest here; also {', '.join(others)})" if others else "")


def _measured(row: Mapping[str, Any]) -> list[str]:
    from mien.models.measured import spelled

    lines = []
    for one in row["measured"]:
        figures = [f"{name} {spelled(name, value)}" for name, value in one["figures"].items()]
        what = f"{one['on']}, {one['protocol']}"
        if one["arithmetic"] != "float32":
            what += f" of {one['arithmetic']}"
        lines.append(f"{what}: {', '.join(figures)}")
    return lines


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever a card holds
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
