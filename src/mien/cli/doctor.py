"""The command doctor: what is in force here, and whether it works."""

from __future__ import annotations

import importlib.util
import platform
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

import click

import mien
from mien.cli.exits import ExitCode, Failure
from mien.cli.model_cards import describe_source
from mien.cli.output import tell
from mien.cli.run import DEFAULT_APPLICATION, Run, shared_options
from mien.errors import MienError, NotFound

if TYPE_CHECKING:
    from mien.models import ModelCard
    from mien.models.card import CalibrationFacts, Task

__all__ = ["doctor"]

WARNING = (
    "A threshold that was fitted on one population is not safe on another: calibrate on your own "
    "people (mien eval calibrate) before you rely on a false-match rate."
)
RUNTIMES = {"openvino": "openvino", "onnxruntime": "onnxruntime"}


@click.command()
@shared_options(detector=True, embedder=True, application=True)
def doctor(run: Run) -> None:
    """Show what is in force and check that it works. Exit code 3: something is missing.

    Nothing is downloaded: models that are not in the cache are reported as missing.
    """
    models = [
        _model(run, run.settings.detector, "detect"),
        _model(run, run.settings.embedder, "embed"),
    ]
    gallery, key = _gallery(run), _master_key(run)
    problems = [row["error"] for row in [*models, gallery, key] if row.get("error")]
    document = {
        "ok": not problems,
        "version": mien.__version__,
        "machine": _machine(),
        "settings": _settings(run),
        "runtimes": {name: _installed(package) for name, package in RUNTIMES.items()},
        "models": models,
        "gallery": gallery,
        "master_key": key,
        "warnings": [WARNING],
        "problems": problems,
    }
    run.answer(document, _describe(document))
    if problems:
        for problem in problems:
            tell(f"mien: {problem['code']}: {problem['message']}", err=True)
        click.get_current_context().exit(ExitCode.MISSING)


def _machine() -> dict[str, Any]:
    from mien.config import available_cores

    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": available_cores(),
    }


def _settings(run: Run) -> dict[str, Any]:
    """The settings in force. A URL may hold secrets, which are left out."""
    settings = run.settings.model_dump(mode="json")
    settings["gallery"] = without_secrets(run.settings.gallery_url)
    settings["index"] = without_secrets(run.settings.index)
    settings["models_mirror"] = without_secrets(run.settings.models_mirror)
    return settings


def without_secrets(url: str) -> str:
    """A URL that shows ``***`` for all that may be a secret: before a ``@``, and after a ``?``.

    A password may hold any character when somebody forgot to quote it, so everything up to the
    last ``@`` is hidden. A file's URL (``sqlite:///``) has no login.

    Example:
        >>> without_secrets("https://ann:secret@db/faces?sig=abc")
        'https://***@db/faces?***'
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        scheme, rest = "", url
    elif "@" in rest and not rest.startswith("/"):
        rest = f"***@{rest.rpartition('@')[2]}"
    return scheme + mark + re.sub(r"([?#]).*", r"\1***", rest, count=1, flags=re.DOTALL)


def _installed(package: str) -> str | None:
    try:
        return version(package) if importlib.util.find_spec(package) else None
    except PackageNotFoundError:
        return None


def _model(run: Run, name: str, task: Task) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "task": task, "available": False}
    try:
        card = run.models.card(name, task)
        row |= {
            "name": card.name,
            "licence": card.licence,
            "commercial": card.commercial,
            "source": describe_source(card),
            "available": run.models.available(card),
        }
        if not row["available"]:
            return row | {"error": _missing(card)}
        session = run.models.open(card)
        row |= {
            "runtime": session.runtime,
            "precision": session.precision,
            "precision_wanted": run.settings.precision,
        }
        if card.calibration is not None:
            row["calibration"] = _calibration(card.calibration)
    except MienError as error:
        row["error"] = Failure.of(error).to_dict()
    return row


def _missing(card: ModelCard) -> dict[str, Any]:
    message = f"{card.key} is not in the cache: run 'mien models pull {card.key}'."
    return {"code": "model_unavailable", "message": message, "details": {"model": card.key}}


def _calibration(facts: CalibrationFacts) -> dict[str, Any]:
    return {
        "data": facts.data,
        "impostor_pairs": facts.impostor_pairs,
        "genuine_pairs": facts.genuine_pairs,
        "fmr_floor": facts.fmr_floor,
        "default_fmr": facts.default_fmr,
        "fmr_by_group": dict(facts.fmr_by_group),
        "fmr_by_quality": dict(facts.fmr_by_quality),
    }


def _gallery(run: Run) -> dict[str, Any]:
    row: dict[str, Any] = {"url": without_secrets(run.settings.gallery_url)}
    try:
        groups = run.gallery.groups(limit=1)
    except NotFound as error:
        if _gallery_exists(run):  # so it is the application that does not
            return row | {"error": Failure.of(error).to_dict()}
        return row | {"note": error.message}  # nobody has been enrolled: nothing is wrong
    except MienError as error:
        return row | {"error": Failure.of(error).to_dict()}
    return row | {"application": run.application, "empty": not groups}


def _master_key(run: Run) -> dict[str, Any]:
    """Where the key comes from that protects templates, and its id; it is not made here."""
    from mien.errors import KeyMissing
    from mien.gallery.protect import key_ring

    settings = run.settings
    if settings.kms:
        source = f"key-management service {settings.kms}"
    elif settings.master_key is not None:
        source = "MIEN_MASTER_KEY"
    else:
        source = str(settings.key_file)
    row: dict[str, Any] = {"source": source}
    try:
        return row | {"id": key_ring(settings, create=False).current}
    except KeyMissing:
        return row | {"note": "not there; made at a gallery's first enrolment"}
    except MienError as error:
        return row | {"error": Failure.of(error).to_dict()}


def _gallery_exists(run: Run) -> bool:
    try:
        run.rooms.gallery(run.settings.gallery_url, DEFAULT_APPLICATION, False).close()
    except NotFound:
        return False
    return True


def _describe(document: dict[str, Any]) -> str:
    machine = document["machine"]
    runtimes = [f"{name} {v or 'missing'}" for name, v in document["runtimes"].items()]
    lines = [
        f"Mien {document['version']}, Python {machine['python']}, {machine['platform']}, "
        f"{machine['cores']} core(s)",
        f"runtimes: {', '.join(runtimes)}",
        *(line for model in document["models"] for line in _describe_model(model)),
        f"gallery: {document['gallery']['url']}" + _gallery_state(document["gallery"]),
        f"master key: {document['master_key']['source']}" + _key_state(document["master_key"]),
        "settings:",
        *(f"  {name} = {value}" for name, value in document["settings"].items()),
        *(f"warning: {warning}" for warning in document["warnings"]),
        "all is well" if document["ok"] else f"{len(document['problems'])} problem(s)",
    ]
    return "\n".join(lines)


def _gallery_state(gallery: dict[str, Any]) -> str:
    if "error" in gallery:
        return " (cannot be used)"
    return f" ({gallery['note']})" if "note" in gallery else ""


def _key_state(key: dict[str, Any]) -> str:
    if "error" in key:
        return " (cannot be used)"
    return f" ({key['note']})" if "note" in key else f" (id {key['id']}; back it up)"


def _describe_model(model: dict[str, Any]) -> list[str]:
    state = "available" if model["available"] else "missing"
    if "runtime" in model:
        state = f"{model['runtime']}, {model['precision']}"
        if model["precision_wanted"] not in ("auto", model["precision"]):
            state += f" (its card does not admit {model['precision_wanted']})"
    lines = [f"{model['task']}/{model['name']}: {state}, licence {model.get('licence', 'unknown')}"]
    if facts := model.get("calibration"):
        lines.append(
            f"  calibrated on {facts['data']}: {facts['impostor_pairs']} impostor pairs, "
            f"false-match rates below {facts['fmr_floor']:.2g} are extrapolated"
        )
        for kind, rates in (("group", facts["fmr_by_group"]), ("quality", facts["fmr_by_quality"])):
            told = ", ".join(f"{name} {rate:.2g}" for name, rate in rates.items())
            lines += [f"  FMR by {kind} at {facts['default_fmr']:g}: {told}"] if told else []
    return lines
