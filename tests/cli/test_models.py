"""models, doctor, serve and eval."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mien.cli.doctor import without_secrets
from mien.cli.progress import download_progress
from mien.cli.run import Rooms


def test_list_says_what_the_contract_names(mien):
    rows = {row["name"]: row for row in mien("models", "list", "--json").document}
    assert {"yunet", "sface"} <= set(rows)
    keys = {"name", "task", "licence", "commercial", "available", "source", "size", "runs"}
    assert keys | {"measured"} <= set(rows["sface"])
    assert rows["sface"]["size"] == 10667852
    assert rows["opencv"]["runs"]["place"] == "library"
    assert rows["dlib5"]["runs"] == {"place": "numpy", "library": None, "ways": [], "chosen": None}
    assert {"runtime": "onnxruntime", "precision": "float32"} in rows["sface"]["runs"]["ways"]
    measured = {one["on"]: one for one in rows["yunet"]["measured"]}
    assert measured["CompreFace"]["figures"]["recall"] == 1.0
    assert rows["sface"]["available"] is False
    assert rows["sface"]["source"].startswith(("pypi:", "npm:", "https://"))
    text = mien("models", "list").stdout
    assert "embed/sface  not pulled  Apache-2.0 (commercial use allowed)  10.7 MB" in text
    assert "attributes/glasses  not pulled  AGPL-3.0 (commercial use allowed; must be acc" in text
    assert "runs in the fastest of " in text
    assert "to be measured when it is first opened" in text
    assert "runs in opencv-python-headless" in text
    assert "CompreFace and dlib, detection: recall 0." in text


def test_list_for_one_task(mien):
    rows = mien("models", "list", "--task", "embed", "--json").document
    assert {row["task"] for row in rows} == {"embed"}
    wrong = mien("models", "list", "--task", "embeed", "--json")
    assert (wrong.exit_code, wrong.document["error"]["code"]) == (2, "usage")
    assert "'embed'" in wrong.document["error"]["message"]


def test_show_gives_the_card(mien):
    card = mien("models", "show", "embed/sface", "--json").document
    assert card["embedder"]["dim"] == 128
    assert card["sources"]
    assert {"origin", "paper", "measured", "runs", "size", "precisions", "notes"} <= set(card)


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        (
            "sface",
            [
                "licence     Apache-2.0 (commercial use allowed)",
                "fed         RGB, 112 x 112, aligned to arcface112",
                "embedding   128 numbers, compared by cosine",
                "size        10.7 MB",
                "LFW folds 1-2, gate of bf16: cosine_median 0.9999",
            ],
        ),
        (
            "facenet",
            [
                "fed         RGB, 160 x 160, the square about the box, 1.25 times as large, "
                "each crop brought to mean 0 and deviation 1"
            ],
        ),
        ("deepid", ["fed         RGB, 47 x 55, the square", "licence     none stated"]),
        ("detect/dlib", ["library     dlib-bin", "runs        in dlib-bin"]),
        ("dlib5", ["runs        in Mien itself, with NumPy", "not measured by this project"]),
        ("glasses", ["licence     AGPL-3.0 (commercial use allowed; must be accepted)"]),
    ],
)
def test_show_is_for_people(mien, name, lines):
    text = mien("models", "show", name).stdout
    for line in lines:
        assert f"\n{line}" in text
    assert "{" not in text
    assert "None" not in text


def test_show_without_a_runtime(mien, monkeypatch):
    monkeypatch.setattr("mien.models.runtimes.importlib.util.find_spec", lambda name: None)
    text = mien("models", "show", "sface").stdout
    assert "runs        nowhere here: no runtime that it runs in is installed" in text


def test_an_unknown_model_names_close_ones(mien):
    answer = mien("models", "show", "yunett", "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "unknown_model")
    assert "yunet" in answer.document["error"]["message"]


def test_pulling_without_a_network_ends_with_3(mien):
    answer = mien("models", "pull", "yunet", "--offline", "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (3, "model_unavailable")


def test_verify_with_nothing_cached(mien):
    (shipped,) = mien("models", "verify", "--json").document  # installed with Mien
    assert shipped == {"name": "student", "task": "liveness", "state": "ok"}
    missing = mien("models", "verify", "yunet", "--json")
    assert missing.exit_code == 3
    assert missing.document == [{"name": "yunet", "task": "detect", "state": "missing"}]


def test_verify_says_what_to_do_by_state(mien, tmp_path, monkeypatch, models):
    source = models.source_path(models.card("yunet"))
    monkeypatch.setenv("MIEN_MODELS_MIRROR", str(source.parent))
    monkeypatch.setenv("MIEN_OFFLINE", "true")
    assert "'mien models pull detect/yunet'" in mien("models", "verify", "yunet").stderr
    mien("models", "pull", "yunet")
    good = mien("models", "verify")
    assert (good.exit_code, good.stderr) == (0, "")
    assert good.stdout == "detect/yunet: ok\nliveness/student: ok\n"
    (converted,) = (tmp_path / "cache" / "converted").iterdir()
    converted.write_bytes(b"damaged")
    repaired = mien("models", "verify", "--json")
    assert (repaired.exit_code, repaired.document[0]["state"]) == (0, "repaired")
    assert "made again" in repaired.stderr
    published = tmp_path / "cache" / "sources" / source.parent.name / source.name
    assert published.is_file()
    published.write_bytes(b"damaged")
    corrupt = mien("models", "verify", "--json")
    assert (corrupt.exit_code, corrupt.document[0]["state"]) == (3, "corrupt")
    assert "deleted: get it again with 'mien models pull detect/yunet'" in corrupt.stderr


@pytest.mark.parametrize("content", [None, b"", b"no archive at all"])
def test_importing_what_is_no_bundle(mien, tmp_path, content):
    if content is not None:
        (tmp_path / "bundle.tar").write_bytes(content)
    answer = mien("models", "import", "bundle.tar", "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "invalid_argument")


def test_real_weights_travel_in_a_bundle_and_are_tuned(mien, tmp_path, monkeypatch, weights):
    monkeypatch.setenv("MIEN_CACHE_DIR", str(weights.cache_dir))
    pulled = mien("models", "pull", "--json")
    assert [row["available"] for row in pulled.document] == [True, True]
    assert mien("models", "bundle", "models.tar", "--json").exit_code == 0
    monkeypatch.setenv("MIEN_CACHE_DIR", str(tmp_path / "far away"))
    monkeypatch.setenv("MIEN_OFFLINE", "true")
    imported = mien("models", "import", "models.tar", "--json").document
    assert {"detect/yunet", "embed/sface"} <= set(imported["models"])
    states = [row["state"] for row in mien("models", "verify", "--json").document]
    assert set(states) == {"ok"}
    (tuned,) = mien("models", "tune", "yunet", "--json").document
    assert tuned["runtime"] in {timing["runtime"] for timing in tuned["timings"]}
    doctor = mien("doctor", "--json", rooms=Rooms())
    assert doctor.exit_code == 0
    detector, embedder = doctor.document["models"]
    assert (detector["runtime"], detector["precision"]) == (tuned["runtime"], tuned["precision"])
    assert embedder["calibration"]["impostor_pairs"] > 0
    assert "impostor pairs" in mien("doctor", rooms=Rooms()).stdout


def test_doctor_without_models_ends_with_3_and_says_what_to_do(mien):
    answer = mien("doctor", "--json")
    assert answer.exit_code == 3
    document = answer.document
    assert document["ok"] is False
    assert {problem["code"] for problem in document["problems"]} == {"model_unavailable"}
    assert "mien models pull" in answer.stderr
    assert "not safe on another" in document["warnings"][0]
    assert document["machine"]["cores"] >= 1
    assert document["settings"]["embedder"] == "sface"
    assert "error" not in document["gallery"]


def test_doctor_with_a_broken_gallery(mien, tmp_path):
    (tmp_path / "broken.db").write_bytes(b"this is no database" * 100)
    answer = mien("doctor", "--gallery", f"sqlite:///{tmp_path / 'broken.db'}", "--json")
    assert answer.exit_code == 3
    assert answer.document["gallery"]["error"]["code"] == "gallery_unavailable"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann:pw@db:5432/faces", "postgresql://***@db:5432/faces"),
        ("postgresql://ann:p@w@db/faces", "postgresql://***@db/faces"),
        ("postgresql://ann:se/cret@db/faces", "postgresql://***@db/faces"),
        ("postgresql://ann:se?cr#et@db/faces", "postgresql://***@db/faces"),
        ("postgresql://db/faces?user=ann&password=secret", "postgresql://db/faces?***"),
        ("https://tok3n@host/x", "https://***@host/x"),
        ("https://h/x?sig=SECRET", "https://h/x?***"),
        ("https://h/x#SECRET", "https://h/x#***"),
        ("sqlite:///a@b:c.db", "sqlite:///a@b:c.db"),
        ("a folder", "a folder"),
        ("", ""),
    ],
)
def test_no_secret_is_shown(url, shown):
    assert without_secrets(url) == shown


def test_doctor_shows_no_secret(mien, monkeypatch):
    monkeypatch.setenv("MIEN_MODELS_MIRROR", "https://tok3n@host/x?sig=SECRET")
    monkeypatch.setenv("MIEN_GALLERY", "postgresql://ann:se/cret@db/faces?password=hidden")
    answer = mien("doctor", "--json")
    told = answer.stdout + answer.stderr + mien("doctor").stdout
    for secret in ("tok3n", "SECRET", "cret@", "hidden"):
        assert secret not in told


def test_serve_wants_an_address(mien):
    served = []
    answer = mien(
        "serve",
        "--host",
        "",
        "--json",
        rooms=Rooms(serve=lambda settings, _: served.append(settings)),
    )
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "configuration")
    assert "0.0.0.0 every interface" in answer.stderr
    assert not served


def test_serve_hands_the_options_to_the_service(mien):
    served = []
    rooms = Rooms(serve=lambda settings, _: served.append(settings))
    answer = mien("serve", "--host", "0.0.0.0", "--port", "9001", rooms=rooms)
    assert answer.exit_code == 0
    (settings,) = served
    assert (settings.host, settings.port) == ("0.0.0.0", 9001)


def write_csv(file: Path, header: str, rows: list[tuple[object, ...]]) -> Path:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return file


def test_eval_pairs_answers_what_the_contract_names(mien, draw, tmp_path):
    for identity in range(4):
        draw(identity, f"{identity}a.png")
        draw(identity, f"{identity}b.png", width=400)
    rows = [(f"{i}a.png", f"{i}b.png", 1, i % 2) for i in range(4)]
    rows += [(f"{i}a.png", f"{(i + 1) % 4}b.png", 0, i % 2) for i in range(4)]
    file = write_csv(tmp_path / "pairs.csv", "a,b,same,fold", rows)
    answer = mien("eval", "pairs", "--pairs", file, "--root", tmp_path, "--json")
    assert answer.exit_code == 0
    document = answer.document
    keys = "pairs images undetected folds accuracy std auc eer tar threshold ms_per_image_cpu"
    assert {*keys.split(), "embedder", "detector"} <= set(document)
    assert (document["pairs"], document["images"], document["folds"]) == (8, 8, 2)
    assert document["accuracy"] == 1
    assert set(document["tar"]) == {"1e-2", "1e-3"}
    assert "Embedding photos: done" in answer.stderr
    plain = mien("eval", "pairs", "--pairs", file, "--root", tmp_path, "--score", "similarity")
    assert "scored by similarity" in plain.stdout
    mien("eval", "pairs", "--pairs", file, "--root", tmp_path, "--report", "report.html")
    assert "<svg" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [["pairs", "--pairs"], ["calibrate", "--faces"]])
def test_eval_with_a_list_that_is_not_there(mien, tmp_path, command):
    answer = mien("eval", *command, "missing.csv", "--root", tmp_path, "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "invalid_argument")
    assert "missing.csv" in answer.stderr


def test_calibrate_refuses_too_few_people(mien, draw, tmp_path):
    rows = [(draw(i, f"{i}.png").name, f"person {i}") for i in range(4)]
    file = write_csv(tmp_path / "faces.csv", "path,id", rows)
    answer = mien("eval", "calibrate", "--faces", file, "--root", tmp_path, "--json")
    assert (answer.exit_code, answer.document["error"]["code"]) == (2, "invalid_argument")
    assert "too few" in answer.stderr


@pytest.fixture
def pair_list(draw, tmp_path):
    for identity in range(2):
        draw(identity, f"{identity}a.png")
        draw(identity, f"{identity}b.png", width=400)
    rows = [("0a.png", "0b.png", 1), ("1a.png", "1b.png", 1)]
    rows += [("0a.png", "1b.png", 0), ("1a.png", "0b.png", 0)]
    return write_csv(tmp_path / "pairs.csv", "a,b,same", rows)


@pytest.mark.parametrize("target", ["gone/report.html", "folder"])
def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    mien, tmp_path, pair_list, target
):
    (tmp_path / "folder").mkdir()
    common = ["--root", tmp_path, "--report", target, "--json"]
    answer = mien("eval", "pairs", "--pairs", pair_list, *common)
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] in {"usage", "invalid_argument"}
    assert "Embedding" not in answer.stderr
    faces = write_csv(tmp_path / "faces.csv", "path,id", [("0a.png", "0"), ("1a.png", "1")])
    for option in ("--report", "--write"):
        calibrate = mien("eval", "calibrate", "--faces", faces, "--root", tmp_path, option, target)
        assert calibrate.exit_code == 2
        assert Path(target).name in calibrate.stderr
        assert "Embedding" not in calibrate.stderr


def test_a_report_that_fails_at_the_end_costs_no_answer(mien, tmp_path, pair_list):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    arguments = ["--root", tmp_path, "--report", "/dev/full", "--json"]
    answer = mien("eval", "pairs", "--pairs", pair_list, *arguments)
    assert answer.exit_code == 2
    assert answer.document["pairs"] == 4
    assert "mien: invalid_argument: full cannot be written: No space left" in answer.stderr


def test_progress_without_a_terminal_is_a_line_for_each_step(capsys):
    progress = download_progress()
    for done in (0, 1_000_000, 2_000_000):
        progress("weights", done, 2_000_000)
    assert capsys.readouterr().err == "weights (2.0 MB)\nweights: done\n"
