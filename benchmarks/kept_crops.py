"""What a template loses when it comes from the crop that is kept, not from the photo.

``python benchmarks/kept_crops.py FOLDER [--embedder NAME] [--pairs N]``: FOLDER has a folder for
each person (such as LFW). Of N people with two photos, the first photo is enrolled, once as it is
and once by its kept crop, and compared with everybody's second photo.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np

from mien.engine import Engine, looking
from mien.engine.keeping import images_for
from mien.engine.reembedding import middle_face
from mien.image import open_photo


def main() -> None:
    """Print how alike photo and crop are, and the errors of both at a false-match rate of 1e-3."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--embedder", default="sface")
    parser.add_argument("--pairs", type=int, default=250)
    given = parser.parse_args()
    people = [sorted(one.glob("*.jpg"))[:2] for one in sorted(given.folder.iterdir())]
    pairs = [photos for photos in people if len(photos) == 2]
    random.Random(2).shuffle(pairs)
    photos, crops, others, sizes = [], [], [], []
    pairs = pairs[: given.pairs]
    with Engine(embedder=given.embedder) as engine:
        for first, second in pairs:
            found, other = (engine.represent(path, max_faces=1) for path in (first, second))
            if not (len(found) and len(other)):
                continue
            box = found.detection[0].box
            (kept,) = images_for(open_photo(first), box, "crops", engine.settings)
            crop = open_photo(kept.data)
            faces = looking.detect(engine, crop).faces
            which = middle_face(faces, crop.width, crop.height)
            if which is None:
                continue
            photos.append(found.embeddings.vector[0])
            others.append(other.embeddings.vector[0])
            crops.append(engine.embed(crop, faces.take([which])).vector[0])
            sizes.append(len(kept.data))
    print(f"{len(photos)} of {len(pairs)} pairs; a crop has {np.median(sizes):.0f} bytes (median)")
    alike = np.einsum("nd,nd->n", np.array(photos), np.array(crops))
    low, middle = np.quantile(alike, [0.05, 0.5])
    print(f"crop against its photo: median {middle:.3f}, 5th percentile {low:.3f}")
    for name, enrolled in (("photo", photos), ("crop", crops)):
        scores = np.array(enrolled) @ np.array(others).T
        genuine, impostor = np.diag(scores), scores[~np.eye(len(scores), dtype=bool)]
        threshold = np.quantile(impostor, 1 - 1e-3)
        missed = float((genuine < threshold).mean())
        print(f"{name}: genuine mean {genuine.mean():.3f}, FNMR {missed:.2%} at FMR 1e-3")


if __name__ == "__main__":
    main()
