"""The ``[calibration]`` table of a model card, written by the program."""

from __future__ import annotations

from pathlib import Path

import tomli_w

from mien.errors import InvalidArgument
from mien.evaluate.calibration_report import plain_facts
from mien.models.card import CalibrationFacts

__all__ = ["MARKER", "calibration_toml", "write_calibration"]

MARKER = "# Calibration, written by `mien eval calibrate`. Do not edit."
"""The line after which the table stands; everything below it belongs to the program."""


def calibration_toml(facts: CalibrationFacts) -> str:
    """The marker line and the table."""
    return f"{MARKER}\n{tomli_w.dumps({'calibration': plain_facts(facts)})}"


def write_calibration(facts: CalibrationFacts, file: str | Path) -> None:
    """Put the table into a card, in place of the one that is there; or into a new file.

    What stands above the marker line is kept as it is.

    Raises:
        InvalidArgument: the file has a calibration without the marker line, or cannot be written.
    """
    path = Path(file)
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        above = text.split(MARKER, 1)[0].rstrip()
        if "[calibration" in above:
            raise InvalidArgument(
                f"{path.name} has a calibration without the line {MARKER!r}: remove it first."
            )
        above = f"{above}\n\n" if above else ""
        path.write_text(above + calibration_toml(facts), encoding="utf-8")
    except OSError:
        raise InvalidArgument(f"{path.name} cannot be written.") from None
