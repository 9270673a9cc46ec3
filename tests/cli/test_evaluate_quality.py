"""mien eval quality: the document, the text, the page and the exit codes."""

import pytest


@pytest.fixture
def listed(draw, tmp_path):
    for person in (1, 2):
        draw(person, f"{person}a.png")
        draw(person, f"{person}b.png", width=280)
    file = tmp_path / "pairs.csv"
    file.write_text("a,b,same\n1a.png,1b.png,1\n2a.png,2b.png,1\n1a.png,2b.png,0\n")
    return file


def test_its_document_its_text_and_its_page(mien, listed, tmp_path):
    arguments = ("eval", "quality", "--pairs", listed, "--root", tmp_path)
    page = tmp_path / "page.html"
    document = mien(*arguments, "--json", "--report", page).document
    assert (document["pairs"], document["images"], document["undetected"]) == (2, 4, 0)
    assert {"fnmr", "auc", "partial_auc", "gain"} < set(document["curves"]["quality"])
    assert "<svg" in page.read_text(encoding="utf-8")
    told = mien(*arguments, "--spoil")
    assert told.exit_code == 0
    assert "quality: FNMR without the lowest 5%" in told.stdout


@pytest.mark.parametrize(
    "wrong", [("--fmr", "2"), ("--report", "none/page.html"), ("--pairs", "none.csv")]
)
def test_what_cannot_be_is_refused(mien, listed, tmp_path, wrong):
    arguments = ("eval", "quality", "--pairs", listed, "--root", tmp_path, *wrong, "--json")
    answer = mien(*arguments)
    assert answer.exit_code == 2
    assert answer.document["error"]["code"] == "invalid_argument"
