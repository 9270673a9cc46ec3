"""The log of a server: lines of text, or JSON objects for programs that collect them."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Literal

__all__ = ["JsonLines", "log_to_stderr"]


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and a request's own facts.

    A traceback is left out: the message of an exception may quote a path or a value.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "mien", {}),
        }
        return json.dumps(line, ensure_ascii=False)


def log_to_stderr(form: Literal["text", "json"]) -> None:
    """Send Mien's log to stderr in that form, unless the program has handlers of its own."""
    ours = logging.getLogger("mien")
    if not ours.handlers:
        handler = logging.StreamHandler()
        plain = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
        handler.setFormatter(JsonLines() if form == "json" else plain)
        ours.addHandler(handler)
    ours.setLevel(logging.INFO)
