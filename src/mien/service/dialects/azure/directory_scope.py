"""Where the directory's persons are in the gallery, and searching among them.

A person of the directory is in one group of the gallery for each recognition model in use
(``azure.directory.MODEL``), and in those of the DynamicPersonGroups that name the person
(``azure.dynamicpersongroup.ID``, and ``….ID.MODEL`` beside it where there are several models).
The faces belong to the person, so they are in all of them at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mien.answers import Candidate
from mien.engine.recognition import candidates_of
from mien.errors import AlreadyExists, NotFound
from mien.gallery import Gallery
from mien.service.call import Call
from mien.service.dialects.azure import models
from mien.service.dialects.azure.containers import Container
from mien.service.dialects.azure.errors import AzureError, bad_argument, missing
from mien.service.dialects.azure.fields import Body, uuids
from mien.service.dialects.azure.matching import confidences, decision_at
from mien.service.dialects.azure.policies import note_search, searchable
from mien.types import Embeddings

__all__ = [
    "PREFIX",
    "ensure",
    "group_of",
    "group_of_dynamic",
    "groups",
    "home_of",
    "identify",
    "join",
    "leave",
    "persons",
    "refuse_unknown",
]

PREFIX = "azure.directory."
EVERYBODY = "*"
MAX_PERSONS = 1000


def group_of(call: Call, model: str) -> str:
    """The directory's group for a recognition model; it need not be there yet."""
    return PREFIX + models.engine_of(call, model).embedder.name


def groups(call: Call) -> dict[str, str]:
    """Recognition model (Azure's name) -> the directory's group, all of them made."""
    found = {}
    for model in models.embedders(call).values():
        found[model] = group_of(call, model)
        ensure(call, found[model], model)
    return found


def ensure(call: Call, group: str, model: str) -> None:
    """Make a group for a recognition model where it is missing."""
    call.gallery.ensure_group(group, contract=models.engine_of(call, model).embedder.contract)


def home_of(gallery: Gallery, person: str) -> str:
    """A group of the directory that a person is in.

    Raises:
        AzureError: no such person.
    """
    for group in gallery.annex.groups_of(person):
        if group.startswith(PREFIX):
            return group
    raise missing("Person")


def group_of_dynamic(call: Call, found: Container, model: str) -> str:
    """The group of a DynamicPersonGroup for a recognition model."""
    if (
        models.engine_of(call, model).embedder.name
        == models.engine_of(call, found.model).embedder.name
    ):
        return found.group
    group = f"{found.group}.{models.engine_of(call, model).embedder.name}"
    ensure(call, group, model)
    return group


def persons(body: Body) -> list[str] | None:
    """``personIds``: 32 digits each; None: everybody, ``["*"]``."""
    if body.get("personIds") == [EVERYBODY]:
        return None
    return uuids(body, "personIds", least=1, most=MAX_PERSONS)


def identify(
    call: Call,
    model: str,
    embeddings: Embeddings,
    wanted: Sequence[str] | None,
    *,
    top: int,
    threshold: float | None,
) -> list[tuple[Candidate, ...]]:
    """Who of the directory, or of these persons in it, each face is; best first."""
    engine, group = models.engine_of(call, model), group_of(call, model)
    ensure(call, group, model)
    place = searchable(call, group)
    if wanted is None:
        decision = decision_at(engine, threshold, size=place.faces)
        ranked = candidates_of(engine, call.gallery, group, embeddings, top=top, decision=decision)
        note_search(call, place, ranked)
        return ranked
    known = call.gallery.faces_of(group, wanted)
    size = sum(len(ids) for ids, _ in known.values())
    decision = decision_at(engine, threshold, size=size)
    ranked = []
    for i in range(len(embeddings)):
        found = []
        for person, (ids, own) in known.items():
            scores = confidences(engine, embeddings.take([i]), own)
            best = int(np.argmax(scores))
            if decision.passes(scores)[best]:
                found.append(
                    Candidate(person, person, float("nan"), float(scores[best]), ids[best])
                )
        found.sort(key=lambda one: -(one.confidence or 0.0))
        ranked.append(tuple(found[:top]))
    note_search(call, place, ranked)
    return ranked


def join(gallery: Gallery, group: str, person: str, *, source: str) -> None:
    """Make a person of ``source`` a member of a group; nothing where the person is one.

    Raises:
        AzureError: no such person.
    """
    known = _in(gallery, source, person)
    if _in(gallery, group, person) is not None:
        return
    if known is None:
        raise missing("Person")
    try:
        gallery.add_member(group, person, source=source)
    except AlreadyExists:  # the name is taken there
        gallery.add_member(group, person, source=source, name=f"{known[:200]} {person[:8]}")


def leave(gallery: Gallery, group: str, person: str) -> None:
    """Take a person out of a group, if the person is in it."""
    if _in(gallery, group, person) is not None:
        gallery.remove_member(group, person)


def _in(gallery: Gallery, group: str, person: str) -> str | None:
    """The person's name in a group."""
    try:
        return gallery.person(group, person).name
    except NotFound:
        return None


def refuse_unknown(gallery: Gallery, ids: Sequence[str]) -> None:
    """Refuse persons that are not in the directory.

    Raises:
        AzureError: there is one.
    """
    for one in ids:
        try:
            home_of(gallery, one)
        except AzureError:
            raise bad_argument("A person is not found.") from None
