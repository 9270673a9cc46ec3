"""The vault: the keys of applications and persons, in the rows beside what they seal.

A connection carries its gallery's vault (:func:`vault_of`), so that the one seam where templates
become bytes (``sealing.py``) finds the keys in the transaction that it works in. Keys of persons
are never kept: each use reads and unwraps them again, so that a destroyed key is gone at once, in
every process.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import sqlalchemy as sa

from mien.errors import GalleryUnavailable, KeyMismatch
from mien.gallery.protect import KeyWrapper, new_key, open_sealed, seal
from mien.gallery.records.schema import (
    application_keys,
    application_secrets,
    applications,
    person_keys,
    persons,
)

__all__ = ["OPTION", "Vault", "Wrapped", "vault_of"]

OPTION = "mien_vault"
"""Name of the execution option that carries a vault."""

ROTATION = "rotation"
_AT_ONCE = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _DataKey:
    """An application's data key and which one it is."""

    version: int
    key: bytes


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A key, its wrapped form, and the id of the master key that wrapped it."""

    key: bytes
    wrapped: bytes
    key_id: str


class Vault:
    """Keys of one gallery. Safe to use from several threads.

    Args:
        keys: gives the master keys; called when they are first needed, with True where the gallery
            holds no key yet, so that a new one may be made.
    """

    def __init__(self, keys: Callable[[bool], KeyWrapper]) -> None:
        self._keys = keys
        self._master: KeyWrapper | None = None
        self._unwrapped: dict[bytes, bytes] = {}  # of application keys, by their wrapped form
        self._lock = threading.RLock()

    # ------------------------------------------------------------------ what is sealed

    def seal_for(
        self, connection: sa.Connection, person_seq: int, secrets: Iterable[tuple[bytes, bytes]]
    ) -> list[bytes]:
        """Secrets of one person, sealed under the person's key, which is made where missing.

        Args:
            connection: of a transaction that writes.
            person_seq: whose they are.
            secrets: pairs of a secret and its context.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's; nothing is written.
        """
        key = self._person_keys(connection, [person_seq]).get(person_seq)
        if key is None:
            key = self._new_person_key(connection, person_seq)
        return [seal(secret, key=key, context=context) for secret, context in secrets]

    def new_person_keys(
        self, connection: sa.Connection, application_seq: int, owners: Sequence[tuple[int, str]]
    ) -> dict[int, bytes]:
        """Keys for persons (number and id) of one application who have none yet.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's; nothing is written.
        """
        outer = self._newest(connection, application_seq) or self._new_data_key(
            connection, application_seq, 1
        )
        keys = {seq: new_key() for seq, _ in owners}
        rows = [
            {
                "person_seq": seq,
                "version": outer.version,
                "wrapped": seal(keys[seq], key=outer.key, context=_person_context(name)),
            }
            for seq, name in owners
        ]
        if rows:
            connection.execute(person_keys.insert(), rows)
        return keys

    def open_for(
        self, connection: sa.Connection, sealed: Sequence[tuple[int, bytes, bytes]]
    ) -> list[bytes]:
        """The secrets inside values that were sealed for persons.

        Args:
            connection: of any transaction.
            sealed: person's number, sealed value and context of each.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's, or a value was changed.
        """
        keys = self._person_keys(connection, sorted({owner for owner, _, _ in sealed}))
        opened = []
        for owner, value, context in sealed:
            key = keys.get(owner)
            if key is None:
                raise KeyMismatch(
                    "A template's key has been destroyed, so nobody can read it: its person was "
                    "erased while it was being read, or a part of the gallery is missing."
                )
            opened.append(open_sealed(value, key=key, context=context))
        return opened

    def data_key(self, connection: sa.Connection, application_seq: int) -> bytes | None:
        """The application's newest data key; None where it has none yet.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        found = self._newest(connection, application_seq)
        return None if found is None else found.key

    def secret(self, connection: sa.Connection, application_seq: int, name: str) -> bytes:
        """A secret of the application, such as the seed of its rotation; made where missing.

        Args:
            connection: of a transaction that writes.
            application_seq: whose.
            name: which, at most 32 characters.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        table = application_secrets
        where = (table.c.application_seq == application_seq, table.c.name == name)
        row = connection.execute(sa.select(table.c.wrapped, table.c.kek_id).where(*where)).first()
        context = self._context(connection, application_seq, f"secret {name}")
        if row is not None:
            return self.unwrap(connection, row.wrapped, row.kek_id, context)
        made, master = new_key(), self.master(connection)
        connection.execute(
            table.insert().values(
                application_seq=application_seq,
                name=name,
                wrapped=master.wrap(made, context=context),
                kek_id=master.current,
            )
        )
        return made

    def wrap(self, connection: sa.Connection, key: bytes, context: bytes) -> Wrapped:
        """A key that the gallery itself needs, wrapped by the current master key."""
        master = self.master(connection)
        return Wrapped(key, master.wrap(key, context=context), master.current)

    def unwrap(
        self, connection: sa.Connection, wrapped: bytes, key_id: str, context: bytes
    ) -> bytes:
        """The key inside ``wrapped``.

        Raises:
            KeyMissing, KeyMismatch: the master key is not the gallery's.
        """
        return self.master(connection).unwrap(bytes(wrapped), key_id=key_id, context=context)

    # ------------------------------------------------------------------ renewal

    def rewrap(self, connection: sa.Connection) -> int:
        """Wrap every application's keys and secrets under the current master key.

        Returns:
            How many were wrapped by another.
        """
        master = self.master(connection)
        done = 0
        for table, name in ((application_keys, "version"), (application_secrets, "name")):
            stale = sa.select(table).where(table.c.kek_id != master.current)
            for row in connection.execute(stale).all():
                which = getattr(row, name)
                what = f"key {which}" if table is application_keys else f"secret {which}"
                context = self._context(connection, row.application_seq, what)
                plain = self.unwrap(connection, row.wrapped, row.kek_id, context)
                connection.execute(
                    table.update()
                    .where(table.c.application_seq == row.application_seq, table.c[name] == which)
                    .values(wrapped=master.wrap(plain, context=context), kek_id=master.current)
                )
                done += 1
        return done

    def renew_data_key(self, connection: sa.Connection, application_seq: int) -> int:
        """Give an application a new data key for what is wrapped from now on; its version.

        The older ones stay until :meth:`rewrap_persons` has moved every person's key.
        """
        newest = self._newest(connection, application_seq)
        version = 1 if newest is None else newest.version + 1
        self._new_data_key(connection, application_seq, version)
        return version

    def rewrap_persons(
        self, connection: sa.Connection, application_seq: int, *, limit: int = _AT_ONCE
    ) -> int:
        """Wrap some persons' keys under the newest data key; 0: none was left, the older are gone.

        A key that wraps nothing any more is deleted, which makes the copies of what it wrapped
        worthless.
        """
        newest = self._newest(connection, application_seq)
        if newest is None:
            return 0
        query = (
            sa.select(
                person_keys.c.person_seq, person_keys.c.version, person_keys.c.wrapped, persons.c.id
            )
            .join(persons, persons.c.seq == person_keys.c.person_seq)
            .where(
                persons.c.application_seq == application_seq,
                person_keys.c.version != newest.version,
            )
            .limit(limit)
        )
        rows = connection.execute(query).all()
        for row in rows:
            old = self._data_key_of(connection, application_seq, row.version)
            context = _person_context(row.id)
            key = open_sealed(bytes(row.wrapped), key=old, context=context)
            connection.execute(
                person_keys.update()
                .where(person_keys.c.person_seq == row.person_seq)
                .values(version=newest.version, wrapped=seal(key, key=newest.key, context=context))
            )
        if not rows:
            connection.execute(
                application_keys.delete().where(
                    application_keys.c.application_seq == application_seq,
                    application_keys.c.version != newest.version,
                )
            )
            with self._lock:
                self._unwrapped.clear()
        return len(rows)

    # ------------------------------------------------------------------ keys of persons

    def _person_keys(
        self, connection: sa.Connection, person_seqs: Sequence[int]
    ) -> dict[int, bytes]:
        """The keys of those persons who have one."""
        found: dict[int, bytes] = {}
        outer: dict[tuple[int, int], bytes] = {}
        for part in _parts(person_seqs):
            query = (
                sa.select(
                    persons.c.application_seq,
                    persons.c.id,
                    person_keys.c.person_seq,
                    person_keys.c.version,
                    person_keys.c.wrapped,
                )
                .join(persons, persons.c.seq == person_keys.c.person_seq)
                .where(person_keys.c.person_seq.in_(part))
            )
            for row in connection.execute(query):
                which = (row.application_seq, row.version)
                if which not in outer:
                    outer[which] = self._data_key_of(connection, *which)
                found[row.person_seq] = open_sealed(
                    bytes(row.wrapped), key=outer[which], context=_person_context(row.id)
                )
        return found

    def _new_person_key(self, connection: sa.Connection, person_seq: int) -> bytes:
        query = sa.select(persons.c.application_seq, persons.c.id).where(
            persons.c.seq == person_seq
        )
        person = connection.execute(query).one()
        outer = self._newest(connection, person.application_seq)
        if outer is None:
            outer = self._new_data_key(connection, person.application_seq, 1)
        key = new_key()
        wrapped = seal(key, key=outer.key, context=_person_context(person.id))
        connection.execute(
            person_keys.insert().values(
                person_seq=person_seq, version=outer.version, wrapped=wrapped
            )
        )
        return key

    # ------------------------------------------------------------------ keys of applications

    def _newest(self, connection: sa.Connection, application_seq: int) -> _DataKey | None:
        table = application_keys
        query = sa.select(sa.func.max(table.c.version)).where(
            table.c.application_seq == application_seq
        )
        version = connection.execute(query).scalar()
        if version is None:
            return None
        return _DataKey(version, self._data_key_of(connection, application_seq, version))

    def _data_key_of(self, connection: sa.Connection, application_seq: int, version: int) -> bytes:
        table = application_keys
        query = sa.select(table.c.wrapped, table.c.kek_id).where(
            table.c.application_seq == application_seq, table.c.version == version
        )
        row = connection.execute(query).first()
        if row is None:
            raise GalleryUnavailable("A key of the gallery is missing: restore a backup.")
        wrapped = bytes(row.wrapped)
        with self._lock:
            known = self._unwrapped.get(wrapped)
        if known is not None:
            return known
        context = self._context(connection, application_seq, f"key {version}")
        key = self.unwrap(connection, wrapped, row.kek_id, context)
        with self._lock:
            self._unwrapped[wrapped] = key
        return key

    def _new_data_key(
        self, connection: sa.Connection, application_seq: int, version: int
    ) -> _DataKey:
        key, master = new_key(), self.master(connection)
        context = self._context(connection, application_seq, f"key {version}")
        connection.execute(
            application_keys.insert().values(
                application_seq=application_seq,
                version=version,
                wrapped=master.wrap(key, context=context),
                kek_id=master.current,
                created_at=datetime.now(UTC),
            )
        )
        return _DataKey(version, key)

    def master(self, connection: sa.Connection) -> KeyWrapper:
        """The master keys, which are read when they are first needed.

        Raises:
            KeyMissing, ConfigurationError: there is none that can be used.
        """
        with self._lock:
            if self._master is None:
                count = sa.select(sa.func.count()).select_from(application_keys)
                self._master = self._keys(connection.execute(count).scalar() == 0)
            return self._master

    @staticmethod
    def _context(connection: sa.Connection, application_seq: int, what: str) -> bytes:
        query = sa.select(applications.c.id).where(applications.c.seq == application_seq)
        return f"mien application {connection.execute(query).scalar_one()} {what}".encode()


def vault_of(connection: sa.Connection) -> Vault:
    """The vault that the connection's gallery was opened with."""
    vault: Vault = connection.get_execution_options()[OPTION]
    return vault


def _person_context(person_id: str) -> bytes:
    return f"mien person {person_id}".encode()


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[i : i + _AT_ONCE] for i in range(0, len(items), _AT_ONCE))
