"""Values of Arrow columns as models take them: numbers, texts and moments."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from handrail_train.data.columns import Family
from handrail_train.errors import DataError
from handrail_train.names import cut

if TYPE_CHECKING:
    from handrail_train.data.examples import Floats

_MOST = 1e150  # Beyond it, the squares that scaling takes are infinite.


def as_floats(column: Any, family: Family, name: str) -> Floats:
    """Return values as floats, NaN where one is missing; times and durations in seconds.

    Raises:
        DataError: A text is no number, or a number is infinite or too large.
    """
    pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    np, types = import_module("numpy"), import_module("pyarrow.types")
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if family == "time":
        column = column.cast(pa.time64("ns") if types.is_time64(column.type) else column.type)
        unit = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        whole = column.cast("int64" if types.is_time64(column.type) else "int32")
        column = compute.divide(whole.cast("float64"), unit)
    elif family == "duration":
        unit = {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        column = compute.divide(column.cast("int64").cast("float64"), unit)
    elif family == "text":
        column = _parsed(column, "float64", name, "a number")
    elif family == "boolean":
        column = column.cast("int8")
    found = cast("Floats", compute.cast(column, "float64", safe=False).to_numpy())
    with np.errstate(invalid="ignore"):
        beyond = np.abs(found) > _MOST
    if beyond.any():
        value = found[beyond][0]
        what = "infinite" if np.isinf(value) else f"beyond {_MOST:g}"
        raise DataError(
            f"the column {name!r} has a value that is {what}: {value:g}",
            ways_out=("replace it by a number, or remove it", f"--column {name}=drop"),
        )
    return found


def _parsed(column: Any, kind: str, name: str, what: str) -> Any:
    """Return texts as another type; empty ones are missing.

    Raises:
        DataError: A text is something else.
    """
    pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    trimmed = compute.utf8_trim_whitespace(column.cast("string"))
    blank = compute.equal(trimmed, "")
    trimmed = compute.if_else(compute.fill_null(blank, fill_value=True), None, trimmed)
    try:
        return trimmed.cast(kind)
    except pa.ArrowInvalid as error:
        raise DataError(
            f"the column {name!r} has a text that is not {what}: {cut(str(error), 100)}",
            ways_out=(f"--column {name}=category, text or drop",),
        ) from error


def as_texts(column: Any, family: Family) -> Any:
    """Return the values of a category as texts: equal for equal values, whatever their width."""
    compute, types = import_module("pyarrow.compute"), import_module("pyarrow.types")
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if family == "number" and not types.is_integer(column.type):
        floats = compute.cast(column, "float64", safe=False)
        floats = compute.if_else(floats.is_null(nan_is_null=True), None, floats)
        whole = compute.all(compute.equal(compute.round(floats), floats)).as_py()
        column = compute.cast(floats, "int64", safe=False) if whole else floats
    return column.cast("string")


def as_moments(column: Any, family: Family, name: str) -> Floats:
    """Return dates as seconds since 1970, in UTC where they have a zone; NaN for none."""
    pa, compute = import_module("pyarrow"), import_module("pyarrow.compute")
    types = import_module("pyarrow.types")
    if family == "text":
        column = _parsed(column, "timestamp[us]", name, "a date")
    if types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    zone = column.type.tz if types.is_timestamp(column.type) else None
    # Nanoseconds are cut: no model learns from them.
    whole = compute.cast(column, pa.timestamp("us", zone), safe=False).cast("int64")
    found: Floats = compute.divide(whole.cast("float64"), 1e6).to_numpy()
    return found
