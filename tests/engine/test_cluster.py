"""Bulk enrolment on a Dask cluster: two worker processes of this machine."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from mien.engine.bulk import photos_in_folder
from mien.engine.enrolment import summary
from mien.engine.enrolment_photo import LookOptions
from mien.engine.quarantine import Quarantine
from mien.errors import InvalidArgument, RuntimeUnavailable
from mien.gallery import Gallery
from mien.testing import drawn_face, mock_engine

distributed = pytest.importorskip("distributed", reason="the extra 'dask' is not installed")
dask = pytest.importorskip("dask")

from mien.engine.cluster import (  # noqa: E402 - after the skip
    WORKER_LOST,
    _looked_at,
    enroll_on_cluster,
)

LOST = 210  # the width of photos at which a worker ends
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kills processes as POSIX does"),
    # Dask's own processes and event loop leave sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def plain():
    """A maker that can be sent to workers, which do not know this module."""
    return lambda settings: mock_engine()


class Mortal:
    """An engine whose process ends at some photos: each time, or once in all."""

    def __init__(self, engine, once):
        self._engine, self._once = engine, once

    def __getattr__(self, name):
        return getattr(self._engine, name)

    def represent(self, photo, **options):
        if photo.width == LOST and self._dies():
            os.kill(os.getpid(), signal.SIGKILL)
        return self._engine.represent(photo, **options)

    def _dies(self):
        if self._once is None:
            return True
        try:
            Path(self._once).mkdir()
        except FileExistsError:
            return False
        return True


def mortal(once):
    """A maker of engines that end their process."""

    def make(settings):
        return Mortal(mock_engine(), once)

    return make


@pytest.fixture
def people(tmp_path):
    for person in range(4):
        folder = tmp_path / "people" / f"person {person}"
        folder.mkdir(parents=True)
        for photo in range(3):
            Image.fromarray(drawn_face(person, (160, 200 + photo))).save(folder / f"{photo}.png")
    (tmp_path / "people" / "person 0" / "x.jpg").write_bytes(b"no photo")
    return tmp_path / "people"


@pytest.fixture
def gallery(tmp_path):
    with Gallery.open(f"sqlite:///{tmp_path / 'faces.db'}") as opened:
        yield opened


@pytest.fixture(autouse=True)
def by_value():
    """Workers are sent this module's classes whole: they cannot import it."""
    cloudpickle = pytest.importorskip("cloudpickle")
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="module")
def cluster():
    """The address of two workers, who are started again when they end.

    The first death accuses: a worker that dies while it starts might not be started again.
    """
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=False,
        ) as local,
    ):
        yield local.scheduler_address


def enrol(gallery, people, address, make=None):
    make = plain() if make is None else make
    with mock_engine() as engine:
        photos = photos_in_folder(people)
        found = enroll_on_cluster(engine, gallery, "staff", photos, address=address, make=make)
        return list(found)


@pytest.mark.slow
def test_two_workers_give_what_one_process_gives(gallery, people, tmp_path, cluster):
    outcomes = enrol(gallery, people, "local:2")
    with (
        Gallery.open(f"sqlite:///{tmp_path / 'other.db'}") as other,
        mock_engine() as engine,
    ):
        alone = list(engine.enroll_each(other, "staff", photos_in_folder(people)))
        assert [(o.photo.name, o.rejection, o.sha256) for o in outcomes] == [
            (o.photo.name, o.rejection, o.sha256) for o in alone
        ]
        for person in gallery.persons("staff"):
            ours = gallery.embeddings("staff", person.name)[1].vector
            assert (ours == other.embeddings("staff", person.name)[1].vector).all()
    assert summary("staff", outcomes).enrolled == 12
    again = enrol(gallery, people, cluster)
    assert summary("staff", again).enrolled == 0
    assert gallery.size("staff") == 12


@pytest.mark.slow
def test_a_worker_that_dies_loses_nothing(gallery, people, tmp_path, cluster):
    Image.fromarray(drawn_face(9, (160, LOST))).save(people / "person 1" / "lost.png")
    outcomes = enrol(gallery, people, cluster, mortal(str(tmp_path / "died")))
    assert (tmp_path / "died").exists()
    assert summary("staff", outcomes).enrolled == 13
    assert gallery.size("staff") == 13


@pytest.mark.slow
def test_a_photo_at_which_every_worker_dies_is_rejected_alone(gallery, people, cluster):
    """Those that waited beside it are looked at again, with nothing else on the cluster."""
    Image.fromarray(drawn_face(9, (160, LOST))).save(people / "person 1" / "lost.png")
    outcomes = enrol(gallery, people, cluster, mortal(None))
    told = {o.photo.name: o.rejection.reasons for o in outcomes if o.rejection}
    assert told == {"person 0/x.jpg": ("image_decode",), "person 1/lost.png": (WORKER_LOST,)}
    assert gallery.size("staff") == 12


class DyingCluster:
    """Stands for a cluster: each of the first photos is on workers that the deadly one kills."""

    def __init__(self, deadly, neighbours):
        self.deadly, self.together = deadly, threading.Barrier(len(neighbours))
        self.neighbours, self.lock = {*neighbours}, threading.Lock()
        self.running, self.beside = Counter(), []

    def submit(self, _look, _source, options, *, pure):
        return SimpleNamespace(
            result=lambda timeout: self.result(options.name), release=lambda: None
        )

    def result(self, name):
        with self.lock:
            self.running[name] += 1
            again = name not in self.neighbours
            self.neighbours.discard(name)
            if again:
                self.beside.append(self.running.total() - 1)
        try:
            if not again:
                self.together.wait()
            if not again or name == self.deadly:
                raise distributed.scheduler.KilledWorker(name, None, 3)
            return name
        finally:
            with self.lock:
                self.running[name] -= 1


def test_who_waited_beside_a_deadly_photo_is_looked_at_alone():
    names = [f"{i}" for i in range(6)]
    client, quarantine = DyingCluster("3", names), Quarantine()
    photo = SimpleNamespace(source=b"", sha256=None)

    def look(name):
        options = LookOptions(name, None, "none", None)
        return _looked_at(client, quarantine, photo, options)

    with ThreadPoolExecutor(len(names)) as threads:
        looked = dict(zip(names, threads.map(look, names), strict=True))
        assert looked.pop("3").rejection.reasons == (WORKER_LOST,)
        assert looked == {name: name for name in names if name != "3"}
        assert client.beside == [0] * 6
        assert [*threads.map(look, ["6", "7"])] == ["6", "7"]  # and all work together again


def test_a_cluster_without_workers_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("mien.engine.cluster._TIMEOUT_S", 0)
    threads = iter([{}, {"a": 1}, {}, {}])  # one that comes back in time is waited for

    def result(timeout):
        raise TimeoutError

    future = SimpleNamespace(result=result, done=lambda: False, release=lambda: None)
    client = SimpleNamespace(submit=lambda *_, **__: future, nthreads=lambda: next(threads))
    photo = SimpleNamespace(source=b"", sha256=None)
    with pytest.raises(RuntimeUnavailable, match="lost all its workers"):
        _looked_at(client, Quarantine(), photo, LookOptions("a", None, "none", None))
    assert not list(threads)


@pytest.mark.parametrize("address", ["", "local:", "local:0", "local:x", "local:1000", "host:1"])
def test_addresses_that_cannot_be(gallery, people, address):
    with pytest.raises(InvalidArgument, match="local:N"):
        enrol(gallery, people, address)


def test_a_worker_of_another_model_says_so(gallery, people, cluster):
    def make(settings):
        from mien.engine import Engine
        from mien.testing import MockDetector, MockEmbedder, mock_calibration

        return Engine(
            detector=MockDetector(),
            embedder=MockEmbedder(version=2),
            calibration=mock_calibration(),
        )

    from mien.errors import EmbeddingMismatch

    with pytest.raises(EmbeddingMismatch, match="other embeddings"):
        enrol(gallery, people, cluster, make)
    assert not list(gallery.groups())


def test_no_scheduler_is_a_clear_error(gallery, people, monkeypatch):
    monkeypatch.setattr("mien.engine.cluster._TIMEOUT_S", 1)
    with pytest.raises(RuntimeUnavailable, match="no Dask scheduler"):
        enrol(gallery, people, "tcp://127.0.0.1:9")
