"""Groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mien.client import shapes
from mien.client.asking import Ask, Pages, asks, lists
from mien.client.wire import Request, delete, patch, path, post

__all__ = ["Groups"]


class Groups:
    """Groups of persons."""

    @asks
    def create_group(
        self,
        name: str,
        *,
        scoring: Literal["max", "mean"] = "max",
        settings: Mapping[str, object] | None = None,
        user_data: str | None = None,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.GroupAnswer]:
        """Create a group."""
        body = {
            "name": name,
            "scoring": scoring,
            "settings": dict(settings or {}),
            "user_data": user_data,
        }
        return Ask(post("/v1/groups", json=body, key=idempotency_key))

    @lists
    def groups(self, *, limit: int = 100) -> Pages[shapes.GroupShape]:
        """All groups by name, asked for in pages of ``limit``."""
        return Pages("/v1/groups", "groups", {}, limit)

    @asks
    def group(self, group: str) -> Ask[shapes.GroupAnswer]:
        """One group."""
        return Ask(Request("GET", path("/v1/groups/{}", group)))

    @asks
    def change_group(
        self, group: str, changes: Mapping[str, object], *, only_if: str | None = None
    ) -> Ask[shapes.GroupAnswer]:
        """Change ``name``, ``settings``, ``user_data``; what is not named stays.

        ``only_if``: an ETag; where the group has been changed since, ``PreconditionFailed``.
        """
        return Ask(patch(path("/v1/groups/{}", group), changes, only_if))

    @asks
    def delete_group(self, group: str, *, only_if: str | None = None) -> Ask[None]:
        """Delete a group with its persons and faces."""
        return Ask(delete(path("/v1/groups/{}", group), only_if))
