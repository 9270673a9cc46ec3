"""Usage: what an application holds, and how often it asked the service for what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mien.types import Result

__all__ = ["Usage"]


@dataclass(frozen=True, slots=True)
class Usage(Result):
    """What an application holds.

    Attributes:
        groups, persons, faces, images, consents, jobs: how many; a person is counted once.
        template_bytes, image_bytes: in the database, sealed.
        calls: requests to the service by UTC day, the newest first, and kind of route.
    """

    groups: int
    persons: int
    faces: int
    images: int
    consents: int
    jobs: int
    template_bytes: int
    image_bytes: int
    calls: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The counts by name, ``storage_bytes`` by kind, and ``calls`` as a list of days."""
        counts = ("groups", "persons", "faces", "images", "consents", "jobs")
        return {
            **{name: getattr(self, name) for name in counts},
            "storage_bytes": {
                "templates": self.template_bytes,
                "images": self.image_bytes,
                "total": self.template_bytes + self.image_bytes,
            },
            "calls": [{"day": day, "calls": dict(calls)} for day, calls in self.calls.items()],
        }
