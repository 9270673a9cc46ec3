"""The log of a server: lines of text, or JSON objects for programs that collect them."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime
from typing import Literal

__all__ = ["JsonLines", "TextLines", "log_to_stderr"]

OTHERS = ("uvicorn", "asyncio")
"""What a server is made of and logs by itself, in the same form."""

_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
LONGEST = 2000


class TextLines(logging.Formatter):
    """One line of text for each record: time, level, message.

    What would begin another line, colour a terminal or turn the direction of writing is escaped,
    and a traceback is left out: the message of an exception may quote a path or a value.
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        record.message = _escaped(_message(record))
        record.asctime = self.formatTime(record)
        return self.formatMessage(record)


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
            "message": _message(record),
            **getattr(record, "mien", {}),
        }
        return _UNSEEN.sub(
            lambda found: f"\\u{ord(found[0]):04x}", json.dumps(line, ensure_ascii=False)
        )


def log_to_stderr(form: Literal["text", "json"]) -> None:
    """Send the server's log to stderr in that form, unless the program has handlers of its own."""
    for name in ("mien", *OTHERS):
        logger = logging.getLogger(name)
        if not logger.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(JsonLines() if form == "json" else TextLines())
            logger.addHandler(handler)
    logging.getLogger("mien").setLevel(logging.INFO)
    # It complains of every malformed body, which whoever sent it is told anyway.
    logging.getLogger("python_multipart").setLevel(logging.CRITICAL)


def _message(record: logging.LogRecord) -> str:
    """What a record says, and of which kind its exception is."""
    text = record.getMessage().strip()[:LONGEST]
    kind = record.exc_info[0] if record.exc_info else None
    return text if kind is None else f"{text} ({kind.__name__})"


def _escaped(text: str) -> str:
    return _UNSEEN.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
