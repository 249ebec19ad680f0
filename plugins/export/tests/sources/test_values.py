"""Values keep what they are, whatever they meet in their column."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet
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
    found = pyarrow.parquet.read_table(here / "out.parquet")["v"].to_pylist()
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
