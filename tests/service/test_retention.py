"""The server purges by itself, one of several at a time."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from mien.errors import GalleryUnavailable
from mien.gallery import GroupSettings
from mien.gallery.leases import lease, release
from mien.gallery.privacy import Privacy
from mien.service.metrics import PurgeMetrics
from mien.service.retention import Retention
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

CONTRACT = random_contract(8)


def enrol(gallery, seconds):
    """A face that may stay for so long."""
    gallery.ensure_group("gym", contract=CONTRACT)
    gallery.set_group("gym", settings=GroupSettings(retain_age_s=seconds))
    vector = Embeddings(unit_vectors(1, 8), np.ones(1, np.float32))
    gallery.add_faces("gym", "Ann", vector, contract=CONTRACT, create_person=True)


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.05)


def metric(house, name):
    lines = house.client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[-1])


def test_what_is_too_old_goes_by_itself(open_house):
    house = open_house(purge_interval_s=0.3)
    house.gallery.create_application("other")
    other = house.gallery.for_application("other")
    enrol(house.gallery, 1)
    enrol(other, 1)
    wait_for(lambda: house.gallery.size("gym") == 0 and other.size("gym") == 0)
    entry = other.privacy.audit()[-1]
    assert (entry.action, entry.actor, entry.subject) == ("group.purge", "retention", "gym")
    wait_for(lambda: metric(house, "mien_purged_faces_total") == 2)
    assert metric(house, 'mien_purges_total{outcome="done"}') >= 1
    assert metric(house, "mien_purge_last_success_timestamp_seconds") > 1e9


def test_an_interval_of_nothing_purges_nothing(open_house):
    before = set(threading.enumerate())
    house = open_house(purge_interval_s=0)
    begun = set(threading.enumerate()) - before
    assert not any(one.name == "mien-retention" for one in begun)
    enrol(house.gallery, 1)
    assert house.gallery.size("gym") == 1


def retention(house, interval_s=3600.0):
    from prometheus_client import CollectorRegistry

    metrics = PurgeMetrics(CollectorRegistry())
    return Retention(house.gallery, interval_s=interval_s, metrics=metrics), metrics


@pytest.fixture
def still(open_house):
    """A house whose own retention sleeps."""
    return open_house(purge_interval_s=0)


def test_of_several_servers_one_purges(still, monkeypatch):
    done = []
    monkeypatch.setattr(Privacy, "purge", lambda self: done.append(1) or _nothing())
    servers = [retention(still)[0] for _ in range(4)]
    threads = [threading.Thread(target=server.purge) for server in servers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1


def _nothing():
    from mien.gallery.privacy import Purge

    return Purge(0, 0)


def test_a_purge_that_fails_is_counted_and_left_to_the_next(still, monkeypatch):
    def fail(self):
        raise GalleryUnavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(Privacy, "purge", fail)
        first, metrics = retention(still)
        assert not first.purge()
    assert metrics.runs.labels("failed")._value.get() == 1
    second, metrics = retention(still)
    assert second.purge()
    assert metrics.runs.labels("done")._value.get() == 1


def test_a_lease_is_held_until_it_ends_or_is_given_back(still):
    gallery = still.gallery
    assert lease(gallery, "purge", "a", seconds=60)
    assert lease(gallery, "purge", "a", seconds=60)
    assert not lease(gallery, "purge", "b", seconds=60)
    release(gallery, "purge", "b")
    assert not lease(gallery, "purge", "b", seconds=60)
    release(gallery, "purge", "a")
    assert lease(gallery, "purge", "b", seconds=0)
    assert lease(gallery, "purge", "c", seconds=60)
