"""Memory that is given back while a server runs, and a thread that ends with it."""

from __future__ import annotations

import threading

from mien.service import tidying


def test_memory_is_given_back_again_and_again_until_it_is_closed(monkeypatch):
    times, enough = [], threading.Event()

    def give_back():
        times.append(threading.current_thread().name)
        if len(times) == 3:
            enough.set()

    monkeypatch.setattr(tidying, "INTERVAL_S", 0.005)
    monkeypatch.setattr(tidying, "give_back", give_back)
    one = tidying.Tidying()
    one.start()
    one.start()
    assert enough.wait(20)
    one.close()
    assert set(times) == {"mien-tidying"}
    done = len(times)
    assert not one._thread.is_alive()
    one.start()
    assert len(times) == done


def test_a_service_begins_and_ends_it(house):
    assert house.service.tidying._thread.is_alive()
    house.service.close()
    assert not house.service.tidying._thread.is_alive()
