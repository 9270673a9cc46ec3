"""Both clients have the same typed methods, and the shapes are those of the service."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import mien.client
from mien.client import AsyncClient, Client, more_shapes, session_shapes, shapes
from mien.service import archives, changes, inventory, privacy, schemas, searches, session_schemas

FOLDER = Path(mien.client.__file__).parent
SCHEMAS = {
    name: kind
    for module in (
        schemas,
        changes,
        privacy,
        searches,
        inventory,
        archives,
        session_schemas,
    )
    for name, kind in vars(module).items()
    if inspect.isclass(kind) and kind.__module__.startswith(module.__name__)
}
SHAPES = {
    name: getattr(module, name)
    for module in (shapes, more_shapes, session_shapes)
    for name in module.__all__
}


def test_both_clients_have_the_same_methods():
    def public(kind):
        return {name for name in dir(kind) if not name.startswith("_")} - {"close", "aclose"}

    assert public(Client) == public(AsyncClient)


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_a_method_has_its_text_and_arguments(kind):
    method = kind("http://x").enroll
    assert method.__doc__.startswith("Enrol photos")
    assert list(inspect.signature(method).parameters)[:3] == ["group", "person", "photos"]
    assert inspect.signature(kind.enroll).return_annotation == "shapes.EnrolmentAnswer"


TYPED = """
from mien.client import AsyncClient, Client, shapes

def one(client: Client) -> None:
    group: shapes.GroupAnswer = client.create_group("staff")
    names: list[str] = [person["name"] for person in client.persons("staff")]
    image: bytes = client.face_image("staff", "Ann", "1")
    client.create_group(3)  # error: arg-type
    client.identify("staff", b"", tops=3)  # error: call-arg
    group["nmae"]  # error: typeddict-item

async def two(client: AsyncClient) -> None:
    group: shapes.GroupAnswer = await client.create_group("staff")
    names: list[str] = [person["name"] async for person in client.persons("staff")]
    client.person("staff", "Ann")  # error: unused-coroutine
"""


@pytest.mark.slow
def test_a_type_checker_knows_the_arguments_and_the_answers(tmp_path):
    file = tmp_path / "typed.py"
    file.write_text(TYPED)
    told = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", str(file)],
        capture_output=True,
        text=True,
        cwd=FOLDER.parents[2],
        check=False,
    ).stdout
    lines = file.read_text().splitlines()
    wanted = {
        (number, line.partition("# error: ")[2])
        for number, line in enumerate(lines, 1)
        if "# error: " in line
    }
    found = re.findall(r"typed.py:(\d+): error: .*\[([\w-]+)\]", told)
    assert {(int(number), code) for number, code in found} == wanted, told


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_shape_is_the_one_of_the_service(name):
    shape, schema = SHAPES[name], SCHEMAS[name]
    fields = schema.model_fields
    assert set(shape.__annotations__) >= set(inspect.get_annotations(schema)) - {"model_config"}
    every = {key for kind in (shape, *_bases(name)) for key in kind.__annotations__}
    assert every == set(fields)
    optional = {
        key
        for kind in (shape, *_bases(name))
        for key, value in kind.__annotations__.items()
        if "NotRequired" in str(value)
    }
    assert optional == {key for key, field in fields.items() if not field.is_required()}


def _bases(name):
    return [SHAPES[one.__name__] for one in SCHEMAS[name].__mro__ if one.__name__ in SHAPES]


def test_every_answer_has_its_shape():
    answers = {
        name
        for name, kind in SCHEMAS.items()
        if issubclass(kind, schemas.Shape) and kind is not schemas.Shape
    }
    assert answers <= set(SHAPES)


def test_it_needs_neither_the_service_nor_the_engine():
    code = (
        "import sys, mien.client; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('fastapi', 'numpy', 'pydantic', "
        "'sqlalchemy') or m.startswith(('mien.service', 'mien.engine', 'mien.gallery'))]; "
        "sys.exit(', '.join(bad) or 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
