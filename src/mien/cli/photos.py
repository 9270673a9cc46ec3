"""Commands that answer for each of several photos: detect, represent, analyze."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mien.cli.exits import ExitCode, Failure
from mien.cli.run import Run, shared_options
from mien.errors import FaceError, ImageError

if TYPE_CHECKING:
    from mien.analysis import Analysis
    from mien.results import Detection, Representation
    from mien.types import Face, Result

__all__ = ["analyze", "answer_each", "as_source", "describe_box", "detect", "represent"]

R = TypeVar("R", bound="Result")


def as_source(name: str) -> str | Path:
    """An argument of the command line as an image source: always a file, unless it is a URL.

    (The engine says that URLs are for the service; a file whose name looks like base64 is a
    file.)
    """
    return name if name.startswith(("http://", "https://")) else Path(name)


def describe_box(face: Face) -> str:
    """A face's place for people: ``212x290 at (120, 80)``."""
    box = face.box
    return f"{box.width:.0f}x{box.height:.0f} at ({box.x0:.0f}, {box.y0:.0f})"


def answer_each(
    run: Run,
    images: Sequence[str],
    ask: Callable[[str | Path], R],
    describe: Callable[[str, R], str],
) -> None:
    """Ask about each photo and answer with a list, one entry a photo, in their order.

    A photo that cannot be used does not keep the others from being answered: its entry is
    ``{"image", "error"}`` and the exit code is 2. Where it is the only one, its error is the
    command's.
    """
    entries: list[dict[str, Any]] = []
    texts: list[str] = []
    failed = False
    for name in images:
        try:
            result = ask(as_source(name))
        except (ImageError, FaceError) as error:
            if len(images) == 1:
                raise
            failed = True
            failure = Failure.of(error)
            entries.append({"image": name, "error": failure.to_dict()})
            failure.tell(as_json=False)
        else:
            entries.append({"image": name, **result.to_dict()})
            texts.append(describe(name, result))
    run.answer(entries, "\n".join(texts))
    if failed:
        click.get_current_context().exit(ExitCode.BAD_INPUT)


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@shared_options(detector=True, liveness=True)
def detect(run: Run, images: tuple[str, ...]) -> None:
    """Find the faces in photos."""
    answer_each(run, images, run.engine.detect, _describe_detection)


def _describe_detection(name: str, detection: Detection) -> str:
    told = [f", {verdict}" for verdict in detection.liveness or ()] or [""] * len(detection)
    rows = [
        f"  {describe_box(face)}, score {face.score:.2f}{verdict}"
        for face, verdict in zip(detection, told, strict=True)
    ]
    return "\n".join([f"{name}: {detection}", *rows])


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--align",
    metavar="HOW",
    default="landmarks",
    help="How faces are brought upright: landmarks (as the model wants it), eyes or none.",
)
@click.option(
    "--expand",
    metavar="PERCENT",
    type=int,
    default=0,
    help="How much larger the crops are than the faces; default: 0.",
)
@click.option(
    "--normalisation",
    metavar="MODE",
    help="base, raw, Facenet, Facenet2018, VGGFace, VGGFace2 or ArcFace; default: the model's own.",
)
@click.option(
    "--whole-image",
    is_flag=True,
    help="Take a photo without a face whole for one, as enforce_detection=False does elsewhere.",
)
@shared_options(detector=True, embedder=True)
def represent(
    run: Run,
    images: tuple[str, ...],
    align: str,
    expand: int,
    normalisation: str | None,
    whole_image: bool,
) -> None:
    """Give the embedding of every face (the numbers only with --json)."""
    ask = _representing(run, align, expand, normalisation, whole_image=whole_image)
    answer_each(run, images, ask, _describe_representation)


def _representing(
    run: Run, align: str, expand: int, normalisation: str | None, *, whole_image: bool
) -> Callable[[str | Path], Representation]:
    """How a photo is represented: its model's own way, unless something else is asked for."""
    from mien.align import Preprocessing
    from mien.errors import NoFaceFound

    wanted = Preprocessing(
        align=align,  # type: ignore[arg-type]  # checked there
        expand_percentage=expand,
        normalisation=normalisation,  # type: ignore[arg-type]
        enforce_detection=not whole_image,
    )
    if wanted == Preprocessing():
        return run.engine.represent

    def represent(image: str | Path) -> Representation:
        try:
            return run.engine.represent(image, preprocessing=wanted)
        except NoFaceFound:  # no error here: a photo without a face has no embeddings
            return run.engine.represent(image)

    return represent


def _describe_representation(name: str, representation: Representation) -> str:
    faces = zip(representation.detection, representation.embeddings.norm, strict=True)
    rows = [f"  {describe_box(face)}, norm {norm:.2f}" for face, norm in faces]
    return "\n".join([f"{name}: {representation}", *rows])


@click.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--actions",
    metavar="LIST",
    help="What to say, separated by commas; default: all that needs no licence accepted.",
)
@shared_options(detector=True, liveness=True)
def analyze(run: Run, images: tuple[str, ...], actions: str | None) -> None:
    """Say what every face looks like: age, gender, emotion, mask, image quality."""
    from mien.attributes import DEFAULT, check

    named = DEFAULT if actions is None else [name.strip() for name in actions.split(",")]
    wanted = check(name for name in named if name)
    answer_each(
        run,
        images,
        lambda image: run.engine.analyze(image, actions=wanted),
        _describe_analysis,
    )


def _describe_analysis(name: str, analysis: Analysis) -> str:
    rows = [f"  {describe_box(face.face)}: {face}" for face in analysis]
    return "\n".join([f"{name}: {len(analysis)} face(s)", *rows])
