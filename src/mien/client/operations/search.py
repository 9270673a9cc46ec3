"""Who is in a photo."""

from __future__ import annotations

from collections.abc import Sequence

from mien.client import more_shapes as more
from mien.client import shapes
from mien.client.asking import Ask, asks
from mien.client.wire import Condition, Photo, Policy, Request, given, path, photo_post, photos_post

__all__ = ["Search"]


class Search:
    """Identify, verify, and search without a photo."""

    @asks
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
    ) -> Ask[shapes.IdentificationAnswer]:
        """Who of the group is in the photo."""
        fields = given(
            top=top,
            fpir=fpir,
            threshold=threshold,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        return Ask(photo_post(path("/v1/groups/{}/identify", group), photo, fields))

    @asks
    def identify_each(
        self,
        group: str,
        photos: Sequence[Photo],
        *,
        top: int | None = None,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> Ask[more.IdentificationsAnswer]:
        """Who of the group is in each of several photos; one that cannot be used has its error."""
        fields = given(top=top, fpir=fpir, threshold=threshold)
        return Ask(photos_post(path("/v1/groups/{}/identify/bulk", group), photos, fields))

    @asks
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
    ) -> Ask[more.TemplateSearchAnswer]:
        """Who of the group templates are like, such as :meth:`represent` gives."""
        body = {
            "embeddings": [list(one) for one in embeddings],
            "contract": contract,
            "norms": None if norms is None else list(norms),
            "top": top,
            "fpir": fpir,
            "threshold": threshold,
        }
        return Ask(Request("POST", path("/v1/groups/{}/search", group), json=body))

    @asks
    def search_face(
        self,
        group: str,
        face_id: str,
        *,
        own: bool = False,
        top: int | None = None,
        fpir: float | None = None,
        threshold: float | None = None,
    ) -> Ask[more.FaceSearchAnswer]:
        """Who else of the group a stored face is like."""
        query = given(own=own, top=top, fpir=fpir, threshold=threshold)
        return Ask(Request("POST", path("/v1/groups/{}/faces/{}/search", group, face_id), query))

    @asks
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
    ) -> Ask[shapes.VerificationAnswer]:
        """Is the photo's largest face this person?"""
        fields = given(
            fmr=fmr,
            threshold=threshold,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        return Ask(
            photo_post(path("/v1/groups/{}/persons/{}/verify", group, person), photo, fields)
        )
