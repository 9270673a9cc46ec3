"""How commands end: exit codes, one JSON document, no traceback."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mien import errors
from mien.cli.exits import ExitCode, Failure, exit_code
from mien.cli.run import Rooms

sys.path.insert(0, str(Path(__file__).parent))
from nursery import Nursery

MIEN = [sys.executable, "-c", "from mien.cli import main; main()"]


def run(*arguments: str, **options):
    return subprocess.run(
        [*MIEN, *arguments], capture_output=True, text=True, timeout=60, check=False, **options
    )


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidArgument("x"), 2),
        (errors.ConfigurationError("x"), 2),
        (errors.ImageDecodeError("x"), 2),
        (errors.NoFaceFound("x"), 2),
        (errors.NotFound("x"), 2),
        (errors.EmbeddingMismatch("x"), 2),
        (errors.ModelUnavailable("x"), 3),
        (errors.LicenceNotAccepted("x"), 3),
        (errors.RuntimeUnavailable("x"), 3),
        (errors.GalleryUnavailable("x"), 3),
        (errors.Overloaded("x"), 3),
    ],
)
def test_exit_codes(error, code):
    assert exit_code(error) == code


@pytest.mark.parametrize(
    "arguments",
    [
        ["detect"],
        ["detect", "--no-such-option", "x.jpg"],
        ["no-such-command"],
        ["identify", "staff", "x.jpg", "--top", "0"],
        ["identify", "staff", "x.jpg", "--top", "many"],
        ["enroll", "staff"],
        ["enroll", "staff", "ann"],
        ["serve", "--port", "70000"],
    ],
)
def test_bad_usage_ends_with_2_and_says_why(mien, arguments):
    answer = mien(*arguments, "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] in {"usage", "invalid_argument"}
    assert answer.stderr.startswith("mien: ")
    plain = mien(*arguments)
    assert (plain.exit_code, plain.stdout) == (2, "")
    assert len(plain.stderr.splitlines()) == 1


def test_without_a_command_the_help_is_shown(mien):
    answer = mien()
    assert answer.exit_code == 2
    assert "Commands:" in answer.stderr


def test_a_setting_that_cannot_be_is_named(mien, draw, monkeypatch):
    draw(1, "ann.png")
    monkeypatch.setenv("MIEN_PORT", "eighty")
    answer = mien("detect", "ann.png", "--json")
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "configuration"
    assert "MIEN_PORT" in answer.stderr


def failing(error: BaseException) -> Rooms:
    def engine(settings, models):
        raise error

    return Rooms(engine=engine)


def test_a_missing_model_ends_with_3(mien):
    error = errors.ModelUnavailable("No network.", details={"model": "yunet"})
    answer = mien("detect", "a.jpg", "--json", rooms=failing(error))
    assert answer.exit_code == 3
    assert answer.document == {
        "error": {
            "code": "model_unavailable",
            "message": "No network.",
            "details": {"model": "yunet"},
        }
    }
    assert answer.stderr == "mien: model_unavailable: No network.\n"


def test_a_defect_is_not_the_answer_no(mien, monkeypatch):
    monkeypatch.delenv("MIEN_DEBUG", raising=False)
    answer = mien("compare", "a.jpg", "b.jpg", "--json", rooms=failing(KeyError("secret")))
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "internal"
    assert "secret" not in answer.stdout + answer.stderr
    assert len(answer.stderr.splitlines()) == 1


def test_the_traceback_is_shown_only_when_asked_for(monkeypatch, capsys):
    from mien.cli.root import cli

    monkeypatch.setenv("MIEN_DEBUG", "1")
    with pytest.raises(SystemExit):
        cli.main(["detect", "a.jpg"], "mien", obj=failing(KeyError("cause")))
    assert "KeyError: 'cause'" in capsys.readouterr().err


def test_ctrl_c_ends_with_130(mien):
    answer = mien("detect", "a.jpg", "--json", rooms=failing(KeyboardInterrupt()))
    assert answer.exit_code == 130
    assert answer.document["error"]["code"] == "interrupted"


def test_messages_are_one_line(capsys):
    Failure("x", "two\n  lines", ExitCode.BAD_INPUT).tell(as_json=False)
    assert capsys.readouterr().err == "mien: x: two lines\n"


def test_version():
    import mien as package

    answer = run("--version")
    assert (answer.returncode, answer.stdout) == (0, f"mien, version {package.__version__}\n")


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from mien.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n"
        "    heavy = {'numpy', 'cv2', 'PIL', 'fastapi', 'pydantic', 'sqlalchemy', 'onnxruntime',\n"
        "             'openvino', 'scipy', 'faiss', 'httpx'} & set(sys.modules)\n"
        "    sys.exit(f'imported {heavy}' if heavy or end.code else 0)\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("arguments", [["detect", "missing.jpg"], ["models", "show", "nonesuch"]])
def test_a_process_ends_without_a_traceback(arguments, tmp_path):
    answer = run(*arguments, "--json", cwd=tmp_path)
    assert answer.returncode in {2, 3}
    assert "error" in json.loads(answer.stdout)
    assert "Traceback" not in answer.stderr


def test_a_closed_pipe_is_quiet(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    answer = subprocess.run(
        [*MIEN, "models", "list", "--json"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    os.close(writer)
    assert answer.stderr == ""
    assert answer.returncode == ExitCode.BROKEN_PIPE


MOCK = [sys.executable, str(Path(__file__).with_name("mock_entry.py"))]
full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")


@pytest.fixture(scope="module")
def nursery():
    with Nursery() as opened:
        yield opened


def into_full(nursery, command, redirection, folder):
    """Run a command over drawn faces with stdout, stderr or both on a disk that is full."""
    files = [folder / "stdout", folder / "stderr"]
    for stream, begin in enumerate([">", "2>"]):
        if f"{begin}/dev/full" in redirection.split():
            files[stream] = Path("/dev/full")
    nursery.start(command, files=files, folder=folder, gallery=folder / "g.db")
    code = nursery.reap()
    said = [file.read_text() if file.is_file() else "" for file in files]
    return subprocess.CompletedProcess(command, code, *said)


def ended(command, redirection, folder):
    """The same for any redirection, through a shell: a closed stream is closed from the start."""
    line = f"{shlex.join([*MOCK, *command])} {redirection}"
    settings = {"MIEN_GALLERY": f"sqlite:///{folder / 'g.db'}", "MIEN_THREADS": "1"}
    return subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, timeout=60, check=False,
        cwd=folder, env={**os.environ, **settings},
    )  # fmt: skip


@full
@pytest.mark.parametrize(
    ("command", "redirection", "code"),
    [
        (["compare", "a.png", "a.png", "--json"], ">/dev/full", 2),
        (["compare", "a.png", "b.png", "--json"], ">/dev/full", 2),
        (["compare", "a.png", "b.png"], ">/dev/full", 2),
        (["compare", "a.png", "a.png"], ">&-", 141),
        (["compare", "a.png", "b.png", "--json"], ">&-", 141),
        (["compare", "a.png", "b.png"], ">/dev/full 2>/dev/full", 2),
        (["compare", "a.png", "b.png"], ">&- 2>&-", 141),
        (["compare", "gone.png", "a.png"], "2>/dev/full", 2),
        (["compare", "gone.png", "a.png", "--json"], "2>&-", 2),
        (["compare", "gone.png", "a.png", "--json"], ">/dev/full", 2),
        (["--help"], ">/dev/full", 2),
        (["detect", "--help"], ">/dev/full", 2),
        ([], "2>/dev/full", 2),
        (["compare", "a.png", "b.png"], "2>/dev/full", 1),
        (["compare", "a.png", "a.png"], "2>&-", 0),
    ],
)
def test_1_is_never_a_failure_to_print(nursery, draw, tmp_path, command, redirection, code):
    draw(1, "a.png")
    draw(2, "b.png")
    if "&-" in redirection:
        answer = ended(command, redirection, tmp_path)
    else:
        answer = into_full(nursery, command, redirection, tmp_path)
    assert answer.returncode == code
    assert "Traceback" not in answer.stderr
    assert "Exception" not in answer.stderr
    if code == 2 and redirection == ">/dev/full" and "gone.png" not in command:
        assert answer.stderr.startswith("mien: output: The answer cannot be written on stdout: ")


@full
@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-"])
def test_an_answer_needs_no_stderr(draw, tmp_path, redirection):
    draw(1, "a.png")
    answer = ended(["enroll", "staff", "ann", "a.png", "--json"], redirection, tmp_path)
    assert answer.returncode == 0
    assert json.loads(answer.stdout)["enrolled"] == 1


def test_a_closed_stdout_is_not_taken_for_a_database(draw, tmp_path):
    draw(1, "a.png")
    assert ended(["enroll", "staff", "ann", "a.png"], ">&- 2>&-", tmp_path).returncode == 141
    answer = ended(["gallery", "list", "--json"], "<&-", tmp_path)
    assert json.loads(answer.stdout)[0]["faces"] == 1


def test_help_into_a_closed_pipe_is_not_1(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    for arguments in (["--help"], ["detect", "--help"], ["--version"]):
        answer = subprocess.run([*MIEN, *arguments], stdout=writer, timeout=60, cwd=tmp_path)
        assert answer.returncode == ExitCode.BROKEN_PIPE
    os.close(writer)


def test_a_process_that_is_interrupted_ends_cleanly(tmp_path):
    entry = Path(__file__).with_name("waiting_entry.py")
    with subprocess.Popen(
        [sys.executable, str(entry)], stderr=subprocess.PIPE, text=True, cwd=tmp_path
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "waiting\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == ExitCode.INTERRUPTED
    assert said.strip() == "mien: interrupted: Interrupted."
