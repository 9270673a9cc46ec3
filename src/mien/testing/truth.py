"""Truth: what must hold of a gallery's records at any moment, and of every search in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.gallery import Gallery
from mien.gallery.records import groups, vectors
from mien.gallery.records.schema import (
    application_keys,
    changes,
    contracts,
    face_images,
    faces,
    members,
    person_keys,
    persons,
)
from mien.gallery.records.schema import groups as group_rows

__all__ = ["Found", "Similarities", "assert_found", "assert_whole", "similarities"]

_ROUNDING = 2e-5

Found = Sequence[Sequence[tuple[str, float]]]
"""For each probe, names of persons and similarities, best first."""

Similarities = list[dict[str, float]]
"""For each probe, name of a person -> similarity."""


def assert_whole(gallery: Gallery) -> None:
    """Nothing is half there: every rule that ties rows together holds in one state of them.

    Templates are opened (each with its person's key), counters counted again, and the audit log's
    chain is read.
    """
    with gallery._database.snapshot() as connection:
        broken = {
            rule: count for rule, query in _RULES.items() if (count := _count(connection, query))
        }
        assert not broken, broken
        for name in [group.name for group in gallery.groups(limit=1000)]:
            row = groups.find(connection, gallery._application.seq, name)
            opened = sum(len(batch) for batch in vectors.face_entries(connection, row))
            listed = sa.select(sa.func.count()).where(members.c.group_seq == row.seq)
            assert (row.group.faces, row.group.persons) == (opened, _count(connection, listed))
    check = gallery.privacy.verify_audit()
    assert check, check


def similarities(gallery: Gallery, group: str, probes: NDArray[np.float32]) -> Similarities:
    """By brute force over the stored templates: every person with faces, for each probe."""
    with gallery._database.snapshot() as connection:
        row = groups.find(connection, gallery._application.seq, group)
        by_person = row.group.scoring == "mean"
        entries = vectors.person_entries if by_person else vectors.face_entries
        batches = list(entries(connection, row))
        seqs = sorted({int(seq) for batch in batches for seq in batch.owners})
        names = vectors.person_owners(connection, row, seqs)
    found: Similarities = [{} for _ in range(len(probes))]
    for batch in batches:
        scores = probes.astype(np.float64) @ batch.vectors.astype(np.float64).T
        for scored, best in zip(scores.tolist(), found, strict=True):
            for owner, score in zip(batch.owners.tolist(), scored, strict=True):
                name = names[owner].person
                best[name] = max(best.get(name, -2.0), score)
    return found


def assert_found(found: Found, wanted: Similarities) -> None:
    """A search for everybody found exactly these persons, as like, and the best first."""
    for got, want in zip(found, wanted, strict=True):
        assert {person for person, _ in got} == set(want)
        order = [score for _, score in got]
        assert order == sorted(order, reverse=True)
        for person, score in got:
            assert abs(score - want[person]) < _ROUNDING, (person, score, want[person])


def _count(connection: sa.Connection, query: sa.Select[int]) -> int:
    return connection.execute(query).scalar_one()


def _without(
    table: sa.FromClause, other: sa.FromClause, where: sa.ColumnElement[bool]
) -> sa.Select[int]:
    """How many rows of a table have no row in another."""
    there = sa.exists().select_from(other).where(where)
    return sa.select(sa.func.count()).select_from(table).where(~there)


_RULES: Mapping[str, sa.Select[int]] = {
    "a face without a person": _without(faces, persons, persons.c.seq == faces.c.person_seq),
    "a face without a contract": _without(
        faces, contracts, contracts.c.seq == faces.c.contract_seq
    ),
    "a face whose person has no key": _without(
        faces, person_keys, person_keys.c.person_seq == faces.c.person_seq
    ),
    "a face in no group": _without(faces, members, members.c.person_seq == faces.c.person_seq),
    "a template of the wrong length": sa.select(sa.func.count())
    .select_from(faces.join(contracts, contracts.c.seq == faces.c.contract_seq))
    .where(sa.func.length(faces.c.vector) <= 4 * contracts.c.dim),
    "a person in no group": _without(persons, members, members.c.person_seq == persons.c.seq),
    "a member who is no person": _without(members, persons, persons.c.seq == members.c.person_seq),
    "a member of no group": _without(
        members, group_rows, group_rows.c.seq == members.c.group_seq
    ),
    "a key of nobody": _without(person_keys, persons, persons.c.seq == person_keys.c.person_seq),
    "a key that nothing opens": _without(
        person_keys.join(persons, persons.c.seq == person_keys.c.person_seq),
        application_keys,
        sa.and_(
            application_keys.c.application_seq == persons.c.application_seq,
            application_keys.c.version == person_keys.c.version,
        ),
    ),
    "an image of no face": _without(face_images, faces, faces.c.seq == face_images.c.face_seq),
    "a change of the future": _without(
        changes,
        group_rows,
        sa.and_(
            group_rows.c.seq == changes.c.group_seq, group_rows.c.version >= changes.c.version
        ),
    ),
    "a gap in the changes": sa.select(sa.func.count()).select_from(group_rows).where(
        group_rows.c.version - group_rows.c.changes_from
        > sa.select(sa.func.count())
        .where(
            changes.c.group_seq == group_rows.c.seq,
            changes.c.version > group_rows.c.changes_from,
        )
        .scalar_subquery()
    ),
}  # fmt: skip
