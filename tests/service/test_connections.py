"""Connections that say nothing, too slowly or too many, over real sockets."""

from __future__ import annotations

import asyncio
import json
import resource
from contextlib import asynccontextmanager

import pytest
import uvicorn
from uvicorn.server import ServerState

from mien.service import connections
from mien.service.connections import Connections, open_files

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"
ANSWER = b"0123456789"


async def answer(scope, receive, send):
    """Ten bytes, of /slow after a while; of /large as much as no buffer of the system takes."""
    if scope["path"] == "/slow":
        await asyncio.sleep(0.3)
    body = bytes(20_000_000) if scope["path"] == "/large" else ANSWER
    length = str(len(body)).encode()
    headers = [(b"content-length", length)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(*, most=100, keep_alive_s=30, head_s=10.0, stall_s=60.0):
    house = Connections(most, head_s=head_s, stall_s=stall_s)
    config = uvicorn.Config(
        answer, log_config=None, timeout_keep_alive=keep_alive_s, ws="none", lifespan="off"
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: house.protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    opened = []

    async def connect():
        opened.append(await asyncio.open_connection("127.0.0.1", port))
        return opened[-1]

    try:
        yield house, connect
    finally:
        for _, writer in opened:
            writer.close()
        server.close()


async def asked(connection):
    reader, writer = connection
    writer.write(HEAD + b"\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    return await reader.readexactly(len(ANSWER))


async def ended(connection):
    """Whether the other side has closed it."""
    try:
        return await asyncio.wait_for(connection[0].read(1), 5) == b""
    except ConnectionError:
        return True


async def settled(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.01)


def run(scenario):
    asyncio.run(scenario)


@pytest.mark.parametrize("begin", [b"", b"GET / HT", HEAD])
def test_a_head_that_does_not_come_ends_the_connection(begin):
    async def scenario():
        async with serving(head_s=0.2) as (house, connect):
            slow = await connect()
            slow[1].write(begin)
            assert await ended(slow)
            await settled(lambda: house.taken == 0)
            assert house.idle == {}

    run(scenario())


def test_a_head_byte_by_byte_gets_no_more_time():
    async def scenario():
        async with serving(head_s=0.3) as (_, connect):
            one = await connect()
            assert await asked(one) == ANSWER  # and the second head is too slow
            with pytest.raises(ConnectionError):
                await dribble(one[1])

    async def dribble(writer):
        for byte in HEAD * 100:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.02)

    run(scenario())


def test_between_requests_a_connection_may_rest():
    async def scenario():
        async with serving(head_s=0.1) as (house, connect):
            one = await connect()
            for _ in range(2):
                assert await asked(one) == ANSWER
                await asyncio.sleep(0.3)
            assert (house.taken, len(house.idle)) == (1, 1)

    run(scenario())


def test_idle_connections_make_room_for_new_ones():
    async def scenario():
        async with serving(most=3) as (house, connect):
            first, second, third = [await connect() for _ in range(3)]
            await settled(lambda: house.taken == 3)
            assert await asked(first) == ANSWER  # now the second is the one idle for longest
            fourth = await connect()
            assert await ended(second)
            for one in (first, third, fourth):
                assert await asked(one) == ANSWER
            assert (house.taken, house.turned_away) == (3, 1)

    run(scenario())


def test_where_all_are_at_work_a_new_one_is_closed():
    async def scenario():
        async with serving(most=1) as (house, connect):
            reader, writer = await connect()
            writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            await settled(lambda: house.taken == 1 and not house.idle)
            assert await ended(await connect())
            assert (house.taken, house.turned_away) == (1, 1)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")

    run(scenario())


def test_a_client_that_takes_nothing_of_its_answer_is_dropped():
    async def scenario():
        async with serving(stall_s=0.2) as (house, connect):
            reader, writer = await connect()
            writer.write(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            await reader.read(1)
            reader._transport.pause_reading()
            await settled(lambda: house.taken == 0)

    run(scenario())


def test_thousands_of_idle_connections_leave_room_for_a_request():
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 3000:
        pytest.skip("the system allows too few open files")

    async def scenario():
        async with serving(most=600) as (house, connect):
            for _ in range(1200):
                await connect()
            assert await asked(await connect()) == ANSWER
            assert house.taken <= 600

    run(scenario())


def test_the_limit_of_open_files_is_raised_and_some_are_left(monkeypatch):
    limits = {"soft": 1024, "hard": 20_000}
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limits["soft"], limits["hard"]))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.update(soft=pair[0]))
    assert open_files() == 20_000 - connections.FILES_KEPT
    assert limits["soft"] == 20_000
    limits.update(soft=100, hard=100)
    assert open_files() == 50
    limits.update(soft=resource.RLIM_INFINITY, hard=resource.RLIM_INFINITY)
    assert open_files() == connections.FILES_WANTED - connections.FILES_KEPT


def test_a_deadline_is_of_heads_only_and_of_each():
    async def scenario():
        async with serving(head_s=0.4, keep_alive_s=1) as (house, connect):
            reader, writer = await connect()
            for _ in range(3):
                writer.write(HEAD)
                await asyncio.sleep(0.25)
                assert await asked_rest(reader, writer) == ANSWER
            assert len(house.idle) == 1
            writer.write(HEAD + b"\r\n" + HEAD)
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(ANSWER)) == ANSWER
            assert await ended((reader, writer))

    async def asked_rest(reader, writer):
        writer.write(b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        return await reader.readexactly(len(ANSWER))

    run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000,
    ],
)
def test_what_is_no_http_is_an_error_like_others_and_the_end(sent):
    async def scenario():
        async with serving() as (_, connect):
            reader, writer = await connect()
            writer.write(sent)
            try:
                head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
            except ConnectionError:  # reset before it could be read: more was sent than is taken
                assert len(sent) > 65536
                return
        assert head.startswith(b"HTTP/1.1 400 ")
        assert b"x-content-type-options: nosniff" in head
        assert json.loads(body)["error"]["code"] == "invalid_argument"

    run(scenario())


def test_another_protocol_is_not_spoken_and_not_logged(caplog):
    async def scenario():
        async with serving() as (_, connect):
            reader, writer = await connect()
            writer.write(HEAD + b"Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(len(ANSWER)) == ANSWER

    run(scenario())
    assert "upgrade" not in caplog.text.lower()
