"""Several servers of one PostgreSQL under load: stopped, killed and started again."""

from __future__ import annotations

import http.client
import io
import itertools
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from PIL import Image

from mien.testing import drawn_face

ENTRY = Path(__file__).parent / "serving_entry.py"
LEFT_ALONE_S = 1.0
SECONDS = float(os.environ.get("MIEN_SOAK_SECONDS", "600"))
SEED = int(os.environ.get("MIEN_SEED", "1"))
TIMEOUT_S = 5.0
soak = pytest.mark.skipif(not os.environ.get("MIEN_SOAK"), reason="make soak")


class Server:
    """One server process of the fleet, on a port that it keeps."""

    def __init__(self, folder, environment, *arguments):
        self._folder, self._environment, self._arguments = folder, environment, arguments
        self.port = "0"
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [sys.executable, str(ENTRY), str(self._folder), self.port, *self._arguments],
            env={**os.environ, **self._environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        self.text = ""
        while "Mien is at" not in self.text:
            line = self.process.stderr.readline()
            assert line, self.text
            self.text += line
        self.address = re.search(r"http://[^\s/]+", self.text).group(0)
        self.port = self.address.rpartition(":")[2]
        self._drain = threading.Thread(target=self._read, args=(self.process.stderr,))
        self._drain.start()

    def _read(self, pipe):
        for line in pipe:
            self.text += line

    @property
    def key(self):
        found = re.search(r"API key[^:]*: (\S+)", self.text)
        return found and found.group(1)

    def end(self, sig=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(sig)
        code = self.process.wait(60)
        self._drain.join()
        self.process.stderr.close()
        return code


class Caller:
    """A client of the whole fleet.

    It keeps its connections. A server that answers 503, or cannot be connected to, is left alone
    for a second. What was sent and got no answer is counted in :attr:`broken`, and sent again to
    another server, with the same ``Idempotency-Key``.
    """

    _numbers = itertools.count()

    def __init__(self, addresses, key):
        headers = {"Authorization": f"Bearer {key}"}
        self._clients = [
            httpx.Client(base_url=one, headers=headers, timeout=60) for one in addresses
        ]
        self._left_until = [0.0] * len(addresses)
        self._turn = next(Caller._numbers)
        self.broken = []
        self.told = Counter()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for client in self._clients:
            client.close()

    def ask(self, method, path, *, only=None, patience_s=60.0, **options):
        """The first answer that is none of a server that cannot answer now."""
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            number = self._next() if only is None else only
            if number is None:
                time.sleep(0.01)
                continue
            try:
                answer = self._clients[number].request(method, path, **options)
            except httpx.ConnectError:
                self._leave(number)
                self.told["not there"] += 1
                continue
            except httpx.TransportError as error:
                self.broken.append((number, method, path, repr(error)))
                self._leave(number)
                continue
            if answer.status_code == 503:
                self.told[answer.json()["error"]["message"][:30]] += 1
                self._leave(number)
                continue
            late = answer.status_code == 504
            if late or (answer.status_code == 409 and "in_progress" in answer.text):
                self.told["too late" if late else "in progress"] += 1
                time.sleep(0.2)
                continue
            return answer
        raise AssertionError(f"nobody answered {method} {path}: {self.told}, {self.broken}")

    def _leave(self, number):
        self._left_until[number] = time.monotonic() + LEFT_ALONE_S

    def _next(self):
        now = time.monotonic()
        for _ in self._clients:
            self._turn += 1
            number = self._turn % len(self._clients)
            if self._left_until[number] <= now:
                return number
        return None


class Writers:
    """Threads that write through any server until they are stopped, and remember what was said."""

    def __init__(self, fleet, key, photo, *, threads=3):
        self.acknowledged, self.errors, self.callers = [], [], []
        self._stop = threading.Event()
        self._addresses, self._key, self._photo = fleet, key, photo
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def broken(self):
        return [one for caller in self.callers for one in caller.broken]

    @property
    def told(self):
        return sum((caller.told for caller in self.callers), Counter())

    def wait(self, more, seconds=60):
        """Until so many more writes have been acknowledged."""
        want, until = len(self.acknowledged) + more, time.monotonic() + seconds
        while len(self.acknowledged) < want:
            assert not self.errors, self.errors
            assert time.monotonic() < until, (len(self.acknowledged), self.told, self.broken)
            time.sleep(0.01)

    def _run(self):
        with Caller(self._addresses, self._key) as caller:
            self.callers.append(caller)
            try:
                while not self._stop.is_set():
                    self._write(caller, f"p{next(self._numbers)}")
            except BaseException as error:
                self.errors.append(error)

    def _write(self, caller, name):
        """A person, and a photo looked at: both must be answered, whoever ends meanwhile."""
        once = {"Idempotency-Key": name}
        answer = caller.ask("POST", "/v1/groups/staff/persons", json={"name": name}, headers=once)
        # A server that was killed may have stored it without having noted the answer.
        twice = answer.status_code == 409 and caller.broken and "already_exists" in answer.text
        assert answer.status_code == 201 or twice, answer.text
        found = caller.ask("GET", f"/v1/groups/staff/persons/{name}")
        assert found.status_code == 200, (name, found.text)
        looked = caller.ask("POST", "/v1/detect", files={"image": self._photo})
        assert looked.status_code == 200, looked.text
        self.acknowledged.append(name)


@pytest.fixture
def start(postgres_server, tmp_path):
    """Starts servers of one gallery, with one folder for the uploads that wait."""
    servers = []
    with postgres_server.database() as url:

        def make(*arguments, drain_s=1.0):
            environment = {"MIEN_GALLERY": url, "MIEN_REQUEST_TIMEOUT_S": str(TIMEOUT_S)}
            environment["MIEN_DRAIN_S"] = str(drain_s)
            servers.append(Server(tmp_path, environment, *arguments))
            return servers[-1]

        yield make
        for server in servers:
            server.end(signal.SIGKILL)


def persons_of(caller):
    """All names of the group, page by page."""
    names, after = [], None
    while True:
        query = {"limit": 500, **({"after": after} if after else {})}
        page = caller.ask("GET", "/v1/groups/staff/persons", params=query).json()
        names += [one["name"] for one in page["persons"]]
        after = page["next"]
        if after is None:
            return names


def assert_all_there_once(caller, writers):
    """What was acknowledged is there, and nothing twice; what was never answered may be."""
    assert not writers.errors, writers.errors
    names = persons_of(caller)
    assert len(names) == len(set(names))
    assert set(writers.acknowledged) <= set(names)
    assert len(names) <= len(writers.acknowledged) + len(writers.callers)


class Kept:
    """A connection that is asked again and again."""

    def __init__(self, server, key):
        self._headers = {"Authorization": f"Bearer {key}"}
        self._connection = http.client.HTTPConnection(server.address.removeprefix("http://"))

    def ask(self):
        """Status, and what becomes of the connection."""
        self._connection.request("GET", "/v1/groups", headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status, answer.getheader("connection", "keep-alive")

    def assert_told(self):
        """It is not closed under a request, but by an answer that says so."""
        while (told := self.ask()) == (200, "keep-alive"):
            pass
        assert told == (503, "close")


def test_a_write_is_seen_by_the_other_and_a_server_that_stops_breaks_nothing(start, photos):
    with ThreadPoolExecutor(2) as threads:
        one, other = threads.map(lambda drain_s: start(drain_s=drain_s), (20, 1))
    key = one.key or other.key
    addresses = [one.address, other.address]
    with Caller(addresses, key) as caller:
        assert caller.ask("POST", "/v1/groups", json={"name": "staff"}).status_code == 201
        for number, photo in enumerate((photos.ann, photos.bob)):
            person = "/v1/groups/staff/persons"
            caller.ask("POST", person, only=number, json={"name": f"n{number}"})
            image = {"image": photo}
            caller.ask("POST", f"{person}/n{number}/faces", only=number, files=image)
            found = caller.ask("POST", "/v1/groups/staff/identify", only=1 - number, files=image)
            (face,) = found.json()["faces"]
            assert face["candidates"][0]["person"] == f"n{number}", "seen at once"
        for name in ("n0", "n1"):
            assert caller.ask("DELETE", f"/v1/groups/staff/persons/{name}").status_code == 204
    with Caller(addresses, key) as caller:
        with Writers(addresses, key, photos.ann) as writers:
            writers.wait(5)
            kept = Kept(one, key)
            assert kept.ask() == (200, "keep-alive")
            one.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            kept.assert_told()
            assert one.end() == 0
            writers.wait(5)
        assert_all_there_once(caller, writers)
    assert writers.broken == [], "a connection was closed under a request"
    assert "Traceback" not in one.text
    assert other.end() == 0


@soak
@pytest.mark.slow
def test_servers_that_are_stopped_killed_and_started_again(start, photos):
    """Ten minutes of it, or MIEN_SOAK_SECONDS; MIEN_SEED."""
    chance = random.Random(SEED)
    servers = [start(), start(), start()]
    key = servers[0].key
    addresses = [one.address for one in servers]
    stops, kills, broken = 0, 0, 0
    until = time.monotonic() + SECONDS
    with Caller(addresses, key) as caller:
        assert caller.ask("POST", "/v1/groups", json={"name": "staff"}).status_code == 201
        with Writers(addresses, key, photos.ann, threads=6) as writers:
            while time.monotonic() < until or not (stops and kills):
                writers.wait(chance.randint(1, 20))
                victim = chance.choice(servers)
                if chance.random() < 0.5:
                    before = len(writers.broken)
                    assert victim.end(signal.SIGTERM) == 0
                    time.sleep(0.2)
                    assert len(writers.broken) == before, writers.broken[before:]
                    stops += 1
                else:
                    before = len(writers.broken)
                    victim.end(signal.SIGKILL)
                    time.sleep(0.5)
                    broken += len(writers.broken) - before
                    kills += 1
                victim.start()
        assert_all_there_once(caller, writers)
    print(f"{SEED=} {stops=} {kills=} {broken=} {len(writers.acknowledged)=} {writers.told}")


@soak
@pytest.mark.slow
def test_a_job_is_taken_over_by_another_server_with_the_same_folder(start):
    one, other = start("0.2"), start("0.2")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for i in range(30):
            photo = io.BytesIO()
            Image.fromarray(drawn_face(i % 4, (120, 160 + i))).save(photo, "PNG")
            archive.writestr(f"person {i % 4}/{i:02}.png", photo.getvalue())
    with Caller([one.address, other.address], one.key) as caller:
        caller.ask("POST", "/v1/groups", json={"name": "staff"})
        upload = {"archive": ("a.zip", packed.getvalue())}
        asked = caller.ask("POST", "/v1/groups/staff/jobs/enroll", only=0, files=upload)
        job = asked.json()["id"]
        time.sleep(1.0)
        one.end(signal.SIGKILL)
        until = time.monotonic() + 90
        while (now := caller.ask("GET", f"/v1/jobs/{job}", only=1).json())["state"] != "done":
            assert time.monotonic() < until, now
            time.sleep(0.2)
        assert (now["enrolled"], now["rejected"]) == (30, 0)
        assert caller.ask("GET", "/v1/groups/staff", only=1).json()["faces"] == 30


def test_what_servers_share_and_what_each_counts_for_itself(open_house, tmp_path, photos):
    """Two apps of one gallery; on PostgreSQL it is the same records."""
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    limits = {"rate_per_key": 0.001, "rate_burst": 4}
    one, other = open_house(url=url, **limits), open_house(url=url, **limits)
    other.client.headers["Authorization"] = one.client.headers["Authorization"]
    made = {"json": {"name": "g"}, "headers": {"Idempotency-Key": "k"}}
    first = one.client.post("/v1/groups", **made)
    again = other.client.post("/v1/groups", **made)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"
    begun = one.client.post("/v1/liveness-sessions", json={})
    session = begun.json()["session"]["id"] if "session" in begun.json() else begun.json()["id"]
    assert other.client.get(f"/v1/liveness-sessions/{session}").status_code == 200
    for house in (one, other):  # each lets its own burst through: two servers, twice as much
        left = 4 - 2
        found = [house.client.get("/v1/groups").status_code for _ in range(left + 1)]
        assert found == [200] * left + [429]
