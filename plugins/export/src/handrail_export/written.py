"""Decides how values are written where a format has no such type, so that none changes silently.

Parquet would keep milliseconds of an interval, and no more than 53 bits of whole numbers of 128.
"""

from __future__ import annotations

from typing import Any, Literal

from handrail_export.sources.binding import quoted

Form = Literal["columns", "csv", "json", "cells"]
"""Where values are written: typed columns as those of Parquet, CSV, JSON, or cells of a sheet."""

_AS_TEXT = ("interval", "time with time zone")
_NO_CELLS = ("timestamp with time zone", "timestamp_ns", "hugeint", "uhugeint", "uuid", "time_ns")
_FRACTIONS = ("double", "float")
_NESTED = ("list", "array", "struct", "tuple", "map", "union")


def written(kind: Any, value: str, form: Form) -> str:
    """Return the SQL for a value as it is written; the value itself if nothing is changed.

    Args:
        kind: Its type, a `duckdb.sqltypes.DuckDBPyType`.
        value: SQL for it.
        form: Where it is written.
    """
    if form in ("csv", "cells") and kind.id in _NESTED:
        return f"CAST(to_json({_changed(kind, value, 'json', 0)}) AS VARCHAR)"
    return _changed(kind, value, form, 0)


def _changed(kind: Any, value: str, form: Form, depth: int) -> str:
    """Return the SQL for a value; `depth` numbers the variables of nested expressions."""
    name = str(kind.id)
    if name in _AS_TEXT or (form == "cells" and name in _NO_CELLS):
        return f"CAST({value} AS VARCHAR)"
    if name in _FRACTIONS and form == "json":
        return f"CASE WHEN isfinite({value}) THEN {value} END"
    if name == "blob" and form != "columns":
        return f"('\\x' || lower(hex({value})))"
    if name == "hugeint" and form == "columns":
        return f"CAST({value} AS DECIMAL(38, 0))"
    if name == "uhugeint" and form == "columns":
        return f"CAST({value} AS VARCHAR)"
    if name in ("list", "array"):
        return _list(kind, value, form, depth)
    if name == "struct":
        return _struct(kind, value, form, depth)
    if name == "map":
        return _map(kind, value, form, depth)
    return value


def _list(kind: Any, value: str, form: Form, depth: int) -> str:
    item = f"v{depth}"
    inner = _changed(dict(kind.children)["child"], item, form, depth + 1)
    # Of arrays of a fixed size that are NULL, the engine writes Parquet that Arrow cannot read.
    fixed = kind.id == "array" and form == "columns"
    return f"list_transform({value}, lambda {item}: {inner})" if fixed or inner != item else value


def _struct(kind: Any, value: str, form: Form, depth: int) -> str:
    fields = [
        (name, each, f"struct_extract({value}, {_text(name)})") for name, each in kind.children
    ]
    made = [(name, taken, _changed(each, taken, form, depth + 1)) for name, each, taken in fields]
    if all(taken == changed for _, taken, changed in made):
        return value
    packed = ", ".join(f"{quoted(name)} := {changed}" for name, _, changed in made)
    return f"CASE WHEN {value} IS NOT NULL THEN struct_pack({packed}) END"


def _map(kind: Any, value: str, form: Form, depth: int) -> str:
    entry, children = f"v{depth}", dict(kind.children)
    taken = {name: f"struct_extract({entry}, '{name}')" for name in ("key", "value")}
    made = {name: _changed(children[name], taken[name], form, depth + 1) for name in taken}
    if made == taken:
        return value
    packed = f"struct_pack(key := {made['key']}, value := {made['value']})"
    entries = f"list_transform(map_entries({value}), lambda {entry}: {packed})"
    return f"CASE WHEN {value} IS NOT NULL THEN map_from_entries({entries}) END"


def _text(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
