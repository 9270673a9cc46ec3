"""enroll --from with a zip and a CSV file, again, and its report."""

from __future__ import annotations

import csv
import json
import zipfile

import pytest


@pytest.fixture
def people(draw, tmp_path):
    for identity, person in enumerate(["ann", "홍길동"]):
        draw(identity, f"people/{person}/1.png")
        draw(identity, f"people/{person}/2.png", width=400)
    (tmp_path / "people" / "ann" / "=1+2.txt").write_text("<b>no photo")
    return tmp_path / "people"


@pytest.fixture
def archive(people, tmp_path):
    with zipfile.ZipFile(tmp_path / "people.zip", "w") as made:
        for file in sorted(people.rglob("*.*")):
            made.write(file, file.relative_to(people.parent))
    return tmp_path / "people.zip"


@pytest.fixture
def listing(people, tmp_path):
    lines = [f"{f.relative_to(people)},{f.parent.name},N-{f.name}" for f in people.rglob("*.*")]
    (tmp_path / "who.csv").write_text(
        "path,person,external_image_id\n" + "\n".join(sorted(lines)), encoding="utf-8"
    )
    return tmp_path / "who.csv"


def test_every_source_gives_the_same(mien, people, archive, listing):
    answers = [
        mien("enroll", "a", "--from", people, "--json").document,
        mien("enroll", "b", "--from", archive, "--json").document,
        mien("enroll", "c", "--from", listing, "--root", people, "--json").document,
    ]
    for answer in answers:
        assert answer["enrolled"] == 4
        assert answer["persons"] == ["ann", "홍길동"]
        assert [r["reasons"] for r in answer["rejected"]] == [["image_decode"]]
        assert answer["warnings"] == []


def test_the_second_time_from_another_source_nothing_is_enrolled(mien, people, archive):
    (people / "ann" / "=1+2.txt").unlink()
    assert mien("enroll", "staff", "--from", people).exit_code == 0
    assert mien("enroll", "other", "--from", archive, "--json").document["enrolled"] == 4
    again = mien("enroll", "staff", "--from", people)
    assert again.exit_code == 0
    assert "Nothing new: 4 photo(s) are enrolled already." in again.stdout
    crossed = mien("enroll", "staff", "--from", archive, "--json").document
    assert crossed["enrolled"] == 0
    assert sum(r["reasons"] == ["duplicate"] for r in crossed["rejected"]) == 4


@pytest.mark.parametrize("kind", ["csv", "json", "html"])
def test_a_report_of_what_was_rejected(mien, people, tmp_path, kind):
    file = tmp_path / f"report.{kind}"
    assert mien("enroll", "staff", "--from", people, "--report", file).exit_code == 0
    text = file.read_text(encoding="utf-8")
    assert "image_decode" in text
    if kind == "csv":
        (row,) = csv.DictReader(text.splitlines())
        assert (row["image"], row["state"]) == ("ann/=1+2.txt", "rejected")
    elif kind == "json":
        document = json.loads(text)
        assert (document["photos"], document["enrolled"]) == (5, 4)
        assert document["listed"][0]["person"] == "ann"
    else:
        assert "<td>ann/=1+2.txt</td>" in text
    assert not list(tmp_path.glob(".report*"))


def test_a_report_is_safe_in_a_spreadsheet_and_a_browser(mien, draw, tmp_path):
    draw(1, "a.png")
    (tmp_path / "=cmd().png").write_text("x")
    (tmp_path / "<script>.png").write_text("x")
    for kind in ("csv", "html"):
        file = tmp_path / f"report.{kind}"
        mien("enroll", "g", "p", "a.png", "=cmd().png", "<script>.png", "--report", file)
        assert "\n=cmd" not in file.read_text()
        assert kind == "csv" or "<script>" not in file.read_text()


@pytest.mark.parametrize("name", ["report.txt", "missing/report.csv", "folder.csv"])
def test_a_report_that_cannot_be_written_is_refused_before_anything(mien, people, tmp_path, name):
    (tmp_path / "folder.csv").mkdir()
    answer = mien("enroll", "staff", "--from", people, "--report", tmp_path / name)
    assert answer.exit_code == 2
    assert not (tmp_path / "data" / "gallery.db").exists()


def test_options_that_do_not_belong_together(mien, people, draw):
    draw(1, "a.png")
    assert mien("enroll", "staff", "ann", "a.png", "--root", people).exit_code == 2
    assert mien("enroll", "staff", "--from", people, "--root", people).exit_code == 2


def test_a_cluster_looks_at_the_photos_and_the_answer_is_the_same(mien, draw, rooms):
    import dataclasses

    draw(1, "people/ann/1.png")
    asked = []

    def cluster(engine, gallery, group, photos, address):
        asked.append(address)
        return engine.enroll_each(gallery, group, photos)

    with_cluster = dataclasses.replace(rooms, cluster=cluster)
    arguments = ["enroll", "staff", "--from", "people", "--dask", "tcp://10.0.0.5:8786", "--json"]
    answer = mien(*arguments, rooms=with_cluster)
    assert (answer.exit_code, answer.document["enrolled"]) == (0, 1)
    assert asked == ["tcp://10.0.0.5:8786"]
    refused = mien("enroll", "staff", "ann", "people/ann/1.png", "--dask", "local:2")
    assert refused.exit_code == 2
    assert "--from" in refused.stderr
