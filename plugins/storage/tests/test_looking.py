"""Many objects are found by a listing, in whatever order of texts a storage lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_storage import Listed
from handrail_storage.backend import looking

# Of the last two, the first one is later by UTF-16, where the other one is a pair of surrogates.
KEYS = st.text("a/\ufb01\U0001f600", min_size=1, max_size=4)


def by_utf16(key: str) -> bytes:
    return key.encode("utf-16-be")


@pytest.mark.parametrize("order", [str, by_utf16], ids=["code points", "UTF-16"])
@given(there=st.sets(KEYS, max_size=30), wanted=st.sets(KEYS, min_size=1, max_size=9))
def test_what_is_not_in_the_part_that_was_listed_has_to_be_asked_for(
    order: Callable[[str], Any], there: set[str], wanted: set[str]
) -> None:
    def listed(_requests: object, prefix: str, offset: str | None) -> Iterator[Listed]:
        for key in sorted(there, key=order):
            if key.startswith(prefix) and (offset is None or order(key) > order(offset)):
                yield Listed(key=key, size=1, etag=None)

    with mock.patch.multiple(looking, listed_below=listed, _FEW=0):
        found, rest = looking.from_listing(mock.Mock(), sorted(wanted))
    assert found.keys() | (there & set(rest)) == there & wanted
    assert not found.keys() & set(rest)
