"""Full queues, slow work, lost clients, and bodies that are too long."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mien.engine import Engine
from mien.errors import Overloaded
from mien.service import limits
from mien.service.limits import ByteBudget
from mien.service.pool import Pool
from mien.service.schemas import ErrorAnswer
from mien.testing import MockDetector, MockEmbedder, mock_calibration


class HeldDetector(MockDetector):
    """A detector that waits until it is told to go on."""

    def __init__(self):
        self.go = threading.Event()
        self.entered = threading.Semaphore(0)
        self.calls = 0

    def detect(self, images):
        self.calls += 1
        self.entered.release()
        assert self.go.wait(30)
        return super().detect(images)


@pytest.fixture
def held():
    detector = HeldDetector()
    yield detector
    detector.go.set()


@pytest.fixture
def held_engine(held):
    with Engine(detector=held, embedder=MockEmbedder(), calibration=mock_calibration()) as engine:
        yield engine
        held.go.set()


def code(answer):
    ErrorAnswer.model_validate(answer.json())
    return answer.status_code, answer.json()["error"]["code"]


def until(condition, *, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


def test_a_full_queue_answers_503_at_once_and_recovers(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, queue_size=2)
    with ThreadPoolExecutor(8) as threads:
        accepted = [
            threads.submit(house.client.post, "/v1/detect", files={"image": photos.ann})
            for _ in range(3)
        ]
        until(lambda: house.service.inference.taken == 3)
        started = time.monotonic()
        refused = house.client.post("/v1/detect", files={"image": photos.ann})
        assert time.monotonic() - started < 1
        assert code(refused) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        # What only asks the database goes on.
        assert house.client.get("/v1/groups").status_code == 200
        assert "mien_inference_queue_depth 2.0" in house.client.get("/metrics").text
        held.go.set()
        assert [one.result().status_code for one in accepted] == [200, 200, 200]
    assert house.service.inference.taken == 0
    assert house.service.budget.used == 0
    assert house.client.post("/v1/detect", files={"image": photos.ann}).status_code == 200


def test_the_body_of_a_refused_request_is_not_kept(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, queue_size=0)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(house.client.post, "/v1/detect", files={"image": photos.ann})
        held.entered.acquire()
        before = house.service.budget.used
        answer = house.client.post(
            "/v1/detect", content=bytes(5_000_000), headers={"Content-Type": "image/png"}
        )
        assert code(answer) == (503, "overloaded")
        assert house.service.budget.used == before
        held.go.set()
        assert first.result().status_code == 200


def test_the_deadline(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, queue_size=1, request_timeout_s=0.3)
    with ThreadPoolExecutor(2) as threads:
        pair = [
            threads.submit(house.client.post, "/v1/detect", files={"image": photos.ann})
            for _ in range(2)
        ]
        answers = [one.result() for one in pair]
    assert [code(answer) for answer in answers] == [(504, "deadline_exceeded")] * 2
    assert held.calls == 1, "the one that waited was dropped, not run"
    assert house.service.inference.taken == 1, "a running job keeps its place until it ends"
    held.go.set()
    until(lambda: house.service.inference.taken == 0)
    assert house.client.post("/v1/detect", files={"image": photos.ann}).status_code == 200


def test_a_small_application_gets_in_where_a_greedy_one_fills_the_queue(
    open_house, held, held_engine, photos
):
    house = open_house(engine=held_engine, workers=1, queue_size=3)
    house.gallery.create_application("small")
    small = house.key("small")

    def post(headers=None):
        return house.client.post("/v1/detect", files={"image": photos.ann}, headers=headers)

    with ThreadPoolExecutor(8) as threads:
        greedy = [threads.submit(post) for _ in range(4)]
        until(lambda: house.service.inference.taken == 4)
        own = threads.submit(post, small)
        until(lambda: any(one.done() for one in greedy))
        (refused,) = [one.result() for one in greedy if one.done()]
        assert code(refused) == (503, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        held.go.set()
        assert own.result().status_code == 200
        assert sorted(one.result().status_code for one in greedy) == [200, 200, 200, 503]
    assert (house.service.inference.taken, house.service.budget.used) == (0, 0)


@pytest.mark.parametrize(("asked", "status"), [("0.3", 504), ("1e9", 200), ("5", 200)])
def test_a_request_may_bring_a_shorter_deadline(
    open_house, held, held_engine, photos, asked, status
):
    house = open_house(engine=held_engine, workers=1)
    if status == 200:
        held.go.set()
    answer = house.client.post(
        "/v1/detect", files={"image": photos.ann}, headers={"X-Deadline-S": asked}
    )
    assert answer.status_code == status


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "inf", "soon", "", "1e999", "9" * 400 + "x"])
def test_a_deadline_that_cannot_be(client, photos, asked):
    for answer in (
        client.post("/v1/detect", files={"image": photos.ann}, headers={"X-Deadline-S": asked}),
        client.get("/v1/groups", headers={"X-Deadline-S": asked}),
    ):
        assert code(answer) == (400, "invalid_argument")


def test_a_deadline_never_goes_beyond_the_servers(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, request_timeout_s=0.3)
    answer = house.client.post(
        "/v1/detect", files={"image": photos.ann}, headers={"X-Deadline-S": "100"}
    )
    assert code(answer) == (504, "deadline_exceeded")


def call_asgi(house, scope, messages):
    """One request, message by message; the statuses that were sent."""
    sent = []

    async def receive():
        message = messages.pop(0) if messages else None
        if message is None:
            await asyncio.sleep(30)
        if callable(message):
            await asyncio.to_thread(message)
            return await receive()
        return message

    async def send(message):
        sent.append(message)

    house.client._transport.call(house.app(scope, receive, send))
    return [message["status"] for message in sent if message["type"] == "http.response.start"]


def post_scope(house, kind=b"image/png", **headers):
    given = {"authorization": f"Bearer {house.secret}", **headers}
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/detect",
        "raw_path": b"/v1/detect",
        "root_path": "",
        "query_string": b"",
        "server": ("mien.test", 80),
        "client": ("127.0.0.1", 1),
        "headers": [
            (b"content-type", kind),
            *((name.encode(), value.encode()) for name, value in given.items()),
        ],
    }


def test_a_lost_client_cancels_its_queued_work(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, queue_size=4)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(house.client.post, "/v1/detect", files={"image": photos.ann})
        held.entered.acquire()
        body = {"type": "http.request", "body": photos.ann, "more_body": False}
        gone = [
            body,
            lambda: until(lambda: house.service.inference.waiting == 1),
            {"type": "http.disconnect"},
        ]
        assert call_asgi(house, post_scope(house), gone) == [499]
        assert house.service.inference.waiting == 0
        held.go.set()
        assert first.result().status_code == 200
    assert held.calls == 1


def test_a_client_lost_while_sending(house):
    messages = [
        {"type": "http.request", "body": b"x" * 10, "more_body": True},
        {"type": "http.disconnect"},
    ]
    assert call_asgi(house, post_scope(house, **{"content-length": "100"}), messages) == [499]
    assert (house.service.inference.taken, house.service.budget.used) == (0, 0)


def test_long_bodies_are_counted_while_they_stream(open_house):
    house = open_house(max_request_bytes=1000)
    headers = {"Content-Type": "image/png"}
    declared = house.client.post("/v1/detect", content=bytes(1001), headers=headers)
    assert code(declared) == (413, "request_too_large")
    assert declared.json()["error"]["details"] == {"limit": 1000}

    def pieces():
        for _ in range(30):
            yield bytes(100)

    chunked = house.client.post("/v1/detect", content=pieces(), headers=headers)
    assert code(chunked) == (413, "request_too_large")
    part = {"type": "http.request", "body": bytes(600), "more_body": True}
    last = {"type": "http.request", "body": bytes(600), "more_body": False}
    liar = post_scope(house, **{"content-length": "10"})
    assert call_asgi(house, liar, [part, last]) == [413]
    odd = post_scope(house, **{"content-length": "99999999999999999999999999"})
    assert call_asgi(house, odd, [last]) == [413]
    assert (house.service.inference.taken, house.service.budget.used) == (0, 0)


def test_a_body_that_never_comes(open_house):
    house = open_house(request_timeout_s=0.2)
    part = {"type": "http.request", "body": b"x", "more_body": True}
    scope = post_scope(house, **{"content-length": "100", "expect": "100-continue"})
    started = time.monotonic()
    assert call_asgi(house, scope, [part]) == [504]
    assert time.monotonic() - started < 4
    assert house.service.inference.taken == 0


class Dawdlers:
    """Clients that send the beginning of a body, and no more before they are told to."""

    def __init__(self, house, count, begin=b"abc"):
        self.house, self.begin, self.codes = house, begin, []
        self.go = threading.Event()
        self.threads = [threading.Thread(target=self._send) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _send(self):
        begin = {"type": "http.request", "body": self.begin, "more_body": True}
        scope = post_scope(self.house, **{"content-length": "100000"})
        messages = [begin, lambda: self.go.wait(20), {"type": "http.disconnect"}]
        self.codes += call_asgi(self.house, scope, messages)

    def end(self):
        self.go.set()
        for thread in self.threads:
            thread.join()


def test_slow_clients_keep_no_worker_waiting(open_house, photos):
    house = open_house(workers=1, queue_size=1)
    slow = Dawdlers(house, 4)
    try:
        until(lambda: house.service.reading.taken == 4)
        assert house.service.inference.taken == 0
        answer = house.client.post("/v1/detect", files={"image": photos.ann})
        assert answer.status_code == 200
        assert house.service.budget.used == 4 * 3
    finally:
        slow.end()
    assert slow.codes == [499] * 4
    assert (house.service.reading.taken, house.service.budget.used) == (0, 0)


def test_bodies_that_are_read_at_once_are_bounded(open_house, photos):
    house = open_house()
    house.service.reading.count = 2
    slow = Dawdlers(house, 2)
    try:
        until(lambda: house.service.reading.taken == 2)
        assert code(house.client.post("/v1/detect", files={"image": photos.ann})) == (
            503, "overloaded"
        )  # fmt: skip
        assert house.client.post("/v1/groups", json={"name": "g"}).status_code == 503
        assert house.client.get("/v1/groups").status_code == 200
    finally:
        slow.end()
    assert house.client.post("/v1/groups", json={"name": "g"}).status_code == 201


def test_a_body_that_comes_too_slowly_is_given_up(open_house, monkeypatch):
    monkeypatch.setattr(limits, "GRACE_S", 0.2)
    house = open_house()
    part = {"type": "http.request", "body": b"abc", "more_body": True}
    scope = post_scope(house, **{"content-length": "100000", "expect": "100-continue"})
    started = time.monotonic()
    assert call_asgi(house, scope, [part]) == [504]
    assert time.monotonic() - started < 10 < house.service.settings.request_timeout_s
    assert (house.service.reading.taken, house.service.budget.used) == (0, 0)


def test_a_body_that_comes_steadily_is_read_to_its_end(open_house, monkeypatch):
    monkeypatch.setattr(limits, "GRACE_S", 1.0)
    monkeypatch.setattr(limits, "BYTES_PER_S", 100)
    house = open_house()
    part = {"type": "http.request", "body": bytes(200), "more_body": True}
    messages = []
    for _ in range(4):
        messages += [part, lambda: time.sleep(0.4)]
    last = {"type": "http.request", "body": b"", "more_body": False}
    assert call_asgi(house, post_scope(house), [*messages, last]) == [400], "read, and no photo"


def test_a_full_queue_is_refused_before_the_body_is_read(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, queue_size=0)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(house.client.post, "/v1/detect", files={"image": photos.ann})
        held.entered.acquire()
        scope = post_scope(house, **{"content-length": "100", "expect": "100-continue"})
        untouched = [lambda: pytest.fail("the body was asked for")]
        assert call_asgi(house, scope, untouched) == [503]
        assert len(untouched) == 1
        held.go.set()
        assert first.result().status_code == 200


def test_a_queue_that_fills_while_a_body_comes_refuses_it(open_house, held, held_engine, photos):
    house = open_house(engine=held_engine, workers=1, queue_size=0)
    busy = []

    def fill():
        busy.append(threads.submit(house.client.post, "/v1/detect", files={"image": photos.ann}))
        held.entered.acquire()

    with ThreadPoolExecutor(2) as threads:
        body = [
            {"type": "http.request", "body": photos.ann[:100], "more_body": True},
            fill,
            {"type": "http.request", "body": photos.ann[100:], "more_body": False},
        ]
        assert call_asgi(house, post_scope(house), body) == [503]
        held.go.set()
        assert busy[0].result().status_code == 200
    assert (house.service.inference.taken, house.service.budget.used) == (0, 0)


def test_all_bodies_together_are_bounded():
    budget = ByteBudget(100)
    with budget.hold() as one, budget.hold() as two:
        one.take(60)
        two.take(40)
        with pytest.raises(Overloaded):
            two.take(1)
    assert budget.used == 0


def test_fifty_requests_at_once(open_house, photos):
    house = open_house(queue_size=64)
    with ThreadPoolExecutor(50) as threads:
        posts = [
            threads.submit(
                house.client.post, "/v1/compare", files={"image_a": photos.ann, "image_b": other}
            )
            for other in [photos.ann, photos.bob] * 25
        ]
        answers = [one.result() for one in posts]
    assert [answer.status_code for answer in answers] == [200] * 50
    assert [answer.json()["match"] for answer in answers] == [True, False] * 25
    assert len({answer.headers["x-request-id"] for answer in answers}) == 50


def test_an_unexpected_error_is_500_without_detail(open_house, photos, caplog):
    class Broken(MockDetector):
        def detect(self, images):
            raise RuntimeError("/secret/path of the server")

    engine = Engine(detector=Broken(), embedder=MockEmbedder())
    answer = open_house(engine=engine).client.post("/v1/detect", files={"image": photos.ann})
    assert code(answer) == (500, "internal")
    assert "secret" not in answer.text
    lines = [one.getMessage() for one in caplog.records if one.levelname == "ERROR"]
    assert len(lines) == 1
    assert answer.json()["request_id"] in lines[0]
    assert "RuntimeError" in lines[0]
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_a_pool_finishes_what_it_has_and_refuses_the_rest():
    pool = Pool(workers=2, queue_size=10, name="test")
    done = []

    async def main():
        slots = [pool.admit() for _ in range(6)]
        work = [
            asyncio.create_task(
                slot.run(lambda i=i: (time.sleep(0.02), done.append(i)), timeout_s=5)
            )
            for i, slot in enumerate(slots)
        ]
        await asyncio.sleep(0)
        pool.refuse()
        with pytest.raises(Overloaded):
            pool.admit()
        await asyncio.gather(*work)
        await asyncio.to_thread(pool.close, timeout_s=5)

    asyncio.run(main())
    assert sorted(done) == list(range(6))
    assert pool.taken == 0
    assert not any(thread.is_alive() for thread in pool._threads)


def test_abandoned_work_leaves_nothing_behind():
    pool = Pool(workers=1, queue_size=100, name="test")
    hold = threading.Event()

    async def main():
        first = asyncio.create_task(pool.admit().run(hold.wait, timeout_s=5))
        await asyncio.sleep(0.05)
        for _ in range(50):
            task = asyncio.create_task(pool.admit().run(lambda: None, timeout_s=5))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (pool.taken, pool.waiting) == (1, 0)
        hold.set()
        await first
        await asyncio.to_thread(pool.close, timeout_s=5)

    asyncio.run(main())
