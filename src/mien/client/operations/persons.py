"""Persons of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mien.client import more_shapes as more
from mien.client import shapes
from mien.client.asking import Ask, Pages, asks, lists
from mien.client.wire import Request, delete, given, patch, path, post

__all__ = ["Persons"]


class Persons:
    """Persons of a group."""

    @asks
    def create_person(
        self,
        group: str,
        name: str,
        *,
        user_data: str | None = None,
        external_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.PersonAnswer]:
        """Create a person without faces."""
        body = {"name": name, "user_data": user_data, "external_id": external_id}
        return Ask(post(path("/v1/groups/{}/persons", group), json=body, key=idempotency_key))

    @asks
    def create_persons(
        self,
        group: str,
        persons: Sequence[Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> Ask[more.PersonsAnswer]:
        """Create several persons, each on its own, at most 200."""
        body = {"persons": [dict(one) for one in persons]}
        address = path("/v1/groups/{}/persons/bulk", group)
        return Ask(post(address, json=body, key=idempotency_key))

    @lists
    def persons(
        self,
        group: str,
        *,
        anonymous: bool | None = None,
        external_id: str | None = None,
        limit: int = 100,
    ) -> Pages[shapes.PersonShape]:
        """The persons of a group by name, asked for in pages of ``limit``."""
        query = given(anonymous=anonymous, external_id=external_id)
        return Pages(path("/v1/groups/{}/persons", group), "persons", query, limit)

    @asks
    def person(self, group: str, person: str) -> Ask[shapes.PersonAnswer]:
        """One person, by name or id."""
        return Ask(Request("GET", path("/v1/groups/{}/persons/{}", group, person)))

    @asks
    def change_person(
        self,
        group: str,
        person: str,
        changes: Mapping[str, object],
        *,
        only_if: str | None = None,
    ) -> Ask[shapes.PersonAnswer]:
        """Change ``name``, ``user_data``, ``external_id``; ``only_if``: as for a group."""
        return Ask(patch(path("/v1/groups/{}/persons/{}", group, person), changes, only_if))

    @asks
    def delete_person(self, group: str, person: str, *, only_if: str | None = None) -> Ask[None]:
        """Delete a person with all faces."""
        return Ask(delete(path("/v1/groups/{}/persons/{}", group, person), only_if))
