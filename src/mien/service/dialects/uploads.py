"""Bodies that hold photos or say where they are: parsed on a worker, fetched, then worked on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from mien.service.call import Call

__all__ = ["Upload", "with_upload"]

T = TypeVar("T")


class Upload(Protocol):
    """What a dialect makes of a body."""

    @property
    def urls(self) -> Sequence[str]:
        """URLs of the photos that are still missing."""

    @property
    def size(self) -> int:
        """Bytes of the photos that are there."""

    def with_fetched(self, photos: Sequence[bytes]) -> Self:
        """The same with those photos, in the order of ``urls``."""


U = TypeVar("U", bound=Upload)


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[U]):
    """An upload that names URLs."""

    upload: U


async def with_upload(
    call: Call,
    parse: Callable[[bytes, str], U],
    work: Callable[[U], T],
    *,
    max_bytes: int | None = None,
) -> T:
    """Read a body under all limits, fetch what it names, and run ``work``, on workers.

    No worker waits for somebody else's server: a body with URLs takes a worker twice.

    Args:
        call: the request.
        parse: body and content type -> upload.
        work: the rest; all of the upload's photos are there.
        max_bytes: of one photo behind a URL.

    Raises:
        ImageUrlError: a URL that is not fetched, or gives no photo.
    """

    def begin(upload: U) -> T | _Waiting[U]:
        return _Waiting(upload) if upload.urls else work(upload)

    begun = await call.with_upload(parse, begin)
    if not isinstance(begun, _Waiting):
        return begun
    upload = begun.upload
    with call.service.budget.hold() as holding:
        holding.take(upload.size)
        photos = [
            await call.service.fetcher.fetch(
                url, max_bytes=max_bytes, timeout_s=call.left, take=holding.take
            )
            for url in upload.urls
        ]
        whole = upload.with_fetched(photos)
        return await call.with_models(lambda: work(whole))
