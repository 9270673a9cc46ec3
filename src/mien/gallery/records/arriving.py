"""Writing what an archive holds: many rows at once, sealed under keys of this gallery."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from mien.errors import ArchiveUnusable
from mien.gallery import checks
from mien.gallery.model import GalleryLimits
from mien.gallery.protect import seal
from mien.gallery.records.changes import announce
from mien.gallery.records.faces import source_key
from mien.gallery.records.groups import contract_seq
from mien.gallery.records.kept import image_context
from mien.gallery.records.schema import consents, face_images, faces, groups, members, persons
from mien.gallery.records.sealing import seal_vector
from mien.gallery.records.vault import vault_of
from mien.types import Box, EmbeddingContract

__all__ = [
    "NewFace",
    "NewImage",
    "NewPerson",
    "known_external_ids",
    "known_faces",
    "known_persons",
    "set_created",
    "taken_names",
    "vectors",
    "write_faces",
    "write_images",
    "write_persons",
]

_AT_ONCE = 500
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to write.

    Attributes:
        groups: number, contract's number and name in it of each group.
        consents: columns of each consent.
        seq: the person's number, once written.
    """

    id: str
    anonymous: bool
    created_at: datetime
    last_seen_at: datetime | None
    user_data: str | None
    external_id: str | None
    groups: tuple[tuple[int, int, str], ...]
    consents: tuple[Mapping[str, Any], ...]
    seq: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class NewFace:
    """A face to write: its id, owner, template ``(d,)``, other values, and number once written."""

    id: str
    owner: NewPerson
    vector: NDArray[np.float32]
    values: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class NewImage:
    """A crop or photo of a face that was written."""

    face: NewFace
    kind: str
    media_type: str
    data: bytes


# ------------------------------------------------------------------ what is there


def known_persons(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    """Those of the persons who are there, and the number of their application."""
    found: dict[str, int] = {}
    for part in _parts(ids):
        query = sa.select(persons.c.id, persons.c.application_seq).where(persons.c.id.in_(part))
        found.update((row.id, row.application_seq) for row in connection.execute(query))
    return found


def known_faces(connection: sa.Connection, ids: Sequence[str]) -> set[str]:
    """Those of the faces that are there, in any application."""
    return _known(connection, faces.c.id, ids)


def known_external_ids(
    connection: sa.Connection, application_seq: int, external_ids: Sequence[str]
) -> set[str]:
    """Those external ids that persons of an application have."""
    own = persons.c.application_seq == application_seq
    return _known(connection, persons.c.external_id, external_ids, own)


def taken_names(
    connection: sa.Connection, wanted: Sequence[tuple[int, str]]
) -> set[tuple[int, str]]:
    """Those pairs of a group and a name that a member has."""
    by_group: defaultdict[int, list[str]] = defaultdict(list)
    for group_seq, name in wanted:
        by_group[group_seq].append(name)
    return {
        (group_seq, name)
        for group_seq, names in by_group.items()
        for name in _known(connection, members.c.name, names, members.c.group_seq == group_seq)
    }


def _known(
    connection: sa.Connection,
    column: sa.Column[str],
    wanted: Sequence[str],
    *where: sa.ColumnElement[bool],
) -> set[str]:
    found: set[str] = set()
    for part in _parts(wanted):
        query = sa.select(column).where(column.in_(part), *where)
        found.update(connection.execute(query).scalars())
    return found


# ------------------------------------------------------------------ what is written


def set_created(connection: sa.Connection, group_seq: int, moment: datetime) -> None:
    """When a group was made, as the archive says."""
    values = groups.update().where(groups.c.seq == group_seq).values(created_at=moment)
    connection.execute(values)


def write_persons(
    connection: sa.Connection,
    application_seq: int,
    new: Sequence[NewPerson],
    *,
    limits: GalleryLimits,
    other_id: Callable[[str], str],
) -> list[NewPerson]:
    """Write persons, memberships and consents; the persons with their numbers, in their order.

    Args:
        connection: of a transaction that writes.
        application_seq: whose they are.
        new: the persons, whose ids are free.
        limits: the gallery's quotas.
        other_id: gives a consent another id, whose own is taken.

    Raises:
        LimitExceeded: a group is full.
    """
    if not new:
        return []
    values = [
        {
            "id": one.id,
            "application_seq": application_seq,
            "anonymous": one.anonymous,
            "created_at": one.created_at,
            "user_data": one.user_data,
            "external_id": one.external_id,
            "last_seen_at": one.last_seen_at,
        }
        for one in new
    ]
    insert = persons.insert().returning(persons.c.seq, sort_by_parameter_order=True)
    seqs = connection.execute(insert, values).scalars().all()
    written = [replace(one, seq=seq) for one, seq in zip(new, seqs, strict=True)]
    inside: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for one in written:
        for group_seq, _, name in one.groups:
            row = {"group_seq": group_seq, "person_seq": one.seq, "name": name}
            inside[group_seq].append(row)
    for group_seq, rows in inside.items():
        connection.execute(members.insert(), rows)
        announce(connection, group_seq, [], persons_by=len(rows), limits=limits)
    agreed = [(one.seq, consent) for one in written for consent in one.consents]
    taken = _known(connection, consents.c.id, [str(consent["id"]) for _, consent in agreed])
    rows = [
        {
            **consent,
            "id": other_id(consent["id"]) if consent["id"] in taken else consent["id"],
            "application_seq": application_seq,
            "person_seq": seq,
        }
        for seq, consent in agreed
    ]
    if rows:
        connection.execute(consents.insert(), rows)
    return written


def vectors(blob: bytes, count: int, contract: EmbeddingContract) -> NDArray[np.float32]:
    """Templates ``(count, d)`` out of the bytes of a frame.

    Raises:
        ArchiveUnusable: another number of bytes.
        InvalidArgument: templates that are not finite or not of unit length.
    """
    if len(blob) != 4 * count * contract.dim:
        raise ArchiveUnusable("The archive holds other templates than it says: it is damaged.")
    array = np.frombuffer(blob, "<f4").reshape(count, contract.dim).astype(np.float32)
    return checks.vectors(array, contract)


def write_faces(
    connection: sa.Connection,
    application_seq: int,
    contract: EmbeddingContract,
    new: Mapping[str, NewFace],
    *,
    keys: dict[int, bytes],
    limits: GalleryLimits,
) -> dict[str, NewFace]:
    """Write faces of one contract, and announce them to the groups of their persons.

    Args:
        connection: of a transaction that writes.
        application_seq: whose they are.
        contract: of the templates.
        new: the faces, by what the archive calls them.
        keys: keys of persons by number; new ones are added.
        limits: the gallery's quotas.

    Returns:
        The faces with their numbers.

    Raises:
        LimitExceeded: a group is full.
    """
    if not new:
        return {}
    contract_number = contract_seq(connection, contract)
    without = {face.owner.seq: face.owner.id for face in new.values()}
    missing = [(seq, name) for seq, name in without.items() if seq not in keys]
    keys.update(vault_of(connection).new_person_keys(connection, application_seq, missing))
    insert = faces.insert().returning(faces.c.seq, sort_by_parameter_order=True)
    values = [
        {
            **_columns(face),
            "contract_seq": contract_number,
            "vector": seal_vector(contract, face.id, face.vector, key=keys[face.owner.seq]),
        }
        for face in new.values()
    ]
    seqs = connection.execute(insert, values).scalars().all()
    written = {
        name: replace(face, seq=seq) for (name, face), seq in zip(new.items(), seqs, strict=True)
    }
    inside: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for face in written.values():
        for group_seq, its_contract, _ in face.owner.groups:
            if its_contract == contract_number:
                inside[group_seq].append((face.owner.seq, face.seq))
    for group_seq, pairs in inside.items():
        announce(connection, group_seq, pairs, faces_by=len(pairs), limits=limits)
    return written


def write_images(
    connection: sa.Connection, new: Sequence[NewImage], keys: Mapping[int, bytes]
) -> None:
    """Write crops and photos, sealed under their persons' keys."""
    rows = [
        {
            "face_seq": one.face.seq,
            "kind": one.kind,
            "media_type": one.media_type,
            "sealed": seal(
                one.data,
                key=keys[one.face.owner.seq],
                context=image_context(one.face.id, one.kind),
            ),
        }
        for one in new
    ]
    if rows:
        connection.execute(face_images.insert(), rows)


def _columns(face: NewFace) -> dict[str, Any]:
    values = dict(face.values)
    corners = values.pop("box")
    box = None if corners is None else Box(*corners)
    names = ("x0", "y0", "x1", "y1")
    return {
        **values,
        **dict(zip(names, corners or (None,) * 4, strict=True)),
        "id": face.id,
        "person_seq": face.owner.seq,
        "source_key": source_key(values["source_sha256"], box),
    }


def _parts(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[i : i + _AT_ONCE] for i in range(0, len(items), _AT_ONCE))
