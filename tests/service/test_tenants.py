"""Applications never see each other: every operation of every API, with another's ids and keys.

The requests are made from the descriptions (OpenAPI) of ``/v1`` and of the dialects, so a new route
is tried from its first day. Each id, name or reference in a request is put, one after another, as
one that another application has and as one that nobody has, while all the rest is the caller's own:
the two answers have to be the same, and say that there is no such thing.
"""

from __future__ import annotations

import base64
import io
import re
import time
import uuid
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mien.gallery import Scope
from mien.gallery.jobs import Jobs

DOCUMENTS = {
    "v1": "/openapi.json",
    "azure": "/azure/openapi.json",
    "nhn": "/nhn/openapi.json",
    "luxand": "/luxand/openapi.json",
    "compreface": "/compreface/api/v1/openapi.json",
}
FEWEST = {"v1": 35, "azure": 70, "nhn": 15, "luxand": 20, "compreface": 6}
"""Operations of each that name something, at least."""

KEY = {
    "v1": ("Authorization", "Bearer "),
    "azure": ("Ocp-Apim-Subscription-Key", ""),
    "nhn": ("Authorization", ""),
    "luxand": ("token", ""),
    "compreface": ("x-api-key", ""),
}
FACE = "recognition_04"
CONTAINERS = ("persongroups", "largepersongroups", "facelists", "largefacelists")
NAMED = {
    "group": "group", "person": "person", "face_id": "face", "faces": "face", "groups": "group",
    "job_id": "job", "consent_id": "consent", "session": "session", "change": "change",
    "faceId": "faceId", "faceId1": "faceId", "faceId2": "faceId2", "faceIds": "faceId",
    "personGroupId": "persongroups", "largePersonGroupId": "largepersongroups",
    "faceListId": "facelists", "largeFaceListId": "largefacelists", "personIds": "persons",
    "dynamicPersonGroupId": "dynamicpersongroups", "addPersonIds": "persons",
    "removePersonIds": "persons", "operation": "operation", "snapshot": "snapshot",
    "collection": "collection", "face": "face", "image_id": "image_id",
    "groupId": "group",
}  # fmt: skip
"""Name of a parameter or a member -> what it names."""


@dataclass(frozen=True)
class Ref:
    """A place in a request that names something of a kind."""

    kind: str


@dataclass(frozen=True)
class Asked:
    """A request with places for what it names."""

    api: str
    method: str
    template: str
    path: tuple[Any, ...]
    query: tuple[tuple[str, Any], ...] = ()
    json: Any = None
    form: tuple[tuple[str, Any], ...] | None = None
    raw: bytes | None = None

    @property
    def refs(self) -> list[Ref]:
        """The places, in order."""
        return list(_refs([self.path, self.query, self.json, self.form]))

    @property
    def end(self) -> tuple[str, str]:
        """Method and end of the path."""
        return self.method, self.template[self.template.rfind("/") :]

    @property
    def named(self) -> list[tuple[int, str]]:
        """Places that name what there is already, and of which kind."""
        found = [(place, ref.kind) for place, ref in enumerate(self.refs)]
        made = MAKES.get((self.api, *self.end))
        if found and made is not None:
            del found[made]
        return found

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.method} {self.template} {[ref.kind for ref in self.refs]}"


def _refs(value: Any) -> Iterator[Ref]:
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, dict):
        yield from _refs(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _refs(one)


def filled(value: Any, given: Iterator[str]) -> Any:
    """The value with what is given in the places, in order."""
    if isinstance(value, Ref):
        return next(given)
    if isinstance(value, dict):
        return {name: filled(one, given) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, given) for one in value]
    return value


# ------------------------------------------------------------------ two applications


class World:
    """An application, its key, and one of everything, by kind."""

    def __init__(self, house, tag: str) -> None:
        house.gallery.create_application(tag)
        self.house, self.tag = house, tag
        self.id = house.gallery.application(tag).id
        self.secret = house.gallery.create_key(tag, list(Scope))[1]
        self.photo = house.photo(1)
        self.has: dict[str, str] = {"appKey": self.id}
        self._v1()
        self._azure()
        self._others()

    def send(self, api: str, method: str, path: str, *, secret: str = "", **options):
        header, scheme = KEY[api]
        headers = {header: f"{scheme}{secret or self.secret}", **options.pop("headers", {})}
        return self.house.client.request(method, path, headers=headers, **options)

    def ok(self, *args, **options):
        answer = self.send(*args, **options)
        assert answer.status_code < 300, (args, answer.text)
        return answer

    def _v1(self) -> None:
        has, tag, files = self.has, self.tag, {"image": self.photo}
        has["group"] = f"{tag}-group"
        settings = {"images": "crops"}
        self.ok("v1", "POST", "/v1/groups", json={"name": has["group"], "settings": settings})
        group = f"/v1/groups/{has['group']}"
        made = self.ok("v1", "POST", f"{group}/persons", json={"name": f"{tag} person"}).json()
        has["person"] = made["id"]
        person = f"{group}/persons/{made['id']}"
        has["face"] = self.ok("v1", "POST", f"{person}/faces", files=files).json()["face_ids"][0]
        consent = {"purpose": "door", "text_version": "1", "language": "en"}
        has["consent"] = self.ok("v1", "POST", f"{person}/consents", json=consent).json()["id"]
        self.ok("v1", "PATCH", person, json={"name": f"{tag} named"})
        changes = self.ok("v1", "GET", f"{group}/changes").json()["changes"]
        has["change"] = changes[0]["id"]
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr(f"{tag} zipped/1.png", self.photo)
        made = self.ok("v1", "POST", f"{group}/jobs/enroll", files={"archive": out.getvalue()})
        has["job"] = made.json()["id"]
        end = time.monotonic() + 30
        while self.ok("v1", "GET", f"/v1/jobs/{has['job']}").json()["state"] != "done":
            assert time.monotonic() < end
            time.sleep(0.02)
        has["session"] = self.ok("v1", "POST", "/v1/liveness-sessions", json={}).json()["id"]

    def _azure(self) -> None:
        has, root, tag = self.has, "/azure/face/v1.2", self.tag
        photo = {
            "content": self.photo,
            "headers": {"Content-Type": "application/octet-stream"},
        }

        def ask(method, path, **options):
            answer = self.ok("azure", method, f"{root}{path}", **options)
            return answer.json() if answer.content else answer.headers

        for kind in CONTAINERS:
            has[kind] = f"{tag}-{kind}"
            ask("PUT", f"/{kind}/{has[kind]}", json={"name": "x", "recognitionModel": FACE})
            owner = f"/{kind}/{has[kind]}"
            if "person" in kind:
                has[f"{kind} person"] = ask("POST", f"{owner}/persons", json={"name": "x"})[
                    "personId"
                ]
                owner += f"/persons/{has[f'{kind} person']}"
            made = ask("POST", f"{owner}/persistedfaces", **photo)
            has[f"{kind} face"] = made["persistedFaceId"]
            if kind != "facelists":
                ask("POST", f"/{kind}/{has[kind]}/train")
        for name in ("faceId", "faceId2"):
            (seen,) = ask("POST", f"/detect?recognitionModel={FACE}", **photo)
            has[name] = seen["faceId"]
        made = self.ok("azure", "POST", f"{root}/persons", json={"name": "x"})
        has["persons"] = made.json()["personId"]
        has["operation"] = made.headers["operation-location"].rpartition("/")[2]
        stored = ask(
            "POST",
            f"/persons/{has['persons']}/recognitionModels/{FACE}/persistedfaces",
            **photo,
        )
        has["persons face"] = stored["persistedFaceId"]
        kind = "dynamicpersongroups"
        has[kind] = f"{tag}-{kind}"
        ask("PUT", f"/{kind}/{has[kind]}", json={"name": "x", "addPersonIds": [has["persons"]]})
        scope = [str(uuid.UUID(self.id))]
        body = {"type": "FaceList", "objectId": has["facelists"], "applyScope": scope}
        ask("POST", "/snapshots", json=body)
        (snapshot,) = ask("GET", "/snapshots")
        has["snapshot"] = snapshot["id"]
        body = {"livenessOperationMode": "Passive", "deviceCorrelationId": "d"}
        sessions = ask("POST", "/detectLiveness/singleModal/sessions", json=body)
        has["detectLiveness"] = sessions["sessionId"]
        files = {"VerifyImage": self.photo}
        path = "/detectLivenessWithVerify/singleModal/sessions"
        has["detectLivenessWithVerify"] = ask("POST", path, data=body, files=files)["sessionId"]

    def _others(self) -> None:
        has, tag = self.has, self.tag
        for group in ("luxand", "compreface"):
            body = {"name": group, "settings": {"images": "crops"}}
            self.ok("v1", "POST", "/v1/groups", json=body)
        files = {"photos": ("p.png", self.photo)}
        data = {"name": f"{tag} lux", "collections": f"{tag} collection"}
        made = self.ok("luxand", "POST", "/luxand/v2/person", data=data, files=files).json()
        has["luxand person"], has["luxand number"] = made["uuid"], str(made["id"])
        has["luxand face"] = made["faces"][0]["uuid"]
        has["collection"] = made["collections"][0]["uuid"]
        has["subject"] = f"{tag} subject"
        path = "/compreface/api/v1/recognition/faces"
        made = self.ok(
            "compreface",
            "POST",
            path,
            params={"subject": has["subject"]},
            files={"file": ("p.png", self.photo)},
        )
        has["image_id"] = made.json()["image_id"]

    def owns(self) -> Any:
        """All that the application has, as the gallery tells it."""
        view = self.house.gallery.for_application(self.tag)
        groups = view.groups(limit=500)
        return [
            (
                group.to_dict(),
                [one.to_dict() for one in view.persons(group.name, limit=500)],
                [one.to_dict() for one in view.faces(group.name, limit=500)],
            )
            for group in groups
        ] + [job.id for job in Jobs(view).jobs()]


@pytest.fixture(scope="module")
def worlds(open_dialects):
    """Two applications with one of everything, and the descriptions of all APIs."""
    house = open_dialects(fetch_urls=False)
    made = World(house, "alpha"), World(house, "bravo")
    documents = {api: house.client.get(path).json() for api, path in DOCUMENTS.items()}
    return (*made, documents)


# ------------------------------------------------------------------ requests from descriptions


def kind_of(api: str, path: str, name: str) -> str | None:
    """What a parameter or a member of an operation names."""
    if api == "compreface" and name == "subject":
        return name
    kind = NAMED.get(name)
    if api == "luxand" and name in ("person", "face"):
        return f"luxand {name}"
    if api == "nhn" and name == "faceId":
        return "face"
    if api != "azure" or name not in ("person", "face", "session"):
        return kind
    if name == "session":
        return re.search(r"/(detectLiveness(?:WithVerify)?)[/-]", path)[1]
    owner = path.split("/")[4]
    return owner if (owner, name) == ("persons", "person") else f"{owner} {name}"


def operations(api: str, document: dict[str, Any]) -> list[Asked]:
    """A request, or several, for each operation of a description."""
    made = []
    for template, methods in document["paths"].items():
        for method, operation in methods.items():
            for body in bodies(api, document, method, template, operation):
                path = tuple(
                    placed(api, template, part) for part in re.split(r"(\{\w+\})", template) if part
                )
                sampler = Sampler(api, template, document)
                query = tuple(
                    (one["name"], sampler.value(one["schema"], one["name"]))
                    for one in map(sampler.resolved, operation.get("parameters", ()))
                    if one["in"] == "query"
                    and (
                        one["required"]
                        or one["name"] in PLAIN
                        or kind_of(api, template, one["name"])
                    )
                )
                made.append(Asked(api, method.upper(), template, path, query, **body))
    return made


def placed(api: str, template: str, part: str) -> Any:
    """A part of a path: text, or the place of a parameter."""
    name = part[1:-1] if part.startswith("{") else ""
    if not name:
        return part
    own = {"version": "v1.2", "model": FACE, "image": str(uuid.uuid4())}
    if name == "container":
        return Ref(template.split("/")[4])
    return own.get(name) or Ref(kind_of(api, template, name) or name)


MAKES = {
    ("nhn", "POST", "/groups"): -1,
    ("compreface", "POST", "/subjects"): -1,
    ("compreface", "PUT", "/{subject}"): -1,
    ("compreface", "POST", "/faces"): -1,
    ("azure", "PUT", "/{container}"): 0,
    ("azure", "POST", "/apply"): -1,
}
"""Operations one name of which is given to something new, first or last: free, whoever uses it."""

EMPTY = {
    ("compreface", "GET", "/faces", "subject"),
    ("compreface", "DELETE", "/faces", "subject"),
    ("azure", "POST", "/identify", "persons"),
    ("azure", "PATCH", "/{container}", "persons"),
    ("v1", "POST", "/undo", "change"),
}
"""Operations that find nothing, or take nobody out, where nothing is of that name."""

ONE = Ref("faceId")
ALTERNATIVES = {
    "/verify": [
        {"faceId1": ONE, "faceId2": Ref("faceId2")},
        *(
            {"faceId": ONE, "personId": Ref(f"{kind} person"), name: Ref(kind)}
            for name, kind in (
                ("personGroupId", "persongroups"),
                ("largePersonGroupId", "largepersongroups"),
            )
        ),
        {"faceId": ONE, "personId": Ref("persons")},
    ],
    "/identify": [
        {"faceIds": [ONE], name: Ref(kind)}
        for name, kind in NAMED.items()
        if name in ("personGroupId", "largePersonGroupId", "dynamicPersonGroupId")
    ]
    + [{"faceIds": [ONE], "personIds": [Ref("persons")]}],
    "/findsimilars": [
        {"faceId": ONE, "faceIds": [Ref("faceId2")]},
        {"faceId": ONE, "faceListId": Ref("facelists")},
        {"faceId": ONE, "largeFaceListId": Ref("largefacelists")},
    ],
    "/group": [{"faceIds": [ONE, Ref("faceId2")]}],
    "/snapshots": [
        {"type": "FaceList", "objectId": Ref("facelists"), "applyScope": [str(uuid.uuid4())]}
    ],
}
"""Bodies of Azure's whose members exclude one another."""


PHOTO, ENCODED = object(), object()
"""Places for a photo: its bytes, and its base64."""

PLAIN = {"limit": 1, "times": 0}
"""Values of what a schema does not say enough of."""

RAW, FORM, JSON = "application/octet-stream", "multipart/form-data", "application/json"
LIKED = {"v1": (FORM, JSON, RAW), "azure": (RAW, FORM, JSON)}
"""Kinds of bodies, those first that need no URL and no list of alternatives."""


def bodies(api, document, method, path, operation) -> list[dict[str, Any]]:
    """Bodies for an operation, from its schema."""
    end = path[path.rfind("/") :]
    if api == "azure" and method == "post" and end in ALTERNATIVES and path.count("/") == 4:
        return [{"json": one} for one in ALTERNATIVES[end]]
    content = operation.get("requestBody", {}).get("content", {})
    for kind in LIKED.get(api, (JSON, FORM, RAW)):
        if kind not in content:
            continue
        schema = content[kind].get("schema", {})
        made = Sampler(api, path, document | schema).value(schema, "")
        if kind == JSON:
            return [{"json": made}]
        if kind == FORM:
            return [{"form": tuple(made.items())}]
        return [{"raw": PHOTO}]
    return [{}]


@dataclass(frozen=True)
class Sampler:
    """Makes values that schemas take, with places for what they name."""

    api: str
    path: str
    document: dict[str, Any]

    def value(self, schema: dict[str, Any], name: str) -> Any:
        """A value of a schema."""
        if name in PLAIN:
            return PLAIN[name]
        schema = self.resolved(schema)
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return self.value(schema[several][0], name)
        kind = schema.get("type", "string")
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            inner = self.value(schema.get("items", {}), name)
            return [inner] * max(1, schema.get("minItems", 1))
        if schema.get("format") == "binary":
            return PHOTO
        if schema.get("contentEncoding") == "base64":
            return ENCODED
        if kind == "string" and (named := kind_of(self.api, self.path, name)):
            return Ref(named)
        if "enum" in schema:
            return schema["enum"][0]
        if kind in ("integer", "number"):
            return schema.get("minimum", 1)
        return False if kind == "boolean" else "x" * max(1, schema.get("minLength", 1))

    def resolved(self, found: dict[str, Any]) -> dict[str, Any]:
        """What a reference refers to."""
        while "$ref" in found:
            target = self.document
            for part in found["$ref"].lstrip("#/").split("/"):
                target = target[part]
            found = target
        return found

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        needed = {*schema.get("required", ()), *NAMED, "bytes", "photo"}
        return {
            name: self.value(inner, name)
            for name, inner in schema.get("properties", {}).items()
            if name in needed
        }


# ------------------------------------------------------------------ asking


def nobodys(name: str) -> str:
    """An id or a name like this one that nobody has."""
    if name.isdigit():
        return str((int(name) + 1) % (2**31))
    last = "0" if name[-1] != "0" else "1"
    return name[:-1] + last


def send(world: World, asked: Asked, values: list[str], *, secret: str = ""):
    """Ask with these values in the places."""
    given = iter(values)
    path = "".join(filled(asked.path, given))
    query = [(name, value) for name, value in filled(asked.query, given)]
    json_body, form = filled(asked.json, given), filled(asked.form, given)
    options: dict[str, Any] = {"params": query}
    if asked.json is not None:
        options["json"] = with_photos(json_body, world.photo)
    if form is not None:
        options["files"] = [
            (name, ("p.png", world.photo) if one is PHOTO else (None, str(one)))
            for name, several in form
            for one in (several if isinstance(several, list) else [several])
        ]
    if asked.raw is not None:
        options["content"] = world.photo
        options["headers"] = {"Content-Type": "application/octet-stream"}
    return world.send(asked.api, asked.method, path, secret=secret, **options)


def with_photos(value: Any, photo: bytes) -> Any:
    """The value with the photo in its places."""
    if value is ENCODED or value is PHOTO:
        return base64.b64encode(photo).decode()
    if isinstance(value, dict):
        return {name: with_photos(one, photo) for name, one in value.items()}
    return [with_photos(one, photo) for one in value] if isinstance(value, list) else value


def told(answer, named: list[str]) -> tuple[int, str]:
    """What an answer says, without what differs in any case."""
    text = answer.text
    for one in sorted({*named, *(str(one).replace("-", "") for one in named)}, key=len)[::-1]:
        text = text.replace(one, "<named>")
    text = re.sub(r'"request_id":"[^"]*"', "", text)
    return answer.status_code, text


UNAUTHORIZED = (-41000, -41005, -41007)
"""NHN's result codes of a key that does not fit, by version."""


def is_missing(api: str, answer) -> bool:
    """Whether the answer says, in the API's own form, that there is no such thing."""
    if answer.headers.get("content-type", "").startswith("image/"):
        return False
    if api == "nhn":
        return answer.json()["header"]["resultCode"] in (-40030, -40050, *UNAUTHORIZED)
    if api == "compreface":
        return answer.json().get("code") in (11, 42, 44)
    if api == "luxand":
        return answer.headers.get("x-mien-error") == "not_found"
    body = answer.json() if answer.content else {}
    error = (body.get("error") if isinstance(body, dict) else None) or {}
    if api == "v1":
        return (answer.status_code, error.get("code")) == (404, "not_found")
    found = str(error.get("code")).endswith("NotFound") or "not found" in error.get("message", "")
    return answer.status_code in (400, 404) and found


@pytest.mark.parametrize("api", DOCUMENTS)
def test_what_another_application_has_is_what_nobody_has(worlds, api):
    victim, attacker, documents = worlds
    before, tried, wrong = victim.owns(), 0, []
    for asked in operations(api, documents[api]):
        own = [attacker.has[ref.kind] for ref in asked.refs]
        tried += bool(asked.named)
        for place, kind in asked.named:
            answers = []
            for other in (victim.has[kind], nobodys(victim.has[kind])):
                answer = send(attacker, asked, [*own[:place], other, *own[place + 1 :]])
                answers.append((told(answer, [other]), is_missing(api, answer)))
            (one, missing), (two, _) = answers
            if one != two or not (missing or (api, *asked.end, kind) in EMPTY):
                wrong.append((asked.name, kind, one, two))
    assert not wrong, "\n".join(map(str, wrong))
    assert tried >= FEWEST[api]
    assert victim.owns() == before


def is_refused(api: str, answer) -> bool:
    """Whether the answer says, in the API's own form, that the key may not do that."""
    if api == "nhn":
        return answer.json()["header"]["resultCode"] in UNAUTHORIZED
    if api == "v1":
        return answer.status_code == 403 and answer.json()["error"]["code"] == "forbidden"
    return answer.status_code == 403 and "lacks the scope" in answer.text


OPEN = {"/healthz", "/readyz", "/metrics"}
OF_DETECT = {("v1", "DELETE", "/{session}"), ("v1", "POST", "/liveness-sessions")}
"""Sessions are made and ended by whoever detects; one about a person wants another scope too."""


@pytest.mark.parametrize("api", DOCUMENTS)
def test_what_is_ones_own_is_shown(worlds, api):
    """The control: the same requests are answered where nothing is another's."""
    _, own, documents = worlds
    shown = 0
    for asked in operations(api, documents[api]):
        if asked.method == "GET" and asked.named:
            answer = send(own, asked, [own.has[ref.kind] for ref in asked.refs])
            good = answer.status_code < 300 and not is_missing(api, answer)
            assert good, (asked.name, answer.text)
            shown += 1
    assert shown >= {"v1": 12, "azure": 25, "nhn": 6, "luxand": 4, "compreface": 2}[api]


@pytest.mark.parametrize("api", DOCUMENTS)
def test_each_operation_wants_one_scope_and_says_nothing_without(worlds, api):
    victim, own, documents = worlds
    keys = {one: own.house.gallery.create_key(own.tag, [one])[1] for one in Scope}
    wrong = []
    for asked in operations(api, documents[api]):
        if asked.template in OPEN:
            continue
        values = [
            own.id if ref.kind == "appKey" else nobodys(victim.has[ref.kind]) for ref in asked.refs
        ]
        let_in = [
            scope
            for scope, secret in keys.items()
            if not is_refused(api, send(own, asked, values, secret=secret))
        ]
        wanted = len(let_in) == 1
        if asked.named and asked.method in ("PUT", "PATCH", "DELETE"):
            wanted = wanted and let_in[0] not in (Scope.DETECT, Scope.GALLERY_READ)
        if not wanted and (api, *asked.end) not in OF_DETECT:
            wrong.append((asked.name, let_in))
    assert not wrong, "\n".join(map(str, wrong))
    assert victim.owns()


def test_cursors_tokens_and_repeats_of_another_application_open_nothing(worlds):
    victim, own, _ = worlds
    for world in (victim, own):
        for name in ("one", "two"):
            world.ok("v1", "POST", "/v1/groups", json={"name": f"{world.tag}-{name}"})
    theirs = {one["created_at"] for one in victim.ok("v1", "GET", "/v1/groups").json()["groups"]}
    assert len(theirs) > 5
    for cursor in ("", "alpha", victim.has["group"], victim.has["job"]):
        for path in ("groups", "jobs"):
            answer = own.ok("v1", "GET", f"/v1/{path}", params={"after": cursor} if cursor else {})
            shown = {one["created_at" if path == "groups" else "id"] for one in answer.json()[path]}
            assert not shown & {*theirs, victim.has["job"]}
    path = f"/nhn/v2.0/appkeys/{victim.id}/groups"
    token = victim.ok("nhn", "GET", path, params={"limit": 1}).json()["data"]["nextToken"]
    path = path.replace(victim.id, own.id)
    answer = own.ok("nhn", "GET", path, params={"next-token": token}).json()
    assert answer["header"]["resultCode"] == -40040
    again = {"Idempotency-Key": "same"}
    made = [
        one.ok("v1", "POST", "/v1/groups", json={"name": "repeated"}, headers=again)
        for one in (victim, own)
    ]
    assert "idempotency-replayed" not in made[1].headers
    assert made[1].json()["created_at"] != made[0].json()["created_at"]


def test_a_devices_token_opens_its_session_only(worlds):
    victim, own, _ = worlds
    token = own.ok("v1", "POST", "/v1/liveness-sessions", json={}).json()["token"]
    files = {"image": ("p.png", own.photo), "times": (None, "0")}
    answers = set()
    for session in (victim.has["session"], nobodys(victim.has["session"]), own.has["session"]):
        path = f"/v1/liveness-sessions/{session}"
        for method, end, more in (("GET", "", {}), ("POST", "/frames", {"files": files})):
            answers.add(told(own.send("v1", method, path + end, secret=token, **more), [session]))
    assert [status for status, _ in answers] == [403]
    for path in ("/v1/status", "/v1/groups", "/v1/detect"):
        assert own.send("v1", "GET", path, secret=token).status_code in (401, 405)


LISTS = {
    "v1": "/v1/groups",
    "azure": "/azure/face/v1.0/persongroups",
    "nhn": "/nhn/v2.0/appkeys/{app}/groups?limit=1",
    "luxand": "/luxand/v2/person",
    "compreface": "/compreface/api/v1/recognition/subjects",
}


@pytest.mark.parametrize("api", DOCUMENTS)
def test_a_key_counts_in_its_own_header_only_and_once(worlds, api, caplog):
    _, own, _ = worlds
    caplog.set_level("DEBUG")
    path = LISTS[api].format(app=own.id)
    header, scheme = KEY[api]
    right = (header, f"{scheme}{own.secret}")
    names = ("key", "api_key", "apikey", "token", "access_token", "subscription-key", header)
    query = "&".join(f"{name}={own.secret}" for name in names)
    wrong = [
        [],
        [("Cookie", f"{header}={own.secret}")],
        [("X-Forwarded-Authorization", f"Bearer {own.secret}")],
        [(header, "")],
        [(header, f"{scheme}{'k' * 60_000}")],
        [(header, f"{scheme}\u212aey")],
        [(header, f"{scheme}{own.secret}\t{own.secret}")],
        [(header, f"{scheme}{own.secret[:-1]}")],
        [(header, f"{scheme}{own.secret.upper()}")],
        [(header, f"{scheme}nothing"), right],
    ]
    client, joint = own.house.client, "&" if "?" in path else "?"

    def ask(headers, path=path):
        raw = [(name.encode(), value.encode()) for name, value in headers]
        answer = client.get(path, headers=raw)
        body = answer.json()
        return body["header"]["resultCode"] if api == "nhn" else answer.status_code

    assert ask([right]) in (200, 0)
    refused = {"v1": {401}, "nhn": {-41005}, "compreface": {400, 404}}.get(api, {401})
    for headers in wrong:
        assert ask(headers) in refused, headers
    assert ask([], path=f"{path}{joint}{query}") in refused
    ours = [one.getMessage() for one in caplog.records if one.name.startswith("mien")]
    assert ours
    assert own.secret not in "".join(ours)
