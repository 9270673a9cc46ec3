"""The server, and archives."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Literal
from urllib.parse import quote

from mien.client import more_shapes as more
from mien.client import shapes
from mien.client.asking import Ask, asks
from mien.client.wire import Request, given

__all__ = ["Server"]


class Server:
    """What is there, what is running, and what comes in."""

    @staticmethod
    def _archive(passphrase: str, groups: Sequence[str] | None, *, log: bool) -> Request:
        """The request for an archive, whose answer is written as it comes."""
        body = {
            "passphrase": passphrase,
            "groups": None if groups is None else list(groups),
            "log": log,
        }
        return Request("POST", "/v1/archive/export", json=body)

    @asks
    def import_archive(
        self,
        file: str | PathLike[str],
        *,
        passphrase: str,
        on_conflict: Literal["refuse", "skip", "rename"] = "refuse",
        bring_back_erased: bool = False,
    ) -> Ask[more.ArchiveAnswer]:
        """Take in what an archive holds, all or nothing. Needs the scope ``admin``."""
        query = given(on_conflict=on_conflict, bring_back_erased=bring_back_erased)
        headers = {"Mien-Passphrase": quote(passphrase, safe="")}
        return Ask(
            Request(
                "POST",
                "/v1/archive/import",
                query,
                upload=file,
                headers=headers,
                repeatable=False,
            )
        )

    @asks
    def models(self, *, task: str | None = None) -> Ask[more.ModelsAnswer]:
        """The catalogue of models."""
        return Ask(Request("GET", "/v1/models", given(task=task)))

    @asks
    def usage(self) -> Ask[more.UsageAnswer]:
        """What the application holds and asked for."""
        return Ask(Request("GET", "/v1/usage"))

    @asks
    def status(self) -> Ask[shapes.StatusAnswer]:
        """What is running."""
        return Ask(Request("GET", "/v1/status"))
