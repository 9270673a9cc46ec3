"""``returnFaceAttributes``: which may be asked for, what is looked at for them, how they are said.

What Mien has no model for (hair, facial hair, make-up, contempt) is not answered: asking for it is
403 UnsupportedFeature, as the real service answers for attributes that were retired.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from mien.analysis import (
    Age,
    Emotion,
    FaceAnalysis,
    Gender,
    Grade,
    Occlusion,
    Pose,
    Presence,
    Quality,
)
from mien.service.dialects.azure.errors import AzureError, bad_argument
from mien.service.dialects.azure.fields import Body

__all__ = ["actions_of", "asked", "shown"]

Values = Mapping[str, Any]

HIGH_QUALITY = 70
MEDIUM_QUALITY = 40
UNSURE = 0.1

ACTIONS: Mapping[str, tuple[str, ...]] = {
    "headPose": ("pose",),
    "glasses": ("glasses", "occlusion"),
    "occlusion": ("occlusion",),
    "accessories": ("glasses", "mask"),
    "blur": ("blur",),
    "exposure": ("exposure",),
    "noise": ("noise",),
    "mask": ("mask", "occlusion"),
    "qualityForRecognition": ("quality",),
    "age": ("age",),
    "gender": ("gender",),
    "smile": ("smile",),
    "emotion": ("emotion",),
}
"""Azure's attribute -> Mien's that it is made of."""

WITHOUT_MODEL = ("facialHair", "hair", "makeup")

DETECTED_BY: Mapping[str, frozenset[str]] = {
    "detection_01": frozenset({*ACTIONS, *WITHOUT_MODEL}) - {"mask"},
    "detection_02": frozenset(),
    "detection_03": frozenset(
        {"headPose", "glasses", "occlusion", "blur", "exposure", "mask", "qualityForRecognition"}
    ),
}
"""What each detection model's name may be asked for."""

EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}


def asked(query: Body, detection: str, recognition: str) -> tuple[str, ...]:
    """The attributes that a request asks for.

    Raises:
        AzureError: unknown, not of this detection or recognition model, or without a model.
    """
    given = str(query.get("returnFaceAttributes") or "")
    known = {name.lower(): name for name in (*ACTIONS, *WITHOUT_MODEL)}
    wanted = []
    for one in filter(None, (part.strip().lower() for part in given.split(","))):
        if one not in known:
            raise bad_argument("Invalid argument returnFaceAttributes.")
        wanted.append(known[one])
    allowed = DETECTED_BY[detection]
    for name in wanted:
        if name not in allowed:
            listed = ",".join(sorted(one.lower() for one in allowed))
            only = f"Only face attributes '{listed}'" if listed else "No face attributes"
            raise bad_argument(f"{only} are supported by {detection}.")
        if name == "qualityForRecognition" and recognition not in (
            "recognition_03",
            "recognition_04",
        ):
            raise bad_argument(
                "'qualityForRecognition' is only supported by recognition_03 and recognition_04."
            )
        if name in WITHOUT_MODEL:
            raise AzureError(
                403, "UnsupportedFeature", f"Feature is not supported: attribute {name}."
            )
    return tuple(dict.fromkeys(wanted))


def actions_of(wanted: Sequence[str]) -> list[str]:
    """Mien's attributes that these are made of."""
    return list(dict.fromkeys(action for name in wanted for action in ACTIONS[name]))


def shown(wanted: Sequence[str], face: FaceAnalysis) -> dict[str, Any]:
    """The attributes of one face as the API says them."""
    return {name: SHOWN[name](face.values) for name in wanted}


def _head_pose(values: Values) -> dict[str, float]:
    pose = cast("Pose", values["pose"])
    return {
        "pitch": round(pose.pitch, 1),
        "roll": round(pose.roll, 1),
        "yaw": round(pose.yaw, 1),
    }


def _glasses(values: Values) -> str:
    if not cast("Presence", values["glasses"]).value:
        return "noGlasses"
    return "sunglasses" if cast("Occlusion", values["occlusion"]).eyes.value else "readingGlasses"


def _occlusion(values: Values) -> dict[str, bool]:
    found = cast("Occlusion", values["occlusion"])
    return {
        "foreheadOccluded": found.forehead.value,
        "eyeOccluded": found.eyes.value,
        "mouthOccluded": found.mouth.value,
    }


def _accessories(values: Values) -> list[dict[str, Any]]:
    found = {name: cast("Presence", values[name]) for name in ("glasses", "mask")}
    return [
        {"type": name, "confidence": round(one.score, 4)}
        for name, one in found.items()
        if one.value
    ]


def _mask(values: Values) -> dict[str, Any]:
    mask, covered = cast("Presence", values["mask"]), cast("Occlusion", values["occlusion"]).mouth
    if abs(mask.score - 0.5) < UNSURE:
        kind = "uncertain"
    elif mask.value:
        kind = "faceMask"
    else:
        kind = "otherMaskOrOcclusion" if covered.value else "noMask"
    return {"type": kind, "noseAndMouthCovered": covered.value}


def _quality(values: Values) -> str:
    score = cast("Quality", values["quality"]).score
    return "high" if score >= HIGH_QUALITY else "medium" if score >= MEDIUM_QUALITY else "low"


def _emotion(values: Values) -> dict[str, float]:
    scores = cast("Emotion", values["emotion"]).scores
    return {EMOTIONS[name]: round(score, 4) for name, score in scores.items()}


def _grade(name: str) -> Callable[[Values], dict[str, Any]]:
    def said(values: Values) -> dict[str, Any]:
        found = cast("Grade", values[name])
        return {f"{name}Level": found.level, "value": round(found.value, 4)}

    return said


SHOWN: Mapping[str, Callable[[Values], Any]] = {
    "headPose": _head_pose,
    "glasses": _glasses,
    "occlusion": _occlusion,
    "accessories": _accessories,
    "blur": _grade("blur"),
    "exposure": _grade("exposure"),
    "noise": _grade("noise"),
    "mask": _mask,
    "qualityForRecognition": _quality,
    "age": lambda values: round(cast("Age", values["age"]).value, 1),
    "gender": lambda values: cast("Gender", values["gender"]).value,
    "smile": lambda values: round(cast("Presence", values["smile"]).score, 4),
    "emotion": _emotion,
}
