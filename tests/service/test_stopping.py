"""A server that is stopped in any moment ends cleanly."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from mien.service.jobs import JobRunner


def test_jobs_may_be_closed_in_the_moment_in_which_they_begin(house, monkeypatch):
    """The models become ready on a thread of their own, also while the server stops."""
    entered, closing = threading.Event(), threading.Event()

    class Late(threading.Thread):
        def start(self):
            entered.set()
            assert closing.wait(20)
            super().start()

    runner = JobRunner(house.engine, house.gallery, house.service.settings, house.service.inference)
    monkeypatch.setattr("mien.service.jobs.threading", SimpleNamespace(Thread=Late))
    starting = threading.Thread(target=runner.start)
    starting.start()
    assert entered.wait(20)
    threading.Timer(0.1, closing.set).start()
    runner.close(timeout_s=20)  # raised RuntimeError: a thread that has not begun cannot be joined
    starting.join()
    assert not runner._thread.is_alive()
    JobRunner.start(runner)
    assert not runner._thread.is_alive(), "closed is closed"
