"""Applications take turns: one that asks for everything does not starve another."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mien.errors import Overloaded
from mien.service.pool import Pool


class Hall:
    """A pool whose only worker is held, and what ran on it afterwards."""

    def __init__(self, *, workers=1, queue_size):
        self.pool = Pool(workers=workers, queue_size=queue_size, name="test")
        self.go = threading.Event()
        self.ran = []
        self.tasks = []

    async def hold(self, lane, count=1):
        for _ in range(count):
            self._start(lane, lambda: self.go.wait(20))
        while self.pool.running < count:
            await asyncio.sleep(0.001)

    async def ask(self, lane, count=1):
        for _ in range(count):
            self._start(lane, lambda: self.ran.append(lane))
        await asyncio.sleep(0)

    def _start(self, lane, call):
        slot = self.pool.admit(lane)
        self.tasks.append((lane, asyncio.ensure_future(slot.run(call, timeout_s=20))))

    async def end(self):
        self.go.set()
        outcomes = await asyncio.gather(*(task for _, task in self.tasks), return_exceptions=True)
        await asyncio.to_thread(self.pool.close, timeout_s=5)
        assert (self.pool.taken, self.pool.waiting, dict(self.pool._held)) == (0, 0, {})
        return [
            lane
            for (lane, _), out in zip(self.tasks, outcomes, strict=True)
            if isinstance(out, Overloaded)
        ]


def run(scenario, **sizes):
    async def main():
        hall = Hall(**sizes)
        try:
            await scenario(hall)
        finally:
            refused = await hall.end()
        return hall.ran, refused

    return asyncio.run(main())


def test_free_workers_go_round_the_applications():
    async def scenario(hall):
        await hall.hold("greedy")
        await hall.ask("greedy", 6)
        await hall.ask("small", 2)
        await hall.ask("third")

    ran, refused = run(scenario, queue_size=20)
    assert ran == ["greedy", "small", "third", "greedy", "small", *["greedy"] * 4]
    assert refused == []


def test_one_application_may_fill_the_queue_and_another_still_gets_in():
    async def scenario(hall):
        await hall.hold("greedy")
        await hall.ask("greedy", 4)
        with pytest.raises(Overloaded):
            hall.pool.admit("greedy")
        with pytest.raises(Overloaded):
            hall.pool.refuse_if_full("greedy")
        hall.pool.refuse_if_full("small")
        await hall.ask("small")

    ran, refused = run(scenario, queue_size=4)
    assert ran == ["greedy", "small", "greedy", "greedy"]
    assert refused == ["greedy"], "the newest of the one that had most"


def test_places_are_shared_and_not_more():
    """Capacity 6: when both have 3, neither takes another's place any more."""

    async def scenario(hall):
        await hall.hold("greedy")
        await hall.ask("greedy", 5)
        await hall.ask("small", 3)
        with pytest.raises(Overloaded):
            hall.pool.admit("small")
        with pytest.raises(Overloaded):
            hall.pool.admit("greedy")

    ran, refused = run(scenario, queue_size=5)
    assert refused == ["greedy"] * 3
    assert sorted(ran) == ["greedy"] * 2 + ["small"] * 3


def test_what_runs_is_never_displaced():
    async def scenario(hall):
        await hall.hold("greedy", 2)
        with pytest.raises(Overloaded):
            hall.pool.admit("small")

    assert run(scenario, workers=2, queue_size=0) == ([], [])
