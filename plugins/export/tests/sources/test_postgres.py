"""PostgreSQL as a source: its types, bound values, one state of the database, and no writing."""

from __future__ import annotations

import datetime
import json
from decimal import Decimal

import psycopg
import pyarrow.parquet as parquet
import pytest

from handrail_export.params import ExportParams
from handrail_export.rows import Choice, Rows
from handrail_export.sources import make_source

# Its database is made anew for each test, which takes a moment.
KINDS = {
    "i": ("int", "7", 7),
    "b": ("bigint", "9000000000", 9000000000),
    "n": ("numeric(20,4)", "12345678901.2345", Decimal("12345678901.2345")),
    "t": ("text", "'größe 🎨'", "größe 🎨"),
    "d": ("date", "'2026-11-26'", datetime.date(2026, 11, 26)),
    "f": ("float8", "1.5", 1.5),
    "o": ("bool", "true", True),
    "a": ("int[]", "'{1,2}'", [1, 2]),
    "y": ("bytea", "'\\x01ff'", b"\x01\xff"),
    "j": ("jsonb", "'{\"a\": 1}'", '{"a": 1}'),
    "z": ("timestamptz", "'2026-11-26 12:00+00'", None),
    "v": ("interval", "'1 day'", None),
    "e": ("text", "NULL", None),
}


@pytest.fixture
def make(postgres_url):
    """Execute statements; return the URL."""

    def run(*statements):
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            for each in statements:
                connection.execute(each)
        return postgres_url

    return run


def of_all_kinds(make):
    columns = ", ".join(f"{name} {kind}" for name, (kind, _, _) in KINDS.items())
    values = ", ".join(value for _, value, _ in KINDS.values())
    return make(f"CREATE TABLE kinds ({columns})", f"INSERT INTO kinds VALUES ({values})")


def test_types(make, export, here):
    """Values of every usual type arrive in each format; what only PostgreSQL has is text."""
    url = of_all_kinds(make)
    export(url, "out.parquet", table="kinds", columns=[n for n in KINDS if n != "v"])
    [row] = parquet.read_table(here / "out.parquet").to_pylist()
    for name, (_, _, value) in KINDS.items():
        if value is not None:
            assert row[name] == value, name
    export(url, "all.parquet", table="kinds")
    export(url, "out.jsonl", table="kinds")
    told = json.loads((here / "out.jsonl").read_text())
    assert (told["n"], told["j"], told["a"]) == (12345678901.2345, {"a": 1}, [1, 2])
    export(url, "out.csv", table="kinds", columns=["z", "v", "t", "e"])
    assert (here / "out.csv").read_text().splitlines()[1].endswith("1 day,größe 🎨,")


def test_values_are_bound(make, export, here, monkeypatch):
    """A query with values is read in batches as well, and the values are never pasted."""
    monkeypatch.setattr("handrail_export.sources.postgres.BATCH", 10)
    url = make("CREATE TABLE item AS SELECT n AS id, 'it''s' AS name FROM generate_series(1,35) n")
    done = export(
        url,
        "out.csv",
        query="SELECT id FROM item WHERE name = :name AND id > :low::int ORDER BY id DESC",
        parameters={"name": "it's", "low": 2},
    )
    assert done.result["exported_count"] == 33
    assert (here / "out.csv").read_text().split()[:3] == ["id", "35", "34"]


@pytest.mark.parametrize("way", ["statement", "in a query"])
def test_nothing_can_be_written(make, export, way):
    """The transaction only reads, whatever the query tries."""
    url = make(
        "CREATE TABLE item (id int)",
        "CREATE FUNCTION sneak() RETURNS int LANGUAGE sql AS 'INSERT INTO item VALUES (1)"
        " RETURNING id'",
    )
    query = "INSERT INTO item VALUES (1)" if way == "statement" else "SELECT sneak()"
    done = export(url, query=query, fails=True)
    told = {
        "statement": "begins with INSERT, and only what reads is taken",
        "in a query": "cannot execute INSERT in a read-only transaction",
    }
    assert told[way] in done.message
    assert "\n" not in done.message
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM item").fetchone() == (0,)


def test_one_state_of_the_database(make, here):
    """What is committed meanwhile is not seen, whether it comes before or after in the table."""
    url = make("CREATE TABLE item AS SELECT n AS id FROM generate_series(1, 200000) n")
    params = ExportParams(source=url, target="out", table="item")
    source, _ = make_source(params)
    rows = Rows(source, Choice(), memory=1 << 29, scratch=str(here))
    batches = rows.batches()
    count = next(batches).num_rows
    make("DELETE FROM item WHERE id % 2 = 0", "INSERT INTO item VALUES (0)")
    assert count + sum(batch.num_rows for batch in batches) == 200000
    rows.close()


@pytest.mark.parametrize(
    ("options", "told", "way_out"),
    [
        ({"query": "SELEC"}, 'syntax error at or near "SELEC"', ""),
        ({"query": "SELECT nope FROM item"}, 'column "nope" does not exist', ""),
        ({"query": "SELECT * FROM nope"}, 'relation "nope" does not exist', ""),
        ({"query": "SELECT 1; SELECT 2"}, "the query has several statements", ""),
        ({"query": "SELECT 1/(id-1) AS x FROM item"}, "division by zero", ""),
        ({"table": "itm"}, "has no table itm; did you mean item?", "tables: item, other.deep"),
        ({}, "is not a catalogue of uploads", "for a table of it: --table NAME, or --query SQL"),
    ],
)
def test_refusals(make, export, world, options, told, way_out):
    """What makes no sense is told in one line, and nothing is left."""
    url = make(
        "CREATE TABLE item (id int)",
        "INSERT INTO item VALUES (1)",
        "CREATE SCHEMA other",
        "CREATE TABLE other.deep (id int)",
    )
    before = world()
    done = export(url, fails=True, **options)
    assert told in done.message
    assert "\n" not in done.message
    assert way_out in done.ways_out
    assert world() == before


def test_table_of_another_schema(make, export):
    """A table outside the search path has the name of its schema before its own."""
    url = make("CREATE SCHEMA other", "CREATE TABLE other.deep AS SELECT 1 AS id")
    assert export(url, table="other.deep").result["exported_count"] == 1


def test_no_server(export):
    """A server that is not there is told, with its place."""
    done = export("postgresql://nobody@127.0.0.1:9/none", table="item", fails=True)
    assert "127.0.0.1" in done.message
    assert "Connection refused" in done.message


def test_rows_are_held_a_few_megabytes_at_a_time(postgres_url):
    """The driver takes 16 MB otherwise, and with that memory grew with the rows."""
    source, _ = make_source(
        ExportParams(
            source=postgres_url,
            target="out.parquet",
            query="SELECT i, repeat('x', 90) FROM generate_series(1, 200000) i",
        )
    )
    try:
        sizes = [batch.nbytes for batch in source.open()]
    finally:
        source.close()
    assert len(sizes) > 4
    assert max(sizes) < 6 << 20
