import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.errors import KeyMismatch
from mien.gallery.protect.sealing import OVERHEAD, new_key, open_sealed, seal

KEY = new_key()


@given(st.binary(max_size=600), st.binary(max_size=64))
def test_what_is_sealed_opens_again_with_its_key_and_context(secret, context):
    sealed = seal(secret, key=KEY, context=context)
    assert open_sealed(sealed, key=KEY, context=context) == secret
    assert len(sealed) == len(secret) + OVERHEAD


def test_a_secret_is_not_in_its_sealed_form_and_never_sealed_twice_the_same():
    secret = b"a template that nobody may read"
    first, second = (seal(secret, key=KEY, context=b"") for _ in range(2))
    assert secret not in first
    assert first != second


@given(st.data())
def test_one_changed_bit_is_noticed(data):
    sealed = bytearray(seal(b"template", key=KEY, context=b"face"))
    where = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[where // 8] ^= 1 << where % 8
    with pytest.raises(KeyMismatch):
        open_sealed(bytes(sealed), key=KEY, context=b"face")


@pytest.mark.parametrize(
    ("key", "context"),
    [(bytes(32), b"face 1"), (KEY, b"face 2")],
    ids=["another key", "another row"],
)
def test_another_key_or_another_row_does_not_open(key, context):
    with pytest.raises(KeyMismatch, match="Nothing has been changed"):
        open_sealed(seal(b"template", key=KEY, context=b"face 1"), key=key, context=context)


@pytest.mark.parametrize("damaged", [b"", b"\x01", b"\x01" * (OVERHEAD - 1), b"\x02" * 80])
def test_what_is_no_sealed_value_is_refused(damaged):
    with pytest.raises(KeyMismatch, match="damaged"):
        open_sealed(damaged, key=KEY, context=b"")
