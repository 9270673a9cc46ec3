"""First steps: a photo goes in at one end and a name comes out at the other.

``make run`` runs this before it serves the API. It needs nothing but the public API: it fetches
a few sample photos, enrols two people, and asks who is on photos that were held back, among them
two of which a part of the face is cut off, and one of a person who was never enrolled.
It can be run again on the same gallery: photos that are enrolled already stay as they are.

    MIEN_GALLERY=sqlite:///demo.db python examples/first_steps.py [FOLDER]

With a FOLDER it puts the sample photos there and says what to try with them.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import mien
from mien.answers import FaceMatches
from mien.cli.progress import download_progress
from mien.config import load
from mien.models import ModelStore
from mien.models.samples import partial_photos, sample_photos
from mien.results import Enrolment

GROUP = "demo"


def main(folder: Path | None = None) -> None:
    """Enrol, identify, compare, and print what comes out."""
    settings = load()
    models = ModelStore(settings, progress=download_progress())
    print("Fetching models and sample photos (only the first time) ...", flush=True)
    people, partial = sample_photos(models), partial_photos(models)
    enrolled = {"Barack Obama": people["Barack Obama"][:2], "Joe Biden": people["Joe Biden"]}
    held_out = {
        "Barack Obama": (people["Barack Obama"][2], *partial["Barack Obama"]),
        "Eileen Collins, who is not enrolled": people["Eileen Collins"],
    }

    with (
        mien.Engine(settings=settings, models=models) as engine,
        mien.Gallery.open(settings.gallery_url) as gallery,
    ):
        for person, photos in enrolled.items():
            print(f"{person}: {describe_enrolment(engine.enroll(gallery, GROUP, person, photos))}")

        print(f"\nWho is it, of the group {GROUP!r}?")
        for person, photos in held_out.items():
            for photo in photos:
                faces = engine.identify(gallery, GROUP, photo)
                names = [describe(face) for face in faces] or ["no face was found"]
                print(f"  {photo.name} ({person}): {', '.join(names)}")

        print("\nThe same person?")
        first, second = enrolled["Barack Obama"]
        other = enrolled["Joe Biden"][0]
        print(f"  {first.name} and {second.name}: {engine.compare(first, second)}")
        print(f"  {first.name} and {other.name}: {engine.compare(first, other)}")

    if folder is not None:
        copy_photos([p for photos in (*people.values(), *partial.values()) for p in photos], folder)
        print(next_steps(settings.gallery_url, folder))


def describe_enrolment(enrolment: Enrolment) -> str:
    """What was enrolled, or that it has been there since an earlier run."""
    there = all(rejection.reasons == ("duplicate",) for rejection in enrolment.rejected)
    if enrolment.rejected and there and not enrolment.enrolled:
        return f"{len(enrolment.rejected)} photo(s) enrolled in {GROUP!r} already"
    return str(enrolment)


def copy_photos(photos: Iterable[Path], folder: Path) -> None:
    """Put photos into a folder, where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for photo in photos:
        if not (folder / photo.name).exists():
            shutil.copyfile(photo, folder / photo.name)


def next_steps(gallery: str, folder: Path) -> str:
    """Commands to try in another terminal, in the same working directory."""
    mien_command = shlex.quote(os.path.relpath(Path(sys.executable).with_name("mien")))
    photo = {
        name: shlex.quote(str(folder / f"{name}.jpg")) for name in ("obama", "obama3", "biden")
    }
    return f"""
Try it yourself, in another terminal, in this folder:
  export MIEN_GALLERY={shlex.quote(gallery)}
  {mien_command} identify {GROUP} {photo["obama3"]}
  {mien_command} compare {photo["obama"]} {photo["biden"]}
  {mien_command} gallery show {GROUP}
  {mien_command} keys create
"""


def describe(face: FaceMatches) -> str:
    """The best candidate and how sure that is, or that there is none."""
    if not face.candidates:
        return "unknown"
    best = face.candidates[0]
    return f"{best.person}, confidence {best.confidence:.3f}"


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
    except mien.MienError as error:
        sys.exit(f"mien: {error.code}: {error.message}")
