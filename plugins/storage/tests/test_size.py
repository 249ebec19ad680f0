"""Sizes in params: a number of bytes, or text with a unit that is read whole or refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ByteSize, ValidationError

from handrail_storage import Size


class Params(BaseModel):
    size: Size


@pytest.mark.parametrize(
    ("given_as", "size"),
    [
        (0, 0),
        ("0", 0),
        ("500", 500),
        ("500B", 500),
        ("10MB", 10_000_000),
        (" 10 mb ", 10_000_000),
        ("1GiB", 1 << 30),
        ("1.5 KiB", 1536),
        ("2TB", 2 * 10**12),
        ("0.1MB", 100_000),
    ],
)
def test_a_size_is_a_number_of_bytes(given_as, size):
    """With units of 1,000 and of 1,024, as people write them."""
    assert Params(size=given_as).size == size
    assert isinstance(Params(size=given_as).size, ByteSize)


@pytest.mark.parametrize(
    "text",
    ["1,000 MB", "10M", "5k", "8Mbit", "1e6", "-1", "-1MB", "", "MB", "1 MB 2", "½MB", "10 M B"],
)
def test_a_text_that_is_not_all_of_it_a_size_is_refused(text):
    """Its beginning may be one: `1,000 MB` is not 1 byte; and `10M` is 10 MiB to some."""
    with pytest.raises(ValidationError, match="is not a size, such as 500kB or 20MiB"):
        Params(size=text)


@pytest.mark.parametrize("value", [-1, True, 1.5, None, [1]])
def test_what_is_no_whole_number_is_refused(value):
    """A fraction of a byte, or a flag, is a mistake."""
    with pytest.raises(ValidationError):
        Params(size=value)


@given(st.integers(0, 10**18))
def test_a_size_comes_back_from_a_journal(size):
    """To the byte."""
    assert Params.model_validate(Params(size=size).model_dump(mode="json")).size == size
