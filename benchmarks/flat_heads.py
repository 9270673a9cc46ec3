"""Does one plane explain a turned head's picture? Real heads, bent photos and turned sheets.

    python benchmarks/flat_heads.py ORL_FOLDER

ORL_FOLDER holds a folder of grey photos for each person, who looks ahead in one of them and to a
side in others (AT&T's database of faces). Prints quantiles of :func:`plane_match`, one figure for
each person with a photo turned by 12 degrees or more: of the real photos, of the straightest one
bent by its mesh, and of the same one turned like a sheet of paper, both with noise.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from mien import config
from mien.engine import Engine
from mien.engine.watching import observe
from mien.liveness.sequence.picture import TURNED, plane_match
from mien.testing.animation import Gesture, animate, camera_noise

QUANTILES = (0, 0.05, 0.25, 0.5, 0.75, 0.95, 1)
BENT = [Gesture(yaw=yaw) for yaw in (0, -34, -26, 26, 34)]
SHEET = [Gesture(yaw=yaw) for yaw in (0, -60, -50, 50, 60)]


def read(file):
    """Three times as large, with room around it."""
    pixels = cv2.imread(str(file))[..., ::-1]
    large = cv2.resize(pixels, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    edge = (100, 100, 100, 100)
    return np.ascontiguousarray(cv2.copyMakeBorder(large, *edge, cv2.BORDER_REPLICATE))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folders = sorted(path for path in parser.parse_args().folder.iterdir() if path.is_dir())
    found = {"real": [], "bent": [], "sheet": []}
    rng = np.random.default_rng(0)
    with Engine(settings=config.load()) as engine:

        def look(pictures):
            seen = [(p, observe(engine, p, time_s=0, embed=False)) for p in pictures]
            return [(picture, frame) for picture, frame in seen if frame.has_face]

        for folder in folders:
            real = look(read(file) for file in sorted(folder.iterdir()))
            if not real:
                continue
            pose = np.array([frame.pose[:2] for _, frame in real])
            straight = int(np.abs(pose).sum(axis=1).argmin())
            if np.abs(pose - pose[straight]).max() < TURNED:
                continue
            found["real"].append(plane_match([frame for _, frame in real]))
            picture, frame = real[straight]
            for kind, wanted in (("bent", BENT), ("sheet", SHEET)):
                made = animate(picture, frame.points, wanted, flat=kind == "sheet")
                noisy = look(camera_noise(one, rng) for one in made)
                found[kind].append(plane_match([one for _, one in noisy]))
    for kind, values in found.items():
        said = [value for value in values if value is not None]
        print(kind, len(said), np.round(np.quantile(said, QUANTILES), 3).tolist())


if __name__ == "__main__":
    main()
