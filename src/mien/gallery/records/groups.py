"""Rows of groups and of the embedding contracts that they are pinned to."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from mien.errors import AlreadyExists, LimitExceeded, NotFound
from mien.gallery.model import Group, GroupSettings, Scoring
from mien.gallery.policy import DEFAULT_SETTINGS
from mien.gallery.records import job_gone, job_names, repeats, undo
from mien.gallery.records.schema import contracts, groups, members, persons
from mien.types import EmbeddingContract

__all__ = [
    "GroupFacts",
    "GroupRow",
    "contract_seq",
    "create",
    "delete",
    "existing",
    "find",
    "find_by_seq",
    "known_contract",
    "page",
    "rename",
    "update",
]


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group, its numbers, and where its change log stands.

    Attributes:
        version: number of the newest change.
        changes_from: changes after this number are still in the log.
    """

    seq: int
    contract_seq: int
    version: int
    changes_from: int
    group: Group


@dataclass(frozen=True, slots=True)
class GroupFacts:
    """A group's settings, and what the caller keeps with it."""

    settings: GroupSettings = DEFAULT_SETTINGS
    user_data: str | None = None


_COLUMNS = sa.select(
    groups.c.seq,
    groups.c.contract_seq,
    groups.c.version,
    groups.c.changes_from,
    groups.c.name,
    groups.c.scoring,
    groups.c.persons,
    groups.c.faces,
    groups.c.created_at,
    groups.c.settings,
    groups.c.user_data,
    contracts.c.model,
    contracts.c.source_sha256,
    contracts.c.preprocessing,
    contracts.c.dim,
).join(contracts, contracts.c.seq == groups.c.contract_seq)
_BY_NAME = _COLUMNS.where(
    groups.c.application_seq == sa.bindparam("application_seq"),
    groups.c.name == sa.bindparam("name"),
)
_BY_SEQ = _COLUMNS.where(groups.c.seq == sa.bindparam("seq"))


def find(connection: sa.Connection, application_seq: int, name: str) -> GroupRow:
    """The group of that name: one indexed read, which every search begins with.

    Raises:
        NotFound: there is none.
    """
    row = connection.execute(
        _BY_NAME, {"application_seq": application_seq, "name": name}
    ).one_or_none()
    if row is None:
        raise NotFound(f"There is no group {name!r}.")
    return _row(row)


def find_by_seq(connection: sa.Connection, seq: int) -> GroupRow | None:
    """The group of that number, if it is still there."""
    row = connection.execute(_BY_SEQ, {"seq": seq}).one_or_none()
    return None if row is None else _row(row)


def existing(connection: sa.Connection, seqs: Collection[int]) -> set[int]:
    """Those of ``seqs`` that still are groups."""
    query = sa.select(groups.c.seq).where(groups.c.seq.in_(seqs))
    return set(connection.execute(query).scalars())


def page(
    connection: sa.Connection, application_seq: int, *, after: str | None, limit: int
) -> list[Group]:
    """An application's groups by name, those after ``after``."""
    query = _COLUMNS.where(groups.c.application_seq == application_seq)
    if after is not None:
        query = query.where(groups.c.name > after)
    rows = connection.execute(query.order_by(groups.c.name).limit(limit))
    return [_row(row).group for row in rows]


def create(
    connection: sa.Connection,
    application_seq: int,
    name: str,
    *,
    contract: EmbeddingContract,
    scoring: Scoring,
    limit: int,
    facts: GroupFacts | None = None,
) -> Group:
    """A new, empty group.

    Raises:
        AlreadyExists: the name is taken.
        LimitExceeded: the application has ``limit`` groups.
    """
    _refuse_taken(connection, application_seq, name)
    owned = groups.c.application_seq == application_seq
    count = connection.execute(sa.select(sa.func.count()).where(owned)).scalar_one()
    if count >= limit:
        raise LimitExceeded(
            f"An application may have {limit} groups: delete one first.",
            details={"limit": limit},
        )
    now, facts = datetime.now(UTC), facts or GroupFacts()
    connection.execute(
        groups.insert(),
        {
            "application_seq": application_seq,
            "name": name,
            "contract_seq": contract_seq(connection, contract),
            "metric": "cosine",
            "scoring": scoring,
            "version": 0,
            "changes_from": 0,
            "persons": 0,
            "faces": 0,
            "created_at": now,
            "settings": facts.settings.stored(),
            "user_data": facts.user_data,
        },
    )
    return Group(name, contract, scoring, 0, 0, now, facts.settings, facts.user_data)


def rename(connection: sa.Connection, application_seq: int, row: GroupRow, name: str) -> None:
    """Give a group another name.

    Raises:
        AlreadyExists: the name is taken.
    """
    _refuse_taken(connection, application_seq, name)
    connection.execute(groups.update().where(groups.c.seq == row.seq).values(name=name))


def update(connection: sa.Connection, row: GroupRow, facts: GroupFacts) -> None:
    """Replace a group's settings and what the caller keeps with it."""
    connection.execute(
        groups.update()
        .where(groups.c.seq == row.seq)
        .values(settings=facts.settings.stored(), user_data=facts.user_data)
    )


def delete(connection: sa.Connection, seq: int) -> None:
    """Delete a group and the persons that are in no other; their faces go with them."""
    inside = sa.select(members.c.person_seq).where(members.c.group_seq == seq)
    elsewhere = sa.select(members.c.person_seq).where(members.c.group_seq != seq)
    gone = (persons.c.seq.in_(inside), persons.c.seq.not_in(elsewhere))
    job_gone.tell(connection, sa.select(persons.c.seq).where(*gone))
    job_names.forget(connection, sa.select(persons.c.seq).where(*gone))
    undo.forget(connection, sa.select(persons.c.id).where(*gone))
    repeats.forget_all(connection, seq)
    connection.execute(persons.delete().where(*gone))
    connection.execute(groups.delete().where(groups.c.seq == seq))


def _refuse_taken(connection: sa.Connection, application_seq: int, name: str) -> None:
    taken = sa.select(groups.c.seq).filter_by(application_seq=application_seq, name=name)
    if connection.execute(taken).first() is not None:
        raise AlreadyExists(f"There is a group {name!r} already.")


def contract_seq(connection: sa.Connection, contract: EmbeddingContract) -> int:
    """The number of a contract, which is written down where it is new."""
    seq = known_contract(connection, contract)
    if seq is None:
        # Applications share contracts: another one may be adding this one just now.
        with contextlib.suppress(sa.exc.IntegrityError), connection.begin_nested():
            connection.execute(contracts.insert().values(**asdict(contract)))
        seq = known_contract(connection, contract)
        assert seq is not None
    return seq


def known_contract(connection: sa.Connection, contract: EmbeddingContract) -> int | None:
    """The number of a contract, if it was ever written down."""
    query = sa.select(contracts.c.seq).filter_by(**asdict(contract))
    seq = connection.execute(query).scalar_one_or_none()
    return None if seq is None else int(seq)


def _row(row: sa.Row[*tuple[Any, ...]]) -> GroupRow:
    contract = EmbeddingContract(row.model, row.source_sha256, row.preprocessing, row.dim)
    group = Group(
        row.name,
        contract,
        row.scoring,
        row.persons,
        row.faces,
        row.created_at,
        GroupSettings.from_stored(row.settings),
        row.user_data,
    )
    return GroupRow(row.seq, row.contract_seq, row.version, row.changes_from, group)
