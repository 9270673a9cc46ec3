"""Several threads and several processes on one gallery."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mien.errors import AlreadyExists, NotFound
from mien.gallery import Gallery
from mien.testing.galleries import random_contract, random_gallery, unit_vectors
from mien.types import Embeddings

ROUNDS = 20 if os.environ.get("MIEN_SOAK") else 8


def face(seed, dim=8):
    return Embeddings(unit_vectors(1, dim, seed=seed), np.ones(1, np.float32))


@pytest.mark.parametrize("scoring", ["max", "mean"])
def test_eight_threads_add_search_and_delete(gallery, scoring):
    contract = random_contract(32)
    gallery.create_group("people", contract=contract, scoring=scoring)
    kept = {}

    def work(thread):
        for i in range(ROUNDS):
            seed = thread * 1000 + i
            name, own = f"p{seed}", face(seed, 32)
            gallery.add_faces("people", name, own, contract=contract, create_person=True)
            (hits,) = gallery.search("people", own.vector, k=2, contract=contract)
            assert hits[0].person == name  # its own write, at once
            if i % 3 == 0:
                gallery.delete_person("people", name)
                (hits,) = gallery.search("people", own.vector, k=2, contract=contract)
                assert name not in [hit.person for hit in hits]
            else:
                kept[name] = own.vector[0]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    group = gallery.group("people")
    assert group.persons == group.faces == len(kept) == 8 * (ROUNDS - -(-ROUNDS // 3))
    probes = np.array(list(kept.values()))
    hits = gallery.search("people", probes, k=1, contract=contract)
    assert [hit[0].person for hit in hits] == list(kept)


def test_threads_that_race_for_one_name_make_one(gallery, contract):
    barrier = threading.Barrier(8)

    def ensure(i):
        barrier.wait()
        gallery.ensure_group("people", contract=contract)
        person = gallery.ensure_person("people", "Ann")
        try:
            gallery.add_faces("people", "Ann", face(1), contract=contract, source_sha256="a" * 64)
        except AlreadyExists:
            return person.id, 0
        return person.id, 1

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(ensure, range(8)))
    assert len({person for person, _ in done}) == 1
    assert sum(added for _, added in done) == 1
    assert gallery.size("people") == 1


def test_a_group_deleted_under_a_search(url):
    made = random_gallery(url, persons=3, dim=8)
    with made.gallery as gallery:
        with gallery._database.reading() as connection:
            row = gallery._group(connection, "people")
        gallery.delete_group("people")
        with pytest.raises(NotFound, match="no group 'people'"):
            gallery._searcher.search(row, made.vectors, k=1)


WRITER = """
import sys
from mien.gallery import Gallery
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Embeddings
contract = random_contract(8)
with Gallery.open(sys.argv[1]) as gallery:
    for line in sys.stdin:
        what, name, seed = line.split()
        if what == "add":
            vector = unit_vectors(1, 8, seed=int(seed))
            gallery.add_faces("people", name, Embeddings(vector, vector[:, 0]), contract=contract,
                              create_person=True)
        elif what == "person":
            gallery.delete_person("people", name)
        elif what == "group":
            gallery.delete_group("people")
            gallery.create_group("people", contract=contract)
        print("done", flush=True)
"""


def test_writes_of_another_process_are_seen_by_the_next_search(gallery, url):
    contract = random_contract(8)
    gallery.create_group("people", contract=contract)
    probe = unit_vectors(1, 8, seed=1)

    def best():
        return [hit.person for hit in gallery.search("people", probe, contract=contract)[0]]

    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def there(what, name, seed):
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"{what} {name} {seed}\n")
            process.stdin.flush()
            assert process.stdout.readline() == "done\n"

        assert best() == []
        there("add", "Ann", 1)
        assert best() == ["Ann"]
        there("add", "Bob", 2)
        assert best() == ["Ann", "Bob"]
        there("person", "Ann", 0)
        assert best() == ["Bob"]
        there("group", "-", 0)
        assert best() == []
        there("add", "Cem", 3)
        assert best() == ["Cem"]


OPENERS = """
import os, sys
import alembic.command
from mien.gallery import Gallery
children = []
for _ in range(4):
    child = os.fork()
    if not child:
        try:
            with Gallery.open(sys.argv[1]) as gallery:
                line = gallery.application("default").id + "\\n"
                os.write(1, line.encode())
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
        os._exit(0)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_processes_that_open_a_new_gallery_at_once_agree(empty_url):
    """Forked from one that has imported everything: so they open it at the same moment."""
    command = [sys.executable, "-c", OPENERS, empty_url]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    ids = done.stdout.splitlines()
    assert len(ids) == 4
    with Gallery.open(empty_url) as gallery:
        assert {a.id for a in gallery.applications()} == {*ids}
