"""Fit the fusion's weights and means, and write src/mien/embed/fusion.json.

    python benchmarks/fit_fusion.py ../shared/data

The people are of neither LFW nor MFR2, on which the fusion is measured: ORL's 40, and 27 of the
sample photos of dlib, DeepFace, face-api.js and face_recognition. Each photo counts as it is and
with a mask painted over the lower face. Weights are the best of a grid: least mean logarithm of
1 - TAR at FMR 1e-3 and 1e-4 and of 1 - AUC over three kinds of pair, nobody masked (twice), one,
both; and of 1 - TAR of all of them under one threshold (twice).

FaceRes is left out. With it as a fourth part the least loss was -4.84 instead of -4.82 (SFace alone
-4.60), and LFW's and MFR2's figures were the same within two pairs, for half as much time again and
1,472 numbers instead of 448.
"""

from __future__ import annotations

import csv
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from mien import Engine, embed
from mien.embed.fusion import unit
from mien.embed.realigned import MESH, mesh_landmarks
from mien.evaluate.templates import subject
from mien.evaluate.verification import auc, tar_at_fmr
from mien.landmarks import create as create_landmarks
from mien.types import Face
from report import REPOSITORY

NAMES = ("sface", "mobilefacenet", "dlib")
CENTRED = ("dlib",)  # whose strangers have a cosine of .85
GRID = (0.0, 0.1, 0.2, 0.3, 0.45, 0.6)
LONGEST = 1200
VERSION = 1
SHOWN = 10
# The mesh's outline from ear to ear along the jaw; the two points on the nose a mask begins at.
JAW = (93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323)
NOSE = (197, 6)


def people(data: Path) -> Iterator[tuple[Path, str]]:
    """Photos and whose they are."""
    for folder, pattern in (
        ("orl", "*/*.pgm"),
        ("dlib/johns", "*/*.jpg"),
        ("face_api_js/examples/images", "*/*.png"),
        ("face_recognition/examples/knn_examples/train", "*/*.jp*g"),
    ):
        for path in sorted((data / folder).glob(pattern)):
            yield path, f"{folder} {path.parent.name}"
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            name = leader[name]
        return name

    with (data / "deepface" / "master.csv").open(newline="") as stream:
        for row in csv.DictReader(stream):
            a, b = find(row["file_x"]), find(row["file_y"])
            if row["Decision"] == "Yes":
                leader[a] = b
    for name in sorted(leader):
        if (data / "deepface" / name).is_file():
            yield data / "deepface" / name, f"deepface {find(name)}"


def masked(image, points, width, generator):
    """The photo with a mask in a random colour, shaded like the face below it."""
    top = points[NOSE[int(generator.random() < 0.3)]]
    outline = np.concatenate([points[list(JAW)], top[None]]).round().astype(np.int32)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float64)
    colour = generator.integers(20, 255, 3).astype(np.float64)
    if generator.random() < 0.7:
        colour = 0.3 * colour + 0.7 * colour.mean()
    cover = np.zeros(image.shape[:2], np.uint8)
    cv2.fillPoly(cover, [cv2.convexHull(outline)], 255)
    sigma = max(1.0, width / 60)
    share = cv2.GaussianBlur(cover, (0, 0), sigma)[..., None] / 255
    shade = cv2.GaussianBlur(grey, (0, 0), 4 * sigma)[..., None] / 128
    cloth = np.clip(colour * (0.5 + 0.5 * shade), 0, 255)
    return (image * (1 - share) + cloth * share).astype(np.uint8)


def main() -> None:
    """Embed, fit, write."""
    engine, generator = Engine(), np.random.default_rng(0)
    mesh = create_landmarks(MESH, engine.models)
    parts = [embed.create(name, engine.models) for name in NAMES]
    rows = []
    for number, (path, person) in enumerate(people(Path(sys.argv[1]))):
        image = cv2.imread(str(path))[..., ::-1]
        scale = min(1.0, LONGEST / max(image.shape))
        image = cv2.resize(np.ascontiguousarray(image), None, fx=scale, fy=scale,
                           interpolation=cv2.INTER_AREA)  # fmt: skip
        for kind in (0, 1):
            found = engine.detect(image)
            if not len(found):
                break
            face = found.faces[subject(found.faces, width=found.width, height=found.height)]
            rows.append((number, person, kind, embedded(image, face, mesh, parts)))
            one = found.faces.take([subject(found.faces, width=found.width, height=found.height)])
            points = mesh.mesh(image, one).points[0, :, :2]
            image = masked(image, points, face.box.width, generator)
    fit(rows)


def embedded(image, face: Face, mesh, parts) -> list:
    """A unit vector of each part: the face's and its mirror image's."""
    aligned = mesh_landmarks(image, face, mesh)
    vectors = []
    for part in parts:
        crop = part.crop(image, aligned)[None]
        both = (crop, np.ascontiguousarray(crop[:, :, ::-1]))
        vectors.append(unit(sum(part.embed(one).vector for one in both))[0])
    return vectors


def fit(rows) -> None:
    """The grid."""
    photo, person, kind = (np.array([row[k] for row in rows]) for k in range(3))
    vectors = {name: np.array([row[3][k] for row in rows]) for k, name in enumerate(NAMES)}
    means = {}
    for name in CENTRED:
        own = [vectors[name][(person == p) & (kind == 0)].mean(axis=0) for p in np.unique(person)]
        means[name] = np.mean(own, axis=0).round(5).astype(np.float32)
        vectors[name] = unit(vectors[name] - means[name])
    i, j = np.triu_indices(len(rows), 1)
    other = photo[i] != photo[j]
    i, j = i[other], j[other]
    same, together = person[i] == person[j], kind[i] + kind[j]
    cosines = [np.einsum("nd,nd->n", vectors[name][i], vectors[name][j]) for name in NAMES]

    share = pair_shares(same, together)

    def loss(weights) -> float:
        score = sum(w * c for w, c in zip(weights, cosines, strict=True)).astype(np.float64)
        terms = []
        for pairs, times in ((0, 2), (1, 1), (2, 1)):
            inside = together == pairs
            genuine, impostor = score[inside & same], score[inside & ~same]
            rates = [1 - tar_at_fmr(genuine, impostor, fmr) + 1e-4 for fmr in (1e-3, 1e-4)]
            rates.append(10 * (1 - auc(genuine, impostor)) + 1e-6)
            terms += [times * np.log(rate) for rate in rates]
        terms += [2 * np.log(rate) for rate in pooled(score, same, share)]
        return float(np.sum(terms)) / 16

    grid = itertools.product(GRID, repeat=len(NAMES) - 1)
    tried = sorted((loss((1, *rest)), rest) for rest in grid)
    print(f"{len(set(person))} people, {len(rows)} photos, {int(same.sum())} genuine pairs")
    for value, rest in [*tried[:SHOWN], *(t for t in tried if not any(t[1]))]:
        print(f"  {dict(zip(NAMES, (1.0, *rest), strict=True))}  {value:.4f}")
    table = {
        "version": VERSION,
        "weights": dict(zip(NAMES, (1.0, *tried[0][1]), strict=True)),
        "means": {name: [round(float(v), 5) for v in mean] for name, mean in means.items()},
    }
    print(f"  chosen: {table['weights']}")
    file = REPOSITORY / "src" / "mien" / "embed" / "fusion.json"
    file.write_text(json.dumps(table) + "\n", encoding="utf-8")


def pair_shares(same, together):
    """The weight of each pair where all are one set: nobody masked counts as much as the rest."""
    share = np.zeros(len(same))
    for pairs, part in ((0, 0.5), (1, 0.25), (2, 0.25)):
        for kind in (True, False):
            inside = (together == pairs) & (same == kind)
            share[inside] = part / inside.sum()
    return share


def pooled(score, same, share) -> list[float]:
    """FNMR of all pairs under one threshold, at FMR 1e-3 and 1e-4."""
    order = np.argsort(-score[~same])
    fmr = np.cumsum(share[~same][order])
    limits = score[~same][order][np.searchsorted(fmr, [1e-3, 1e-4])]
    return [float(share[same] @ (score[same] <= limit)) for limit in limits]


if __name__ == "__main__":
    main()
