"""Secrets of applications that an index outside of this process needs."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable

import sqlalchemy as sa

from mien.errors import NotFound
from mien.gallery.records.database import Database
from mien.gallery.records.schema import applications, groups

__all__ = ["index_name", "seed_of"]

_NAME = "rotation"


def seed_of(database: Database) -> Callable[[int], bytes]:
    """A function that gives the seed of the rotation of a group's application.

    It is made when it is first asked for, wrapped by the master key, and kept in memory then. A
    group that is gone has none: ``NotFound``.
    """
    seeds: dict[int, bytes] = {}
    owners: dict[int, int] = {}
    lock = threading.Lock()

    def seed(group: int) -> bytes:
        with lock:
            if group not in owners:
                query = sa.select(groups.c.application_seq).where(groups.c.seq == group)
                with database.reading() as connection:
                    owner = connection.execute(query).scalar()
                if owner is None:
                    raise NotFound("The group has been deleted.")
                owners[group] = int(owner)
            owner = owners[group]
            if owner not in seeds:
                with database.writing(owner) as connection:
                    seeds[owner] = database.vault.secret(connection, owner, _NAME)
            return seeds[owner]

    return seed


def index_name(database: Database) -> str:
    """A name that no other gallery's index has, and that tells nothing."""
    query = sa.select(applications.c.id).order_by(applications.c.seq).limit(1)
    with database.reading() as connection:
        first = connection.execute(query).scalar_one()
    return "mien_" + hashlib.sha256(f"mien index of {first}".encode()).hexdigest()[:12]
