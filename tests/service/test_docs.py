"""OpenAPI, Swagger UI and the page: complete, pinned, and without any other server.

After a change of the API that is meant, write the snapshot anew:
``MIEN_UPDATE_OPENAPI=1 pytest tests/service/test_docs.py``.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path

import pytest

from mien.dashboard import STATIC
from mien.service.errors import STATUS

SNAPSHOT = Path(__file__).parent / "openapi.json"
DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "http-api.md"
VENDOR = STATIC / "vendor" / "swagger-ui"
OWN = sorted(path for path in STATIC.rglob("*") if path.is_file() and VENDOR not in path.parents)


@pytest.fixture
def schema(client):
    return client.get("/openapi.json").json()


def operations(schema):
    return [
        (method, path, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_api_is_the_pinned_one(schema):
    schema["info"]["version"] = "any"
    if os.environ.get("MIEN_UPDATE_OPENAPI"):
        SNAPSHOT.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n")
    assert schema == json.loads(SNAPSHOT.read_text())


def test_the_description_is_openapi_31(schema):
    assert schema["openapi"].startswith("3.1")
    assert {one["scheme"] for one in schema["components"]["securitySchemes"].values()} == {"bearer"}


def test_photo_routes_document_their_forms(schema):
    forms = {
        path: set(operation["requestBody"]["content"])
        for _, path, operation in operations(schema)
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    }
    three = {"multipart/form-data", "application/json", "image/*", "application/octet-stream"}
    assert forms.pop("/v1/compare") == {"multipart/form-data", "application/json"}
    assert forms.pop("/v1/find") == {"multipart/form-data", "application/json"}
    assert forms.pop("/v1/groups/{group}/jobs/enroll") == {
        "multipart/form-data",
        "application/json",
        "application/zip",
    }
    assert len(forms) == 11
    assert all(form == three for form in forms.values())


def test_the_reference_page_lists_every_route_and_every_code(schema):
    text = DOCS.read_text()
    listed = set(re.findall(r"^\| `(GET|POST|PATCH|DELETE) (/\S*)`", text, re.MULTILINE))
    described = {(method.upper(), path) for method, path, _ in operations(schema)}
    assert listed - {("GET", "/"), ("GET", "/docs"), ("GET", "/openapi.json")} == described
    table = {
        code: int(status)
        for code, status in re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", text, re.MULTILINE)
    }
    assert table == {code: status for code, status in STATUS.items() if code != "client_gone"}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_pages_load_only_what_this_server_has(client, path):
    answer = client.get(path)
    assert answer.headers["content-type"].startswith("text/html")
    addresses = re.findall(r'(?:src|href)="([^"#]+)"', answer.text)
    assert addresses
    for address in addresses:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        assert client.get(address).status_code == 200, address
    policy = answer.headers["content-security-policy"]
    assert "http" not in policy
    assert "'unsafe-inline'" not in policy.split("script-src")[1].split(";")[0]
    assert "'unsafe-eval'" not in policy
    assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|javascript:", answer.text)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_own_files_name_no_other_server(path):
    text = path.read_text()
    allowed = "http://www.w3.org/2000/svg"
    assert not re.search(r"(https?:)?//[\w.-]+\.\w", text.replace(allowed, ""))
    assert "innerHTML" not in text
    assert "eval(" not in text


def test_module_imports_exist(client):
    for path in OWN:
        if path.suffix == ".js":
            for name in re.findall(r'from "\./([^"]+)"', path.read_text()):
                answer = client.get(f"/static/{name}")
                assert answer.status_code == 200
                assert "javascript" in answer.headers["content-type"]


def test_both_languages_have_every_text():
    text = (STATIC / "texts.js").read_text()
    english, korean = text.split("  ko: {")[0], text.split("  ko: {")[1].split("\n  },\n")[0]
    keys = re.compile(r"(?:^|[{,]\s+|\n\s+)(\w+): (?=[\"(])")
    assert set(keys.findall(english)) == set(keys.findall(korean))
    used = set()
    for path in OWN:
        content = path.read_text()
        used |= set(re.findall(r'\bsay\("(\w+)"', content))
        used |= set(re.findall(r'data-(?:text|label|hint|title|name)="(\w+)"', content))
    assert used <= set(keys.findall(english))


def test_vendored_files_are_the_pinned_ones():
    pinned = dict(
        re.findall(
            r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|", (VENDOR / "README.md").read_text(), re.M
        )
    )
    files = {path.name for path in VENDOR.iterdir()} - {"README.md"}
    assert set(pinned) == files
    for name, digest in pinned.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
    css = (VENDOR / "swagger-ui.css").read_text()
    assert not re.search(r"url\(\s*['\"]?https?:", css)
    assert "validatorUrl: null" in (STATIC / "docs.js").read_text()
