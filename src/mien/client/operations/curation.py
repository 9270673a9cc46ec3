"""Putting groups, persons and faces in order."""

from __future__ import annotations

from collections.abc import Sequence

from mien.client import more_shapes as more
from mien.client import shapes
from mien.client.asking import Ask, Pages, asks, lists
from mien.client.wire import delete, path, post

__all__ = ["Curation"]


class Curation:
    """Move, merge, split, and take that back."""

    @asks
    def move_person(
        self,
        group: str,
        person: str,
        to_group: str,
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.PersonAnswer]:
        """Into another group."""
        body = {"group": to_group, "name": name}
        return Ask(
            post(
                path("/v1/groups/{}/persons/{}/move", group, person), json=body, key=idempotency_key
            )
        )

    @asks
    def merge_persons(
        self, group: str, person: str, other: str, *, idempotency_key: str | None = None
    ) -> Ask[shapes.PersonAnswer]:
        """``other`` is the same person, and gone afterwards."""
        return Ask(
            post(
                path("/v1/groups/{}/persons/{}/merge", group, person),
                json={"person": other},
                key=idempotency_key,
            )
        )

    @asks
    def split_person(
        self,
        group: str,
        person: str,
        face_ids: Sequence[str],
        *,
        name: str,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.PersonAnswer]:
        """Some faces are another's."""
        body = {"name": name, "faces": list(face_ids)}
        return Ask(
            post(
                path("/v1/groups/{}/persons/{}/split", group, person),
                json=body,
                key=idempotency_key,
            )
        )

    @asks
    def add_member(
        self,
        group: str,
        person: str,
        *,
        source: str,
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.PersonAnswer]:
        """A person of the group ``source`` is in this one too."""
        body = {"group": source, "person": person, "name": name}
        return Ask(post(path("/v1/groups/{}/members", group), json=body, key=idempotency_key))

    @asks
    def remove_member(self, group: str, person: str) -> Ask[None]:
        """Take a person out of this group, who stays in others."""
        return Ask(delete(path("/v1/groups/{}/members/{}", group, person), None))

    @lists
    def changes(self, group: str, *, limit: int = 100) -> Pages[more.ChangeShape]:
        """What was changed and can be undone, newest first."""
        return Pages(path("/v1/groups/{}/changes", group), "changes", {}, limit)

    @asks
    def undo(
        self, group: str, *, change: str | None = None, idempotency_key: str | None = None
    ) -> Ask[more.ChangeAnswer]:
        """Take back the newest change; ``change``: only if it is this one."""
        return Ask(
            post(path("/v1/groups/{}/undo", group), json={"change": change}, key=idempotency_key)
        )

    @asks
    def move_face(
        self,
        group: str,
        face_id: str,
        to_person: str,
        *,
        to_group: str | None = None,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.FaceAnswer]:
        """Give a face to another person."""
        body = {"person": to_person, "group": to_group}
        return Ask(
            post(
                path("/v1/groups/{}/faces/{}/move", group, face_id), json=body, key=idempotency_key
            )
        )
