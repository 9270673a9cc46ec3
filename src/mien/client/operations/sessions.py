"""Liveness sessions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mien.client import session_shapes as sessions
from mien.client.asking import Ask, asks
from mien.client.wire import Condition, Photo, Policy, Request, delete, given, path, photos_post

__all__ = ["Sessions"]


class Sessions:
    """Challenges for a device."""

    @asks
    def create_session(
        self,
        *,
        step_count: int | None = None,
        among: Sequence[str] | None = None,
        step_limit_s: float | None = None,
        ttl_s: float | None = None,
        max_frames: int | None = None,
        mirrored: bool | None = None,
        fmr: float | None = None,
        group: str | None = None,
        person: str | None = None,
        subject: str | None = None,
        send_result_to_device: bool | None = None,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> Ask[sessions.LivenessSessionAnswer]:
        """Begin a liveness session; a device uses its ``token`` in the place of a key."""
        wanted = {
            "step_count": step_count,
            "among": None if among is None else list(among),
            "step_limit_s": step_limit_s,
            "ttl_s": ttl_s,
            "max_frames": max_frames,
            "mirrored": mirrored,
            "fmr": fmr,
            "group": group,
            "person": person,
            "subject": subject,
            "send_result_to_device": send_result_to_device,
            "liveness": liveness,
            "liveness_condition": liveness_condition,
        }
        body = {name: value for name, value in wanted.items() if value is not None}
        return Ask(Request("POST", "/v1/liveness-sessions", json=body, repeatable=False))

    @asks
    def add_frames(
        self,
        session: str,
        frames: Sequence[Photo],
        *,
        times: Sequence[float],
        done: bool | None = None,
    ) -> Ask[sessions.LivenessSessionAnswer]:
        """Frames of a session, in order, each with its seconds; ``done``: no more come."""
        address = path("/v1/liveness-sessions/{}/frames", session)
        asked = photos_post(address, frames, given(times=times, done=done))
        return Ask(replace(asked, repeatable=False))

    @asks
    def session(self, session: str) -> Ask[sessions.LivenessSessionAnswer]:
        """How a session stands, and its result."""
        return Ask(Request("GET", path("/v1/liveness-sessions/{}", session)))

    @asks
    def delete_session(self, session: str) -> Ask[None]:
        """Delete a session and its result."""
        return Ask(delete(path("/v1/liveness-sessions/{}", session)))
