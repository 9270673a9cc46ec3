"""Operations, described once: the method that asks for one, and the two clients that send it.

A method of :mod:`mien.client.operations` only says what to send and what comes back (an
:class:`Ask` or :class:`Pages`). ``@asks`` and ``@lists`` make a method of it that a ``Client``
answers and an ``AsyncClient`` answers to ``await`` or ``async for``, with the same arguments.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

import httpx

from mien.client.wire import Request

__all__ = ["Ask", "Async", "Pages", "Sync", "asks", "content", "lists"]

P = ParamSpec("P")
T = TypeVar("T")


def content(answer: httpx.Response) -> Any:  # noqa: ANN401 - the shape that the operation names
    """The JSON of an answer; None where it has no body."""
    return answer.json() if answer.content else None


@dataclass(frozen=True, slots=True)
class Ask(Generic[T]):
    """A request, and what its answer is.

    Attributes:
        request: what to send.
        read: the answer as a value.
    """

    request: Request
    read: Callable[[httpx.Response], T] = content


@dataclass(frozen=True, slots=True)
class Pages(Generic[T]):
    """A list that is asked for in pages, and gone through entry by entry.

    Attributes:
        address: of the list.
        name: of the entries in a page.
        query: options of every page.
        limit: entries of a page.
    """

    address: str
    name: str
    query: Mapping[str, str] = field(default_factory=dict)
    limit: int = 100

    def page(self, after: object = None) -> Request:
        """The request for the page after a cursor; None: the first."""
        where = {} if after is None else {"after": str(after)}
        return Request("GET", self.address, {**self.query, "limit": str(self.limit), **where})

    def read(self, answer: httpx.Response) -> tuple[list[T], object]:
        """A page's entries, and the cursor of the next page or None."""
        page = content(answer)
        return page[self.name], page["next"]


class Sync(Protocol):
    """Sends and waits."""

    def _ask(self, ask: Ask[T]) -> T: ...

    def _list(self, pages: Pages[T]) -> Iterator[T]: ...


class Async(Protocol):
    """Sends, and can be awaited."""

    async def _ask(self, ask: Ask[T]) -> T: ...

    def _list(self, pages: Pages[T]) -> AsyncIterator[T]: ...


class asks(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a method that asks once of one that says what to ask.

    Args:
        build: method -> what to send.
    """

    def __init__(self, build: Callable[Concatenate[Any, P], Ask[T]]) -> None:
        def ask(self: Any, *args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401
            return self._ask(build(self, *args, **kwargs))

        self._method = _named(ask, build)

    @overload
    def __get__(self, client: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...

    @overload
    def __get__(self, client: Sync, owner: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: Async, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...

    def __get__(self, client: Any, owner: type) -> Any:
        """The method, of a client or of its class."""
        return self._method if client is None else self._method.__get__(client, owner)


class lists(Generic[P, T]):  # noqa: N801 - a decorator
    """Makes a method that goes through a list of one that says which.

    Args:
        build: method -> the list.
    """

    def __init__(self, build: Callable[Concatenate[Any, P], Pages[T]]) -> None:
        def walk(self: Any, *args: P.args, **kwargs: P.kwargs) -> Any:  # noqa: ANN401
            return self._list(build(self, *args, **kwargs))

        self._method = _named(walk, build)

    @overload
    def __get__(self, client: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...

    @overload
    def __get__(self, client: Sync, owner: type) -> Callable[P, Iterator[T]]: ...

    @overload
    def __get__(self, client: Async, owner: type) -> Callable[P, AsyncIterator[T]]: ...

    def __get__(self, client: Any, owner: type) -> Any:
        """The method, of a client or of its class."""
        return self._method if client is None else self._method.__get__(client, owner)


def _named(method: Any, build: Callable[..., Any]) -> Any:  # noqa: ANN401
    """``method`` with the name, the text and the arguments of ``build``."""
    update_wrapper(method, build)
    asked = inspect.signature(build)
    method.__signature__ = asked.replace(return_annotation=_inner(asked.return_annotation))
    return method


def _inner(annotation: object) -> object:
    """``Ask[X]`` and ``Pages[X]`` as ``X``, for ``help()``."""
    text = str(annotation)
    return text.partition("[")[2].removesuffix("]") if "[" in text else annotation
