"""The ``[calibration]`` table of a model card, written by the program."""

from __future__ import annotations

from pathlib import Path

import tomli_w

from mien.errors import InvalidArgument
from mien.evaluate.calibration_report import plain_facts
from mien.evaluate.files import check_target, write_whole
from mien.models.card import CalibrationFacts

__all__ = ["MARKER", "calibration_toml", "check_card", "write_calibration"]

MARKER = "# Calibration, written by `mien eval calibrate`. Do not edit."
"""The line after which the table stands; everything below it belongs to the program."""


def calibration_toml(facts: CalibrationFacts) -> str:
    """The marker line and the table."""
    return f"{MARKER}\n{tomli_w.dumps({'calibration': plain_facts(facts)})}"


def check_card(file: str | Path) -> None:
    """Ask whether :func:`write_calibration` can write this card; raises what that raises."""
    check_target(file)
    _above(Path(file))


def write_calibration(facts: CalibrationFacts, file: str | Path) -> None:
    """Put the table into a card, in place of the one that is there; or into a new file.

    What stands above the marker line is kept as it is. The card is replaced in one step.

    Raises:
        InvalidArgument: the file is no text in UTF-8, has a calibration without the marker line,
            or cannot be written.
    """
    path = Path(file)
    write_whole(_above(path) + calibration_toml(facts), path)


def _above(path: Path) -> str:
    """What stands above the marker line, with the empty line that follows it."""
    try:
        text = path.read_text(encoding="utf-8") if path.exists() else ""
    except UnicodeDecodeError:
        raise InvalidArgument(f"{path.name} is no model card: it is not UTF-8 text.") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidArgument(f"{path.name} cannot be read: {reason}.") from None
    above = text.split(MARKER, 1)[0].rstrip()
    if "[calibration" in above:
        raise InvalidArgument(
            f"{path.name} has a calibration without the line {MARKER!r}: remove it first."
        )
    return f"{above}\n\n" if above else ""
