"""Groups: create, list, show, delete."""

from __future__ import annotations

import re
from typing import Any

from mien.errors import InvalidArgument
from mien.gallery import GroupSettings
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.dialects.nhn.operations import (
    Answered,
    Question,
    group_id,
    group_of,
    name_of,
)
from mien.service.dialects.nhn.parameters import GroupListParameters, NewGroupParameters, read
from mien.service.dialects.nhn.tokens import Page, read_token, token_of

__all__ = ["MAX_FACES_PER_GROUP", "create", "delete", "list_name", "listing", "page_of", "show"]

MAX_FACES_PER_GROUP = 100_000
"""Faces that a group made here may hold; it can be changed as every group's settings can."""

_GROUP_ID = re.compile(r"[a-z0-9-]{1,255}")


async def create(asked: Question) -> Answered:
    """A new group, pinned to the server's recognition model."""

    def work(body: dict[str, Any]) -> None:
        name = read(NewGroupParameters, body).groupId
        if not _GROUP_ID.fullmatch(name):
            raise Refused(Result.INVALID_GROUP_ID)
        contract = asked.call.engine.embedder.contract
        settings = GroupSettings(max_faces=MAX_FACES_PER_GROUP)
        asked.gallery.create_group(name_of(name), contract=contract, settings=settings)

    await asked.call.with_json(work)
    return Answered()


async def listing(asked: Question) -> Answered:
    """Groups by name."""
    page = page_of(asked, asked.query(GroupListParameters), of="groups")

    def work() -> dict[str, Any]:
        found = asked.gallery.groups(after=page.after, limit=page.limit + 1)
        shown = found[: page.limit]
        groups = [
            asked.with_version({"groupId": group_id(one.name)}, one.contract) for one in shown
        ]
        data: dict[str, Any] = {"groupCount": len(groups), "groups": groups}
        if len(found) > page.limit:
            data["nextToken"] = token_of(
                Page(page.limit, shown[-1].name), of=list_name(asked, "groups")
            )
        return data

    return Answered(await asked.call.with_records(work))


async def show(asked: Question) -> Answered:
    """One group."""

    def work() -> dict[str, Any]:
        group = group_of(asked.gallery, asked.group)
        facts = {
            "groupId": group_id(group.name),
            "createTime": group.created_at.strftime("%Y-%m-%dT%H:%M:%S"),
            "faceCount": group.faces,
        }
        if asked.version != "v1.0":
            return facts
        return {"groupCount": 1, "groups": [asked.with_version(facts, group.contract)]}

    return Answered(await asked.call.with_records(work))


async def delete(asked: Question) -> Answered:
    """Delete a group and all its faces."""

    def work() -> None:
        asked.gallery.delete_group(group_of(asked.gallery, asked.group).name)

    await asked.call.with_records(work)
    return Answered()


def page_of(asked: Question, given: GroupListParameters, *, of: str, **filters: str | None) -> Page:
    """The page that a request asks for: the token's, where there is one, or else its own.

    Raises:
        InvalidArgument: no limit, although the list begins here.
        Refused: a token that is none, is old, or belongs to another list (-40040).
    """
    if given.next_token is not None:
        return read_token(given.next_token, of=list_name(asked, of))
    if given.limit is None:
        raise InvalidArgument("'limit' is missing.")
    return Page(given.limit, **filters)


def list_name(asked: Question, of: str) -> str:
    """What a token is bound to."""
    return f"{asked.gallery.application_id} {asked.version} {of}"
