"""First steps: a photo goes in at one end and a name comes out at the other.

``make run`` runs this before it serves the API. It needs nothing but the public API: it fetches
a few sample photos, enrols two people, and asks who is on photos that were held back, among them
two of which a part of the face is cut off, and one of a person who was never enrolled.

    MIEN_GALLERY=sqlite:///demo.db python examples/first_steps.py
"""

import sys

import mien
from mien.cli.progress import download_progress
from mien.config import load
from mien.models import ModelStore
from mien.models.samples import partial_photos, sample_photos
from mien.results import FaceMatches

GROUP = "demo"


def main() -> None:
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
            print(f"{person}: {engine.enroll(gallery, GROUP, person, photos)}")

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


def describe(face: FaceMatches) -> str:
    """The best candidate and how sure that is, or that there is none."""
    if not face.candidates:
        return "unknown"
    best = face.candidates[0]
    return f"{best.person}, confidence {best.confidence:.3f}"


if __name__ == "__main__":
    try:
        main()
    except mien.MienError as error:
        sys.exit(f"mien: {error.code}: {error.message}")
