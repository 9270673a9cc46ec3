"""What is PostgreSQL's alone: its URLs, its locks, and a server that goes and comes back."""

import signal
import threading
import time

import numpy as np
import pytest
import sqlalchemy as sa

from mien.errors import ConfigurationError, GalleryUnavailable, NotFound
from mien.gallery import Gallery
from mien.gallery.records import migrate, postgres
from mien.gallery.records.database import Database
from mien.testing.galleries import random_contract, random_gallery, unit_vectors
from mien.testing.postgres import PostgresServer, postgres_programs
from mien.types import Embeddings


@pytest.fixture
def kind():
    return "postgresql"


def one_face(seed=0, dim=8):
    return Embeddings(unit_vectors(1, dim, seed=seed), np.ones(1, np.float32))


def run(url, *statements):
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        results = [connection.exec_driver_sql(statement) for statement in statements]
        rows = results[-1].all() if results[-1].returns_rows else None
    engine.dispose()
    return rows


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://", "postgresql://host", "postgresql://host/", "postgres://host/faces",
        "postgresql+asyncpg://host/faces", "postgresql://host/faces?options=-cfsync%3Doff",
        "postgresql://host/faces?nosuch=1", "postgresql://host/a%00b", "postgresql://host:x/faces",
    ],
)  # fmt: skip
def test_urls_that_cannot_be(url):
    with pytest.raises(ConfigurationError, match=r"postgresql|PostgreSQL"):
        Gallery.open(url)


def test_the_driver_is_an_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"mien\[postgres\]"):
        Gallery.open("postgresql://localhost/faces")


def test_a_server_that_is_not_there_is_named_without_its_address(tmp_path):
    with pytest.raises(GalleryUnavailable, match="'faces' cannot be reached") as caught:
        Gallery.open("postgresql://ann:secret@127.0.0.1:1/faces")
    assert not {"ann", "secret", "127.0.0.1"} & set(caught.value.message.replace("'", " ").split())
    assert caught.value.__suppress_context__


def test_a_database_that_is_not_there(postgres_server):
    with pytest.raises(GalleryUnavailable, match=r"'nosuch' cannot be reached.*database"):
        Gallery.open(postgres_server.url("nosuch"))


def test_nothing_is_made_when_nothing_should_be(empty_url):
    with pytest.raises(NotFound, match="no gallery"):
        Gallery.open(empty_url, create=False)
    assert run(empty_url, "SELECT 1 FROM pg_tables WHERE schemaname = 'public'") == []
    Gallery.open(empty_url).close()
    Gallery.open(empty_url, create=False).close()


def test_a_database_of_another_program_is_left_alone(empty_url):
    run(empty_url, "CREATE TABLE accounts (id int)")
    with pytest.raises(GalleryUnavailable, match="another program"):
        Gallery.open(empty_url)
    tables = run(empty_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    assert tables == [("accounts",)]


def test_a_database_of_a_newer_mien_is_left_alone(url):
    run(url, f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(GalleryUnavailable, match="newer Mien"):
        Gallery.open(url)


def test_a_database_without_unicode_is_refused(postgres_server):
    postgres_server.execute(
        "CREATE DATABASE ascii TEMPLATE template0 ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'"
    )
    try:
        with pytest.raises(ConfigurationError, match="UTF8"):
            Gallery.open(postgres_server.url("ascii"))
    finally:
        postgres_server.execute("DROP DATABASE ascii WITH (FORCE)")


def test_names_are_in_the_order_of_code_points_in_any_language(url, gallery, contract):
    columns = run(
        url,
        "SELECT table_name, collation_name FROM information_schema.columns "
        "WHERE column_name = 'name' AND table_schema = 'public' ORDER BY 1",
    )
    listed = {"applications", "groups", "members"}
    assert {table for table, collation in columns if collation == "C"} == listed
    names = ["Zoe", "ann", "Ärger", "Ann", "zoe", "김민수"]
    gallery.create_group("people", contract=contract)
    for name in names:
        gallery.add_person("people", name)
    assert [person.name for person in gallery.persons("people")] == sorted(names)


def test_a_read_only_server_reads_and_refuses_writes(url):
    made = random_gallery(url, persons=2, dim=8)
    made.gallery.close()
    run(url, f"ALTER DATABASE {url.rpartition('/')[2]} SET default_transaction_read_only = on")
    with Gallery.open(url) as gallery:
        hits = gallery.search("people", made.vectors[:1], contract=made.contract)
        assert hits[0][0].person == made.names[0]
        with pytest.raises(GalleryUnavailable, match="read-only"):
            gallery.add_person("people", "Ann")


@pytest.mark.parametrize(("state", "told"), [("53100", "disk is full"), ("XX001", "damaged")])
def test_what_the_server_complains_of_is_named_and_harms_nothing(url, state, told):
    made = random_gallery(url, persons=2, dim=8)
    complain = f"BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '{state}'; END"
    run(
        url,
        f"CREATE FUNCTION complain() RETURNS trigger LANGUAGE plpgsql AS $$ {complain} $$",
        "CREATE TRIGGER complain BEFORE INSERT ON changes EXECUTE FUNCTION complain()",
    )
    with made.gallery as gallery:
        with pytest.raises(GalleryUnavailable, match=told):
            gallery.add_faces("people", "Ann", one_face(), contract=made.contract,
                              create_person=True)  # fmt: skip
        assert len(gallery.persons("people")) == gallery.group("people").persons == 2
        run(url, "DROP TRIGGER complain ON changes")
        gallery.add_faces("people", "Ann", one_face(), contract=made.contract, create_person=True)


def test_a_writer_that_waits_too_long_says_so(url):
    Gallery.open(url).close()
    first, second = Database(url), Database(url, timeout_s=0.2)
    with first.writing(1):
        with pytest.raises(GalleryUnavailable, match="busy"), second.writing(1):
            pass
        with pytest.raises(GalleryUnavailable, match="busy"), second.writing():
            pass
        with second.writing(2) as connection, second.reading() as reader:  # another application
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
            assert reader.exec_driver_sql("SELECT 2").scalar() == 2
        with second.touching() as connection:
            assert connection.exec_driver_sql("SELECT 3").scalar() == 3
    with first.writing(), pytest.raises(GalleryUnavailable, match="busy"), second.writing(2):
        pass
    with second.writing(1):
        pass
    first.close()
    second.close()


def test_threads_of_one_process_wait_in_turn(url):
    Gallery.open(url).close()
    database = Database(url, timeout_s=0.2)
    entered, leave = threading.Event(), threading.Event()

    def hold():
        with database.writing(1):
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    entered.wait(10)
    with pytest.raises(GalleryUnavailable, match="busy"), database.writing(1):
        pass
    with database.writing(2):
        pass
    leave.set()
    thread.join()
    database.close()


def test_a_connection_that_is_cut_in_a_write_takes_the_write_along(url):
    made = random_gallery(url, persons=1, dim=8)
    database = made.gallery._database

    def write():
        with database.writing() as connection:
            connection.exec_driver_sql("DELETE FROM faces")
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
            run(url, f"SELECT pg_terminate_backend({pid})")

    with made.gallery as gallery:
        with pytest.raises(GalleryUnavailable, match="server"):
            write()
        assert len(gallery.faces("people")) == 3  # on a new connection
        gallery.add_person("people", "Ann")


def test_idle_connections_that_were_cut_are_replaced_unseen(url):
    made = random_gallery(url, persons=1, dim=8)
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with made.gallery as gallery:
        assert run(url, f"{others} AND datname = current_database()")
        assert gallery.search("people", made.vectors[:1], contract=made.contract)[0]
        gallery.add_person("people", "Ann")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT])
def test_a_gallery_comes_back_with_its_server(how):
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    with PostgresServer(programs) as server, server.database() as url:
        made = random_gallery(url, persons=2, dim=8)
        with made.gallery as gallery:
            server.stop(how)
            began = time.monotonic()
            for use in (
                lambda: gallery.search("people", made.vectors[:1], contract=made.contract),
                lambda: gallery.add_person("people", "Ann"),
                lambda: gallery.groups(),
                lambda: Gallery.open(url),
            ):
                with pytest.raises(GalleryUnavailable) as caught:
                    use()
                assert "127.0.0.1" not in caught.value.message
            assert time.monotonic() - began < 20
            server.start()
            hits = gallery.search("people", made.vectors, k=1, contract=made.contract)
            assert [hit[0].person for hit in hits] == list(made.names)
            gallery.add_person("people", "Ann")
            assert gallery.group("people").persons == 3


def test_every_reason_ends_a_sentence():
    for reason in (*postgres._REASONS.values(), postgres._UNREACHABLE):
        assert not reason.endswith(".")
        assert reason[0].islower()


def test_two_applications_that_add_one_contract_at_once(url):
    contract = random_contract(8)
    with Gallery.open(url) as gallery:
        gallery.create_application("other")
        other = gallery.for_application("other")
        barrier = threading.Barrier(2)

        def make(view):
            barrier.wait()
            for number in range(5):
                view.create_group(f"g{number}", contract=random_contract(8 + number))

        threads = [threading.Thread(target=make, args=(view,)) for view in (gallery, other)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [len(view.groups()) for view in (gallery, other)] == [5, 5]
        assert run(url, "SELECT count(*) FROM contracts") == [(5,)]
        assert gallery.group("g0").contract == contract
