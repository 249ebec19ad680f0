"""What is kept comes back equal, with the same types; what would not is refused, and says why."""

from __future__ import annotations

import datetime
import decimal
import io
import re
from importlib.metadata import entry_points
from typing import Any

import numpy
import pandas
import polars
import pyarrow
import pytest

NUMBERS = pandas.Series([1, 2])
DATE = datetime.date(2026, 11, 27)


def serializer(value: Any) -> Any:
    """Return the serializer for a value, as Handrail finds it."""
    offered = {each.name: each for each in entry_points(group="handrail.serializers")}
    names = (f"{each.__module__}.{each.__qualname__}" for each in type(value).__mro__)
    return offered[next(name for name in names if name in offered)].load()


def written(value: Any) -> io.BytesIO:
    file = io.BytesIO()
    serializer(value).dump(value, file)
    file.seek(0)
    return file


def again(value: Any) -> Any:
    return serializer(value).load(written(value))


def of_objects(*values: Any) -> pandas.DataFrame:
    return pandas.DataFrame({"a": pandas.Series(list(values), dtype=object)})


def categories(*values: Any, known: Any = None) -> Any:
    return pandas.Categorical(list(values), categories=known, ordered=True)


FRAMES = {
    "plain": pandas.DataFrame({"a": [1, 2], "b": [1.5, None], "c": ["x", "y"], "d": [True, False]}),
    "small numbers": pandas.DataFrame({"a": numpy.array([1], "int8"), "b": numpy.float32([2])}),
    "times": pandas.DataFrame(
        {
            unit: pandas.to_datetime(["2026-01-01"]).astype(f"datetime64[{unit}]")
            for unit in ("s", "ms", "us", "ns")
        }
    ),
    "times of a zone": pandas.DataFrame({"a": pandas.date_range("2026", periods=2, tz="UTC")}),
    "durations": pandas.DataFrame({"a": pandas.to_timedelta([1, 2], unit="s")}),
    "periods": pandas.DataFrame({"a": pandas.period_range("2026-01", periods=2, freq="M")}),
    "intervals": pandas.DataFrame({"a": pandas.interval_range(0, 2)}),
    "nullable": pandas.DataFrame(
        {"a": pandas.array([1, None], "Int64"), "b": pandas.array([True, None], "boolean")}
    ),
    "categories that no row has": pandas.DataFrame({"a": categories("x", "x", known=["y", "x"])}),
    "numbers as categories": pandas.DataFrame({"a": categories(7, 8)}),
    "texts as objects": of_objects("x", None),
    "dates": of_objects(DATE, DATE),
    "decimals": of_objects(decimal.Decimal("1.10")),
    "bytes": of_objects(b"\0x"),
    "a part of a range": pandas.DataFrame({"a": range(9)}).iloc[2:8:3],
    "a named index": pandas.DataFrame({"a": [1]}, index=pandas.Index(["x"], name="key")),
    "an index of dates": pandas.DataFrame({"a": [1]}, index=pandas.to_datetime(["2026-01-01"])),
    "an index of categories": pandas.DataFrame(
        {"a": [1, 2]}, index=pandas.CategoricalIndex(["x", "y"], categories=["y", "x", "z"])
    ),
    "an index of two levels": pandas.DataFrame(
        {"a": [1, 2]},
        index=pandas.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["l", "m"]),
    ),
    "columns called by numbers": pandas.DataFrame([[1, 2]]),
    "columns of two levels": pandas.DataFrame(
        [[1, 2]], columns=pandas.MultiIndex.from_tuples([("a", "x"), ("b", "y")])
    ),
    "columns with a name": pandas.DataFrame([[1]], columns=pandas.Index(["a"], name="kind")),
    "no rows": pandas.DataFrame({"a": pandas.Series([], dtype="int32")}),
    "nothing": pandas.DataFrame(),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_of_pandas_comes_back_equal(name: str) -> None:
    """With its dtypes, its categories and its index."""
    frame = FRAMES[name]
    found = again(frame)
    pandas.testing.assert_frame_equal(found, frame, check_freq=False)
    assert list(found.dtypes) == list(frame.dtypes)
    assert type(found.index) is type(frame.index)


class OtherFrame(pandas.DataFrame):
    """A frame with more to it."""


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (of_objects(1, "x"), "x"),
        (of_objects([1], [2, 3]), "column 'a' has values of type list"),
        (of_objects({"x": 1}), "column 'a' has values of type struct"),
        (of_objects(1, 2), "column 'a' is object, and would come back as int64"),
        (pandas.DataFrame([[1, 2]], columns=["a", "a"]), "Duplicate column names"),
        (pandas.DataFrame({"a": [1j]}), "Unsupported"),
        (OtherFrame({"a": [1]}), "a OtherFrame would come back as a plain DataFrame"),
    ],
)
def test_a_frame_that_would_change_is_refused(frame: Any, reason: str) -> None:
    with pytest.raises(Exception, match=re.escape(reason)):
        written(frame)


def test_a_frame_of_polars_comes_back_equal() -> None:
    """With nested columns and categories."""
    frame = polars.DataFrame(
        {
            "n": [1, None],
            "s": ["x", None],
            "d": [DATE, None],
            "l": [[1], [2, 3]],
            "o": [{"a": 1}] * 2,
        }
    ).with_columns(
        polars.col("s").cast(polars.Categorical).alias("c"),
        polars.col("s").cast(polars.Enum(["x", "y"])).alias("e"),
        polars.lit(datetime.timedelta(seconds=1)).alias("t"),
        polars.lit(3).cast(polars.UInt8).alias("u"),
    )
    found = again(frame)
    assert found.schema == frame.schema
    assert found.equals(frame)


def test_a_frame_of_polars_with_objects_is_refused() -> None:
    with pytest.raises(Exception, match="Object"):
        written(polars.DataFrame({"o": [object()]}, schema={"o": polars.Object}))


TABLES = {
    "plain": pyarrow.table({"a": [1, None], "b": ["x", None], "c": [[1], [2, 3]]}),
    "metadata": pyarrow.table({"a": [1]}).replace_schema_metadata({"k": "v"}),
    "seconds": pyarrow.table(
        {
            "a": pyarrow.array([1], pyarrow.timestamp("s", "UTC")),
            "b": pyarrow.array([1], pyarrow.time32("s")),
            "c": pyarrow.array([1], pyarrow.duration("s")),
        }
    ),
    "dictionaries": pyarrow.table(
        {
            "a": pyarrow.DictionaryArray.from_arrays(pyarrow.array([1, None]), ["x", "y", "z"]),
            "b": pyarrow.array([7, 8]).dictionary_encode(),
        }
    ),
    "dictionaries in parts": pyarrow.concat_tables(
        [pyarrow.table({"a": pyarrow.array([each]).dictionary_encode()}) for each in "xyx"]
    ),
    "no rows": pyarrow.table({"a": pyarrow.array([], pyarrow.string()).dictionary_encode()}),
    "one name twice": pyarrow.table([[1], [2]], names=["a", "a"]),
}


@pytest.mark.parametrize("name", TABLES)
def test_an_arrow_table_comes_back_equal(name: str) -> None:
    """With its schema and the metadata of it."""
    table = TABLES[name]
    found = again(table)
    assert found.equals(table.unify_dictionaries())
    assert found.schema.equals(table.schema, check_metadata=True)


def test_an_arrow_table_that_would_change_is_refused() -> None:
    kind = pyarrow.struct([("a", pyarrow.timestamp("s"))])
    with pytest.raises(TypeError, match=r"column 'a' is struct.* would come back as struct"):
        written(pyarrow.table({"a": pyarrow.array([{"a": 1}], kind)}))


@pytest.mark.parametrize(
    "array",
    [
        numpy.arange(6).reshape(2, 3),
        numpy.asfortranarray(numpy.ones((2, 3))),
        numpy.array(["a", "bc"]),
        numpy.array([(1, 2.0)], dtype=[("x", "i4"), ("y", "f8")]),
        numpy.array(3),
        numpy.int64(3),
        numpy.bool_(True),
        numpy.datetime64("2026-01-01"),
        numpy.float32(1.5),
    ],
    ids=repr,
)
def test_an_array_or_a_scalar_comes_back_equal(array: Any) -> None:
    found = again(array)
    assert (type(found), found.dtype) == (type(array), array.dtype)
    assert numpy.array_equal(found, array)


@pytest.mark.parametrize(
    "array",
    [
        numpy.array([object()]),
        numpy.ma.array([1, 2], mask=[0, 1]),
        numpy.rec.array([(1,)], dtype=[("x", "i4")]),
    ],
    ids=["objects", "masked", "records"],
)
def test_an_array_that_would_change_is_refused(array: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        written(array)


def test_no_array_is_unpickled() -> None:
    """Also if somebody has put a pickled one in the place of ours."""
    file = io.BytesIO()
    numpy.save(file, numpy.array([object()]), allow_pickle=True)
    file.seek(0)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        serializer(numpy.array(1)).load(file)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (pandas.DataFrame({"a": range(1000), "b": 1}), "table 1,000 x 2"),
        (polars.DataFrame({"a": [1]}), "table 1 x 1"),
        (pyarrow.table({"a": [1]}), "table 1 x 1"),
        (numpy.ones((1000, 3)), "array 1,000 x 3 float64"),
        (numpy.array(1), "array int64"),
        (numpy.int8(1), "int8"),
    ],
)
def test_values_are_described_without_their_contents(value: Any, text: str) -> None:
    assert serializer(value).describe(value) == text
