"""Put measured figures into the ``[metrics]`` table of a model card in the source tree."""

from __future__ import annotations

import re

from mien.models.card import ModelCard
from mien.models.catalogue import parse_card
from report import REPOSITORY

CATALOGUE = REPOSITORY / "src" / "mien" / "models" / "catalogue"
ORIGIN = "# written by `make bench-models`: see docs/reference/evaluation.md"
MILLISECONDS, SHARE = 1, 4  # digits behind the point


def write_metrics(card: ModelCard, figures: dict[str, float]) -> None:
    """Replace the figures of the same names; other figures of the card stay as they are."""
    file = CATALOGUE / f"{card.task}-{card.name}.toml"
    text = file.read_text(encoding="utf-8")
    for name in figures:
        text = re.sub(rf"(?m)^{re.escape(name)} = .*\n", "", text)
    text = text.replace(ORIGIN + "\n", "")
    lines = [ORIGIN, *(f"{name} = {rounded(name, value)}" for name, value in figures.items())]
    block = "\n".join(lines)
    if "\n[metrics]\n" in text:
        text = text.replace("\n[metrics]\n", f"\n[metrics]\n{block}\n", 1)
    else:
        text = text.rstrip("\n") + f"\n\n[metrics]\n{block}\n"
    parse_card(text, file=file.name)
    file.write_text(text, encoding="utf-8")


def rounded(name: str, value: float) -> float:
    """What is worth writing down of a figure."""
    return round(float(value), MILLISECONDS if name.endswith("_ms_cpu") else SHARE)
