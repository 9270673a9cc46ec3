"""Which nets are closed when open ones hold too much, and what a run notices of it: nothing."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien.errors import ModelUnavailable
from mien.models.held import REST_S, HeldNets
from mien.models.memory import give_back, resident_bytes
from mien.models.session import Session
from mien.testing import MockSession

MB = 1_000_000
X = {"x": np.zeros(1, np.float32)}


class Machine:
    """Memory and time as a test wants them."""

    def __init__(self, budget_mb):
        self.resident = 100 * MB
        self.now = 1000.0
        self.nets = HeldNets(budget_mb * MB, resident=lambda: self.resident, clock=lambda: self.now)
        self.opened = []

    def open(self, name, *, opens=0, runs=0, file_bytes=0):
        """A net that takes so many MB when it is opened, and when it is run for the first time."""

        def opener():
            self.opened.append(name)
            self.resident += opens * MB
            left = [runs * MB]

            def answer(_):
                self.resident += left[0]
                left[0] = 0
                return {"y": np.float32(len(self.opened))}

            return MockSession(answer, ["x"], ["y"])

        return self.nets.session(name, f"detect/{name}", file_bytes=file_bytes, opener=opener)

    def rest(self, seconds=REST_S):
        self.now += seconds


def open_ones(*sessions):
    return [session.model.removeprefix("detect/") for session in sessions if session.is_open]


def test_the_least_recently_used_is_closed_above_the_budget():
    machine = Machine(budget_mb=30)
    a, b = machine.open("a", opens=10), machine.open("b", opens=10)
    machine.rest()
    a.run(X)
    machine.rest()
    c = machine.open("c", opens=10)
    assert open_ones(a, b, c) == ["a", "b", "c"]  # 30 of 30: at the limit, not above it
    machine.rest()
    d = machine.open("d", opens=1)
    assert open_ones(a, b, c, d) == ["a", "c", "d"]


def test_the_memory_that_a_run_takes_counts():
    machine = Machine(budget_mb=30)
    a, b = machine.open("a", opens=5), machine.open("b", opens=5, runs=21)
    machine.rest()
    assert b.size == 5 * MB
    b.run(X)
    assert b.size == 26 * MB
    assert open_ones(a, b) == ["b"]
    b.run(X)
    assert b.size == 26 * MB  # grown once


def test_a_net_in_use_is_not_closed():
    machine = Machine(budget_mb=10)
    a, b = machine.open("a", opens=10), machine.open("b", opens=10)
    assert open_ones(a, b) == ["a", "b"]
    machine.rest(REST_S * 0.99)
    c = machine.open("c", opens=1)
    assert open_ones(a, b, c) == ["a", "b", "c"]
    machine.rest(REST_S * 0.02)
    d = machine.open("d", opens=1)
    assert open_ones(a, b, c, d) == ["c", "d"]


def test_a_net_that_was_just_asked_for_is_not_closed():
    machine = Machine(budget_mb=10)
    a, b = machine.open("a", opens=10), machine.open("b", opens=10)
    machine.rest()
    assert machine.open("a") is a
    assert open_ones(a, b) == ["a"]


def test_no_budget():
    machine = Machine(budget_mb=0)
    sessions = [machine.open(str(i), opens=1000) for i in range(5)]
    machine.rest()
    machine.open("last", opens=1000)
    assert len(open_ones(*sessions)) == 5


def test_a_file_counts_where_the_system_does_not_say():
    machine = Machine(budget_mb=10)
    machine.nets._resident = lambda: 0
    a = machine.open("a", file_bytes=6 * MB)
    machine.rest()
    b = machine.open("b", file_bytes=6 * MB)
    assert open_ones(a, b) == ["b"]


def test_a_closed_net_is_opened_by_its_next_run():
    machine = Machine(budget_mb=30)
    a = machine.open("a", opens=10)
    assert machine.nets.release() == 1
    assert not a.is_open
    assert a.run(X)["y"] == 2
    assert machine.opened == ["a", "a"]
    assert machine.open("a") is a
    assert machine.opened == ["a", "a"]
    assert machine.nets.release("detect/b") == 0
    assert machine.nets.release("detect/a") == 1
    assert machine.nets.release("detect/a") == 0
    assert machine.open("a").is_open  # opened when it is asked for, not at its next run


def test_a_net_that_cannot_be_opened_again_says_so_every_time():
    machine = Machine(budget_mb=30)
    a = machine.open("a")
    machine.nets.release()

    def gone():
        raise ModelUnavailable("gone")

    a._opener = gone
    for _ in range(2):
        with pytest.raises(ModelUnavailable, match="gone"):
            a.run(X)
    assert not a.running


def test_a_run_under_way_ends_as_if_nothing_had_happened():
    started, go = threading.Event(), threading.Event()

    def slow(inputs):
        started.set()
        assert go.wait(10)
        return {"y": inputs["x"] + 1}

    nets = HeldNets(0)
    held = nets.session(
        "a", "detect/a", file_bytes=0, opener=lambda: MockSession(slow, ["x"], ["y"])
    )
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(held.run, X)
        assert started.wait(10)
        assert held.running == 1
        assert nets.release() == 1
        assert not held.is_open
        go.set()
        assert run.result(10)["y"] == 1
    assert held.running == 0


def test_a_running_net_is_left_when_memory_is_short():
    started, go = threading.Event(), threading.Event()
    machine = Machine(budget_mb=10)

    def slow(_):
        started.set()
        assert go.wait(10)
        return {"y": np.float32(0)}

    def opener():
        machine.resident += 9 * MB
        return MockSession(slow, ["x"], ["y"])

    a = machine.nets.session("a", "detect/a", file_bytes=0, opener=opener)
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(a.run, X)
        assert started.wait(10)
        machine.rest()
        machine.open("b", opens=9)
        assert a.is_open
        go.set()
        run.result(10)
    machine.rest()
    machine.open("c", opens=1)
    assert not a.is_open


def test_many_threads_and_releases_at_once():
    nets = HeldNets(1)
    lock, opened = threading.Lock(), []

    def opener():
        with lock:
            opened.append(1)
        return MockSession(lambda inputs: {"y": inputs["x"] * 2}, ["x"], ["y"])

    sessions = [nets.session(i, f"detect/{i}", file_bytes=1, opener=opener) for i in range(3)]

    def work(number):
        if number % 5 == 0:
            nets.release(f"detect/{number % 3}")
        x = np.full(4, number, np.float32)
        return sessions[number % 3].run({"x": x})["y"].tolist()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(600)))
    assert answers == [[2 * n] * 4 for n in range(600)]
    assert len(opened) > 3
    assert not any(session.running for session in sessions)


def test_a_held_session_is_a_session():
    held = Machine(1).open("a")
    assert isinstance(held, Session)
    assert (held.runtime, held.precision) == ("mock", "float32")
    assert (held.input_names, held.output_names) == (("x",), ("y",))


def test_the_process_knows_its_memory():
    before = resident_bytes()
    if not before:
        pytest.skip("this system does not say")
    block = np.ones(50 * MB, np.uint8)
    assert resident_bytes() - before > 40 * MB
    del block
    give_back()
    assert resident_bytes() - before < 20 * MB
