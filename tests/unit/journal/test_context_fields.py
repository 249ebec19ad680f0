"""The fields of a context come back as they were, whichever way they were encoded."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from handrail import BaseStepContext, RuntimeContext
from handrail.journal.context_fields import ContextFields

TEXT = st.text(st.characters(exclude_categories=()), max_size=5)  # Also such that is no Unicode.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT, each, max_size=3),
    max_leaves=6,
)


@dataclass(kw_only=True)
class Context(BaseStepContext):
    """Holds anything."""

    value: Any = None


@given(values=st.lists(VALUES, min_size=1, max_size=4))
@settings(deadline=None, max_examples=150)
def test_a_field_is_stored_as_what_it_is_and_only_when_it_changed(values: list[Any]) -> None:
    """NaN is not null, 1 is not 1.0, and text keeps what cannot be encoded."""
    fields = ContextFields(Context)
    context = Context(runtime_ctx=RuntimeContext())
    stored: dict[str, str] = {}
    last: str | None = None
    for value in values:
        context.value = value
        expected = json.dumps(value)
        changed = fields.encode(context, stored)
        assert bool(changed) == (expected != last)
        stored.update(changed)
        last = expected
        assert stored["value"].isascii()
        assert json.dumps(json.loads(stored["value"])) == expected
        assert fields.encode(context, stored) == {}
