"""Do blur, exposure and noise rise with what was done to a photo?  Rank correlations.

Photos: every eighth of LFW folds 1-2 in ../shared/data (or of the folder that MIEN_SHARED_DATA
names), each spoilt once in every way, with a strength drawn at random.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from scipy.stats import spearmanr

from mien import Engine, config
from mien.attributes import FaceView, create
from mien.evaluate.templates import subject

REPOSITORY = Path(__file__).resolve().parent.parent
Random = np.random.Generator


def out_of_focus(image: np.ndarray, face: float, strength: float, _: Random) -> np.ndarray:
    """Gaussian, deviation up to 5 % of the face's width."""
    return cv2.GaussianBlur(image, (0, 0), max(0.05 * strength * face, 0.05))


def moved(image: np.ndarray, face: float, strength: float, random: Random) -> np.ndarray:
    """Along a line in any direction, up to 17 % of the face's width."""
    length = max(1, round(0.17 * strength * face))
    line = np.zeros((length, length), np.float32)
    line[length // 2] = 1
    middle = (length - 1) / 2
    turn = cv2.getRotationMatrix2D((middle, middle), random.uniform(0, 180), 1)
    kernel = cv2.warpAffine(line, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / kernel.sum())


def blurred_and_noisy(
    image: np.ndarray, face: float, strength: float, random: Random
) -> np.ndarray:
    """Out of focus, with noise of deviation 0 to 12 that the blur must not be hidden by."""
    return noisy(out_of_focus(image, face, strength, random), face, random.uniform(0, 0.4), random)


def noisy(image: np.ndarray, face: float, strength: float, random: Random) -> np.ndarray:
    """Gaussian noise, deviation up to 30."""
    made = image + random.normal(0, 30 * strength, image.shape)
    return np.clip(made, 0, 255).astype(np.uint8)


def noisy_jpeg(image: np.ndarray, face: float, strength: float, random: Random) -> np.ndarray:
    """The same, saved as JPEG of quality 90."""
    _, data = cv2.imencode(".jpg", noisy(image, face, strength, random), [1, 90])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def exposed(image: np.ndarray, face: float, strength: float, _: Random) -> np.ndarray:
    """From three stops too little light to three too much."""
    linear = (image / 255.0) ** 2.2 * 2 ** (6 * strength - 3)
    return (np.clip(linear, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)


WAYS: dict[str, dict[str, Callable[..., np.ndarray]]] = {
    "blur": {"focus": out_of_focus, "motion": moved, "focus and noise": blurred_and_noisy},
    "noise": {"gaussian": noisy, "gaussian, JPEG": noisy_jpeg},
    "exposure": {"stops": exposed},
}


def main() -> None:
    """Measure and print."""
    root = Path(os.environ.get("MIEN_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    with (root / "lfw" / "gender.csv").open(newline="") as stream:
        paths = [root / row["path"] for row in csv.DictReader(stream)][::8]
    random = np.random.default_rng(1)
    with Engine(settings=config.load()) as engine:
        faces = []
        for path in paths:
            pixels = engine.photo(path).pixels()
            found = engine.detect(pixels)
            if len(found):
                chosen = subject(found.faces, width=found.width, height=found.height)
                faces.append((pixels, found.faces.take([chosen])[0]))
        for name, ways in WAYS.items():
            attribute = create(name, engine.models)
            whole = [attribute.measure(FaceView(*one)) for one in faces]
            levels = [sum(one.level == level for one in whole) for level in _levels(name)]
            counted = dict(zip(_levels(name), levels, strict=True))
            print(f"{name}: {len(faces)} photos as they are: {counted}")
            for way, spoil in ways.items():
                strengths = random.uniform(0, 1, len(faces))
                said = []
                for (pixels, face), strength in zip(faces, strengths, strict=True):
                    spoilt = spoil(pixels, face.box.width, float(strength), random)
                    said.append(attribute.measure(FaceView(spoilt, face)))
                values = np.array([one.value for one in said])
                print(f"  {way}: rank correlation {spearmanr(strengths, values).statistic:.3f}")
                for low in np.arange(0, 1, 0.2):
                    part = values[(strengths >= low) & (strengths < low + 0.2)]
                    print(f"    strength {low:.1f}-{low + 0.2:.1f}: median {np.median(part):.2f}")


def _levels(name: str) -> tuple[str, str, str]:
    if name == "exposure":
        return ("underExposure", "goodExposure", "overExposure")
    return ("low", "medium", "high")


if __name__ == "__main__":
    main()
