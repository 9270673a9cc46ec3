import unicodedata

import numpy as np
import pytest

from mien.errors import EmbeddingMismatch, InvalidArgument
from mien.gallery import checks
from mien.testing.galleries import random_contract, unit_vectors


@pytest.mark.parametrize("name", ["a", "Z9", "team.a_b-c", "0", "x" * 255])
def test_group_names_that_are_taken(name):
    assert checks.group_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".a", "-a", "_a", "a b", "a/b", "..", "팀", "a\n", "x" * 256, "a\x00", None, 3]
)
def test_group_names_that_are_refused(name):
    with pytest.raises(InvalidArgument):
        checks.group_name(name)


@pytest.mark.parametrize("name", ["김민수", "Ann", "Ann Lee", "O'Neill", "李小龍", "ñ" * 255, "🙂"])
def test_person_names_that_are_taken(name):
    assert checks.person_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", " ", " Ann", "Ann ", "A\nB", "A\x00", "A\x7f", "\ud800", "x" * 256, "A\u2028B", None, 3],
)
def test_person_names_that_are_refused(name):
    with pytest.raises(InvalidArgument):
        checks.person_name(name)


def test_person_names_are_normalised():
    apart = unicodedata.normalize("NFD", "김민수")
    assert len(apart) > 3
    assert checks.person_name(apart) == "김민수"


def test_vectors_of_the_contract_pass_unchanged():
    vectors = unit_vectors(5, 8)
    assert np.array_equal(checks.vectors(vectors, random_contract(8)), vectors)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 5.0])
def test_vectors_must_be_finite_and_of_unit_length(bad):
    vectors = unit_vectors(3, 8)
    vectors[1, 2] = bad
    with pytest.raises(InvalidArgument) as caught:
        checks.vectors(vectors, random_contract(8))
    assert not isinstance(caught.value, EmbeddingMismatch)


def test_vectors_of_another_length_are_of_another_model():
    with pytest.raises(EmbeddingMismatch, match="have 8 numbers, these have 9"):
        checks.vectors(unit_vectors(3, 9), random_contract(8))


@pytest.mark.parametrize("shape", [(8,), (1, 1, 8)])
def test_vectors_are_rows(shape):
    with pytest.raises(InvalidArgument, match="shape"):
        checks.vectors(np.zeros(shape, np.float32), random_contract(8))


@pytest.mark.parametrize(
    ("check", "words"), [("person_name", "of a person"), ("application_name", "of an application")]
)
def test_a_bad_name_says_whose(check, words):
    with pytest.raises(InvalidArgument, match=f"^The name {words} is "):
        getattr(checks, check)("")
