"""The PyPI client ``luxand`` against a server: PORT TOKEN MEMBER MEMBER2 OTHER STRANGER."""

from __future__ import annotations

import http.client
import json
import sys

import luxand as package

port, token, member, member2, other, stranger = sys.argv[1:]


class Here(http.client.HTTPConnection):
    """A connection to this machine, in the place of the host that the client has built in."""

    def __init__(self, host: str) -> None:
        assert host == "api.luxand.cloud"
        super().__init__("127.0.0.1", int(port))

    def request(self, method, url, body=None, headers=None):
        super().request(method, f"/luxand{url}", body, headers or {})


package.http.client.HTTPSConnection = Here
client = package.luxand(token)
person = client.add_person("Member", photos=[member])
someone = client.add_person("Other", photos=[other])
story = {
    "person": person,
    "someone": someone,
    "listed": client.list_persons(),
    "recognised": client.recognize(member2),
    "stranger": client.recognize(stranger),
    "verified": client.verify(person, member2),
    "refused": client.verify(person, other),
    "detected": client.detect(member),
    "emotions": client.emotions(member),
    "landmarks": client.landmarks(member),
    "liveness": client.liveness(member),
    "added": client.add_photo_to_person(person, member2),
    "deleted": client.delete_person(person),
    "left": client.list_persons(),
    "forgotten": client.recognize(member2),
}
client.delete_person(someone)
story["celebrity"] = client.celebrity(member)
try:
    client.add_photo_to_person(someone, member)
except Exception as error:  # the client knows no other
    story["gone"] = list(error.args)
print(json.dumps(story))
