"""One request of the dialect: its token, its path, its form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from fastapi import Request

from mien.engine import LivenessCheck
from mien.errors import InvalidArgument, Unauthorized
from mien.gallery import Gallery, Scope
from mien.service.call import Call, opened
from mien.service.dialects.luxand.roster import Roster
from mien.service.dialects.photo_forms import PhotoForm, parse
from mien.service.dialects.uploads import with_upload

__all__ = ["PHOTO_FIELDS", "PREFIX", "LuxandCall", "caller"]

T = TypeVar("T")

PREFIX = "/luxand"
PHOTO_FIELDS = ("photo", "photos", "face1", "face2")


@dataclass(frozen=True)
class LuxandCall:
    """An authorised request.

    Attributes:
        call: the request.
        path: parameters of the path by name.
        version: 2 where the path says so, else 1.
    """

    call: Call
    path: dict[str, str]
    version: int

    @property
    def gallery(self) -> Gallery:
        """The application's view."""
        return self.call.gallery

    @property
    def roster(self) -> Roster:
        """The application's persons and collections."""
        address = str(self.call.request.base_url).rstrip("/") + PREFIX
        return Roster(self.gallery, self.call.engine.embedder.contract, address)

    @property
    def liveness(self) -> LivenessCheck:
        """What the server asks of faces."""
        settings = self.call.settings
        return LivenessCheck(settings.liveness, settings.liveness_condition)

    async def with_form(self, work: Callable[[PhotoForm], T]) -> T:
        """Read the form, fetch what it names, and run ``work`` on a worker."""
        reading = partial(
            parse, names=PHOTO_FIELDS, max_images=self.call.settings.max_request_images
        )
        return await with_upload(self.call, reading, work)

    def number(self, name: str, default: int) -> int:
        """A whole number of the query, at least 0.

        Raises:
            InvalidArgument: it is none.
        """
        given = self.call.query.get(name, "")
        if not given:
            return default
        if not (given.isascii() and given.isdigit()) or len(given) > 9:
            raise InvalidArgument(f"{name!r} must be a whole number.")
        return int(given)


async def caller(request: Request, scope: Scope) -> Call:
    """The call of whoever holds the token.

    Raises:
        Unauthorized: no token, or not a valid one.
        Forbidden: it may not do this.
    """
    return await opened(request, scope, lambda: _token(request))


def _token(request: Request) -> str:
    token = request.headers.get("token", "").strip()
    if not token:
        raise Unauthorized("Send a token: token: KEY.")
    return token
