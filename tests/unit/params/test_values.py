"""Values in nested mappings are read, set and merged by the path to them."""

from __future__ import annotations

from typing import Any

from handrail.params.model import merge, set_path, value_at


def test_a_value_is_set_where_mappings_are_missing_or_something_else_stands() -> None:
    values: dict[str, Any] = {"a": 1, "b": {"c": 2}}
    set_path(values, ("a", "x", "y"), 3)
    set_path(values, ("b", "d"), 4)
    assert values == {"a": {"x": {"y": 3}}, "b": {"c": 2, "d": 4}}


def test_a_value_is_read_and_what_stands_in_the_way_is_returned() -> None:
    values = {"a": {"b": 1}, "c": 5}
    assert value_at(values, ("a", "b")) == 1
    assert value_at(values, ("a", "x"), "none") == "none"
    assert value_at(values, ("x", "y"), "none") == "none"
    assert value_at(values, ("c", "y"), "none") == 5


def test_what_is_merged_wins_and_stays_apart() -> None:
    """Later changes of one do not reach the other."""
    more = {"a": {"x": 1}, "b": {"y": 2}, "c": [1]}
    values: dict[str, Any] = {"a": {"x": 0, "z": 0}, "b": 3}
    merge(values, more)
    assert values == {"a": {"x": 1, "z": 0}, "b": {"y": 2}, "c": [1]}
    values["b"]["y"] = 9
    assert more["b"] == {"y": 2}
