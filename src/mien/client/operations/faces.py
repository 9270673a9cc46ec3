"""Enrolled faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mien.client import shapes
from mien.client.asking import Ask, Pages, asks, lists
from mien.client.wire import Condition, Photo, Policy, Request, delete, given, patch, path, post

__all__ = ["Faces"]


class Faces:
    """Enrol, list, change and delete faces."""

    @asks
    def enroll(
        self,
        group: str,
        person: str,
        photos: Sequence[Photo],
        *,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
        idempotency_key: str | None = None,
    ) -> Ask[shapes.EnrolmentAnswer]:
        """Enrol photos of a person; those that cannot be used are in ``rejected``."""
        fields = given(liveness=liveness, liveness_condition=liveness_condition)
        files = [("image", one) for one in photos]
        address = path("/v1/groups/{}/persons/{}/faces", group, person)
        return Ask(post(address, files=files, fields=fields, key=idempotency_key))

    @lists
    def faces(
        self, group: str, person: str, *, external_image_id: str | None = None, limit: int = 100
    ) -> Pages[shapes.FaceShape]:
        """The stored faces of a person, asked for in pages of ``limit``."""
        query = given(external_image_id=external_image_id)
        return Pages(path("/v1/groups/{}/persons/{}/faces", group, person), "faces", query, limit)

    @asks
    def face(self, group: str, face_id: str) -> Ask[shapes.FaceAnswer]:
        """One stored face."""
        return Ask(Request("GET", path("/v1/groups/{}/faces/{}", group, face_id)))

    @asks
    def face_image(
        self, group: str, person: str, face_id: str, *, kind: str | None = None
    ) -> Ask[bytes]:
        """The image that is kept with a face, as a file's bytes."""
        address = path("/v1/groups/{}/persons/{}/faces/{}/image", group, person, face_id)
        return Ask(Request("GET", address, given(kind=kind)), lambda answer: answer.content)

    @asks
    def change_face(
        self,
        group: str,
        face_id: str,
        changes: Mapping[str, object],
        *,
        only_if: str | None = None,
    ) -> Ask[shapes.FaceAnswer]:
        """Change ``user_data``, ``external_image_id``; ``only_if``: as for a group."""
        return Ask(patch(path("/v1/groups/{}/faces/{}", group, face_id), changes, only_if))

    @asks
    def delete_face(self, group: str, face_id: str, *, only_if: str | None = None) -> Ask[None]:
        """Delete a stored face."""
        return Ask(delete(path("/v1/groups/{}/faces/{}", group, face_id), only_if))

    @asks
    def etag(
        self, group: str, person: str | None = None, *, face_id: str | None = None
    ) -> Ask[str]:
        """The tag of a group, or of a person or a face in it, for ``only_if``."""
        if face_id is not None:
            address = path("/v1/groups/{}/faces/{}", group, face_id)
        elif person is not None:
            address = path("/v1/groups/{}/persons/{}", group, person)
        else:
            address = path("/v1/groups/{}", group)
        return Ask(Request("GET", address), lambda answer: str(answer.headers["etag"]))
