"""Milvus through its official client: one connection, and its complaints as errors of Mien."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from mien.errors import ConfigurationError, GalleryUnavailable, MienError

if TYPE_CHECKING:
    from pymilvus import MilvusClient

__all__ = ["Level", "MilvusConnection", "Row"]

_T = TypeVar("_T")

Level = Literal["Strong", "Bounded"]
Row = dict[str, Any]

_log = logging.getLogger(__name__)

_MAKE_S = 60.0  # making, indexing and loading a collection
_RETRY_AFTER_S = 2


class MilvusConnection:
    """Calls to one Milvus. Safe to use from several threads; connects at the first call.

    Args:
        uri: ``http://host:19530``, or the path of a file for Milvus Lite.
        token: ``user:password`` or an API key; empty: none.
        database: of the server; empty: its default.
        timeout_s: how long a call may take. A server that comes back meanwhile is not noticed.
    """

    def __init__(
        self, uri: str, *, token: str = "", database: str = "", timeout_s: float = 10.0
    ) -> None:
        self._uri = uri
        self._given = {"token": token, "db_name": database}
        self._timeout_s = timeout_s
        self._lock = threading.RLock()
        self._client: MilvusClient | None = None
        self._ready: dict[str, set[str]] = {}  # collections that are loaded, and their partitions
        self._closed = False

    def names(self) -> list[str]:
        """The collections."""
        return list(self._call(lambda client: client.list_collections(timeout=self._timeout_s)))

    def ensure(self, collection: str, dim: int, *, text: bool, index: Mapping[str, Any]) -> None:
        """Make a collection where it is missing, and have it loaded.

        Args:
            collection: its name.
            dim: length of its vectors.
            text: with a field ``data`` of text; otherwise with the numbers ``slot`` and ``owner``.
            index: ``index_type`` and ``params``.
        """
        if collection in self._ready:
            return
        with self._lock:
            self._call(lambda client: self._ensure(client, collection, dim, text, index))
            self._ready[collection] = set()

    def upsert(self, collection: str, rows: Sequence[Row], *, partition: str = "") -> None:
        """Write rows; one whose ``id`` is there replaces the old one, at one moment."""
        where = self._where(collection, partition, make=True)
        self._call(
            lambda client: client.upsert(
                collection, list(rows), partition_name=where, timeout=self._timeout_s
            )
        )

    def delete(
        self, collection: str, *, ids: Sequence[int] = (), where: str = "", partition: str = ""
    ) -> None:
        """Delete rows by their ids, or by an expression."""
        inside = self._where(collection, partition, make=False)
        if inside is None:
            return
        which: dict[str, Any] = {"ids": list(ids)} if ids else {"filter": where}
        if inside:
            which["partition_name"] = inside
        self._call(lambda client: client.delete(collection, timeout=self._timeout_s, **which))

    def query(
        self,
        collection: str,
        where: str,
        fields: Sequence[str],
        *,
        level: Level,
        partition: str = "",
    ) -> list[Row]:
        """The rows that an expression is true of."""
        inside = self._where(collection, partition, make=False)
        if inside is None:
            return []
        found = self._call(
            lambda client: client.query(
                collection,
                filter=where,
                output_fields=list(fields),
                partition_names=[inside] if inside else None,
                consistency_level=level,
                timeout=self._timeout_s,
            )
        )
        return [dict(row) for row in found]

    def search(
        self,
        collection: str,
        probes: Any,  # noqa: ANN401 - an array (n, d) of float32, which the client types as a list
        *,
        limit: int,
        where: str,
        partition: str,
        params: Mapping[str, Any],
        level: Level,
    ) -> list[list[tuple[int, int, float]]]:
        """Of each probe the nearest rows: id, owner and inner product, best first."""
        inside = self._where(collection, partition, make=False)
        if inside is None:
            return [[] for _ in probes]
        found = self._call(
            lambda client: client.search(
                collection,
                data=probes,
                limit=limit,
                filter=where,
                output_fields=["owner"],
                partition_names=[inside],
                search_params={"metric_type": "IP", "params": dict(params)},
                consistency_level=level,
                timeout=self._timeout_s,
            )
        )
        return [
            [(hit["id"], hit["entity"]["owner"], hit["distance"]) for hit in hits] for hits in found
        ]

    def close(self) -> None:
        """Close the connection; it refuses further use."""
        self._closed = True
        self._disconnect()

    # ---------------------------------------------------------------- making

    def _ensure(
        self, client: MilvusClient, collection: str, dim: int, text: bool, index: Mapping[str, Any]
    ) -> None:
        from pymilvus import DataType

        params = client.prepare_index_params()
        params.add_index("vector", metric_type="IP", **index)
        wait_s = self._timeout_s
        if not client.has_collection(collection, timeout=wait_s):
            wait_s = _MAKE_S
            schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
            schema.add_field("id", DataType.INT64, is_primary=True)
            if text:
                schema.add_field("data", DataType.VARCHAR, max_length=65_535)
            else:
                schema.add_field("slot", DataType.INT64)
                schema.add_field("owner", DataType.INT64)
            schema.add_field("vector", DataType.FLOAT_VECTOR, dim=dim)
            client.create_collection(
                collection, schema=schema, consistency_level="Strong", timeout=wait_s
            )
        # Whoever made it may have been stopped before the rest was done.
        if not client.list_indexes(collection, timeout=wait_s):
            wait_s = _MAKE_S
            client.create_index(collection, params, timeout=wait_s)
        client.load_collection(collection, timeout=wait_s)

    def _where(self, collection: str, partition: str, *, make: bool) -> str | None:
        """The partition; None where it is missing and shall not be made."""
        if not partition:
            return ""
        known = self._ready.get(collection)
        if known is not None and partition in known:
            return partition
        with self._lock:
            there = set(
                self._call(
                    lambda client: client.list_partitions(collection, timeout=self._timeout_s)
                )
            )
            if make and partition not in there:
                self._call(
                    lambda client: client.create_partition(collection, partition, timeout=_MAKE_S)
                )
                there.add(partition)
            if collection in self._ready:
                self._ready[collection] = there
            return partition if partition in there else None

    # ---------------------------------------------------------------- calling

    def _call(self, what: Callable[[MilvusClient], _T]) -> _T:
        """Run one call; whatever goes wrong, the next one starts from scratch."""
        try:
            return what(self._connected())
        except MienError:
            raise
        except Exception as error:  # the client raises its own, grpc's and Python's errors
            _log.warning("Milvus: %s", _kind(error))
            self._disconnect()
            raise _unavailable(error) from None

    def _connected(self) -> MilvusClient:
        with self._lock:
            if self._closed:
                raise GalleryUnavailable("The gallery has been closed.")
            if self._client is None:
                client = _client_class(lite=self._uri.endswith(".db"))
                self._client = client(
                    self._uri, timeout=self._timeout_s, dedicated=True, **self._given
                )
            return self._client

    def _disconnect(self) -> None:
        with self._lock:
            client, self._client = self._client, None
            self._ready = {}
        if client is not None:
            with contextlib.suppress(Exception):
                client.close()


def _client_class(*, lite: bool) -> type[MilvusClient]:
    try:
        from pymilvus import MilvusClient
    except ImportError:
        raise ConfigurationError(
            "An index in Milvus needs its client: pip install 'mien[milvus]'.",
            details={"setting": "index"},
        ) from None
    # What it logs names hosts, and comes as an error anyway.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL)
    if lite:  # its server, in this process, prints a traceback for each call that it does not know
        logging.getLogger("grpc._server").setLevel(logging.CRITICAL)
    client: type[MilvusClient] = MilvusClient
    return client


def _kind(error: Exception) -> str:
    """What went wrong, for the log: without addresses."""
    code = getattr(error, "code", "")
    return f"{type(error).__name__} {code() if callable(code) else code}".strip()


def _unavailable(error: Exception) -> GalleryUnavailable:
    return GalleryUnavailable(
        f"The vector index (Milvus) cannot be used ({_kind(error)}): try again in a moment, and "
        "check that its server runs. Nothing is lost: the records are in the database.",
        details={"retry_after_s": _RETRY_AFTER_S},
    )
