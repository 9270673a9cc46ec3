"""What the dialects serve is what their pages say: every operation, and every code of an error."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mien.service.dialects.compreface import routes as compreface
from mien.service.dialects.compreface.failures import Failure
from mien.service.dialects.luxand import routes as luxand
from mien.service.dialects.nhn import table as nhn
from mien.service.dialects.nhn.codes import Result
from mien.service.dialects.nhn.oauth import PATH

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def of_nhn():
    """Methods and paths behind the appKey, and the result codes with their messages."""
    yield f"POST /nhn{PATH}"
    for operation in nhn.OPERATIONS:
        for route in operation.routes:
            path = route.path.partition("/appkeys/{appKey}")[2]
            shown = "the same" if route.version != "v1.0" else f"`{route.method} {path}`"
            yield shown if path in ("/groups", "/groups/{groupId}") else f"`{route.method} {path}`"
    for result in Result:
        if result is not Result.INVALID_IMAGE_PARAMETER:
            yield f"| {result.number} | {result.message} |"


def of_luxand():
    """Paths; of those of persons and collections, which have variants, the one that is shown."""
    for operation in luxand.OPERATIONS:
        for _, path in operation.routes:
            first, rest = re.fullmatch(r"(/v2/person|/v2/collection|/[a-z]+)(.*)", path).groups()
            shown = {"/person": "/v2/person", "/subject": "/v2/person"}
            yield shown.get(first, first.replace("/v2/collection", "/collection")) + rest


def of_compreface():
    """Paths and codes."""
    for operation in compreface.OPERATIONS:
        yield operation.path
    for failure in Failure:
        yield f"| {failure.value.code} | " if failure.value.code else "| 0 | 404 |"


@pytest.mark.parametrize("told", [of_nhn, of_luxand, of_compreface], ids=lambda one: one.__name__)
def test_the_page_has_every_operation_and_every_code(told):
    page = (PAGES / f"{told.__name__.removeprefix('of_')}.md").read_text("utf-8")
    missing = [one for one in told() if one not in page]
    assert missing == []
