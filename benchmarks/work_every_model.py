"""Use every model that comes from an archive, one after the other, and say what memory it took.

    python benchmarks/work_every_model.py PHOTO [--release]

Each model works once on the photo: detectors detect, recognition models embed, attributes and
landmark models look at the faces. Every engine stays to the end, with the models that it loaded;
``--release`` calls ``engine.release()`` after each.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mien import Engine, attributes, config, detect, embed, landmarks, liveness
from mien.errors import ModelUnavailable
from mien.models import ModelStore
from mien.models.card import ModelCard, UrlSource
from mien.models.memory import resident_bytes

MB = 1e6


@dataclass(frozen=True)
class Use:
    """A model, the engine that uses it, and how."""

    name: str
    engine: Engine
    work: Callable[[], object]


def peak_mb() -> float:
    """The most that was ever resident since this program began."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("VmHWM"))


def from_archive(card: ModelCard) -> bool:
    """Whether the model can be had without an address of its own."""
    return bool(card.library) or any(not isinstance(s, UrlSource) for s in card.sources)


def uses(models: ModelStore, photo: str) -> Iterator[Use]:
    """Every model of the shelf."""
    settings = models.settings
    engine = Engine(settings=settings, models=models)
    here = {card.key for card in models.cards() if from_archive(card)}
    shelf = {card.key for card in models.cards()}
    for name in detect.names():
        if f"detect/{name}" in here:
            one = Engine(detector=name, settings=settings, models=models)
            yield Use(f"detect/{name}", one, lambda one=one: one.detect(photo))
    for name in embed.names():
        if f"embed/{name}" in here or f"embed/{name}" not in shelf:
            one = Engine(embedder=name, settings=settings, models=models)
            yield Use(f"embed/{name}", one, lambda one=one: one.represent(photo))
    for name in landmarks.names():
        if f"landmarks/{name}" in here:
            yield Use(f"landmarks/{name}", engine, lambda name=name: points(engine, photo, name))
    for name in attributes.names():
        if f"attributes/{name}" in here or f"attributes/{name}" not in shelf:
            work = lambda name=name: engine.analyze(photo, actions=[name])  # noqa: E731
            yield Use(f"attributes/{name}", engine, work)
    for name in liveness.names():
        if f"liveness/{name}" in here:
            yield Use(f"liveness/{name}", engine, lambda name=name: alive(engine, photo, name))


def alive(engine: Engine, photo: str, name: str) -> object:
    """Whether the photo's faces are live ones, as one net says."""
    opened = engine.photo(photo)
    check = liveness.PassiveLiveness([liveness.create(name, engine.models)]).check
    return [check(opened.pixels(), face.box) for face in engine.detect(opened)]


def points(engine: Engine, photo: str, name: str) -> object:
    """The landmarks of the photo's faces."""
    opened = engine.photo(photo)
    faces = engine.detect(opened).faces
    return landmarks.create(name, engine.models).points(opened.pixels(), faces)


def main() -> None:
    """Work, and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photo")
    parser.add_argument("--release", action="store_true")
    options = parser.parse_args()
    models = ModelStore(config.load(accept_licences=("glasses",)))
    steps, without, kept, opened = [], [], [], set()
    for use in uses(models, options.photo):
        kept.append(use)
        try:
            use.work()
        except ModelUnavailable as error:
            without.append(f"{use.name}: {error.message}")
            continue
        opened |= set(models.holding())
        steps.append({"model": use.name, "resident_mb": resident_bytes() / MB})
        if options.release:
            use.engine.release()
    opened |= {step["model"] for step in steps}
    nets = {c.key for c in models.cards() if c.sources and from_archive(c)}
    with contextlib.suppress(BrokenPipeError):
        document = {
            "peak_mb": peak_mb(),
            "end_mb": resident_bytes() / MB,
            "steps": steps,
            "without": without,
            "opened": sorted(opened),
            "never_opened": sorted(nets - opened),
        }
        print(json.dumps(document))


if __name__ == "__main__":
    main()
