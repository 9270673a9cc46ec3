"""A gym's whole job in the very requests of NHN's guides: curl commands of 1.0, 2.0 and 2.1.

The commands are in ``guide/``, in the spelling of NHN's guides, with a gym's values in the places
in braces. What they are answered is held against what the guides say of each answer.
"""

from __future__ import annotations

import base64
import re
import shlex
from pathlib import Path

import pytest

ANN, BOB, EVE = 1, 2, 3
GUIDE = Path(__file__).parent / "guide"


def commands(version: str) -> dict[str, str]:
    """The commands of a version's guide by the names in the comments above them."""
    text = (GUIDE / f"v{version}.sh").read_text("utf-8")
    return dict(re.findall(r"^# ([a-z-]+)\n(curl .*?)(?:\n\n|\Z)", text, re.MULTILINE | re.DOTALL))


def curl(client, command: str, values: dict[str, str], files: dict[str, bytes]):
    """What curl would do with the command; ``@name`` is one of ``files``."""
    command = re.sub(r"\{(\w+)\}", lambda found: values[found[1]], command.replace("\\\n", ""))
    words = iter(shlex.split(command)[1:])  # "curl" itself is first
    method, url, headers, more = "GET", "", {}, {}
    form: list[tuple[str, tuple[str | None, bytes | str]]] = []
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "-d":
            more["content"] = next(words)
        elif word == "-u":
            more["auth"] = tuple(next(words).split(":", 1))
        elif word == "-F":
            name, _, value = next(words).partition("=")
            sent = (f"{name}.png", files[value[1:]]) if value[0] == "@" else (None, value)
            form.append((name, sent))
        else:
            url = word
    if form:  # as curl does, the boundary is added to the header
        more["files"] = form
        del headers["Content-Type"]
    return client.request(method, url, headers=headers, **more)


@pytest.mark.parametrize("version", ["1.0", "2.0", "2.1"])
def test_a_gym_through_the_requests_of_the_guide(nhn, version):
    guide = commands(version)
    assert len(guide) == {"1.0": 12, "2.0": 13, "2.1": 13}[version]
    nhn.gallery.allow_nhn_v1("default", version == "1.0")
    nhn.data("delete-group")
    values = {"domain": "/nhn", "appKey": nhn.app_key, "secretKey": nhn.secret, "label": "x"}

    def ask(name, photo=b"", other=b"", **more):
        texts = {
            "photo": base64.b64encode(photo).decode(),
            "other": base64.b64encode(other).decode(),
        }
        files = {"photo": photo, "other": other}
        answer = curl(nhn.http, guide[name], values | texts | more, files)
        assert answer.status_code == 200
        body = answer.json()
        assert body["header"] == {"isSuccessful": True, "resultCode": 0, "resultMessage": "Success"}
        return body.get("data")

    if version == "2.1":
        values["token"] = curl(nhn.http, guide["token"], values, {}).json()["access_token"]

    assert ask("create") is None
    assert [one["groupId"] for one in ask("groups")["groups"]] == ["gym-members"]
    member = {}
    for name, person in (("Ann", ANN), ("Bob", BOB)):
        photo = nhn.photo(person)
        (seen,) = ask("detect", photo)["faceDetails"]
        made = ask("register", photo, label=name)
        assert (made["addedFaceCount"], made["notAddedFaceCount"]) == (1, 0)
        assert made["addedFaceDetails"] == [seen]
        member[name] = made["addedFaces"][0]
        assert member[name]["externalImageId"] == name
        assert ("modelVersion" in made) is (version == "1.0")
    shown = ask("group")
    assert (shown["groups"][0] if version == "1.0" else shown)["faceCount"] == 2
    listed = ask("faces", label="Ann")["faces"]
    assert listed == [member["Bob"], member["Ann"]][0 if version == "1.0" else 1 :]

    at_the_door = nhn.photo(ANN, side=80)
    (found,) = ask("by-image", at_the_door)["matchFaces"]
    assert found["face"] == member["Ann"]
    assert found["similarity"] > 90
    assert ask("by-image", nhn.photo(EVE))["matchFaces"] == []
    assert ask("by-face", faceId=member["Ann"]["faceId"])["matchFaces"] == []
    own = ask("verify", at_the_door, faceId=member["Ann"]["faceId"])
    other = ask("verify", at_the_door, faceId=member["Bob"]["faceId"])
    assert own["similarity"] > 90 > 50 > other["similarity"]
    both = ask("compare", at_the_door, nhn.photo(BOB, ANN))
    assert (both["matchedFaceDetailCount"], both["unmatchedFaceDetailCount"]) == (1, 1)
    if "liveness" in guide:
        (lively,) = ask("liveness", nhn.photo(ANN, room=4))["faceDetails"]
        assert lively["spoofing"] is False

    assert ask("forget", faceId=member["Ann"]["faceId"]) is None
    assert ask("by-image", at_the_door)["matchFaces"] == []
    assert ask("close") is None
    assert ask("groups")["groups"] == []
