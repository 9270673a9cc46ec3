"""Put a measurement into a model card of the source tree."""

from __future__ import annotations

import json
import re
import tomllib

from mien.models.card import ModelCard
from mien.models.catalogue import parse_card
from mien.models.measured import FIGURES, Measured
from report import REPOSITORY

CATALOGUE = REPOSITORY / "src" / "mien" / "models" / "catalogue"
DIGITS = {"ms": 1, "cosine": 5, "auc": 5}  # behind the point; of the others 4
BLOCK = re.compile(r"(?ms)^\[\[measured\]\]\n.*?(?=^(?:# [^\n]*\n)?\[|\Z)")


def write_measured(card: ModelCard, measured: Measured) -> None:
    """Replace the card's entry for the same data set, protocol and arithmetic, or add one."""
    file = CATALOGUE / f"{card.task}-{card.name}.toml"
    text = with_measured(file.read_text(encoding="utf-8"), measured)
    parse_card(text, file=file.name)
    file.write_text(text, encoding="utf-8")


def with_measured(text: str, measured: Measured) -> str:
    """The card's text with this entry."""
    block = toml_of(measured)
    blocks = list(BLOCK.finditer(text))
    for found in blocks:
        (old,) = tomllib.loads(found[0])["measured"]
        if _run(old) == (measured.on, measured.protocol, measured.arithmetic):
            return _joined(text[: found.start()], block, text[found.end() :])
    if blocks:
        at = blocks[-1].end()
    else:
        embedder = re.search(r"(?m)^\[embedder\]$", text)
        at = embedder.start() if embedder else len(text)
    return _joined(text[:at], block, text[at:])


def _run(table: dict[str, str]) -> tuple[str, str, str]:
    return table["on"], table["protocol"], table.get("arithmetic", "float32")


def _joined(before: str, block: str, after: str) -> str:
    parts = [before.rstrip("\n"), block, after.strip("\n")]
    return "\n\n".join(part for part in parts if part) + "\n"


def toml_of(measured: Measured) -> str:
    """An entry of ``measured`` as it stands in a card, without a line break at its end."""
    texts = {key: getattr(measured, key) for key in ("on", "protocol", "how", "notes")}
    lines = ["[[measured]]"]
    lines += [f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in texts.items() if v]
    if measured.arithmetic != "float32":
        lines.append(f'arithmetic = "{measured.arithmetic}"')
    if measured.threads is not None:
        lines.append(f"threads = {measured.threads}")
    lines += [f"{name} = {rounded(name, value)}" for name, value in measured.figures.items()]
    return "\n".join(lines)


def rounded(name: str, value: float) -> float:
    """What is worth writing down of a figure."""
    return round(float(value), DIGITS.get(name, DIGITS.get(FIGURES[name].unit, 4)))
