"""Where a group's vectors lie in a Milvus, and how they are kept there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from mien.errors import InvalidArgument

__all__ = ["MilvusOptions", "Place"]


@dataclass(frozen=True, slots=True)
class MilvusOptions:
    """How the vectors are kept.

    Attributes:
        name: what its collections' names begin with: letters, digits and underscores.
        kind: ``flat`` compares every vector of a group; ``ivf_flat`` those of the lists nearest to
            the probe, which misses some (docs/reference/index-milvus.md has figures).
        nlist: lists of a segment, 1 to 65536 (``ivf_flat``).
        nprobe: lists that are looked through, 1 to ``nlist`` (``ivf_flat``).

    Raises:
        InvalidArgument: numbers or a name that cannot be.
    """

    name: str = "mien"
    kind: Literal["flat", "ivf_flat"] = "flat"
    nlist: int = 1024
    nprobe: int = 64

    def __post_init__(self) -> None:
        named = self.name.isascii() and self.name.isidentifier() and len(self.name) <= 64
        if not named or self.kind not in ("flat", "ivf_flat"):
            raise InvalidArgument(
                "A Milvus index needs a name of at most 64 letters, digits and underscores, and is "
                "flat or ivf_flat."
            )
        if not 1 <= self.nprobe <= self.nlist <= 65_536:
            raise InvalidArgument("nlist must be 1 to 65536, and nprobe 1 to nlist.")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a group's vectors are.

    Attributes:
        slot: their number; -1: nowhere yet.
        dim: their length.
        moves: how often they moved: of two answers the one with more is newer.
        left: slots that nobody should look into any more: number, length, and when it was left.
        mark: see :meth:`MilvusIndex.mark`.
        read_at: when this was read, monotonic seconds.
    """

    slot: int
    dim: int
    moves: int = 0
    left: tuple[tuple[int, int, float], ...] = ()
    mark: str = ""
    read_at: float = field(default=0.0, compare=False)

    def text(self) -> str:
        """As Milvus keeps it."""
        facts = {"slot": self.slot, "dim": self.dim, "moves": self.moves, "left": self.left}
        return json.dumps({**facts, "mark": self.mark}, separators=(",", ":"))

    @classmethod
    def of(cls, text: str, read_at: float) -> Place:
        """What :meth:`text` gave."""
        facts = json.loads(text)
        left = tuple((int(slot), int(dim), float(at)) for slot, dim, at in facts.pop("left"))
        return cls(**facts, left=left, read_at=read_at)
