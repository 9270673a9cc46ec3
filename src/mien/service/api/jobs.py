"""Jobs: enrol many photos in the background, and see how far that is."""

from __future__ import annotations

import csv
import io
import zipfile
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from mien.engine.bulk import MANIFEST
from mien.errors import InvalidArgument, RequestTooLarge
from mien.gallery import Job
from mien.gallery.checks import external_id, person_name
from mien.gallery.jobs import Jobs
from mien.service.call import Reading, Writing, options
from mien.service.images import MAX_BRACKETS, from_base64, parse_form, parse_json
from mien.service.openapi import BASE64, BINARY, BODY, errors, query, with_header
from mien.service.schemas import (
    ItemOptions,
    JobAnswer,
    JobItemPage,
    JobPage,
    NoOptions,
    PageOptions,
)

__all__ = ["job_shown", "router"]

router = APIRouter(tags=["jobs"])

FIELD = "archive"
MEMBERS = {"image", "person", "external_image_id"}
TEXT = {"type": "string"}
PHOTOS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {FIELD: BINARY}, "required": [FIELD]}
            },
            "application/zip": {"schema": BINARY},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "images": {
                            "type": "array",
                            "items": {
                                "type": "object",
                                "properties": {
                                    "image": BASE64,
                                    "person": TEXT,
                                    "external_image_id": TEXT,
                                },
                                "required": ["image", "person"],
                                "additionalProperties": False,
                            },
                        }
                    },
                    "required": ["images"],
                    "additionalProperties": False,
                }
            },
        },
    }
}


@router.post(
    "/v1/groups/{group}/jobs/enroll",
    status_code=202,
    response_model=JobAnswer,
    responses={
        **errors("image_decode", "not_found", "limit_exceeded", *BODY),
        **with_header(202, "Location"),
    },
    openapi_extra=PHOTOS,
)
async def enroll_archive(call: Writing, group: str) -> Response:
    """Enrol a zip (one folder per person, or a `manifest.csv`), or a list of photos in JSON.

    The answer comes before the work is done: ask for the job's state. Persons are created when
    they are missing.
    """
    options(NoOptions, call.query)
    most = call.settings.bulk_max_photos

    def work(archive: bytes) -> dict[str, Any]:
        return job_shown(call.service.jobs.enroll(call.gallery, group, archive))

    content = await call.with_upload(lambda body, kind: _archive(body, kind, most), work)
    return call.answer(content, status=202, at=f"/v1/jobs/{content['id']}")


@router.get(
    "/v1/jobs", response_model=JobPage, responses=errors(), openapi_extra=query(PageOptions)
)
async def list_jobs(call: Reading) -> Response:
    """The application's jobs, oldest first."""
    page = options(PageOptions, call.query)

    def work() -> dict[str, Any]:
        found = Jobs(call.gallery).jobs(after=page.after, limit=page.limit + 1)
        following = found[page.limit - 1].id if len(found) > page.limit else None
        return {"jobs": [job_shown(job) for job in found[: page.limit]], "next": following}

    return call.answer(await call.with_records(work))


@router.get("/v1/jobs/{job_id}", response_model=JobAnswer, responses=errors("not_found"))
async def show_job(call: Reading, job_id: str) -> Response:
    """One job: its state and how far it is."""
    return call.answer(await call.with_records(lambda: job_shown(Jobs(call.gallery).job(job_id))))


@router.get(
    "/v1/jobs/{job_id}/items",
    response_model=JobItemPage,
    responses=errors("not_found"),
    openapi_extra=query(ItemOptions),
)
async def list_items(call: Reading, job_id: str) -> Response:
    """What became of each photo, as far as the job is."""
    page = options(ItemOptions, call.query)

    def work() -> dict[str, Any]:
        found = Jobs(call.gallery).items(job_id, after=page.after, limit=page.limit + 1)
        following = found[page.limit - 1].number if len(found) > page.limit else None
        return {"items": [one.to_dict() for one in found[: page.limit]], "next": following}

    return call.answer(await call.with_records(work))


@router.delete("/v1/jobs/{job_id}", status_code=204, responses=errors("not_found"))
async def cancel_job(call: Writing, job_id: str) -> Response:
    """Cancel an unfinished job, whose faces stay; delete the record of a finished one."""
    await call.with_records(lambda: call.service.jobs.cancel(call.gallery, job_id))
    return Response(status_code=204)


def job_shown(job: Job) -> dict[str, Any]:
    """A job as it is answered."""
    shown = job.to_dict()
    del shown["options"]
    return {**shown, "group": job.options["group"], "enrolled": job.done - job.rejected}


def _archive(body: bytes, kind: str, max_photos: int) -> bytes:
    """The zip of a request; one is made of photos in JSON."""
    main = kind.partition(";")[0].strip().lower()
    if main == "application/zip":
        return body
    if main == "application/json" or main.endswith("+json"):
        most = max_photos + MAX_BRACKETS  # a few members each
        return _packed(parse_json(body, max_brackets=most, max_commas=8 * most), max_photos)
    form = parse_form(body, content_type=kind, fields=(FIELD,), max_images=1)
    options(NoOptions, form.options)
    return form.images[FIELD][0].data


def _packed(content: dict[str, Any], max_photos: int) -> bytes:
    images = content.get("images")
    if set(content) != {"images"} or not isinstance(images, list) or not images:
        raise InvalidArgument("Send {'images': [{'image': base64, 'person': name}, ...]}.")
    if len(images) > max_photos:
        raise RequestTooLarge(
            f"The request may hold at most {max_photos} photos.", details={"limit": max_photos}
        )
    out, manifest = io.BytesIO(), io.StringIO(newline="")
    rows = csv.writer(manifest)
    rows.writerow(["path", "person", "external_image_id"])
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for number, one in enumerate(images):
            name = f"images[{number}]"
            if (
                not isinstance(one, dict)
                or set(one) - MEMBERS
                or not isinstance(one.get("person"), str)
            ):
                raise InvalidArgument(
                    f"{name} must have an image, a person and maybe an external_image_id."
                )
            number_of_caller = external_id(one.get("external_image_id")) or ""
            rows.writerow([name, person_name(one["person"]), number_of_caller])
            archive.writestr(name, from_base64(one.get("image")))
        archive.writestr(MANIFEST, manifest.getvalue())
    return out.getvalue()
