"""schemathesis over the descriptions of the dialects: no 500, no answer against its schema.

What tests/service/test_contract.py does for ``/v1``. Every second request is made to mean something
here: a group, a person and photos that exist. A few examples an operation, 100 with MIEN_SOAK=1.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import timedelta

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

EXAMPLES = 100 if os.environ.get("MIEN_SOAK") else 2
CHECKS = (response_schema_conformance,)
DESCRIPTIONS = {
    "azure": ("/azure/openapi.json", "Ocp-Apim-Subscription-Key", 60),
    "nhn": ("/nhn/openapi.json", "Authorization", 25),
    "luxand": ("/luxand/openapi.json", "token", 30),
    "compreface": ("/compreface/api/v1/openapi.json", "x-api-key", 15),
}
"""Of each dialect: where its description is, the header of its key, the fewest operations."""


def furnish(house, photo):
    """A group, a person and a face, made anew, by their names in the dialects' paths."""
    for group in house.gallery.groups():
        house.gallery.delete_group(group.name)
    key = {"Authorization": f"Bearer {house.secret}"}
    for path, more in (
        ("/v1/groups", {"json": {"name": "g"}}),
        ("/v1/groups/g/persons", {"json": {"name": "p"}}),
        ("/v1/groups/g/persons/p/faces", {"files": {"image": photo}}),
    ):
        made = house.client.post(path, headers=key, **more)
        assert made.status_code == 201, made.text
    face = house.gallery.faces("g", "p")[0].id
    return {
        "appKey": house.gallery.application("default").id,
        "version": "v1.2",
        **dict.fromkeys(("groupId", "container", "collection"), "g"),
        **dict.fromkeys(("person", "subject"), "p"),
        **dict.fromkeys(("face", "faceId", "image_id"), face),
    }


def meant(case, names, photo):
    """Put what exists into the path, and photos where the description says binary."""
    case.path_parameters = {
        name: names.get(name, value) for name, value in (case.path_parameters or {}).items()
    }
    if case.media_type == "multipart/form-data" and isinstance(case.body, dict):
        fields = (
            "image",
            "photo",
            "photos",
            "file",
            "face1",
            "face2",
            "source_image",
            "target_image",
        )
        case.body = {
            name: photo if name.startswith(fields) or "Image" in name else value
            for name, value in case.body.items()
        }
    elif case.media_type == "application/octet-stream":
        case.body = photo


def may_be_wrong(operation):
    """Whether a request could break the description: looking for one in vain takes seconds."""
    needed = [*operation.query, *operation.body, *operation.headers]
    whole = [*needed, *operation.path_parameters]
    return any(one.is_required for one in needed) or any(
        one.definition.get("schema") != {"type": "string"} for one in whole
    )


def sent(client, case, headers):
    """The answer to what schemathesis made, from the service that the client speaks to."""
    given = case.as_transport_kwargs(base_url="http://mien.test", headers=headers)
    made = requests.Request(**given).prepare()
    answer = client.request(made.method, made.url, headers=dict(made.headers), content=made.body)
    answer.elapsed = timedelta(0)  # schemathesis wants one; the transport measures none
    return answer


@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # a thread of the service does
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("dialect", DESCRIPTIONS)
def test_no_answer_of_a_dialect_is_500_or_against_its_schema(open_dialects, dialect, mode):
    house = open_dialects()
    photo = house.photo(1)
    address, header, least = DESCRIPTIONS[dialect]
    schema = schemathesis.openapi.from_dict(house.client.get(address).json())
    headers, statuses = {header: house.secret}, []

    def check(operation, names):
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
            if len(statuses) % 2:
                meant(case, names, photo)
            elif "appKey" in (case.path_parameters or {}):
                case.path_parameters["appKey"] = names["appKey"]
            answer = sent(house.client, case, headers)
            statuses.append(answer.status_code)
            # NHN's answers have the status 200 whatever happened.
            assert answer.headers.get("X-Mien-Error") != "internal"
            # 503: an attribute whose weights are not on this machine
            checks = CHECKS if answer.status_code == 503 else (not_a_server_error, *CHECKS)
            case.validate_response(answer, checks=checks)

        # An operation that takes nothing has nothing that could be wrong.
        with suppress(*([Unsatisfiable] if mode is GenerationMode.NEGATIVE else [])):
            ask()

    operations = [found.ok() for found in schema.get_all_operations()]
    operations = [one for one in operations if "/v2.1/" not in one.path]  # NHN's, as 2.0
    assert len(operations) >= least
    names = furnish(house, photo)
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not may_be_wrong(operation):
            continue
        check(operation, names)
        if operation.method.lower() == "delete" or operation.path.endswith("/delete"):
            names = furnish(house, photo)
    assert len(statuses) >= least
    assert mode is GenerationMode.NEGATIVE or any(status < 400 for status in statuses)
