"""Client: the routes of ``/v1`` as methods. ``asynchronous.py`` is this file, with ``await``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, Self
from urllib.parse import quote

import httpx

from mien.client import more_shapes as more
from mien.client import shapes
from mien.client.wire import (
    Photo,
    Request,
    Retries,
    blocks_of,
    error_of,
    given,
    new_file,
    path,
    post,
    sending,
    unsent,
)
from mien.errors import DeadlineExceeded

__all__ = ["Client"]

Condition = Literal["weak", "balanced", "strict"]
Policy = Literal["off", "observe", "enforce"]

_GROUP = "/v1/groups/{}"
_PERSON = "/v1/groups/{}/persons/{}"
_FACE = "/v1/groups/{}/faces/{}"


class Client:
    """Talks to ``mien serve``. Safe to use from several threads at once; close it after use.

    Answers are the JSON of the server, as typed dictionaries. What the server refuses is raised as
    the class of :mod:`mien.errors` that has the answer's ``code``. Photos are bytes, or paths of
    files on this side, which are streamed. Options that are None are the server's own.

    Args:
        url: of the server, such as ``http://127.0.0.1:8000``.
        key: an API key; None: the server has ``MIEN_AUTH=false``.
        timeout_s: for connecting, and between two pieces of an answer.
        retries: when a request is sent again; None: three times.
        transport: instead of the network, for tests.

    Example:
        >>> with Client("http://127.0.0.1:8000", "mien_...") as client:  # doctest: +SKIP
        ...     client.create_group("staff")
        ...     client.create_person("staff", "Ann")
        ...     client.enroll("staff", "Ann", ["ann.jpg"])
        ...     client.identify("staff", "door.jpg")["faces"]
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 60.0,
        retries: Retries | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries or Retries()
        self._http = httpx.Client(
            base_url=url,
            headers={} if key is None else {"Authorization": f"Bearer {key}"},
            timeout=timeout_s,
            transport=transport,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ------------------------------------------------------------------ photos

    def detect(
        self,
        photo: Photo,
        *,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> shapes.DetectionAnswer:
        """The faces of a photo, largest first."""
        fields = given(liveness=liveness, liveness_condition=liveness_condition)
        return self._ask(_photo("/v1/detect", photo, fields))

    def represent(
        self, photo: Photo, *, max_faces: int | None = None
    ) -> shapes.RepresentationAnswer:
        """The templates of a photo's faces."""
        return self._ask(_photo("/v1/represent", photo, given(max_faces=max_faces)))

    def analyze(
        self,
        photo: Photo,
        *,
        actions: Sequence[str] | None = None,
        max_faces: int | None = None,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> shapes.AnalysisAnswer:
        """What the faces of a photo look like."""
        fields = given(
            actions=None if actions is None else list(actions),
            max_faces=max_faces,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        return self._ask(_photo("/v1/analyze", photo, fields))

    def check_liveness(
        self,
        photo: Photo,
        *,
        liveness_condition: Condition | None = None,
        max_faces: int | None = None,
    ) -> shapes.LivenessAnswer:
        """Whether the faces of a photo are live ones."""
        fields = given(liveness_condition=liveness_condition, max_faces=max_faces)
        return self._ask(_photo("/v1/liveness", photo, fields))

    def compare(
        self,
        a: Photo,
        b: Photo,
        *,
        fmr: float | None = None,
        threshold: float | None = None,
        metric: str | None = None,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> shapes.ComparisonAnswer:
        """The largest face of ``a`` against every face of ``b``."""
        fields = given(
            fmr=fmr,
            threshold=threshold,
            metric=metric,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        files = [("image_a", a), ("image_b", b)]
        return self._ask(Request("POST", "/v1/compare", files=files, fields=fields))

    def cluster(
        self, photos: Sequence[Photo], *, threshold: float | None = None
    ) -> more.AlbumAnswer:
        """Photos sorted by who is in them."""
        return self._ask(_photos("/v1/cluster", photos, given(threshold=threshold)))

    def find(
        self,
        probe: Photo,
        photos: Sequence[Photo],
        *,
        fmr: float | None = None,
        threshold: float | None = None,
    ) -> more.FindingsAnswer:
        """Which photos show the person of the largest face of ``probe``."""
        files = [("probe", probe), *(("image", one) for one in photos)]
        fields = given(fmr=fmr, threshold=threshold)
        return self._ask(Request("POST", "/v1/find", files=files, fields=fields))

    # ------------------------------------------------------------------ groups

    def create_group(
        self,
        name: str,
        *,
        scoring: Literal["max", "mean"] = "max",
        settings: Mapping[str, object] | None = None,
        user_data: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.GroupAnswer:
        """Create a group."""
        body = {
            "name": name,
            "scoring": scoring,
            "settings": dict(settings or {}),
            "user_data": user_data,
        }
        return self._ask(post("/v1/groups", json=body, key=idempotency_key))

    def groups(self, *, limit: int = 100) -> Iterator[shapes.GroupShape]:
        """All groups by name, asked for in pages of ``limit``."""
        for one in self._pages("/v1/groups", "groups", {}, limit):
            yield one

    def group(self, group: str) -> shapes.GroupAnswer:
        """One group."""
        return self._ask(Request("GET", path(_GROUP, group)))

    def change_group(
        self, group: str, changes: Mapping[str, object], *, only_if: str | None = None
    ) -> shapes.GroupAnswer:
        """Change ``name``, ``settings``, ``user_data``; what is not named stays.

        ``only_if``: an ETag; where the group has been changed since, ``PreconditionFailed``.
        """
        return self._ask(_patch(path(_GROUP, group), changes, only_if))

    def delete_group(self, group: str, *, only_if: str | None = None) -> None:
        """Delete a group with its persons and faces."""
        self._ask(_delete(path(_GROUP, group), only_if))

    def identify(
        self,
        group: str,
        photo: Photo,
        *,
        top: int | None = None,
        fpir: float | None = None,
        threshold: float | None = None,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> shapes.IdentificationAnswer:
        """Who of the group is in the photo."""
        fields = given(
            top=top,
            fpir=fpir,
            threshold=threshold,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        return self._ask(_photo(path(_GROUP + "/identify", group), photo, fields))

    def identify_each(
        self,
        group: str,
        photos: Sequence[Photo],
        *,
        top: int | None = None,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> more.IdentificationsAnswer:
        """Who of the group is in each of several photos; one that cannot be used has its error."""
        fields = given(top=top, fpir=fpir, threshold=threshold)
        return self._ask(_photos(path(_GROUP + "/identify/bulk", group), photos, fields))

    def search(
        self,
        group: str,
        embeddings: Sequence[Sequence[float]],
        *,
        contract: str,
        norms: Sequence[float | None] | None = None,
        top: int = 5,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> more.TemplateSearchAnswer:
        """Who of the group templates are like, such as :meth:`represent` gives."""
        body = {
            "embeddings": [list(one) for one in embeddings],
            "contract": contract,
            "norms": None if norms is None else list(norms),
            "top": top,
            "fpir": fpir,
            "threshold": threshold,
        }
        return self._ask(Request("POST", path(_GROUP + "/search", group), json=body))

    def search_face(
        self,
        group: str,
        face_id: str,
        *,
        own: bool = False,
        top: int | None = None,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> more.FaceSearchAnswer:
        """Who else of the group a stored face is like."""
        query = given(own=own, top=top, fpir=fpir, threshold=threshold)
        return self._ask(Request("POST", path(_FACE + "/search", group, face_id), query))

    # ------------------------------------------------------------------ persons

    def create_person(
        self,
        group: str,
        name: str,
        *,
        user_data: str | None = None,
        external_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.PersonAnswer:
        """Create a person without faces."""
        body = {"name": name, "user_data": user_data, "external_id": external_id}
        return self._ask(post(path(_GROUP + "/persons", group), json=body, key=idempotency_key))

    def create_persons(
        self,
        group: str,
        persons: Sequence[Mapping[str, object]],
        *,
        idempotency_key: str | None = None,
    ) -> more.PersonsAnswer:
        """Create several persons, each on its own, at most 200."""
        body = {"persons": [dict(one) for one in persons]}
        address = path(_GROUP + "/persons/bulk", group)
        return self._ask(post(address, json=body, key=idempotency_key))

    def persons(
        self,
        group: str,
        *,
        anonymous: bool | None = None,
        external_id: str | None = None,
        limit: int = 100,
    ) -> Iterator[shapes.PersonShape]:
        """The persons of a group by name, asked for in pages of ``limit``."""
        query = given(anonymous=anonymous, external_id=external_id)
        for one in self._pages(path(_GROUP + "/persons", group), "persons", query, limit):
            yield one

    def person(self, group: str, person: str) -> shapes.PersonAnswer:
        """One person, by name or id."""
        return self._ask(Request("GET", path(_PERSON, group, person)))

    def change_person(
        self,
        group: str,
        person: str,
        changes: Mapping[str, object],
        *,
        only_if: str | None = None,
    ) -> shapes.PersonAnswer:
        """Change ``name``, ``user_data``, ``external_id``; ``only_if``: as for a group."""
        return self._ask(_patch(path(_PERSON, group, person), changes, only_if))

    def delete_person(self, group: str, person: str, *, only_if: str | None = None) -> None:
        """Delete a person with all faces."""
        self._ask(_delete(path(_PERSON, group, person), only_if))

    def move_person(
        self, group: str, person: str, to_group: str, *, name: str | None = None
    ) -> shapes.PersonAnswer:
        """Into another group."""
        body = {"group": to_group, "name": name}
        return self._ask(post(path(_PERSON + "/move", group, person), json=body))

    def merge_persons(self, group: str, person: str, other: str) -> shapes.PersonAnswer:
        """``other`` is the same person, and gone afterwards."""
        return self._ask(post(path(_PERSON + "/merge", group, person), json={"person": other}))

    def split_person(
        self, group: str, person: str, face_ids: Sequence[str], *, name: str
    ) -> shapes.PersonAnswer:
        """Some faces are another's."""
        body = {"name": name, "faces": list(face_ids)}
        return self._ask(post(path(_PERSON + "/split", group, person), json=body))

    def verify(
        self,
        group: str,
        person: str,
        photo: Photo,
        *,
        fmr: float | None = None,
        threshold: float | None = None,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> shapes.VerificationAnswer:
        """Is the photo's largest face this person?"""
        fields = given(
            fmr=fmr,
            threshold=threshold,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        return self._ask(_photo(path(_PERSON + "/verify", group, person), photo, fields))

    def add_member(
        self, group: str, person: str, *, source: str, name: str | None = None
    ) -> shapes.PersonAnswer:
        """A person of the group ``source`` is in this one too."""
        body = {"group": source, "person": person, "name": name}
        return self._ask(post(path(_GROUP + "/members", group), json=body))

    def remove_member(self, group: str, person: str) -> None:
        """Take a person out of this group, who stays in others."""
        self._ask(_delete(path(_GROUP + "/members/{}", group, person), None))

    # ------------------------------------------------------------------ faces

    def enroll(
        self,
        group: str,
        person: str,
        photos: Sequence[Photo],
        *,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
        idempotency_key: str | None = None,
    ) -> shapes.EnrolmentAnswer:
        """Enrol photos of a person; those that cannot be used are in ``rejected``."""
        fields = given(liveness=liveness, liveness_condition=liveness_condition)
        files = [("image", one) for one in photos]
        address = path(_PERSON + "/faces", group, person)
        return self._ask(post(address, files=files, fields=fields, key=idempotency_key))

    def faces(
        self, group: str, person: str, *, external_image_id: str | None = None, limit: int = 100
    ) -> Iterator[shapes.FaceShape]:
        """The stored faces of a person, asked for in pages of ``limit``."""
        query = given(external_image_id=external_image_id)
        for one in self._pages(path(_PERSON + "/faces", group, person), "faces", query, limit):
            yield one

    def face(self, group: str, face_id: str) -> shapes.FaceAnswer:
        """One stored face."""
        return self._ask(Request("GET", path(_FACE, group, face_id)))

    def face_image(
        self, group: str, person: str, face_id: str, *, kind: str | None = None
    ) -> bytes:
        """The image that is kept with a face, as a file's bytes."""
        address = path(_PERSON + "/faces/{}/image", group, person, face_id)
        return self._send(Request("GET", address, given(kind=kind))).content

    def change_face(
        self,
        group: str,
        face_id: str,
        changes: Mapping[str, object],
        *,
        only_if: str | None = None,
    ) -> shapes.FaceAnswer:
        """Change ``user_data``, ``external_image_id``; ``only_if``: as for a group."""
        return self._ask(_patch(path(_FACE, group, face_id), changes, only_if))

    def move_face(
        self, group: str, face_id: str, to_person: str, *, to_group: str | None = None
    ) -> shapes.FaceAnswer:
        """Give a face to another person."""
        body = {"person": to_person, "group": to_group}
        return self._ask(post(path(_FACE + "/move", group, face_id), json=body))

    def delete_face(self, group: str, face_id: str, *, only_if: str | None = None) -> None:
        """Delete a stored face."""
        self._ask(_delete(path(_FACE, group, face_id), only_if))

    def etag(self, group: str, person: str | None = None, *, face_id: str | None = None) -> str:
        """The tag of a group, or of a person or a face in it, for ``only_if``."""
        if face_id is not None:
            address = path(_FACE, group, face_id)
        elif person is not None:
            address = path(_PERSON, group, person)
        else:
            address = path(_GROUP, group)
        answer = self._send(Request("GET", address))
        return str(answer.headers["etag"])

    # ------------------------------------------------------------------ changes and jobs

    def changes(self, group: str, *, limit: int = 100) -> Iterator[more.ChangeShape]:
        """What was changed and can be undone, newest first."""
        for one in self._pages(path(_GROUP + "/changes", group), "changes", {}, limit):
            yield one

    def undo(self, group: str, *, change: str | None = None) -> more.ChangeAnswer:
        """Take back the newest change; ``change``: only if it is this one."""
        return self._ask(post(path(_GROUP + "/undo", group), json={"change": change}))

    def enroll_archive(
        self,
        group: str,
        archive: bytes | str | PathLike[str],
        *,
        idempotency_key: str | None = None,
    ) -> shapes.JobAnswer:
        """Enrol a zip in the background: one folder per person, or a ``manifest.csv``."""
        files = [("archive", archive)]
        address = path(_GROUP + "/jobs/enroll", group)
        return self._ask(post(address, files=files, key=idempotency_key))

    def jobs(self, *, limit: int = 100) -> Iterator[shapes.JobShape]:
        """The application's jobs, oldest first."""
        for one in self._pages("/v1/jobs", "jobs", {}, limit):
            yield one

    def job(self, job_id: str) -> shapes.JobAnswer:
        """One job: its state and how far it is."""
        return self._ask(Request("GET", path("/v1/jobs/{}", job_id)))

    def wait_for(
        self, job_id: str, *, timeout_s: float = 3600.0, every_s: float = 1.0
    ) -> shapes.JobAnswer:
        """Ask for a job until it is done, failed or cancelled.

        Raises:
            DeadlineExceeded: it is not after ``timeout_s``; it goes on.
        """
        until = time.monotonic() + timeout_s
        while True:
            job = self.job(job_id)
            if job["state"] not in ("queued", "running"):
                return job
            if time.monotonic() >= until:
                raise DeadlineExceeded(f"The job {job_id} is not done yet; it goes on.")
            time.sleep(every_s)

    def job_items(self, job_id: str, *, limit: int = 100) -> Iterator[shapes.JobItemShape]:
        """What became of each photo of a job."""
        for one in self._pages(path("/v1/jobs/{}/items", job_id), "items", {}, limit):
            yield one

    def cancel_job(self, job_id: str) -> None:
        """Cancel an unfinished job; delete the record of a finished one."""
        self._ask(_delete(path("/v1/jobs/{}", job_id), None))

    # ------------------------------------------------------------------ persons' rights

    def give_consent(
        self,
        group: str,
        person: str,
        *,
        purpose: str,
        text_version: str,
        language: str,
        evidence: str | None = None,
        expires: str | None = None,
        every_group: bool = False,
    ) -> more.ConsentAnswer:
        """Write down that a person agreed; ``expires``: ISO 8601 with a zone."""
        body = {
            "purpose": purpose,
            "text_version": text_version,
            "language": language,
            "evidence": evidence,
            "expires": expires,
            "every_group": every_group,
        }
        return self._ask(post(path(_PERSON + "/consents", group, person), json=body))

    def consents(self, group: str, person: str) -> more.ConsentList:
        """All consents of a person."""
        return self._ask(Request("GET", path(_PERSON + "/consents", group, person)))

    def withdraw_consent(self, consent_id: str) -> more.ConsentAnswer:
        """End a consent, and the recognition that it allowed."""
        return self._ask(post(path("/v1/consents/{}/withdraw", consent_id)))

    def erase(self, group: str, person: str) -> more.ErasureAnswer:
        """Destroy all that is kept of a person."""
        return self._ask(post(path(_PERSON + "/erase", group, person)))

    def export_person(self, group: str, person: str) -> more.ExportAnswer:
        """All that is kept of a person, templates and images too. Needs the scope ``admin``."""
        return self._ask(Request("GET", path(_PERSON + "/export", group, person)))

    def purge(self) -> more.PurgeAnswer:
        """Delete what retention no longer allows. Needs the scope ``admin``."""
        return self._ask(post("/v1/purge"))

    def audit(self, *, after: int = 0, limit: int = 100) -> Iterator[more.AuditEntryShape]:
        """The audit log behind the number ``after``. Needs the scope ``admin``."""
        for one in self._pages("/v1/audit", "entries", given(after=after), limit):
            yield one

    def verify_audit(self, *, head: str | None = None) -> more.AuditCheckAnswer:
        """Whether the audit log is what was written. Needs the scope ``admin``."""
        return self._ask(Request("GET", "/v1/audit/verify", given(head=head)))

    def export_archive(
        self,
        file: str | PathLike[str],
        *,
        passphrase: str,
        groups: Sequence[str] | None = None,
        log: bool = False,
    ) -> None:
        """Write the application's groups into a new file, encrypted. Needs the scope ``admin``.

        Raises:
            ArchiveUnusable: there is a file already, or it cannot be written; a file that was
                begun is deleted.
        """
        body = {
            "passphrase": passphrase,
            "groups": None if groups is None else list(groups),
            "log": log,
        }
        try:
            with self._http.stream("POST", "/v1/archive/export", json=body) as answer:
                if not answer.is_success:
                    answer.read()
                    raise error_of(answer)
                with new_file(file) as archive:
                    for block in answer.iter_bytes():
                        archive.write(block)
        except httpx.TransportError as error:
            raise unsent(error) from None

    def import_archive(
        self,
        file: str | PathLike[str],
        *,
        passphrase: str,
        on_conflict: Literal["refuse", "skip", "rename"] = "refuse",
        bring_back_erased: bool = False,
    ) -> more.ArchiveAnswer:
        """Take in what an archive holds, all or nothing. Needs the scope ``admin``."""
        query = given(on_conflict=on_conflict, bring_back_erased=bring_back_erased)
        headers = {"Mien-Passphrase": quote(passphrase, safe="")}
        return self._ask(
            Request(
                "POST",
                "/v1/archive/import",
                query,
                upload=file,
                headers=headers,
                repeatable=False,
            )
        )

    # ------------------------------------------------------------------ the server

    def models(self, *, task: str | None = None) -> more.ModelsAnswer:
        """The catalogue of models."""
        return self._ask(Request("GET", "/v1/models", given(task=task)))

    def usage(self) -> more.UsageAnswer:
        """What the application holds and asked for."""
        return self._ask(Request("GET", "/v1/usage"))

    def status(self) -> shapes.StatusAnswer:
        """What is running."""
        return self._ask(Request("GET", "/v1/status"))

    # ------------------------------------------------------------------

    def _ask(self, request: Request) -> Any:  # noqa: ANN401 - the shape that the caller names
        """Send a request; its answer."""
        answer = self._send(request)
        return answer.json() if answer.content else None

    def _send(self, request: Request) -> httpx.Response:
        attempt = 0
        while True:
            answer = None
            try:
                with sending(request, blocks_of) as arguments:
                    answer = self._http.request(**arguments)
            except httpx.TransportError as error:
                failure = unsent(error)
            else:
                if answer.is_success:
                    return answer
                failure = error_of(answer)
            pause = self._retries.pause(attempt, answer, request)
            if pause < 0:
                raise failure
            time.sleep(pause)
            attempt += 1

    def _pages(
        self, address: str, name: str, query: Mapping[str, str], limit: int
    ) -> Iterator[Any]:
        """Every entry of a list, page after page."""
        options = {**query, "limit": str(limit)}
        while True:
            page: Any = self._ask(Request("GET", address, options))
            for one in page[name]:
                yield one
            if page["next"] is None:
                return
            options["after"] = str(page["next"])


def _photo(address: str, photo: Photo, fields: Mapping[str, str]) -> Request:
    return _photos(address, [photo], fields)


def _photos(address: str, photos: Sequence[Photo], fields: Mapping[str, str]) -> Request:
    return Request("POST", address, files=[("image", one) for one in photos], fields=fields)


def _patch(address: str, changes: Mapping[str, object], only_if: str | None) -> Request:
    headers = {} if only_if is None else {"If-Match": only_if}
    return Request("PATCH", address, json=dict(changes), headers=headers, repeatable=False)


def _delete(address: str, only_if: str | None) -> Request:
    headers = {} if only_if is None else {"If-Match": only_if}
    return Request("DELETE", address, headers=headers, repeatable=False)
