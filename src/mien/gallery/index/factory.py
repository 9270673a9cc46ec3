"""Which index a gallery has: the setting ``MIEN_INDEX``."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qsl, unquote, urlsplit

from mien.errors import ConfigurationError, InvalidArgument
from mien.gallery.index.exact import ExactIndex
from mien.gallery.index.protocol import VectorIndex

__all__ = ["make_index"]

_FORMS = (
    "MIEN_INDEX is empty (in this process), milvus+http://host:19530, milvus+https://host:19530 or "
    "milvus+file:index.db; after a ? it takes name, kind, nlist, nprobe and timeout_s."
)
_NUMBERS = ("nlist", "nprobe")


def make_index(url: str, *, name: Callable[[], str], seed: Callable[[int], bytes]) -> VectorIndex:
    """The index that a URL names. Nothing is connected before it is used.

    Args:
        url: empty for an :class:`ExactIndex`; ``milvus+http://user:password@host:19530/database``,
            ``milvus+https://`` the same, or ``milvus+file:index.db`` for Milvus Lite. A query may
            hold ``name`` (what its collections' names begin with), ``kind`` (``flat`` or
            ``ivf_flat``), ``nlist``, ``nprobe`` and ``timeout_s``.
        name: gives the name where the URL has none.
        seed: gives the 32 secret bytes of the rotation of a group's application.

    Raises:
        ConfigurationError: a URL that cannot be.
    """
    if not url.strip():
        return ExactIndex()
    from mien.gallery.index.milvus import MilvusIndex, MilvusOptions
    from mien.gallery.index.milvus_client import MilvusConnection

    try:
        parts = urlsplit(url.strip())
        given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        timeout_s = float(given.pop("timeout_s", "10"))
        facts = {key: int(text) if key in _NUMBERS else text for key, text in given.items()}
        if set(facts) - {"name", "kind", *_NUMBERS} or not 0 < timeout_s <= 3600 or parts.fragment:
            raise InvalidArgument("")
        options = MilvusOptions(**{"name": facts.pop("name", None) or name(), **facts})  # type: ignore[arg-type]
        if parts.scheme == "milvus+file" and parts.path.endswith(".db") and not parts.netloc:
            uri, token, database = unquote(parts.path), "", ""
        elif parts.scheme in ("milvus+http", "milvus+https") and parts.hostname:
            host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
            uri = f"{parts.scheme.removeprefix('milvus+')}://{host}:{parts.port or 19530}"
            token = unquote(f"{parts.username or ''}:{parts.password or ''}").strip(":")
            database = unquote(parts.path.strip("/"))
        else:
            raise InvalidArgument("")
    except (InvalidArgument, ValueError) as error:
        message = f"{_FORMS} {error if isinstance(error, InvalidArgument) else ''}".strip()
        raise ConfigurationError(message, details={"setting": "index"}) from None
    connection = MilvusConnection(uri, token=token, database=database, timeout_s=timeout_s)
    return MilvusIndex(connection, seed=seed, options=options)
