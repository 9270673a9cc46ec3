"""Searches without a photo, photos sorted by person, and several probes or persons at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from fastapi import APIRouter
from starlette.responses import Response

from mien.errors import Forbidden, InvalidArgument, MienError, UnsupportedMediaType
from mien.service.api.photos import LIVENESS_ERRORS, PHOTO_ERRORS
from mien.service.call import Call, Detecting, Reading, Writing, options
from mien.service.errors import status_of
from mien.service.images import Form, parse_json
from mien.service.openapi import BODY, errors, json_body, photo_body, query
from mien.service.schemas import IdentifyOptions, NewPerson
from mien.service.searches import (
    MAX_PERSONS,
    MAX_TEMPLATES,
    AlbumAnswer,
    ClusterOptions,
    FaceSearchAnswer,
    FaceSearchOptions,
    FindingsAnswer,
    FindOptions,
    IdentificationsAnswer,
    NewPersons,
    PersonsAnswer,
    TemplateSearch,
    TemplateSearchAnswer,
)
from mien.types import EmbeddingContract, Embeddings

__all__ = ["router"]

router = APIRouter(tags=["searches"])

_BRACKETS = 16 + 2 * max(MAX_PERSONS, MAX_TEMPLATES)


@router.post(
    "/v1/groups/{group}/faces/{face_id}/search",
    response_model=FaceSearchAnswer,
    responses=errors("not_found", "embedding_mismatch", "model_unavailable"),
    openapi_extra=query(FaceSearchOptions),
)
async def search_by_face(call: Reading, group: str, face_id: str) -> Response:
    """Who else of the group a stored face may be, such as a person who was enrolled twice."""
    chosen = options(FaceSearchOptions, call.query)

    def work() -> dict[str, Any]:
        found = call.engine.search_face(call.gallery, group, face_id, **chosen.model_dump())
        content = found.to_dict()
        return {**content, "candidates": content["candidates"][0]}

    return call.answer(await call.with_records(work))


@router.post(
    "/v1/groups/{group}/search",
    response_model=TemplateSearchAnswer,
    responses=errors("not_found", "embedding_mismatch", "model_unavailable", *BODY),
    openapi_extra=json_body(TemplateSearch),
)
async def search_by_embedding(call: Reading, group: str) -> Response:
    """Who of the group each template may be. Refused where liveness is enforced.

    No template can be asked whether its face was a live one.
    """
    given = call.query

    def work(body: dict[str, Any]) -> dict[str, Any]:
        if "enforce" in (call.settings.liveness, call.gallery.group(group).settings.liveness):
            raise Forbidden("Liveness is enforced here: search with a photo, not with a template.")
        wanted = options(TemplateSearch, given, body)
        found = call.engine.search(
            call.gallery,
            group,
            _templates(wanted),
            contract=EmbeddingContract.parse(wanted.contract),
            top=wanted.top,
            fpir=wanted.fpir,
            threshold=wanted.threshold,
        )
        return found.to_dict()

    return call.answer(await call.with_upload(_json, work))


@router.post(
    "/v1/groups/{group}/identify/bulk",
    response_model=IdentificationsAnswer,
    response_model_exclude_unset=True,
    responses=errors(*PHOTO_ERRORS, *LIVENESS_ERRORS, "not_found", "embedding_mismatch"),
    openapi_extra=photo_body(several=True, options=IdentifyOptions),
)
async def identify_several(call: Reading, group: str) -> Response:
    """Who of the group is in each of several photos; one that cannot be used has its error."""
    given = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(IdentifyOptions, given, form.options)
        call.gallery.group(group)  # a group that is not there is no matter of one photo
        return {
            "results": [
                {
                    "image": photo.name,
                    **_outcome(
                        "identification", partial(_identified, call, group, photo.data, chosen)
                    ),
                }
                for photo in form.images["image"]
            ]
        }

    return call.answer(await call.with_photos(work, max_images=call.settings.max_request_images))


@router.post(
    "/v1/groups/{group}/persons/bulk",
    response_model=PersonsAnswer,
    responses=errors("not_found", "unsupported_media_type", "request_too_large"),
    openapi_extra=json_body(NewPersons),
)
async def create_persons(call: Writing, group: str) -> Response:
    """Create several persons, each on its own: one that cannot be made has its error."""

    def work(body: dict[str, Any]) -> dict[str, Any]:
        wanted = options(NewPersons, call.query, body).persons
        call.gallery.group(group)
        results = [
            {"name": new.name, **_outcome("person", partial(_created, call, group, new))}
            for new in wanted
        ]
        return {"created": sum(one["error"] is None for one in results), "results": results}

    return call.answer(await call.with_upload(_json, work))


@router.post(
    "/v1/cluster",
    response_model=AlbumAnswer,
    responses=errors(*PHOTO_ERRORS),
    openapi_extra=photo_body(several=True, options=ClusterOptions),
)
async def cluster(call: Detecting) -> Response:
    """Sort photos by who is in them, without anybody having said who they are."""
    given = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(ClusterOptions, given, form.options)
        photos = form.images["image"]
        found = call.engine.cluster(
            [one.data for one in photos],
            names=[one.name for one in photos],
            threshold=chosen.threshold,
        )
        return found.to_dict()

    return call.answer(await call.with_photos(work, max_images=call.settings.max_request_images))


@router.post(
    "/v1/find",
    response_model=FindingsAnswer,
    responses=errors(*PHOTO_ERRORS, "no_face"),
    openapi_extra=photo_body(fields=("probe", "image"), several=True, options=FindOptions),
)
async def find(call: Detecting) -> Response:
    """The photos of `image` that show the person of the largest face of `probe`."""
    given = call.query

    def work(form: Form) -> dict[str, Any]:
        chosen = options(FindOptions, given, form.options)
        photos = form.images["image"]
        found = call.engine.find(
            form.images["probe"][0].data,
            [one.data for one in photos],
            names=[one.name for one in photos],
            fmr=chosen.fmr,
            threshold=chosen.threshold,
        )
        return found.to_dict()

    most = call.settings.max_request_images
    return call.answer(await call.with_photos(work, fields=("probe", "image"), max_images=most))


def _identified(call: Call, group: str, photo: bytes, chosen: IdentifyOptions) -> dict[str, Any]:
    found = call.engine.identify(
        call.gallery,
        group,
        photo,
        top=chosen.top,
        fpir=chosen.fpir,
        threshold=chosen.threshold,
        liveness=call.liveness(chosen),
    )
    call.service.metrics.faces.inc(len(found))
    return found.to_dict()


def _created(call: Call, group: str, new: NewPerson) -> dict[str, Any]:
    return call.gallery.add_person(group, **new.model_dump()).to_dict()


def _outcome(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """``{name, "error"}``: what ``work`` gives, or the error that is this entry's own.

    What is the server's fault (a status of 500 and above) fails the whole request.
    """
    try:
        return {name: work(), "error": None}
    except MienError as error:
        if status_of(error.code) >= 500:
            raise
        told = {"code": error.code, "message": error.message, "details": dict(error.details)}
        return {name: None, "error": told}


def _templates(wanted: TemplateSearch) -> Embeddings:
    lengths = {len(one) for one in wanted.embeddings}
    if len(lengths) > 1:
        raise InvalidArgument("The embeddings must all be of one length.")
    norms = wanted.norms or [None] * len(wanted.embeddings)
    if len(norms) != len(wanted.embeddings):
        raise InvalidArgument(
            f"{len(wanted.embeddings)} embeddings need as many norms, not {len(norms)}."
        )
    with np.errstate(over="ignore"):  # beyond float32: infinite, and refused for that
        vectors = np.array(wanted.embeddings, np.float64).astype(np.float32)
        known = np.array(norms, np.float64).astype(np.float32)
    return Embeddings(vectors, known)


def _json(body: bytes, kind: str) -> dict[str, Any]:
    main = kind.partition(";")[0].strip().lower()
    if main != "application/json" and not main.endswith("+json"):
        raise UnsupportedMediaType("Send application/json.")
    return parse_json(body, max_brackets=_BRACKETS)
