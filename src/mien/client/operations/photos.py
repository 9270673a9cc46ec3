"""Photos without a gallery."""

from __future__ import annotations

from collections.abc import Sequence

from mien.client import more_shapes as more
from mien.client import session_shapes as sessions
from mien.client import shapes
from mien.client.asking import Ask, asks
from mien.client.wire import Condition, Photo, Policy, Request, given, photo_post, photos_post

__all__ = ["Photos"]


class Photos:
    """Find faces, templates, compare, sort."""

    @asks
    def detect(
        self,
        photo: Photo,
        *,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> Ask[shapes.DetectionAnswer]:
        """The faces of a photo, largest first."""
        fields = given(liveness=liveness, liveness_condition=liveness_condition)
        return Ask(photo_post("/v1/detect", photo, fields))

    @asks
    def represent(
        self, photo: Photo, *, max_faces: int | None = None
    ) -> Ask[shapes.RepresentationAnswer]:
        """The templates of a photo's faces."""
        return Ask(photo_post("/v1/represent", photo, given(max_faces=max_faces)))

    @asks
    def analyze(
        self,
        photo: Photo,
        *,
        actions: Sequence[str] | None = None,
        max_faces: int | None = None,
        liveness: Policy | None = None,
        liveness_condition: Condition | None = None,
    ) -> Ask[shapes.AnalysisAnswer]:
        """What the faces of a photo look like."""
        fields = given(
            actions=None if actions is None else list(actions),
            max_faces=max_faces,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        return Ask(photo_post("/v1/analyze", photo, fields))

    @asks
    def check_liveness(
        self,
        photo: Photo,
        *,
        liveness_condition: Condition | None = None,
        max_faces: int | None = None,
    ) -> Ask[shapes.LivenessAnswer]:
        """Whether the faces of a photo are live ones."""
        fields = given(liveness_condition=liveness_condition, max_faces=max_faces)
        return Ask(photo_post("/v1/liveness", photo, fields))

    @asks
    def check_liveness_clip(
        self,
        frames: Sequence[Photo],
        *,
        times: Sequence[float] | None = None,
        liveness_condition: Condition | None = None,
    ) -> Ask[sessions.ClipAnswer]:
        """Whether the face of a short clip is a live one; ``times``: seconds of each frame."""
        fields = given(times=times, liveness_condition=liveness_condition)
        return Ask(photos_post("/v1/liveness/clip", frames, fields))

    @asks
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
    ) -> Ask[shapes.ComparisonAnswer]:
        """The largest face of ``a`` against every face of ``b``."""
        fields = given(
            fmr=fmr,
            threshold=threshold,
            metric=metric,
            liveness=liveness,
            liveness_condition=liveness_condition,
        )
        files = [("image_a", a), ("image_b", b)]
        return Ask(Request("POST", "/v1/compare", files=files, fields=fields))

    @asks
    def cluster(
        self, photos: Sequence[Photo], *, threshold: float | None = None
    ) -> Ask[more.AlbumAnswer]:
        """Photos sorted by who is in them."""
        return Ask(photos_post("/v1/cluster", photos, given(threshold=threshold)))

    @asks
    def find(
        self,
        probe: Photo,
        photos: Sequence[Photo],
        *,
        fmr: float | None = None,
        threshold: float | None = None,
    ) -> Ask[more.FindingsAnswer]:
        """Which photos show the person of the largest face of ``probe``."""
        files = [("probe", probe), *(("image", one) for one in photos)]
        fields = given(fmr=fmr, threshold=threshold)
        return Ask(Request("POST", "/v1/find", files=files, fields=fields))
