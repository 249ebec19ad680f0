"""The encoder: every kind of column, and the same numbers however rows are given."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_train.data import TableEncoder
from handrail_train.data.columns import Kind
from handrail_train.data.encoder import Encoding
from handrail_train.data.rows import table_of
from handrail_train.errors import DataError

ENCODINGS: tuple[Encoding, ...] = ("native", "frequency", "scaled")
DAY = datetime.date(2026, 1, 5)  # A Monday.

PEOPLE = pa.table(
    {
        "age": pa.array([30, None, 50, 40], "int64"),
        "member": [True, False, None, True],
        "city": ["Oslo", "Bergen", "Oslo", None],
        "joined": [DAY, DAY + datetime.timedelta(31), None, DAY],
        "worth": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("2.25"), None]),
    }
)


def encoded(table: Any, encoding: Encoding = "native", **asked: Kind) -> dict[str, list[float]]:
    """Return the numbers of a table by their names, from an encoder that was fitted on it."""
    encoder = TableEncoder.fit([table], asked)
    found = encoder.encode(table, encoding)
    names = encoder.names(encoding)
    return {name: found[:, place].tolist() for place, name in enumerate(names)}


def same(first: Any, second: Any) -> bool:
    return bool(np.array_equal(first, second, equal_nan=True))


def test_trees_get_values_as_they_are_and_places_for_categories() -> None:
    found = encoded(PEOPLE)
    nan = math.nan
    assert same(found["age"], [30, nan, 50, 40])
    assert same(found["member"], [1, 0, nan, 1])
    assert same(found["city"], [0, 1, 0, nan])
    assert same(found["worth"], [1.5, nan, 2.25, nan])
    assert same(found["weekday of joined"], [0, 3, nan, 0])
    assert same(found["month of joined"], [1, 2, nan, 1])
    assert same(found["day of joined"], [5, 5, nan, 5])
    assert "hour of joined" not in found


def test_categories_come_first_where_their_places_are_numbers() -> None:
    encoder = TableEncoder.fit([PEOPLE], {})
    assert encoder.names("native")[0] == "city"
    assert encoder.categories("native") == 1
    assert encoder.names("scaled")[0] == "age"
    assert encoder.categories("scaled") == 0


def test_other_trees_get_how_frequent_a_category_is() -> None:
    assert same(encoded(PEOPLE, "frequency")["city"], [0.5, 0.25, 0.5, math.nan])


def test_sums_of_products_get_scaled_numbers_and_a_column_for_what_is_missing() -> None:
    found = encoded(PEOPLE, "scaled")
    assert sum(found["age"]) == pytest.approx(0)
    assert np.std(found["age"]) == pytest.approx(1)
    assert found["age"][1] == found["age"][3]  # The median is 40.
    assert found["age is missing"] == [0, 1, 0, 0]
    assert found["city=Oslo"] == [1, 0, 1, 0]
    assert found["city is another"] == [0, 0, 0, 0]
    assert found["city is missing"] == [0, 0, 0, 1]
    assert all(np.isfinite(each).all() for each in found.values())


def test_a_value_that_the_training_had_not_is_another_one() -> None:
    encoder = TableEncoder.fit([PEOPLE], {})
    other = PEOPLE.set_column(2, "city", pa.array(["Paris", "Oslo", None, "Bergen"]))
    native = encoder.encode(other, "native")[:, 0]
    assert same(native, [2, 0, math.nan, 1])
    scaled = encoder.encode(other, "scaled")
    assert scaled[:, encoder.names("scaled").index("city is another")].tolist() == [1, 0, 0, 0]


def test_a_category_with_many_values_has_places_for_the_most_frequent_ones() -> None:
    names = [f"v{number:03}" for number in range(300) for _ in range(1 + number % 2)]
    table = pa.table({"a": names, "b": [n % 2 for n in range(len(names))]})
    encoder = TableEncoder.fit([table], {})
    column = encoder.columns[0]
    assert column.kind == "category"
    found = encoder.encode(pa.table({"a": names, "b": [0] * len(names)}), "native")
    assert found[:, 0].max() == 254  # One byte.
    assert len(encoder.names("scaled")) == 31 + 1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_its_json_encodes_as_it_does(encoding: Encoding) -> None:
    encoder = TableEncoder.fit([PEOPLE], {})
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict(), allow_nan=False)))
    assert same(again.encode(PEOPLE, encoding), encoder.encode(PEOPLE, encoding))
    assert again.names(encoding) == encoder.names(encoding)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_rows_are_the_same_in_any_form(encoding: Encoding) -> None:
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    encoder = TableEncoder.fit([PEOPLE], {})
    whole = encoder.encode(PEOPLE, encoding)
    dicts = PEOPLE.to_pylist()
    forms = {
        "dicts": dicts,
        "polars": polars.from_arrow(PEOPLE),
        "reader": PEOPLE.to_reader(),
        "batch": PEOPLE.to_batches()[0],
        "other order": PEOPLE.select(sorted(PEOPLE.column_names, reverse=True)),
        "more columns": PEOPLE.append_column("id", [range(4)]),
    }
    for name, form in forms.items():
        assert same(encoder.encode(table_of(form), encoding), whole), name
    frame = pandas.DataFrame(dicts).drop(columns=["joined", "worth", "member"])
    few = TableEncoder.fit([PEOPLE.select(["age", "city"])], {})
    assert same(few.encode(table_of(frame), encoding), few.encode(PEOPLE, encoding))
    for row in range(4):
        assert same(encoder.encode(table_of(dicts[row]), encoding)[0], whole[row])


def test_what_does_not_name_its_columns_is_refused() -> None:
    for rows in (np.zeros((2, 5)), [1, 2], "rows", 7, [[1, 2]]):
        with pytest.raises(DataError, match=r"name its columns|make no table"):
            table_of(rows)


def test_a_missing_column_and_one_of_another_kind_are_refused_by_name() -> None:
    encoder = TableEncoder.fit([PEOPLE], {})
    with pytest.raises(DataError, match="no column 'city'") as caught:
        encoder.check(PEOPLE.rename_columns(["age", "member", "town", "joined", "worth"]))
    assert caught.value.ways_out
    wrong = PEOPLE.set_column(2, "city", pa.array([1, 2, 3, 4]))
    with pytest.raises(DataError, match=r"city is int64.*city was text"):
        encoder.check(wrong)
    for name in PEOPLE.column_names:  # Without values a column has no type.
        place = PEOPLE.column_names.index(name)
        empty = PEOPLE.set_column(place, name, pa.nulls(4))
        for encoding in ENCODINGS:
            encoder.encode(empty, encoding)


def test_each_decision_says_why() -> None:
    count = 40
    table = pa.table(
        {
            "number": [each * 0.5 for each in range(count)],
            "row": range(count),
            "same": ["a"] * count,
            "none": pa.nulls(count),
            "id": [f"{each:x}-{each}" for each in range(count)],
            "words": [f"one two three {each}" for each in range(count)],
            "few": ["a", "b"] * (count // 2),
            "list": [[1]] * count,
            "when": [
                datetime.datetime(2026, 1, 1, each % 24, tzinfo=datetime.UTC)
                for each in range(count)
            ],
            "span": [datetime.timedelta(seconds=each) for each in range(count)],
        }
    )
    encoder = TableEncoder.fit([table], {})
    kinds = {each.name: each.kind for each in encoder.columns}
    assert kinds == {
        "number": "number",
        "row": "number",
        "words": "text",
        "few": "category",
        "when": "date",
        "span": "number",
    }
    why = {each.name: each.why for each in encoder.dropped}
    assert set(why) == {"same", "none", "id", "list"}
    assert "one value only" in why["same"]
    assert "no values" in why["none"]
    assert "every value is another one" in why["id"]
    assert "list" in why["list"]
    assert "hour of when" in encoder.names("native")


def test_what_was_asked_is_done_or_refused() -> None:
    table = pa.table({"zip": [1234, 5678, 1234], "day": ["2026-01-05", "", "2026-02-05"]})
    found = encoded(table, zip="category", day="date")
    assert found["zip"] == [0, 1, 0]
    assert same(found["month of day"], [1, math.nan, 2])
    encoder = TableEncoder.fit([table], {"zip": "category", "day": "date"})
    wide = table.set_column(0, "zip", pa.array([1234.0, 5678.0, 1234.0]))
    assert same(encoder.encode(wide, "native"), encoder.encode(table, "native"))
    with pytest.raises(DataError, match="cannot be taken for text: it holds numbers"):
        TableEncoder.fit([table], {"zip": "text"})
    with pytest.raises(DataError, match="no column 'zap'"):
        TableEncoder.fit([table], {"zap": "number"})
    with pytest.raises(DataError, match="text that is not a number"):
        TableEncoder.fit([table], {"day": "number"})
    with pytest.raises(DataError, match="no column to learn from"):
        TableEncoder.fit([table], {"zip": "drop", "day": "drop"})


def test_infinite_numbers_are_refused_by_name() -> None:
    for value, said in ((math.inf, "infinite"), (-1e200, "beyond 1e")):
        with pytest.raises(DataError, match=f"column 'x' has a value that is {said}"):
            TableEncoder.fit([pa.table({"x": [1.0, value, 2.0]})], {})


VALUES = st.one_of(
    st.none(),
    st.sampled_from(["", "a", "b", "ä", "0", "NaN", "null"]),
)


@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {
                "n": st.none() | st.floats(-1e6, 1e6) | st.just(math.nan),
                "w": st.none() | st.integers(-5, 5),
                "c": VALUES,
                "d": st.none() | st.dates(datetime.date(1900, 1, 1), datetime.date(2100, 1, 1)),
                "b": st.none() | st.booleans(),
            }
        ),
        min_size=2,
        max_size=12,
    )
)
def test_each_row_has_the_same_numbers_alone_and_in_any_order(rows: list[dict[str, Any]]) -> None:
    """What is learnt of a row depends on the training, and not on the rows beside it."""
    table = pa.Table.from_pylist(rows)
    try:
        encoder = TableEncoder.fit([table], {})
    except DataError:
        return  # There is nothing to learn from.
    for encoding in ENCODINGS:
        whole = encoder.encode(table, encoding)
        assert whole.shape == (len(rows), len(encoder.names(encoding)))
        assert same(encoder.encode(table.take(list(range(len(rows)))[::-1]), encoding), whole[::-1])
        for place, row in enumerate(rows):
            assert same(encoder.encode(table_of(row), encoding)[0], whole[place])
        if encoding == "scaled":
            assert np.isfinite(whole).all()
