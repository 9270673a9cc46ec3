import pytest

from mien.errors import InvalidArgument
from mien.gallery.texts import FIELDS, VERSION, text

FILLED = {name: f"<{name}>" for name in FIELDS}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("kind", ["consent", "notice"])
def test_every_field_and_the_version_are_in_every_form(kind, language):
    form = text(kind, language, FILLED)
    assert all(value in form for value in (*FILLED.values(), VERSION))
    assert "{" not in form


def test_the_korean_consent_names_what_the_act_asks_for():
    form = text("consent", "ko", FILLED)
    for duty in ("민감정보", "보유·이용 기간", "처리 위탁", "거부하실 권리", "철회", "파기"):
        assert duty in form


@pytest.mark.parametrize("missing", FIELDS)
def test_a_form_with_a_gap_is_refused(missing):
    with pytest.raises(InvalidArgument, match=missing):
        text("consent", "en", {**FILLED, missing: " "})


@pytest.mark.parametrize(
    ("kind", "language", "fields"),
    [("poster", "en", FILLED), ("consent", "fr", FILLED), ("notice", "en", {**FILLED, "x": "y"})],
)
def test_what_there_is_not_is_refused(kind, language, fields):
    with pytest.raises(InvalidArgument):
        text(kind, language, fields)


def test_braces_in_a_field_are_kept():
    assert "{purpose}" in text("notice", "en", {**FILLED, "organisation": "{purpose}"})
