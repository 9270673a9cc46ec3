"""Do reflections on glass give screens away? Three measures, over live photos and attacks.

    python benchmarks/reflections.py live=DIR live=DIR attacks=DIR/list.csv ...

``patch``: the largest bright grey patch about the face; ``black``: how dark the darkest pixels are,
which light on glass lifts; ``haze``: how uneven the least of the three colours is, smoothed. Prints
the probability that an attack has more of it than a live face; 0.5 is chance. None is above
(docs/liveness.md), so none is evidence in Mien.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from fit_liveness import photos
from mien import Engine
from mien.errors import ImageError
from mien.evaluate.templates import subject
from mien.evaluate.verification import auc
from mien.types import Box

SIDE = 128
BRIGHT, GREY = 235, 0.12


def measures(image: NDArray[np.uint8], box: Box) -> tuple[float, float, float]:
    half = 0.75 * max(box.x1 - box.x0, box.y1 - box.y0)
    x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
    rows = slice(max(0, int(y - half)), int(y + half))
    columns = slice(max(0, int(x - half)), int(x + half))
    about = cv2.resize(image[rows, columns], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    most, least = about.max(axis=2).astype(np.float32), about.min(axis=2).astype(np.float32)
    patches = ((most > BRIGHT) & (most - least < GREY * most)).astype(np.uint8)
    count, _, facts, _ = cv2.connectedComponentsWithStats(patches)
    patch = float(facts[1:count, cv2.CC_STAT_AREA].max(initial=0)) / SIDE**2
    haze = float(cv2.GaussianBlur(least, (0, 0), 12).std())
    return patch, float(np.percentile(most, 2)), haze


def main() -> None:
    """Measure and print."""
    found: dict[bool, list[tuple[float, float, float]]] = {True: [], False: []}
    with Engine() as engine:
        for live, name, file in photos(sys.argv[1:]):
            if not live and not name.startswith("screen"):
                continue
            try:
                photo = engine.photo(file)
                faces = engine.detect(photo, liveness="off")
            except ImageError:
                continue
            if len(faces):
                which = subject(faces.faces, width=faces.width, height=faces.height)
                found[live].append(measures(photo.pixels(), faces[which].box))
    attacks, alive = np.array(found[False]), np.array(found[True])
    print(f"{len(attacks)} screens, {len(alive)} live faces")
    for i, name in enumerate(("patch", "black", "haze")):
        print(f"  {name}: {auc(attacks[:, i], alive[:, i]):.3f}")


if __name__ == "__main__":
    main()
