"""Documentation names what there is, and all that it names is there; no stray addresses."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest

import mien
from mien import errors
from mien.cli.exits import exit_code
from mien.cli.root import cli
from mien.config import Settings
from mien.gallery import Gallery
from mien.service import create_app
from mien.testing import mock_engine

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
READMES = [ROOT / "README.md", ROOT / "README.ko.md"]


def commands(command: click.Command = cli, path: str = "mien") -> list[tuple[str, click.Command]]:
    """Every command that does something, with its path."""
    if isinstance(command, click.Group):
        return [
            c for name, sub in command.commands.items() for c in commands(sub, f"{path} {name}")
        ]
    return [(path, command)]


def blocks(file: Path, *languages: str) -> list[str]:
    """The code blocks of a document in these languages."""
    found = re.findall(r"^ *```(\w+)\n(.*?)^ *```", file.read_text(), re.MULTILINE | re.DOTALL)
    return [body for language, body in found if language in languages]


def every_error() -> list[type[errors.MienError]]:
    return [getattr(errors, name) for name in errors.__all__]


# ------------------------------------------------------------------ what there is, is documented


@pytest.mark.parametrize(("path", "command"), commands(), ids=lambda value: str(value))
def test_every_command_and_option_is_documented(path, command):
    text = (REFERENCE / "cli.md").read_text()
    assert f"### {path}\n" in text
    for parameter in command.params:
        for option in parameter.opts if isinstance(parameter, click.Option) else []:
            assert option in text, f"{path} {option}"
    assert command.help


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented_with_its_default(name):
    field = Settings.model_fields[name]
    default = "" if field.default_factory else field.default
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    if isinstance(default, tuple):
        shown = ",".join(default)
    rows = (REFERENCE / "settings.md").read_text().splitlines()
    (row,) = [row for row in rows if row.startswith(f"| `MIEN_{name.upper()}` |")]
    assert default in ("", (), None) or f"| `{shown}` |" in row
    assert field.description in row


def test_every_variable_that_the_code_reads_is_documented():
    text = (REFERENCE / "settings.md").read_text()
    sources = [*ROOT.glob("src/**/*.py"), *ROOT.glob("tests/**/*.py"), ROOT / "Makefile"]
    named = {
        name for file in sources for name in re.findall(r"MIEN_[A-Z_]+[A-Z]", file.read_text())
    }
    unknown = {name for name in named if f"`{name}`" not in text}
    assert not unknown - {"MIEN_X", "MIEN_PROT"}  # a placeholder, and a misspelling in a test


@pytest.mark.parametrize("error", every_error(), ids=lambda error: error.__name__)
def test_every_error_is_documented_with_its_exit_code(error):
    row = f"| `{error.code}` | `{error.__name__}` | {exit_code(error('x')):d} |"
    assert row in (REFERENCE / "errors.md").read_text()
    assert re.search(rf"{error.__name__}\s+{error.code}\b", errors.__doc__ or "")


def test_codes_are_unique():
    codes = [error.code for error in every_error()]
    assert len(codes) == len(set(codes))


def test_every_reason_for_a_rejection_is_documented():
    source = "".join(f.read_text() for f in (ROOT / "src/mien/engine").glob("enrolment*.py"))
    reasons = set(re.findall(r'\(\s*"([a-z_]+)",\s*\)', source))
    assert {"duplicate", "no_face"} <= reasons
    text = (REFERENCE / "errors.md").read_text()
    assert not {reason for reason in reasons if f"| `{reason}` |" not in text}


def test_every_route_is_documented(tmp_path):
    text = "".join(file.read_text() for file in REFERENCE.glob("*.md"))
    settings = Settings(data_dir=tmp_path)
    with mock_engine(settings) as engine, Gallery.open(f"sqlite:///{tmp_path / 'g.db'}") as gallery:
        app = create_app(engine, gallery, settings)
        paths = app.openapi()["paths"]
    routes = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    assert len(routes) > 10
    missing = [
        f"{method} {path}"
        for method, path in routes
        if not re.search(rf"\b{method}\b[^\n]*{re.escape(path)}(?![\w/{{])", text)
    ]
    assert not missing


# ------------------------------------------------------------------ what is documented, is there


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file):
    for target in re.findall(r"\]\(([^)\s]+)\)", file.read_text()):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        linked = (file.parent / path).resolve() if path else file
        assert linked.exists(), target
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), target


def anchors(file: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_python_blocks_are_python(file):
    for block in blocks(file, "python"):
        compile(block, file.name, "exec")


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_shell_blocks_name_commands_and_options_that_exist(file):
    known = dict(commands())
    lines = "\n".join(blocks(file, "sh", "console")).replace("\\\n", " ").splitlines()
    for line in lines:
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if not words or not words[0].endswith("mien"):
            continue
        words = words[: words.index(">")] if ">" in words else words
        path = next(
            (
                " ".join(["mien", *words[1:n]])
                for n in (3, 2)
                if " ".join(["mien", *words[1:n]]) in known
            ),
            None,
        )
        assert path or words[1:] in (["--help"], ["--version"]), line
        options = {o for p in known[path].params for o in p.opts} if path else set()
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert not given - options - {"--help", "--version"}, line


@pytest.mark.parametrize("file", READMES, ids=lambda file: file.name)
def test_the_two_commands_of_the_readme_exist(file):
    text = file.read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in ("run", "test"):
        assert f"make {target}" in text
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_both_readmes_have_the_same_code():
    english, korean = (
        ["\n".join(re.sub(r"\s*#.*", "", line) for line in block.splitlines()) for block in found]
        for found in (blocks(file, "sh", "python", "json", "text") for file in READMES)
    )
    assert english == korean


def test_make_has_the_words_that_are_promised():
    makefile = (ROOT / "Makefile").read_text()
    for target in ("run", "test", "check", "bench", "bench-%", "soak", "docs", "clean"):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_changelog_has_this_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == mien.__version__
    assert f"## [{mien.__version__}]" in (ROOT / "CHANGELOG.md").read_text()


def test_every_dependency_is_pinned():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = table["project"]["dependencies"] + table["dependency-groups"]["dev"]
    names = {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    assert not names - pinned


def test_decision_records_have_numbers_of_their_own():
    numbers = [file.name[:4] for file in (ROOT / "docs" / "decisions").glob("*.md")]
    assert len(numbers) == len(set(numbers))


def test_no_addresses_of_package_indexes_and_no_paths_of_one_machine():
    pattern = r"https?://(registry|files|deb|index|pypi)\.|/simple/[a-z]|[\"' =(]/(work|farm|root)/"
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split("\0") if listed.returncode == 0 else []
    files = [ROOT / name for name in names if name] or DOCUMENTS
    found = [
        f"{file.name}: {line}"
        for file in files
        if file.is_file() and b"\0" not in (body := file.read_bytes())
        for line in body.decode().splitlines()
        if re.search(pattern, line)
    ]
    assert not found


@pytest.mark.parametrize("file", READMES, ids=lambda file: file.name)
def test_the_python_of_the_readme_runs(file, people, tmp_path, monkeypatch, capsys):
    for photo in [*people["Barack Obama"], *people["Joe Biden"]]:
        shutil.copy(photo, tmp_path / photo.name)
    monkeypatch.chdir(tmp_path)
    (block,) = blocks(file, "python")
    exec(compile(block, file.name, "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    promised = re.findall(r"^ *print\(.*\)  # (.*)$", block, re.MULTILINE)
    assert len(promised) == 2
    assert set(promised) <= set(printed)
    assert (tmp_path / "found.png").stat().st_size > 0
