"""Galleries of older versions are brought up to date without loss."""

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from mien.errors import GalleryUnavailable
from mien.gallery import Gallery, GroupSettings
from mien.gallery.records import migrate
from mien.gallery.records.database import Database
from mien.gallery.records.schema import metadata
from mien.testing.galleries import random_contract, unit_vectors
from mien.types import Box

APPLICATION, PERSON, FACE = "a" * 32, "b" * 32, "c" * 32


def make_first_schema(url, vectors):
    """A gallery as Mien 0.1 wrote it: one person with some faces, a vector being its bare bytes."""
    database = Database(url)
    database.prepare()
    config = Config(attributes={})
    config.set_main_option("script_location", "mien.gallery.records:migrations")
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        rows = {
            "applications": [{"seq": 1, "id": APPLICATION, "name": "default", "created_at": 1}],
            "contracts": [{"seq": 1, "model": "random", "source_sha256": "0" * 64,
                           "preprocessing": 1, "dim": vectors.shape[1]}],
            "groups": [{"seq": 1, "application_seq": 1, "name": "staff", "contract_seq": 1,
                        "metric": "cosine", "scoring": "max", "version": len(vectors),
                        "changes_from": 0, "persons": 1, "faces": len(vectors), "created_at": 2}],
            "persons": [{"seq": 1, "id": PERSON, "application_seq": 1, "anonymous": False,
                         "created_at": 3}],
            "members": [{"group_seq": 1, "person_seq": 1, "name": "김민수"}],
            "faces": [{"seq": 1000 + i, "id": f"{i:032x}", "person_seq": 1, "contract_seq": 1,
                       "vector": vector.astype("<f4").tobytes(), "norm": 10.0,
                       "source_sha256": None, "x0": 1.0, "y0": 2.0, "x1": 3.0, "y1": 4.0,
                       "source_key": None, "created_at": 4}
                      for i, vector in enumerate(vectors)],
            "changes": [{"group_seq": 1, "version": i + 1, "person_seq": 1, "face_seq": 1000 + i}
                        for i in range(len(vectors))],
        }  # fmt: skip
        for table, values in rows.items():
            columns = [sa.column(name) for name in values[0]]
            connection.execute(sa.table(table, *columns).insert(), values)
    database.close()


def test_a_gallery_of_the_first_schema_is_kept_whole(empty_url):
    vectors = unit_vectors(5, 8)
    make_first_schema(empty_url, vectors)
    contract = random_contract(8)
    with Gallery.open(empty_url) as gallery:
        group = gallery.group("staff")
        assert (group.persons, group.faces, group.settings) == (1, 5, GroupSettings())
        (person,) = gallery.persons("staff")
        assert (person.id, person.name, person.faces) == (PERSON, "김민수", 5)
        assert (person.external_id, person.user_data, person.last_seen_at) == (None, None, None)
        faces, embeddings = gallery.embeddings("staff", "김민수")
        assert np.array_equal(embeddings.vector, vectors)
        assert faces[0].box == Box(1, 2, 3, 4)
        hits = gallery.search("staff", vectors, k=1, contract=contract)
        assert [hit[0].face_id for hit in hits] == [f"{i:032x}" for i in range(5)]
        added = gallery.add_faces("staff", "김민수", embeddings, contract=contract)
        assert np.array_equal(gallery.embeddings("staff", "김민수")[1].vector, [*vectors] * 2)
        assert len(added) == 5
        assert gallery.application("default").id == APPLICATION


def test_a_migration_that_fails_leaves_the_old_gallery(empty_url, monkeypatch):
    make_first_schema(empty_url, unit_vectors(2, 8))

    def fail(connection, name):
        raise GalleryUnavailable("no")

    monkeypatch.setattr(migrate.applications, "ensure", fail)
    with pytest.raises(GalleryUnavailable):
        Gallery.open(empty_url)
    monkeypatch.undo()
    database = Database(empty_url)
    with database.reading() as connection:
        assert migrate.revision(connection, "faces.db") == "0001"
        assert "audit" not in sa.inspect(connection).get_table_names()
    database.close()
    with Gallery.open(empty_url) as gallery:
        assert gallery.size("staff") == 2


def test_migrations_make_the_tables_that_the_code_uses(gallery, url):
    # an engine of its own: SQLAlchemy cannot reflect indexes from binary results
    engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": migrate.VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.parametrize("change", ["UPDATE audit SET actor = 'you'", "DELETE FROM audit"])
def test_the_audit_log_refuses_changes(gallery, change):
    values = {"at": 1, "actor": "me", "action": "x", "subject": "y", "details": "{}",
              "prev": bytes(32), "hash": bytes(32)}  # fmt: skip
    audit = sa.table("audit", *map(sa.column, values))
    with gallery._database.writing() as connection:
        connection.execute(audit.insert(), values)

    def write():
        with gallery._database.writing() as connection:
            connection.exec_driver_sql(change)

    with pytest.raises(Exception, match=r"."):
        write()
    with gallery._database.reading() as connection:
        assert connection.execute(sa.select(audit.c.actor)).scalars().all() == ["me"]
