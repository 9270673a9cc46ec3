"""schemathesis over the whole description: no 5xx, and no answer other than described."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

SOAK = bool(os.environ.get("MIEN_SOAK"))
EXAMPLES = 200 if SOAK else 4
CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
)


@pytest.fixture
def world(open_house, photos):
    """A service with a group, a person and a face, so that some requests find something."""
    house = open_house(lockout_failures=0)
    client = house.client
    client.post("/v1/groups", json={"name": "g"})
    client.post("/v1/groups/g/persons", json={"name": "p"})
    client.post("/v1/groups/g/persons/p/faces", files={"image": photos.ann})
    return house


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
def test_no_answer_is_5xx_or_other_than_described(world, mode):
    schema = schemathesis.openapi.from_dict(world.app.openapi())
    schema.app = world.app
    # The description has X-Deadline-S: made up, it would be too short for any answer.
    headers = {"Authorization": f"Bearer {world.secret}", "X-Deadline-S": "20"}
    count = []

    def check(operation):
        @seed(int(os.environ.get("MIEN_SEED", "1")))
        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = case.call(headers=headers)
            count.append(answer.status_code)
            case.validate_response(answer, checks=CHECKS)

        # An operation that takes nothing has nothing that could be wrong.
        with suppress(*([Unsatisfiable] if mode is GenerationMode.NEGATIVE else [])):
            ask()

    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 35
    for operation in operations:
        check(operation)
    assert len(count) >= len(operations)
    assert any(status < 400 for status in count)
