"""Landmarks of one face as a result, and the 27 points that Azure's Face API names.

Source of the names: Azure AI Face, ``faceLandmarks`` of ``POST /detect``. Azure's *left* is the
image's left (in its published examples ``pupilLeft.x < pupilRight.x``), like that of
:class:`mien.types.Face`; a mirrored photo exchanges left and right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.types import Result

__all__ = ["NAMED", "FaceLandmarks"]

# Each name and the points of MediaPipe's mesh whose mean it is.
_NAMED: dict[str, tuple[int, ...]] = {
    "pupilLeft": (468,),
    "pupilRight": (473,),
    "noseTip": (4,),
    "mouthLeft": (61,),
    "mouthRight": (291,),
    "eyebrowLeftOuter": (46, 70),
    "eyebrowLeftInner": (55, 107),
    "eyeLeftOuter": (33,),
    "eyeLeftTop": (159,),
    "eyeLeftBottom": (145,),
    "eyeLeftInner": (133,),
    "eyebrowRightInner": (285, 336),
    "eyebrowRightOuter": (276, 300),
    "eyeRightInner": (362,),
    "eyeRightTop": (386,),
    "eyeRightBottom": (374,),
    "eyeRightOuter": (263,),
    "noseRootLeft": (122, 193),
    "noseRootRight": (351, 417),
    "noseLeftAlarTop": (198,),
    "noseRightAlarTop": (420,),
    "noseLeftAlarOutTip": (129,),
    "noseRightAlarOutTip": (358,),
    "upperLipTop": (0,),
    "upperLipBottom": (13,),
    "underLipTop": (14,),
    "underLipBottom": (17,),
}
NAMED: Mapping[str, tuple[int, ...]] = MappingProxyType(_NAMED)
"""Azure's 27 names, in its order, and the points of the mesh whose mean each is."""

MESH_POINTS = 478


@dataclass(frozen=True, slots=True, eq=False)
class FaceLandmarks(Result):
    """The points that a landmark model finds in one face.

    Attributes:
        model: the model's name.
        points: ``(k, 2)`` or ``(k, 3)`` float32: x and y in pixels of the photo; z, where the
            model gives it, in the same unit, smaller towards the camera.

    Example:
        >>> FaceLandmarks("dlib5", np.zeros((5, 2), np.float32)).to_dict()["points"][0]
        [0.0, 0.0]
    """

    model: str
    points: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.points)

    def __str__(self) -> str:
        return f"{len(self)} points by {self.model}"

    @property
    def has_names(self) -> bool:
        """Whether :meth:`named` can be answered."""
        return len(self) == MESH_POINTS

    def named(self) -> dict[str, tuple[float, float]]:
        """Azure's 27 points by name, in pixels; left is the image's left.

        Raises:
            InvalidArgument: the model finds too few points: ask for ``mediapipe478``.
        """
        if not self.has_names:
            raise InvalidArgument(
                f"The named points come from {MESH_POINTS}; {self.model} finds {len(self)}: "
                "choose mediapipe478."
            )
        return {name: _mean(self.points[list(part), :2]) for name, part in NAMED.items()}

    def to_dict(self) -> dict[str, Any]:
        """``{"model", "points": [[x, y(, z)], ...]}``, and ``"named"`` where there are names.

        ``named`` is ``{name: {"x", "y"}}``.
        """
        document: dict[str, Any] = {
            "model": self.model,
            "points": np.round(self.points.astype(np.float64), 2).tolist(),
        }
        if self.has_names:
            document["named"] = {
                name: {"x": round(x, 2), "y": round(y, 2)} for name, (x, y) in self.named().items()
            }
        return document


def _mean(points: NDArray[np.float32]) -> tuple[float, float]:
    x, y = points.mean(axis=0)
    return float(x), float(y)
