"""Landmark templates: where the five points lie in an aligned crop.

Order: image-left eye, image-right eye, nose tip, image-left and image-right mouth corner.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.errors import InvalidArgument
from mien.spelling import no_such

__all__ = ["template"]

_TEMPLATES: dict[str, tuple[tuple[float, float], ...]] = {
    # InsightFace's ArcFace template for a 112 x 112 crop (recognition/arcface_torch); OpenCV's
    # FaceRecognizerSF aligns to the same points.
    "arcface112": (
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ),
    # OpenFace's mean face (MINMAX_TEMPLATE in openface/align_dlib.py, 68 points that fill the
    # crop): each eye the mean of its six points, tip of the nose (30), mouth corners (48, 54).
    "openface96": (
        (26.6276, 16.0593),
        (67.7903, 15.2640),
        (47.2410, 40.5223),
        (29.4826, 61.6176),
        (66.7597, 60.8777),
    ),
    # Where YuNet's points lie in the 150 x 150 chip that dlib cuts by its own five points
    # (get_face_chip_details, padding 0.25): the median over 61 photos of celebrities.
    "dlib150": (
        (46.69, 45.67),
        (101.39, 45.57),
        (74.28, 77.66),
        (50.16, 100.46),
        (98.89, 100.24),
    ),
}


def template(name: str) -> NDArray[np.float32]:
    """The template ``name``: ``(5, 2)`` float32, pixels of the crop.

    Raises:
        InvalidArgument: no template of that name.
    """
    try:
        return np.array(_TEMPLATES[name], np.float32)
    except KeyError:
        raise InvalidArgument(no_such("landmark template", name, sorted(_TEMPLATES))) from None
