"""Bulk enrolment on a Dask cluster: workers look at photos, this process alone writes.

What a worker gets is a photo's bytes, so it needs no common folder; what it gives back is the
face's embedding, or why there is none. The gallery, its keys and everything that decides whether a
face is stored stay here, in one process: with a cluster the outcomes and their order are those of
:func:`mien.engine.enrolment.enroll_each` without one.

A worker that dies takes nothing with it: Dask gives its photos to another one. It cannot tell the
photo that killed a worker from those that waited beside it; so a photo whose workers have died too
often is looked at once more with nothing else on the cluster, and only who dies then is rejected.

Who gets on the
scheduler can run programs on the workers, and templates travel between them: keep a cluster in a
network of its own, or give its addresses as ``tls://``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from mien.config import load
from mien.engine import living
from mien.engine.enrolment import PhotoOutcome, enroll_each
from mien.engine.enrolment_photo import EnrolmentPhoto, Looked, LookOptions, refused
from mien.engine.quarantine import Quarantine
from mien.errors import InvalidArgument, RuntimeUnavailable
from mien.image import Photo

if TYPE_CHECKING:
    from distributed import Client, Future

    from mien.engine.core import Engine
    from mien.gallery import Gallery

__all__ = ["WORKER_LOST", "enroll_on_cluster", "make_engine"]

WORKER_LOST = "worker_lost"
"""The reason of a photo at which several workers ended, at last with no other photo beside it."""

_SHARED = (
    "detector", "embedder", "precision", "enrol_min_face", "enrol_dominance", "max_image_bytes",
    "max_image_pixels", "min_image_side", "max_image_frames", "accept_licences", "offline",
)  # fmt: skip
"""Settings that decide what becomes of a photo: the workers take this process' values."""

_TIMEOUT_S = 30
_AHEAD = 2  # photos that wait at each thread of the cluster

Maker = Callable[[Mapping[str, Any]], "Engine"]


def make_engine(settings: Mapping[str, Any]) -> Engine:
    """A worker's engine: its own settings, under those of ``settings``."""
    from mien.engine.core import Engine

    return Engine(settings=load(**settings))


def enroll_on_cluster(
    engine: Engine,
    gallery: Gallery,
    group: str,
    photos: Iterable[EnrolmentPhoto],
    *,
    address: str,
    make: Maker = make_engine,
) -> Generator[PhotoOutcome, None, None]:
    """As :meth:`mien.Engine.enroll_each`, with a cluster that looks at the photos.

    Args:
        engine, gallery, group, photos: as there.
        address: of the scheduler, such as ``tcp://10.0.0.5:8786``; ``local:N`` starts N worker
            processes on this machine and ends them afterwards.
        make: how a worker gets its engine.

    Raises:
        InvalidArgument: an address that cannot be, or Dask is not installed.
        RuntimeUnavailable: the cluster cannot be reached or has no workers, a worker cannot load
            its models, or the connection was lost. What was acknowledged is kept; enrolling again
            goes on from there.
        EmbeddingMismatch: a worker's model, or the group's, makes other embeddings.
    """
    engine.load()
    with _client(address) as client:
        from mien.engine.cluster_worker import NAME, EngineOnWorker

        shared = {name: getattr(engine.settings, name) for name in _SHARED}
        plugin = EngineOnWorker(make, shared, str(engine.embedder.contract))
        with _reached():
            client.register_plugin(plugin, name=NAME)
        slots = sum(client.nthreads().values())
        if not slots:
            raise RuntimeUnavailable("The Dask cluster has no workers: start some.")
        ahead = max(2, _AHEAD * slots)
        # Threads that read, hash and wait; the work is the cluster's.
        threads = ThreadPoolExecutor(ahead, thread_name_prefix="mien-dask")
        outcomes = enroll_each(
            engine,
            gallery,
            group,
            photos,
            check=living.asked(engine, None),
            threads=threads,
            ahead=ahead,
            look=partial(_looked_at, client, Quarantine()),
        )
        try:
            yield from outcomes
        finally:
            outcomes.close()
            threads.shutdown(wait=True, cancel_futures=True)


def _looked_at(
    client: Client, quarantine: Quarantine, photo: Photo, options: LookOptions
) -> Looked:
    """One photo, on whichever worker is free; alone, where workers died under it and others."""
    from distributed import KilledWorker

    try:
        with quarantine.together():
            return _sent(client, photo, options)
    except KilledWorker:
        pass  # this photo killed them, or one that waited at the same workers
    try:
        with quarantine.alone():
            return _sent(client, photo, options)
    except KilledWorker:
        message = "Several workers ended while they looked at this photo."
        return refused(options.name, WORKER_LOST, message, photo.sha256)


def _sent(client: Client, photo: Photo, options: LookOptions) -> Looked:
    from mien.engine.cluster_worker import look_on_worker

    with _reached():
        future = client.submit(look_on_worker, photo.source, options, pure=False)
        try:
            return _awaited(client, future)
        finally:
            future.release()


def _awaited(client: Client, future: Future[Looked]) -> Looked:
    """The result; not for ever, where no worker is left and none comes (a nanny may give up).

    Raises:
        RuntimeUnavailable: there was no worker, twice in ``_TIMEOUT_S`` apart.
    """
    missing = 0
    while True:
        try:
            return future.result(timeout=_TIMEOUT_S)
        except TimeoutError:
            if future.done():
                raise
            missing = 0 if client.nthreads() else missing + 1
        if missing > 1:
            raise RuntimeUnavailable(
                "The Dask cluster has lost all its workers: start some, and run it again."
            )


@contextmanager
def _client(address: str) -> Iterator[Client]:
    """A client of a cluster that runs, or of one that lives as long as the block."""
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise InvalidArgument(
            "A Dask cluster needs the extra 'dask': pip install 'mien[dask]'."
        ) from None
    count = _local(address)
    if count is None:
        try:
            client = Client(address, timeout=_TIMEOUT_S, set_as_default=False)
        except (OSError, TimeoutError, ValueError):
            raise RuntimeUnavailable(
                f"There is no Dask scheduler at {address!r}: start one, or say local:2."
            ) from None
        with client:
            yield client
        return
    cores = load().thread_budget
    with (
        LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.ERROR,
            env={"MIEN_THREADS": str(max(1, cores // count))},
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _local(address: str) -> int | None:
    """How many workers ``local:N`` asks for; None: it is another address."""
    kind, _, number = address.partition(":")
    if kind != "local":
        if "://" not in address:
            raise InvalidArgument(
                f"{address!r} is no address of a Dask scheduler: tcp://HOST:PORT, tls://HOST:PORT "
                "or local:N."
            )
        return None
    most = 4 * (os.cpu_count() or 1)
    if not number.isascii() or not number.isdecimal() or not 1 <= int(number[:6]) <= most:
        raise InvalidArgument(f"local:N starts 1 to {most} workers, not {number[:20]!r}.")
    return int(number)


@contextmanager
def _reached() -> Iterator[None]:
    """Say in Mien's terms that the cluster is gone."""
    try:
        yield
    except (OSError, TimeoutError, CancelledError):
        raise RuntimeUnavailable(
            "The connection to the Dask cluster was lost: run it again when it is back."
        ) from None
