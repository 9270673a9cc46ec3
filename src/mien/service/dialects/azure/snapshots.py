"""Snapshots: a copy of a container that is kept for 48 hours and can be applied under another id.

The copy is an archive of the container's group under a key of its own. Key, archive and the names
that the dialect keeps beside persons are sealed together under a secret of the application that
took it; what the API shows of a snapshot is a note. An application that may apply it has a note
that says where it is, which is only a hint: what counts is the ``applyScope`` of the snapshot.
"""

from __future__ import annotations

import io
import json
import struct
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from mien.errors import AlreadyExists, NotFound
from mien.gallery import Gallery
from mien.gallery.annex import Note
from mien.gallery.protect import KEY_BYTES, KeyRing, new_key
from mien.service.call import Call
from mien.service.dialects.azure import containers, persons
from mien.service.dialects.azure.containers import KINDS, Container, Kind
from mien.service.dialects.azure.errors import AzureError, bad_argument, exists, missing
from mien.service.dialects.azure.fields import container_id, shown_id

__all__ = ["MAX_SCOPE", "TYPES", "Snapshot", "apply", "change", "delete", "find", "listing", "take"]

SPACE = "azure.snapshot"
OFFERS = "azure.snapshot.offer"
KEPT = timedelta(hours=48)
MAX_SCOPE = 64
TYPES = tuple(kind.what for kind in KINDS)

_LENGTH = struct.Struct("<I")
_PAGE = 1000
_TIME_DIGITS = 12
"""Digits of a face's id that are its time; the copy of a face has the same."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is shown of a snapshot, and until when.

    Attributes:
        id: 32 digits.
        account: id of the application that took it.
        type: the container's kind, as :data:`TYPES` names it.
        scope: ids of the applications that may apply it, 32 digits each.
        user_data: the client's own.
        created, updated, expires: UTC, in ISO 8601.
    """

    id: str
    account: str
    type: str
    scope: tuple[str, ...]
    user_data: str | None
    created: str
    updated: str
    expires: str

    @property
    def over(self) -> bool:
        """Whether its time has passed."""
        return datetime.fromisoformat(self.expires) <= datetime.now(UTC)

    def shown(self) -> dict[str, Any]:
        """As the API shows it."""
        found: dict[str, Any] = {
            "id": shown_id(self.id),
            "account": shown_id(self.account),
            "type": self.type,
            "applyScope": [shown_id(one) for one in self.scope],
            "createdTime": self.created,
            "lastUpdateTime": self.updated,
        }
        if self.user_data is not None:
            found["userData"] = self.user_data
        return found


# ---------------------------------------------------------------------- take


def take(
    call: Call, kind: Kind, one: str, *, scope: Sequence[str], user_data: str | None
) -> Snapshot:
    """Copy a container.

    Raises:
        AzureError: no such container, too many snapshots, or too large a one.
    """
    gallery, settings = call.gallery, call.settings
    found = containers.find(gallery, kind, one)
    if len(_own(gallery)) >= settings.azure_snapshots:
        raise AzureError(403, "QuotaExceeded", "Snapshot number reached limit.")
    sealed = _packed(gallery, found, most=settings.azure_snapshot_bytes)
    now = datetime.now(UTC)
    made = Snapshot(
        id=uuid.uuid4().hex,
        account=_account(gallery),
        type=kind.what,
        scope=tuple(scope),
        user_data=user_data,
        created=_iso(now),
        updated=_iso(now),
        expires=_iso(now + KEPT),
    )
    gallery.annex.keep(
        SPACE, {made.id: sealed}, seconds=KEPT.total_seconds(), limit=settings.azure_snapshots
    )
    gallery.annex.add_note(SPACE, made.id, json.dumps(asdict(made)))
    _offer(gallery, made)
    return made


class _Bounded(io.BytesIO):
    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def write(self, data: Any) -> int:  # noqa: ANN401 - any buffer
        if self.tell() + len(data) > self._most:
            raise AzureError(403, "QuotaExceeded", "The object is too large for a snapshot.")
        return super().write(data)


def _packed(gallery: Gallery, found: Container, *, most: int) -> bytes:
    """``length of the facts (4) | facts (JSON) | key | archive``, at most ``most`` bytes."""
    key, file = new_key(), _Bounded(most)
    gallery.archive.export(file, key=KeyRing([key]), only=[found.group])
    names: dict[str, str] = {}
    for page in _persons(gallery, found.group):
        ids = {one.id: one.name for one in page}
        noted = gallery.annex.notes_of(persons.SPACE, list(ids))
        names.update({ids[one]: name for one, name in noted.items()})
    facts = {"group": found.group, "container": found.document(), "names": names}
    head = json.dumps(facts).encode()
    whole = _LENGTH.pack(len(head)) + head + key + file.getvalue()
    if len(whole) > most:
        raise AzureError(403, "QuotaExceeded", "The object is too large for a snapshot.")
    return whole


# ---------------------------------------------------------------------- apply


def apply(call: Call, one: str, target: str) -> Container:
    """Make a container of a snapshot.

    Raises:
        AzureError: no such snapshot, not for this application, or the id is taken.
    """
    gallery = call.gallery
    found, source = _find(gallery, one)
    if _account(gallery) not in found.scope:
        raise AzureError(403, "403", "The subscription is not in the snapshot's applyScope.")
    kind = next(kind for kind in KINDS if kind.what == found.type)
    container_id(target, "objectId")
    if gallery.annex.note(kind.space, target) is not None:
        raise exists(kind.what)
    containers.room(gallery, kind)
    packed = source.annex.kept(SPACE, [one]).get(one)
    if packed is None:
        raise missing("Snapshot")
    end = _LENGTH.size + _LENGTH.unpack_from(packed)[0]
    facts, key = json.loads(packed[_LENGTH.size : end]), packed[end : end + KEY_BYTES]
    try:
        gallery.archive.load(
            io.BytesIO(packed[end + KEY_BYTES :]),
            key=KeyRing([key]),
            on_conflict="rename",
            erased_in=source.application_id,
            names={facts["group"]: kind.group(target)},
        )
        _give_names(gallery, kind.group(target), facts["names"])
        document = _copied(facts["container"])
        gallery.annex.add_note(kind.space, target, document, group=kind.group(target))
    except AlreadyExists:
        raise exists(kind.what) from None
    return containers.find(gallery, kind, target)


def _give_names(gallery: Gallery, group: str, names: dict[str, str]) -> None:
    for page in _persons(gallery, group) if names else ():
        for one in page:
            if one.name in names:
                name = names[one.name]
                gallery.annex.add_note(persons.SPACE, one.id, name, group=group, person=one.id)


def _copied(document: str) -> str:
    """A container's note for its copy, whose faces have other ids of the same times."""
    facts = json.loads(document)
    if facts["training"] is not None and facts["training"][1]:
        at, newest = facts["training"]
        facts["training"] = (at, newest[:_TIME_DIGITS].ljust(len(newest), "f"))
    return json.dumps(facts)


def _persons(gallery: Gallery, group: str) -> Iterator[list[Any]]:
    after = ""
    while page := gallery.annex.persons(group, after=after, limit=_PAGE):
        yield page
        after = page[-1].id


# ---------------------------------------------------------------------- the rest


def find(gallery: Gallery, one: str) -> Snapshot:
    """The snapshot of that id, taken by this application or for it.

    Raises:
        AzureError: there is none.
    """
    return _find(gallery, one)[0]


def listing(gallery: Gallery, kind: str | None, scope: Sequence[str]) -> list[Snapshot]:
    """Snapshots taken by this application or for it: of a kind, for one of some applications."""
    found = {one.id: one for one in _own(gallery)}
    for note in _notes(gallery, OFFERS):
        offered = _offered(gallery, note)
        if offered is None:
            gallery.annex.delete_note(OFFERS, note.key)
        else:
            found.setdefault(note.key, offered[0])
    wanted = set(scope)
    chosen = [
        one
        for one in found.values()
        if kind in (None, one.type) and (not wanted or wanted & set(one.scope))
    ]
    return sorted(chosen, key=lambda one: (one.created, one.id))


def change(
    gallery: Gallery, one: str, *, scope: Sequence[str] | None, user_data: str | None
) -> None:
    """Change who may apply a snapshot, and its user data; None: as it is.

    Raises:
        AzureError: this application has not taken it, or nothing is to be changed.
    """
    found = _mine(gallery, one)
    if scope is None and user_data is None:
        raise bad_argument("'applyScope' and 'userData' are both empty.")

    def changed(document: str) -> str:
        facts = {**json.loads(document), "updated": _iso(datetime.now(UTC))}
        if scope is not None:
            facts["scope"] = list(scope)
        if user_data is not None:
            facts["user_data"] = user_data
        return json.dumps(facts)

    try:
        gallery.annex.change_note(SPACE, found.id, changed)
    except NotFound:
        raise missing("Snapshot") from None
    _withdraw(gallery, found)
    _offer(gallery, _mine(gallery, one))


def delete(gallery: Gallery, one: str) -> None:
    """Delete a snapshot; what was made of it stays.

    Raises:
        AzureError: this application has not taken it.
    """
    _forget(gallery, _mine(gallery, one))


def _find(gallery: Gallery, one: str) -> tuple[Snapshot, Gallery]:
    """A snapshot and the view of the application that took it."""
    note = gallery.annex.note(SPACE, one)
    if note is not None:
        found = _read(note)
        if not found.over:
            return found, gallery
    offer = gallery.annex.note(OFFERS, one)
    offered = None if offer is None else _offered(gallery, offer)
    if offered is None:
        raise missing("Snapshot")
    return offered


def _offered(gallery: Gallery, offer: Note) -> tuple[Snapshot, Gallery] | None:
    try:
        source = gallery.for_application(gallery.application_by_id(offer.document).name)
    except NotFound:
        return None
    note = source.annex.note(SPACE, offer.key)
    found = None if note is None else _read(note)
    if found is None or found.over or _account(gallery) not in found.scope:
        return None
    return found, source


def _offer(gallery: Gallery, made: Snapshot) -> None:
    """Tell the applications of a snapshot's scope where it is; ids of nobody here are let be."""
    for target in _targets(gallery, made):
        with suppress(AlreadyExists):
            target.annex.add_note(OFFERS, made.id, gallery.application_id)


def _targets(gallery: Gallery, made: Snapshot) -> Iterator[Gallery]:
    for one in made.scope:
        if one != made.account:
            with suppress(NotFound):
                yield gallery.for_application(gallery.application_by_id(one).name)


def _mine(gallery: Gallery, one: str) -> Snapshot:
    note = gallery.annex.note(SPACE, one)
    if note is None or (found := _read(note)).over:
        raise missing("Snapshot")
    return found


def _own(gallery: Gallery) -> list[Snapshot]:
    """Those that the application has taken; what is over is deleted."""
    found = [_read(note) for note in _notes(gallery, SPACE)]
    for one in found:
        if one.over:
            _forget(gallery, one)
    return [one for one in found if not one.over]


def _forget(gallery: Gallery, made: Snapshot) -> None:
    _withdraw(gallery, made)
    gallery.annex.forget(SPACE, made.id)
    gallery.annex.delete_note(SPACE, made.id)


def _withdraw(gallery: Gallery, made: Snapshot) -> None:
    for target in _targets(gallery, made):
        target.annex.delete_note(OFFERS, made.id)


def _notes(gallery: Gallery, space: str) -> list[Note]:
    found: list[Note] = []
    while page := gallery.annex.notes(space, after=found[-1].key if found else "", limit=_PAGE):
        found += page
    return found


def _read(note: Note) -> Snapshot:
    facts = json.loads(note.document)
    return Snapshot(**{**facts, "scope": tuple(facts["scope"])})


def _account(gallery: Gallery) -> str:
    return uuid.UUID(gallery.application_id).hex


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
