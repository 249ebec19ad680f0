"""Values keep what they are, whatever they meet in their column."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.parquet as parquet
import pytest


@pytest.fixture
def values(here):
    """Make an SQLite file with one column of these values; return its name."""

    def make(*given):
        with closing(sqlite3.connect(here / "values.db")) as database, database:
            database.execute("CREATE TABLE a (id INTEGER PRIMARY KEY, v)")
            database.executemany("INSERT INTO a (v) VALUES (?)", [(each,) for each in given])
        return "values.db"

    return make


@pytest.mark.parametrize("other", ["text", b"\xff"], ids=["text", "bytes"])
def test_fractions_beside_others(values, export, here, other):
    """Fractions in a column of text or bytes keep all their digits, and the rest stays as it is."""
    fractions = [0.1, -1 / 3, 3.123456789012345, 1e300, 2.0]
    export(values(1, other, "1.500000e+00", *fractions, None), table="a")
    found = parquet.read_table(here / "out.parquet")["v"].to_pylist()
    as_text = [each.decode() if isinstance(each, bytes) else each for each in found[3:-1]]
    assert [float(each) for each in as_text] == fractions
    kind = type(other)
    as_written = [b"1", other, b"1.500000e+00"] if kind is bytes else ["1", other, "1.500000e+00"]
    assert found[:3] == as_written
    assert found[-1] is None


def test_a_query_of_such_values(values, export, here):
    """A query with values, an order and a comment gives the same rows in the same order."""
    name = values(0.1, "a", 0.2, "b", 0.3)
    query = 'SELECT v AS "say ""v""" FROM a WHERE id > :id ORDER BY id DESC -- newest first'
    export(name, "out.csv", query=query, parameters={"id": 1})
    assert (here / "out.csv").read_text().splitlines() == ['"say ""v"""', "0.3", "b", "0.2", "a"]


def test_numbers_that_json_lacks(here, export):
    """NaN and infinity become null in JSON Lines, which has no form for them, and stay in CSV."""
    query = "SELECT unnest(['nan', 'inf', '-inf', '1.5'])::DOUBLE AS n, 'nan'::FLOAT AS f, 1 AS i"
    duckdb.execute(f"COPY ({query}) TO '{here}/odd.parquet'")
    export("odd.parquet", "out.jsonl", columns=["i", "n"])
    lines = Path("out.jsonl").read_text().splitlines()
    strict = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert strict == [{"i": 1, "n": value} for value in (None, None, None, 1.5)]
    export("odd.parquet", "folder", format="jsonl", partition_by=["i"])
    assert "NaN" not in Path("folder/i=1/data_0.jsonl").read_text()
    export("odd.parquet", "out.csv", columns=["n"])
    assert Path("out.csv").read_text() == "n\nnan\ninf\n-inf\n1.5\n"


def test_a_key_that_only_the_last_line_has(here, export):
    """All lines of JSON tell the columns, not only the first ones."""
    lines = '{"a": 1}\n' * 30_000 + '{"a": 2, "b": "late"}\n'
    (here / "rows.jsonl").write_text(lines)
    export("rows.jsonl", "out.csv", where="b IS NOT NULL")
    assert (here / "out.csv").read_text() == "a,b\n2,late\n"


@pytest.mark.parametrize("ending", ["parquet", "arrow"])
@pytest.mark.parametrize("nested", [False, True])
def test_decimal_numbers_with_too_many_digits(here, export, ending, nested):
    """The engine would round them, so the column is refused; others of a Parquet file are not."""
    kind = pyarrow.decimal256(50, 2)
    wide = pyarrow.array([Decimal("12345678901234567890123456789012345678901234.50")], kind)
    wide = pyarrow.array([wide.to_pylist()], pyarrow.list_(kind)) if nested else wide
    narrow = pyarrow.array([Decimal("1.50")], pyarrow.decimal256(10, 2))
    table = pyarrow.table({"narrow": narrow, "wide": wide})
    if ending == "parquet":
        parquet.write_table(table, here / "rows.parquet")
    else:
        with pyarrow.ipc.new_file(here / "rows.arrow", table.schema) as file:
            file.write_table(table)
    done = export(f"rows.{ending}", "out.csv", fails=True)
    assert "decimal numbers with more than 38 digits in the column wide" in done.message
    if ending == "parquet":
        export("rows.parquet", "out.csv", columns=["narrow"])
    else:
        with pyarrow.ipc.new_file(here / "rows.arrow", table.schema.remove(1)) as file:
            file.write_table(table.select(["narrow"]))
        export("rows.arrow", "out.csv")
    assert (here / "out.csv").read_text() == "narrow\n1.50\n"


def test_arrays_of_a_fixed_size_in_parquet(here, export):
    """With NULL among them, also within others, they can be read by Arrow."""
    kind = pyarrow.list_(pyarrow.int64(), 2)
    values = [[1, 2], None, [3, 4]]
    nested = pyarrow.array([{"a": each} for each in values], pyarrow.struct([("a", kind)]))
    table = pyarrow.table({"v": pyarrow.array(values, kind), "n": nested})
    with pyarrow.ipc.new_file(here / "rows.arrow", table.schema) as file:
        file.write_table(table)
    export("rows.arrow", "out.parquet")
    assert parquet.read_table(here / "out.parquet").to_pydict() == table.to_pydict()


def test_a_line_that_is_too_long_is_not_told_as_a_whole(here, export):
    """A message stays one that people can read."""
    (here / "rows.csv").write_text(f"a,b\n1,{'x' * 3_000_000}\n")
    done = export("rows.csv", "out.jsonl", fails=True)
    assert "CSV Error on Line" in done.message
    assert len(done.message) < 1000
