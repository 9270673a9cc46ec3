"""The faces of one photo as NHN describes them: boxes from 0 to 1, points, angles, mask, spoof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mien.analysis import FaceAnalysis
from mien.engine import Engine, LivenessCheck
from mien.engine.living import verdicts
from mien.errors import NoFaceFound, SpoofSuspected
from mien.gallery import Group
from mien.image import Photo
from mien.service.call import Call
from mien.service.dialects.nhn.parameters import LookParameters
from mien.service.dialects.nhn.photos import open_image
from mien.types import Box, Embeddings, Face, Faces
from mien.verdict import LivenessVerdict

__all__ = ["MAX_FACES", "Look", "confidence_of", "look", "normalised"]

MAX_FACES = 20
"""Faces of one photo that are answered, the largest."""

_POINTS = ("leftEye", "rightEye", "nose", "leftLip", "rightLip")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Look:
    """The faces of a photo, largest first.

    Attributes:
        engine: that found them.
        photo: where they are.
        faces: at most :data:`MAX_FACES`.
        details: what is answered of each.
        verdicts: of liveness, one a face, where it was looked at.
        check: what was asked about liveness.
    """

    engine: Engine
    photo: Photo
    faces: Faces
    details: list[Json]
    verdicts: tuple[LivenessVerdict, ...] | None
    check: LivenessCheck

    def refused(self, index: int) -> bool:
        """Whether liveness is enforced, and this face is not taken for live."""
        return self.check.enforces and self.verdicts is not None and not self.verdicts[index].live

    def embeddings(self, index: Sequence[int]) -> Embeddings:
        """The templates of those faces."""
        return self.engine.embed(self.photo, self.faces.take(list(index)))

    def largest(self) -> Embeddings:
        """The template of the largest face.

        Raises:
            NoFaceFound: there is none.
            SpoofSuspected: it is not taken for live, and liveness is enforced.
        """
        if not len(self.faces):
            raise NoFaceFound("The photo shows no face that is large enough.")
        if self.refused(0):
            raise SpoofSuspected("The face is not taken for a live one.")
        return self.embeddings([0])


def look(
    call: Call,
    data: bytes,
    asked: LookParameters,
    *,
    max_faces: int = MAX_FACES,
    engine: Engine | None = None,
    group: Group | None = None,
) -> Look:
    """Find the faces of a photo and describe them.

    Args:
        call: whose settings hold.
        data: the photo.
        asked: what is said of each face.
        max_faces: only the largest so many.
        engine: whose recognition model makes the templates; None: the service's.
        group: whose liveness policy holds beside the server's.

    Raises:
        Refused, ImageError: an image that breaks NHN's rules.
        ModelError: a model cannot be had or run.
    """
    engine, settings = engine or call.engine, call.settings
    photo = open_image(engine, data)
    found = engine.detect(photo, liveness="off")
    faces = _large_enough(found.faces, settings.nhn_min_face, max_faces)
    call.service.metrics.faces.inc(len(faces))
    actions = [name for name in ("pose", "mask") if getattr(asked, _ASKED[name])]
    seen: tuple[FaceAnalysis, ...] | None = None
    if actions and len(faces):
        seen = engine.analyze_faces(photo, faces, actions=actions)
    check = LivenessCheck("observe" if asked.spoofing else "off", asked.spoofingCondition)
    check = check.at_least(settings)
    if group is not None:
        check = check.at_least(group.settings)
    told = verdicts(engine, photo, faces, check) if check.looks else None
    details = [
        _detail(
            face,
            photo,
            None if seen is None else seen[i],
            told[i] if told is not None and asked.spoofing else None,
            settings.nhn_confidence_scale,
        )
        for i, face in enumerate(faces)
    ]
    return Look(engine, photo, faces, details, told, check)


def normalised(box: Box, width: float, height: float) -> Json:
    """A box as fractions of the photo's width and height."""
    x0, x1 = (min(1.0, max(0.0, x / width)) for x in (box.x0, box.x1))
    y0, y1 = (min(1.0, max(0.0, y / height)) for y in (box.y0, box.y1))
    return {"x0": x0, "y0": y0, "x1": x1, "y1": y1}


def confidence_of(score: float, scale: int) -> float:
    """How sure the detector is that this is a face, 0 to ``scale``."""
    return round(score * scale, 6)


_ASKED = {"pose": "orientation", "mask": "mask"}


def _large_enough(faces: Faces, side: int, most: int) -> Faces:
    sizes = faces.box_xyxy[:, 2:] - faces.box_xyxy[:, :2]
    keep = [i for i, size in enumerate(sizes) if size.min() >= side]
    return faces.take(keep[:most])


def _detail(
    face: Face,
    photo: Photo,
    seen: FaceAnalysis | None,
    verdict: LivenessVerdict | None,
    scale: int,
) -> Json:
    told: Json = {"bbox": normalised(face.box, photo.width, photo.height), "landmarks": []}
    if face.landmarks is not None:
        told["landmarks"] = [
            {"type": kind, "x": float(x) / photo.width, "y": float(y) / photo.height}
            for kind, (x, y) in zip(_POINTS, face.landmarks, strict=True)
        ]
    values = {} if seen is None else seen.values
    if "pose" in values:
        pose = values["pose"].to_dict()
        told["orientation"] = {"x": pose["yaw"], "y": pose["pitch"], "z": pose["roll"]}
    if "mask" in values:
        told["mask"] = bool(values["mask"].to_dict()["value"])
    if verdict is not None:
        told["spoofing"] = not verdict.live
    told["confidence"] = confidence_of(face.score, scale)
    return told
