"""A gallery in a real Milvus server, which dies, forgets and compacts (``make test-milvus``)."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from mien.errors import GalleryUnavailable
from mien.gallery import Gallery
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings

pytestmark = pytest.mark.slow

DIM = 16
RECOVERS_S = 120


@pytest.fixture
def contract():
    return random_contract(DIM)


@pytest.fixture
def gallery(milvus_server, tmp_path, contract):
    url = f"milvus+{milvus_server.uri}?timeout_s=4"
    with Gallery.open(f"sqlite:///{tmp_path}/g.db", index=url) as opened:
        opened.create_group("g", contract=contract)
        yield opened


def enrol(gallery, contract, count, seed=1):
    vectors = unit_vectors(count, DIM, seed=seed)
    for i, vector in enumerate(vectors):
        one = Embeddings(vector[None], np.ones(1, np.float32))
        gallery.add_faces("g", f"p{seed}-{i}", one, contract=contract, create_person=True)
    return vectors


def best(gallery, contract, probes):
    return [hits[0].person for hits in gallery.search("g", probes, k=1, contract=contract)]


def test_a_server_killed_in_the_middle_of_searches(gallery, contract, milvus_server):
    vectors = enrol(gallery, contract, 40)
    names = [f"p1-{i}" for i in range(40)]
    assert best(gallery, contract, vectors) == names
    stop, answers, refused, wrong = threading.Event(), [], [], []

    def search():
        while not stop.is_set():
            try:
                found = best(gallery, contract, vectors[10:])
                (answers if found == names[10:] else wrong).append(found)
            except GalleryUnavailable as error:
                refused.append(error)
                time.sleep(0.1)
            except BaseException as error:
                wrong.append(error)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        time.sleep(2)
        milvus_server.kill()
        time.sleep(2)
        during = len(answers)
        assert during
        assert refused
        gallery.delete_person("g", "p1-0")  # the records go on without an index
        late = enrol(gallery, contract, 1, seed=2)
        milvus_server.start()
        until = time.monotonic() + RECOVERS_S
        while len(answers) == during and time.monotonic() < until:
            time.sleep(0.2)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(answers) > during
    assert all(error.details["retry_after_s"] for error in refused)
    assert best(gallery, contract, late) == ["p2-0"]
    assert best(gallery, contract, vectors[:1]) != ["p1-0"]


def test_what_is_deleted_is_never_found_again(gallery, contract):
    """Right after the deletion, after a flush, and after a compaction."""
    vectors = enrol(gallery, contract, 60)
    index = gallery._searcher._index
    best(gallery, contract, vectors)
    group = index.groups()[-1]
    gone = set()
    for i in range(0, 40, 4):
        person = best(gallery, contract, vectors[i : i + 1])[0]
        number = int(index.search(group, vectors[i : i + 1], k=1).ids[0, 0])
        gallery.delete_person("g", person)
        gone.add(number)
        assert number not in index.search(group, vectors, k=60).ids
    client, collection = index._milvus._connected(), f"{index._options.name}_{DIM}"
    client.flush(collection)
    job = client.compact(collection)
    until = time.monotonic() + 60
    while client.get_compaction_state(job) != "Completed" and time.monotonic() < until:
        assert not gone & set(index.search(group, vectors, k=60).ids.ravel().tolist())
        time.sleep(0.5)
    found = index.search(group, vectors, k=60).ids
    assert not gone & set(found.ravel().tolist())
    assert (found[0] >= 0).sum() == 50


def test_two_nodes_on_one_server(gallery, contract, milvus_server, tmp_path):
    url = f"milvus+{milvus_server.uri}"
    with Gallery.open(f"sqlite:///{tmp_path}/g.db", index=url) as other:
        for seed in range(1, 4):
            vectors = enrol(gallery, contract, 3, seed=seed)
            assert best(other, contract, vectors) == [f"p{seed}-{i}" for i in range(3)]
            other.delete_person("g", f"p{seed}-1")
            assert best(gallery, contract, vectors[1:2]) != [f"p{seed}-1"]


def test_a_killed_test_leaves_no_server(milvus_server):
    program = (
        "import time; from mien.testing.milvus import *; s = MilvusServer(milvus_programs());"
        "print(s.pid, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        server = int(process.stdout.readline())
        folder = Path(f"/proc/{server}/cwd").resolve()
        assert Path(f"/proc/{server}").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    until = time.monotonic() + 20
    while running(server) and time.monotonic() < until:
        time.sleep(0.1)
    assert not running(server)
    subprocess.run(["rm", "-rf", str(folder)], check=True)


def running(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
