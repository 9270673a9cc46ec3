"""NHN's envelope around every answer: the status is 200, the header says how it went."""

from __future__ import annotations

from starlette.responses import Response

from mien.errors import MienError
from mien.service.dialects.endpoints import headers_of
from mien.service.dialects.nhn.codes import Result, result_of
from mien.service.dialects.nhn.operations import Answered
from mien.service.errors import Answer

__all__ = ["envelope", "failed", "refused"]


def envelope(done: Answered) -> Answer:
    """``{"header": {...}, "data": {...}}``; no data where there is none."""
    result = done.result
    header = {
        "isSuccessful": result.number >= 0,
        "resultCode": result.number,
        "resultMessage": result.message,
    }
    data = {} if done.data is None else {"data": done.data}
    return Answer({"header": header, **data})


def refused(result: Result, reason: str) -> Response:
    """A refusal of the dialect's own; ``reason`` is Mien's code."""
    answer = envelope(Answered(result=result))
    answer.headers["X-Mien-Error"] = reason
    return answer


def failed(error: MienError, result: Result | None = None) -> Response:
    """An error as NHN answers it: ``result``, or else what the error is in NHN's terms."""
    answer = envelope(Answered(result=result or result_of(error)))
    answer.headers.update(headers_of(error))
    return answer
