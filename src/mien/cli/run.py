"""Run: what the options that commands share have said, and the parts that a command asks for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

import click

from mien.cli.output import tell, tell_json

if TYPE_CHECKING:
    from mien.config import Settings
    from mien.engine import Engine, EnrolmentPhoto, PhotoOutcome
    from mien.gallery import Gallery
    from mien.models import ModelStore

__all__ = ["DEFAULT_APPLICATION", "Rooms", "Run", "actor", "shared_options"]

DEFAULT_APPLICATION = "default"

P = ParamSpec("P")


def _models(settings: Settings) -> ModelStore:
    from mien.cli.progress import download_progress
    from mien.models import ModelStore

    return ModelStore(settings, progress=download_progress())


def _engine(settings: Settings, models: ModelStore) -> Engine:
    from mien.engine import Engine

    return Engine(settings=settings, models=models)


def actor() -> str:
    """Who acts, for the audit log."""
    import getpass

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        user = "unknown"
    return f"command line: {user}"


def _gallery(url: str, application: str, create: bool) -> Gallery:
    from mien.gallery import Gallery

    return Gallery.open(url, application=application, create=create, actor=actor())


def _serve(settings: Settings, reread: Callable[[], Settings]) -> None:
    from mien.service import serve

    serve(settings, reread=reread)


def _cluster(
    engine: Engine,
    gallery: Gallery,
    group: str,
    photos: Sequence[EnrolmentPhoto],
    address: str,
) -> Iterator[PhotoOutcome]:
    from mien.engine.cluster import enroll_on_cluster

    return enroll_on_cluster(engine, gallery, group, photos, address=address)


@dataclass(frozen=True, slots=True)
class Rooms:
    """Where the commands get their parts from. Tests put other parts in.

    Attributes:
        models: settings -> the store of model files.
        engine: settings, store -> an engine.
        gallery: URL, application, whether it is made where it is missing -> an open gallery.
        serve: settings, what reads them again -> None; serves until it is interrupted.
        cluster: engine, gallery, group, photos, address of a Dask cluster -> outcomes.
    """

    models: Callable[[Settings], ModelStore] = _models
    engine: Callable[[Settings, ModelStore], Engine] = _engine
    gallery: Callable[[str, str, bool], Gallery] = _gallery
    serve: Callable[[Settings, Callable[[], Settings]], None] = _serve
    cluster: Callable[
        [Engine, Gallery, str, Sequence[EnrolmentPhoto], str], Iterator[PhotoOutcome]
    ] = _cluster


@dataclass(frozen=True)
class Run:
    """One run of a command.

    Attributes:
        rooms: where parts come from.
        as_json: ``--json`` was given.
        application: ``--app``.
        creates: the command makes the gallery where it is missing.
        overrides: settings that were given as options.
        licences: ``--accept-licence``, beside those that the settings accept.
    """

    rooms: Rooms
    as_json: bool
    application: str = DEFAULT_APPLICATION
    creates: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    licences: tuple[str, ...] = ()

    @cached_property
    def settings(self) -> Settings:
        """Options > environment > ``mien.toml`` > defaults.

        Raises:
            ConfigurationError: a value that cannot be.
        """
        return self.read_settings()

    def read_settings(self) -> Settings:
        """The settings as they are now.

        Raises:
            ConfigurationError: a value that cannot be.
        """
        from mien.config import load

        settings = load(**self.overrides)
        if self.licences:
            accepted = (*settings.accept_licences, *self.licences)
            settings = settings.model_copy(update={"accept_licences": accepted})
        return settings

    @cached_property
    def models(self) -> ModelStore:
        """The store of model files."""
        return self.rooms.models(self.settings)

    @cached_property
    def engine(self) -> Engine:
        """The engine, closed when the command ends."""
        engine = self.rooms.engine(self.settings, self.models)
        return click.get_current_context().with_resource(engine)

    @cached_property
    def gallery(self) -> Gallery:
        """The application's view of the gallery, closed when the command ends.

        Raises:
            NotFound: there is none yet and the command does not make one, or no such application.
        """
        gallery = self.rooms.gallery(self.settings.gallery_url, self.application, self.creates)
        return click.get_current_context().with_resource(gallery)

    def with_settings(self, **overrides: object) -> Run:
        """This run with more settings given as options; None means not given."""
        return replace(self, overrides={**self.overrides, **overrides})

    def answer(self, document: object, text: str) -> None:
        """Print the answer on stdout: the JSON document for ``--json``, else the text."""
        if self.as_json:
            tell_json(document)
        elif text:
            tell(text)


_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
_MODELS = (
    click.option("--offline", is_flag=True, default=None, help="Never use the network."),
    click.option(
        "--accept-licence",
        "licences",
        multiple=True,
        metavar="NAME",
        help="Accept the restrictive licence of this model; may be repeated.",
    ),
)
_DETECTOR = click.option("--detector", metavar="NAME", help="Detector to use.")
_EMBEDDER = click.option("--embedder", metavar="NAME", help="Recognition model to use.")
_GALLERY = click.option("--gallery", metavar="URL", help="Gallery, such as sqlite:///faces.db.")
_APPLICATION = click.option(
    "--app",
    "application",
    default=DEFAULT_APPLICATION,
    show_default=True,
    metavar="NAME",
    help="Application whose gallery it is.",
)
_LIVENESS = click.option(
    "--liveness",
    metavar="POLICY",
    help="Check that faces are live ones: off, observe (say so) or enforce (refuse others).",
)
_CONDITION = click.option(
    "--condition",
    "liveness_condition",
    metavar="NAME",
    help="How sure a live face must look: weak, balanced or strict.",
)
_SETTINGS = ("offline", "detector", "embedder", "gallery", "liveness", "liveness_condition")


def shared_options(
    *,
    models: bool = False,
    detector: bool = False,
    embedder: bool = False,
    gallery: bool = False,
    application: bool = False,
    creates: bool = False,
    liveness: bool = False,
    condition: bool = False,
) -> Callable[[Callable[Concatenate[Run, P], None]], Callable[..., None]]:
    """Give a command ``--json`` and the shared options that it wants, as its first argument.

    Args:
        models: ``--offline`` and ``--accept-licence`` (implied by the next two).
        detector: ``--detector``.
        embedder: ``--embedder``.
        gallery: ``--gallery`` (implied by the next one).
        application: ``--app``.
        creates: the command writes to the gallery, so it may make it.
        liveness: ``--liveness``.
        condition: ``--condition`` (implied by the one before).
    """
    options: list[Callable[[Any], Any]] = [_JSON]
    options += _MODELS if models or detector or embedder else ()
    options += [_DETECTOR] if detector else []
    options += [_EMBEDDER] if embedder else []
    options += [_GALLERY] if gallery or application else []
    options += [_APPLICATION] if application else []
    options += [_LIVENESS] if liveness else []
    options += [_CONDITION] if liveness or condition else []

    def decorate(command: Callable[Concatenate[Run, P], None]) -> Callable[..., None]:
        def run_command(**given: Any) -> None:  # noqa: ANN401 - click's own options, of any type
            run = Run(
                rooms=click.get_current_context().find_object(Rooms) or Rooms(),
                as_json=given.pop("as_json"),
                application=given.pop("application", DEFAULT_APPLICATION),
                creates=creates,
                overrides={name: given.pop(name) for name in _SETTINGS if name in given},
                licences=given.pop("licences", ()),
            )
            command(run, **given)  # type: ignore[call-arg]  # click passes options by name

        functools.update_wrapper(run_command, command)
        for option in reversed(options):
            option(run_command)
        return run_command

    return decorate
