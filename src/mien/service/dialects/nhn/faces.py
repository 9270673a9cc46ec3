"""Faces: detect, register, list, delete, and the spoofing operation."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any

from mien.engine import Engine
from mien.engine.keeping import images_for
from mien.engine.lookalikes import lookalike
from mien.engine.serving import with_group
from mien.errors import LimitExceeded, NotFound
from mien.gallery import Group, StoredFace
from mien.service.dialects.nhn import stored
from mien.service.dialects.nhn.codes import Refused, Result
from mien.service.dialects.nhn.groups import list_name, page_of
from mien.service.dialects.nhn.looking import Look, look
from mien.service.dialects.nhn.operations import Answered, Question, group_of
from mien.service.dialects.nhn.parameters import (
    FaceListParameters,
    LookParameters,
    RegisterParameters,
    SpoofingParameters,
    read,
)
from mien.service.dialects.nhn.photos import NhnUpload
from mien.service.dialects.nhn.tokens import Page, token_of

__all__ = ["delete", "detect", "listing", "register", "spoofing"]

Json = dict[str, Any]

_SCANNED = 500


async def detect(asked: Question) -> Answered:
    """The faces of a photo."""

    def work(upload: NhnUpload) -> Json:
        seen = look(asked.call, upload.images[0], read(LookParameters, upload.given))
        return {"faceDetailCount": len(seen.details), "faceDetails": seen.details}

    return Answered(await asked.with_photos(work))


async def spoofing(asked: Question) -> Answered:
    """Whether each face of a photo is a spoof: the Face Liveness service."""

    def work(upload: NhnUpload) -> Json:
        condition = read(SpoofingParameters, upload.given).spoofingCondition
        wanted = LookParameters(
            spoofing=True, spoofingCondition=condition, orientation=False, mask=False
        )
        seen = look(asked.call, upload.images[0], wanted)
        return {"faceDetailCount": len(seen.details), "faceDetails": seen.details}

    return Answered(await asked.with_photos(work))


async def register(asked: Question) -> Answered:
    """Register the largest faces of a photo, as many as the group has room for."""

    def work(upload: NhnUpload) -> Answered:
        wanted = read(RegisterParameters, upload.given)
        group = group_of(asked.gallery, asked.group)
        return with_group(
            asked.call.engine, asked.gallery, group.name, partial(registered, upload, wanted)
        )

    def registered(
        upload: NhnUpload, wanted: RegisterParameters, engine: Engine, group: Group
    ) -> Answered:
        seen = look(asked.call, upload.images[0], wanted, engine=engine, group=group)
        chosen, qualities = _admitted(asked, group, seen, wanted.limit)
        made = _add(asked, group, seen, chosen, qualities, wanted.externalImageId)
        if chosen and not made:
            raise Refused(Result.QUOTA_EXCEEDED, "limit_exceeded")
        asked.call.service.metrics.enrolled.inc(len(made))
        added = chosen[: len(made)]
        others = [i for i in range(len(seen.faces)) if i not in added]
        data = {
            "addedFaceCount": len(made),
            "addedFaces": [stored.answered(face, asked.scale) for face in made],
            "addedFaceDetails": [seen.details[i] for i in added],
            "notAddedFaceCount": len(others),
            "notAddedFaces": [seen.details[i] for i in others],
        }
        result = Result.SUCCESS if len(made) == len(chosen) else Result.PARTIAL
        return Answered(asked.with_version(data, group.contract), result)

    return await asked.with_photos(work)


async def delete(asked: Question) -> Answered:
    """Delete a registered face."""

    def work() -> None:
        group = group_of(asked.gallery, asked.group)
        face = stored.face_in(asked.gallery, group.name, asked.face)
        try:
            asked.gallery.delete_face(group.name, face.id)
        except NotFound:  # somebody was quicker
            raise Refused(Result.NOT_FOUND_FACE, "not_found") from None

    await asked.call.with_records(work)
    return Answered()


async def listing(asked: Question) -> Answered:
    """The registered faces of a group, newest first."""
    given = asked.query(FaceListParameters)
    name = f"faces {asked.group}"
    filters: dict[str, str | None] = {}
    if asked.version != "v1.0":
        filters = {
            "face_id": given.face_id,
            "image_id": given.image_id,
            "external_image_id": given.external_image_id,
        }
    page = page_of(asked, given, of=name, **filters)

    def work() -> Json:
        group = group_of(asked.gallery, asked.group)
        found = _found(asked, group, page)
        shown = found[: page.limit]
        faces = [stored.answered(face, asked.scale) for face in shown]
        data: Json = {"faceCount": len(faces), "faces": faces}
        if len(found) > page.limit:
            following = Page(
                page.limit, shown[-1].id, page.face_id, page.image_id, page.external_image_id
            )
            data["nextToken"] = token_of(following, of=list_name(asked, name))
        return asked.with_version(data, group.contract)

    return Answered(await asked.call.with_records(work))


def _found(asked: Question, group: Group, page: Page) -> list[StoredFace]:
    """One face more than the page shows, where there are so many."""
    if page.face_id is not None:
        try:
            found = asked.gallery.faces_by_id(group.name, [stored.internal_id(page.face_id)])
        except Refused:
            return []
        return [face for face in found.values() if _fits(face, page)]
    if page.image_id is not None:
        return _of_image(asked, group, page)
    return asked.gallery.faces(
        group.name,
        after=page.after,
        limit=page.limit + 1,
        external_image_id=page.external_image_id,
        newest_first=True,
    )


def _of_image(asked: Question, group: Group, page: Page) -> list[StoredFace]:
    """Faces of one photo: they were registered when its id was made, so only those are read."""
    try:
        first, last = stored.span_of(page.image_id or "")
    except ValueError:
        return []
    kept: list[StoredFace] = []
    after = page.after or last
    while len(kept) <= page.limit:
        some = asked.gallery.faces(group.name, after=after, limit=_SCANNED, newest_first=True)
        kept += [face for face in some if face.id >= first and _fits(face, page)]
        if len(some) < _SCANNED or some[-1].id < first:
            break
        after = some[-1].id
    return kept[: page.limit + 1]


def _fits(face: StoredFace, page: Page) -> bool:
    image = page.image_id is None or stored.image_id_of(face) == page.image_id.lower()
    label = page.external_image_id
    return image and (label is None or face.external_image_id == label)


def _admitted(
    asked: Question, group: Group, seen: Look, limit: int
) -> tuple[list[int], list[float | None]]:
    """Which faces the server's and the group's policies let in, and their quality if it counts."""
    chosen: list[int] = []
    qualities: list[float | None] = []
    least = group.settings.min_quality
    for i in range(min(limit, len(seen.faces))):
        if seen.refused(i):
            continue
        quality = None if least is None else _quality(seen, i)
        if least is not None and (quality is None or quality < least):
            continue
        if group.settings.duplicates == "refuse" and _known(asked, group, seen, i):
            continue
        chosen.append(i)
        qualities.append(quality)
    return chosen, qualities


def _quality(seen: Look, index: int) -> float:
    (found,) = seen.engine.analyze_faces(seen.photo, seen.faces.take([index]), actions=["quality"])
    return float(found["quality"].score) / 100


def _known(asked: Question, group: Group, seen: Look, index: int) -> bool:
    """Whether the group has somebody whom the face looks like, and wants nobody twice."""
    engine = seen.engine
    nobody = uuid.uuid4().hex
    templates, contract = seen.embeddings([index]), engine.embedder.contract
    return lookalike(engine, asked.gallery, group, nobody, templates, contract) is not None


def _add(
    asked: Question,
    group: Group,
    seen: Look,
    chosen: Sequence[int],
    qualities: Sequence[float | None],
    label: str | None,
) -> list[StoredFace]:
    """Register as many of the chosen faces as there is room for, in one transaction."""
    if not chosen:
        return []
    templates = seen.embeddings(chosen)
    facts = stored.facts_of(seen, stored.new_image_id())
    policy, settings = group.settings.images, asked.call.settings
    images = [images_for(seen.photo, seen.faces[i].box, policy, settings) for i in chosen]
    for count in range(len(chosen), 0, -1):
        try:
            return asked.gallery.add_faces(
                group.name,
                None,
                templates.take(slice(0, count)),
                contract=seen.engine.embedder.contract,
                source_sha256=seen.photo.sha256,
                boxes=[seen.faces[i].box for i in chosen[:count]],
                qualities=list(qualities[:count]),
                external_image_id=label,
                user_data=facts,
                images=images[:count],
            )
        except LimitExceeded:
            continue
        except NotFound:  # the group was deleted meanwhile
            raise Refused(Result.NOT_FOUND_GROUP, "not_found") from None
    return []
