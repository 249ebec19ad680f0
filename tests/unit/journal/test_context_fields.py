"""The fields of a context come back as they were, whichever way they were encoded."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from handrail import BaseStepContext, RuntimeContext
from handrail.errors import ContextError
from handrail.journal import context_fields
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
@example(values=[{"\ud800": None}])
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


ODD = "photo-\udcff.png"  # As a name of a file comes that is no UTF-8.


@dataclass(kw_only=True)
class Typed(BaseStepContext):
    """Holds what is known of files by their names."""

    sizes: dict[str, int] = field(default_factory=dict[str, int])
    more: list[dict[str, list[str]]] = field(default_factory=list[dict[str, list[str]]])
    paths: dict[str, Path] = field(default_factory=dict[str, Path])


def test_keys_that_are_no_unicode_come_back_as_they_were() -> None:
    """Pydantic has three replacement characters for each in its JSON, and says nothing."""
    fields = ContextFields(Typed)
    before = Typed(
        runtime_ctx=RuntimeContext(),
        sizes={ODD: 1, "\ufffd": 2},
        more=[{"a": ["\ufffd"]}, {ODD: [ODD]}],
        paths={"\ufffd": Path("\ufffd")},
    )
    stored = fields.encode(before, {})
    after = Typed(runtime_ctx=RuntimeContext())
    fields.restore(after, stored, 1)
    assert (after.sizes, after.more, after.paths) == (before.sizes, before.more, before.paths)


def test_a_key_that_is_no_unicode_is_refused_where_its_values_have_no_json_form() -> None:
    """Rather than to be stored as another one."""
    context = Typed(runtime_ctx=RuntimeContext(), paths={ODD: Path("a")})
    with pytest.raises(
        ContextError, match=r"paths cannot be stored: .*one of its keys is not valid Unicode"
    ):
        ContextFields(Typed).encode(context, {})


@dataclass
class Plain(BaseStepContext):
    """A context whose fields are of types of JSON."""

    name: str = ""
    maybe: str | None = None
    anything: Any = None
    count: int = 0
    done: bool = False
    share: float = 0.0
    sizes: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    rows: list[dict[str, float]] = field(default_factory=list[dict[str, float]])


PLAIN: tuple[dict[str, Any], ...] = (
    {},
    {"name": "ä\udcff", "maybe": "\ufffd", "anything": 1.5, "count": -3, "done": True},
    {"anything": {"a\udcff": [None]}, "sizes": {"a": [1]}, "rows": [{"x": math.nan}]},
    {"anything": True, "share": math.inf, "maybe": "null"},
)


@pytest.mark.parametrize("values", PLAIN)
def test_short_ways_lead_to_the_same_json(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether or not pydantic is asked, and it can be restored."""
    runtime = RuntimeContext()
    context = Plain(runtime, **values)
    short = ContextFields(Plain).encode(context, {})
    again = Plain(runtime)
    ContextFields(Plain).restore(again, short, 1)
    monkeypatch.setattr(context_fields, "_as_it_is", lambda *_: None)
    assert short == ContextFields(Plain).encode(context, {})
    assert repr(again) == repr(context)


def test_a_value_of_another_type_is_refused_though_its_type_is_plain() -> None:
    """The short way takes values of the declared type only."""
    for wrong in ({"name": 1}, {"maybe": 2}, {"sizes": []}):
        context = Plain(RuntimeContext(), **wrong)  # type: ignore[arg-type]
        with pytest.raises(ContextError, match="cannot be stored"):
            ContextFields(Plain).encode(context, {})
