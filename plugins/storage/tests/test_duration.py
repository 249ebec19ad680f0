"""Durations in params: written as people write them, and the same when they come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from handrail_storage import Duration


class Params(BaseModel):
    wait: Duration = Duration(0)


@pytest.mark.parametrize(
    ("given_as", "seconds", "shown"),
    [
        ("90s", 90, "90s"),
        ("10m", 600, "10m"),
        ("1.5h", 5400, "90m"),
        (7200, 7200, "2h"),
        ("0", 0, "0s"),
    ],
)
def test_a_duration_is_shown_in_the_largest_unit_that_fits(given_as, seconds, shown):
    """Whatever the unit in which it was given."""
    params = Params(wait=given_as)
    assert params.wait == seconds
    assert str(params.wait) == shown
    assert params.model_dump(mode="json") == {"wait": shown}


@given(st.integers(0, 10**14))
def test_a_duration_comes_back_from_a_journal(milliseconds):
    """To the millisecond."""
    params = Params(wait=milliseconds / 1000)
    again = Params.model_validate(params.model_dump(mode="json"))
    assert again.wait == pytest.approx(params.wait, abs=1e-4)


@pytest.mark.parametrize("given_as", ["a while", "-1s", -1, "1 week", "", None, float("nan")])
def test_what_is_no_duration_is_refused(given_as):
    """With one message."""
    with pytest.raises(ValidationError):
        Params(wait=given_as)
