"""How long a run keeps what it replaces: a param that is on, off, or a duration."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ValidationError

from handrail_storage import Duration, KeepReplaced
from handrail_storage.claims import Replaced


class Params(BaseModel):
    keep: KeepReplaced = True


@pytest.mark.parametrize(
    ("given_as", "kept", "stored"),
    [
        (True, True, True),
        ("true", True, True),
        (False, False, False),
        ("false", False, False),
        ("30d", Duration(30 * 86_400), "30d"),
        ("12h", Duration(43_200), "12h"),
        ("1", Duration(1), "1s"),
        (90, Duration(90), "90s"),
    ],
)
def test_it_is_on_or_off_or_a_duration(given_as, kept, stored):
    """And comes back from a journal."""
    params = Params(keep=given_as)
    assert (type(params.keep), params.keep) == (type(kept), kept)
    assert params.model_dump(mode="json") == {"keep": stored}
    assert Params.model_validate(params.model_dump(mode="json")) == params


@pytest.mark.parametrize(
    "given_as", ["abc", "", "0d", 0, "-1d", -1, "36501d", None, [], float("nan"), float("inf")]
)
def test_what_is_no_time_is_refused(given_as):
    """With one message."""
    with pytest.raises(ValidationError) as refused:
        Params(keep=given_as)
    assert refused.value.error_count() == 1


def test_the_end_of_a_run_says_how_what_it_keeps_is_given_up():
    """In one line, and nothing if nothing was replaced."""
    kept = Replaced(count=3, size=1_200_000)
    assert kept.summary("12") == "3 replaced files kept (1.2 MB) until run 12 is pruned"
    assert (kept + Replaced()).to_dict() == {"files": 3, "bytes": 1_200_000, "kept": True}
    assert Replaced().summary("12") == ""
    assert Replaced().to_dict() == {}
