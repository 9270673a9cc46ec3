"""All rows of a paged listing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

__all__ = ["Named", "all_rows"]

PAGE = 1000


class Named(Protocol):
    """Something that is listed by its name."""

    @property
    def name(self) -> str:
        """Its name, the cursor of a listing."""
        ...


Row = TypeVar("Row", bound=Named)


def all_rows(page: Callable[..., Sequence[Row]]) -> Iterator[Row]:
    """Every row of ``page(after=NAME, limit=N)``, by name."""
    after: str | None = None
    while rows := page(after=after, limit=PAGE):
        yield from rows
        after = rows[-1].name
