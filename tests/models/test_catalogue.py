"""Every card of the catalogue, and everything that a card may not say."""

from __future__ import annotations

import importlib.resources
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from mien.errors import ConfigurationError, UnknownMetric
from mien.models import catalogue
from mien.models.card import UrlSource
from mien.models.catalogue import load_catalogue, parse_card
from mien.models.convert import CONVERTERS
from mien.models.measured import DATA_SETS, FIGURES, Measured

FOLDER = importlib.resources.files("mien.models.catalogue")
FILES = sorted(file.name for file in FOLDER.iterdir() if file.name.endswith(".toml"))

DETECTOR = """
name = "tiny"
task = "detect"
title = "A tiny net"
licence = "MIT"
commercial = true
origin = "https://models.example"
paper = ""
[inputs]
input = [1, 3, 32, 32]
[[sources]]
kind = "url"
url = "https://models.example/tiny.onnx"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
"""

EMBEDDER = (
    DETECTOR.replace('"detect"', '"embed"')
    + """
[embedder]
template = "arcface112"
size_hw = [112, 112]
colour = "rgb"
mean = [0, 0, 0]
scale = 1
dim = 128
metric = "cosine"
preprocessing = 1
"""
)

CALIBRATION = """
[calibration]
weights = [1.0, 2.0, 3.0, -4.0]
plain = [10.0, -3.0]
norm_reference = 11.0
norm_clip = [-0.4, 0.2]
default_fmr = 1e-3
impostor_pairs = 3000
genuine_pairs = 600
fmr_floor = 1e-3
data = "LFW"
[[calibration.points]]
fmr = 1e-2
logit = -1.0
similarity = 0.3
fnmr = 0.01
[[calibration.points]]
fmr = 1e-3
logit = 0.0
similarity = 0.4
fnmr = 0.02
[calibration.tail]
start = -1.0
rate = 1e-2
shape = 0.0
scale = 0.5
[calibration.plain_tail]
start = 0.3
rate = 1e-2
shape = -0.1
scale = 0.1
[calibration.fmr_by_group]
men = 1e-3
"""


MEASURED = """
[[measured]]
on = "LFW folds 1-2"
protocol = "pairs"
how = "mien eval pairs"
threads = 1
accuracy = 0.9
tar_1e-3 = 1
cpu_ms = 12.5
"""


@pytest.mark.parametrize("name", FILES)
def test_every_card(name):
    card = parse_card(FOLDER.joinpath(name).read_text(encoding="utf-8"), file=name)
    assert name == f"{card.task}-{card.name}.toml"
    assert card.source_sha256 is None or re.fullmatch("[0-9a-f]{64}", card.source_sha256)
    assert card.converter is None or card.converter in CONVERTERS
    assert card.licence
    assert card.origin.startswith("https://")
    assert card.inputs or card.library
    assert card.commercial or card.needs_acceptance
    for source in card.sources:
        assert not isinstance(source, UrlSource) or source.url.startswith("https://")
    assert {one.on for one in card.measured} <= set(DATA_SETS)


def test_the_catalogue_has_them_all():
    assert len(load_catalogue()) >= len(FILES)
    assert {"detect/yunet", "embed/sface"} <= set(load_catalogue())


def test_the_tables_of_a_card():
    card = parse_card(EMBEDDER + CALIBRATION, file="x.toml")
    assert card.embedder is not None
    assert card.embedder.size_hw == (112, 112)
    assert card.embedder.mean == (0.0, 0.0, 0.0)
    facts = card.calibration
    assert facts is not None
    assert [point.fmr for point in facts.points] == [1e-2, 1e-3]
    assert facts.tail.scale == 0.5
    assert facts.fmr_by_group == {"men": 1e-3}
    assert facts.fmr_by_quality == {}
    assert card.inputs == {"input": (1, 3, 32, 32)}
    with pytest.raises(TypeError):
        card.inputs["input"] = ()  # type: ignore[index]  # it must not be changed


def test_what_was_measured():
    (measured,) = parse_card(DETECTOR + MEASURED, file="x.toml").measured
    assert (measured.on, measured.protocol, measured.threads) == ("LFW folds 1-2", "pairs", 1)
    assert measured.figures == {"accuracy": 0.9, "tar_1e-3": 1.0, "cpu_ms": 12.5}
    assert measured.arithmetic == "float32"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("accuracy", "acuracy", "no figure 'acuracy'. Did you mean accuracy"),
        ("tar_1e-3", "tar_at_fmr_1e-3", r"measured\[0\].*Did you mean tar_1e-3"),
        ("tar_1e-3", "zzz", "There are: recall, precision"),
        ("accuracy", "recall", "recall is no figure of the protocol pairs"),
        ("0.9", "1.01", "accuracy cannot be 1.01"),
        ("12.5", "nan", "cpu_ms cannot be nan"),
        ("0.9", '"0.9"', "accuracy must be float"),
        ("threads = 1\n", "", "threads belongs to cpu_ms"),
        ("cpu_ms = 12.5\n", "", "threads belongs to cpu_ms"),
        ("threads = 1\n", "threads = 0\n", "threads must be at least 1"),
        ('how = "mien eval pairs"', 'how = ""', "on and how must say something"),
        ('how = "mien eval pairs"', "", "how is missing"),
        ('"pairs"', '"pears"', "protocol must be one of"),
        ('"pairs"', '"gate"', "no figure of the protocol gate"),
        (
            MEASURED,
            "[[measured]]\non = 'x'\nprotocol = 'pairs'\nhow = 'x'\n",
            "no figure was given",
        ),
        (MEASURED, MEASURED + MEASURED, "one entry for a data set"),
        ("[[measured]]", "[measured]", "measured must be a list"),
        ("[[measured]]", "[metrics]", "unknown key metrics"),
    ],
)
def test_figures_that_cannot_be(old, new, message):
    assert old in MEASURED
    with pytest.raises(ConfigurationError, match=message):
        parse_card(DETECTOR + MEASURED.replace(old, new), file="x.toml")


def test_the_vocabulary_is_documented():
    page = (Path(__file__).parents[2] / "docs/reference/models.md").read_text(encoding="utf-8")
    for name, figure in FIGURES.items():
        protocols = ", ".join(figure.protocols)
        row = f"| `{name}` | {figure.unit} | {figure.better} | {protocols} | {figure.meaning} |"
        assert row in page
    for name, meaning in DATA_SETS.items():
        assert f"| {name} | {meaning} |" in page


def test_a_gate_measures_another_arithmetic():
    with pytest.raises(ValueError, match="another arithmetic"):
        Measured(on="x", protocol="gate", how="x", figures={"cosine_min": 0.9})
    with pytest.raises(UnknownMetric, match="cosine_min"):
        Measured(on="x", protocol="gate", how="x", figures={"cosine_mim": 0.9})


def test_a_url_without_a_hash():
    card = parse_card(re.sub("sha256 = .*", "", DETECTOR), file="x.toml")
    assert card.source_sha256 is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "x.toml"),
        ('nmae = "x"\n' + DETECTOR, "unknown key nmae"),
        (DETECTOR + "mirror = 1\n", r"unknown key sources\[0\]\.mirror"),
        (DETECTOR.replace('licence = "MIT"\n', ""), "licence is missing"),
        (DETECTOR.replace("commercial = true", 'commercial = "yes"'), "commercial must be bool"),
        (DETECTOR.replace('"detect"', '"detekt"'), "task must be one of"),
        (DETECTOR.replace("[1, 3, 32, 32]", "[1, 3, 32.5, 32]"), r"inputs\.input\[2\] must be int"),
        (DETECTOR.replace('kind = "url"', 'kind = "torrent"'), "kind"),
        (DETECTOR.replace("0000", "xyz0"), "64 hexadecimal"),
        (DETECTOR.replace('name = "tiny"', 'name = "a/b"'), "without a slash"),
        ('precisions = ["bf16"]\n' + DETECTOR, "float32"),
        (DETECTOR.replace('"detect"', '"embed"'), "embedder table"),
        (EMBEDDER.replace('"embed"', '"detect"'), "embedder table"),
        (EMBEDDER.replace("[112, 112]", "[112]"), "size_hw must have 2 entries"),
        (EMBEDDER.replace("dim = 128", ""), "embedder.dim is missing"),
        (EMBEDDER + CALIBRATION.replace("shape", "shap"), "unknown key calibration.tail.shap"),
        (EMBEDDER + CALIBRATION.replace("weights", "wieghts"), "unknown key calibration.wieghts"),
        (
            DETECTOR + '[[sources]]\nkind = "url"\nurl = "u"\nsha256 = "' + "1" * 64 + '"',
            "hashes differ",
        ),
        (re.sub(r"\[\[sources\]\].*", "", DETECTOR, flags=re.DOTALL), "sources is missing"),
        ('library = "tiny"\n' + DETECTOR, "either sources or a library"),
    ],
)
def test_what_a_card_may_not_say(text, message):
    with pytest.raises(ConfigurationError, match=message) as caught:
        parse_card(text, file="x.toml")
    assert "x.toml" in caught.value.message


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Another package's catalogue, announced through the entry-point group."""
    importlib.invalidate_caches()
    folder = tmp_path / "extra_models"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))

    class Entry:
        name, value = "extra", "extra_models"

    def entry_points(*, group):
        assert group == "mien.catalogues"
        return [Entry()]

    monkeypatch.setattr(catalogue.importlib.metadata, "entry_points", entry_points)
    yield folder
    sys.modules.pop("extra_models", None)
    importlib.invalidate_caches()


def test_another_package_adds_cards(package):
    (package / "tiny.toml").write_text(DETECTOR)
    assert load_catalogue()["detect/tiny"].title == "A tiny net"


def test_another_package_may_not_replace_cards(package):
    (package / "mine.toml").write_text(DETECTOR.replace('"tiny"', '"yunet"'))
    with pytest.raises(ConfigurationError, match="Two model cards are called detect/yunet"):
        load_catalogue()


def test_a_package_that_is_announced_and_missing(package, monkeypatch):
    (package / "__init__.py").unlink()
    package.rmdir()
    assert importlib.util.find_spec("extra_models") is None
    with pytest.raises(ConfigurationError, match="extra_models"):
        load_catalogue()
