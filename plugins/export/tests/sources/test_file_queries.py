"""Queries over files: several of them by name, and nothing else of this machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pyarrow
import pyarrow.feather
import pyarrow.parquet as parquet
import pytest

from handrail import SourceChangedError, step
from handrail.errors import ParamsError
from handrail_export import DefaultExportAction
from handrail_export.choice import Choice
from handrail_export.errors import ExportError
from handrail_export.params import ExportParams
from handrail_export.rows import Rows
from handrail_export.sources import make_source
from handrail_export.sources.address import parse_named, parse_source
from handrail_export.sources.stamps import check_unchanged, stamps_of

PEOPLE = {"people": "people.csv"}


@pytest.fixture
def files(here):
    """Orders as Parquet, people as CSV, towns as Arrow, and stock as JSON Lines."""
    orders = {"id": [1, 2, 3], "person": [1, 2, 1], "price": [1.5, 2.0, 2.5]}
    parquet.write_table(pyarrow.table(orders), here / "orders.parquet")
    (here / "people.csv").write_text("person,name,town\n1,Ann,1\n2,Bo,2\n")
    pyarrow.feather.write_feather(
        pyarrow.table({"town": [1, 2], "called": ["Aa", "Bb"]}), here / "towns.feather"
    )
    (here / "stock.jsonl").write_text('{"id": 1, "left": 5}\n{"id": 2, "left": 0}\n')


def test_sources_are_joined_by_their_names(files, export, here):
    """The one without a name is called source; values are bound."""
    query = """
        SELECT name, called, sum(price) AS total -- per person
        FROM source JOIN people USING (person) JOIN towns USING (town) JOIN stock USING (id)
        WHERE stock."left" >= :least AND name <> ':least' GROUP BY ALL ORDER BY name;
    """
    done = export(
        "orders.parquet",
        "out.csv",
        sources={**PEOPLE, "towns": "towns.feather", "stock": "stock.jsonl"},
        query=query,
        parameters={"least": 0},
    )
    assert Path("out.csv").read_text() == "name,called,total\nAnn,Aa,1.5\nBo,Bb,2.0\n"
    assert done.result["exported_count"] == 2


@pytest.mark.parametrize("target", ["out.csv", "out.arrow", "out.xlsx", "parts/"])
def test_each_way_of_writing_takes_values(files, export, target):
    """Also with a filter, and with partitions."""
    more = {"format": "csv", "partition_by": ["person"]} if target == "parts/" else {}
    done = export(
        "orders.parquet",
        target,
        query="SELECT * FROM source WHERE id <> :not",
        parameters={"not": 2},
        where="price < 2",
        **more,
    )
    assert done.result["exported_count"] == 1


@pytest.mark.parametrize("source", ["towns.feather", "stock.jsonl"])
def test_arrow_and_json_lines_are_read(files, export, source):
    """As a source of their own, without a query."""
    export(source, "out.jsonl")
    rows = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [next(iter(row.values())) for row in rows] == [1, 2]


SECRET = "SELECT content FROM read_text('/etc/hostname')"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (SECRET, "only what is given as a source can be read"),
        ("SELECT * FROM read_csv('secret.csv')", "only what is given as a source can be read"),
        ("SELECT * FROM 'secret.csv'", "only what is given as a source can be read"),
        ("SELECT * FROM glob('*')", "only what is given as a source can be read"),
        ("SELECT * FROM read_parquet('https://acme.example/x.parquet')", "only what is given"),
        ("SELECT * FROM read_parquet('s3://acme/x.parquet')", "only what is given"),
        ("FROM enable_profiling(save_location = 'a.json')", "only what is given"),
        ("FROM source, enable_logging(storage = 'file')", "not enable_logging(...)"),
        ("SELECT (FROM query('SELECT 1'))", "only what is given as a source can be read"),
        ("FROM json_execute_serialized_sql('{}')", "not json_execute_serialized_sql(...)"),
        ("SELECT getenv('HOME')", "getenv"),
        ("SELECT * FROM sqlite_scan('a.db', 'b')", "sqlite_scan"),
        ("SELECT * FROM os", "Table with name os does not exist"),
        ("INSTALL httpfs", "is no SELECT, and only what reads is taken"),
        ("LOAD httpfs", "is no SELECT"),
        ("SET enable_external_access = true", "is no SELECT"),
        ("COPY source TO 'stolen.csv'", "is no SELECT"),
        ("ATTACH 'new.db' AS new", "is no SELECT"),
        ("EXPORT DATABASE 'stolen'", "is no SELECT"),
        ("DROP VIEW source", "is no SELECT"),
        ("PRAGMA database_list", "is no SELECT"),
        ("SELECT 1; SELECT 2", "several statements"),
        ("SELECT 1) TO 'stolen.csv' (FORMAT csv) --", "syntax error"),
        ("SELECT id, id FROM source", "has two columns id"),
        ("SELECT a.*, b.* FROM source a JOIN source b USING (id)", "has two columns id"),
        ("SELECT nope FROM source", 'Referenced column "nope" not found'),
        ("SELECT * FROM poeple", 'Did you mean "people"'),
        ("SELEC", "syntax error"),
    ],
)
def test_a_query_reaches_nothing_but_its_sources(files, here, world, query, told):
    """No file, no network, no extension, no variable of this program; and nothing is written."""
    (here / "secret.csv").write_text("a\nsecret\n")
    (here / "scratch").mkdir()
    before = world()
    with pytest.raises(ExportError) as raised:
        opened(query, here / "scratch")
    assert told in raised.value.message
    assert "\n" not in raised.value.message
    assert world() == before


def opened(query, scratch):
    params = ExportParams(source="orders.parquet", target="out", sources=PEOPLE, query=query)
    source, _ = make_source(params)
    return Rows(source, Choice(), memory=1 << 28, scratch=str(scratch))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"sources": PEOPLE}, "further sources are for a query over files: --query SQL"),
        ({"sources": {"a b": "x.csv"}, "query": "q"}, "'a b' cannot be the name of a source"),
        ({"sources": {"source": "x.csv"}, "query": "q"}, "two sources with the name source"),
        (
            {"sources": {**PEOPLE, "People": "x.csv"}, "query": "q"},
            "two sources with the name People",
        ),
        ({"sources": {"a": "b.db"}, "query": "q"}, "b.db is a database, and sources with a name"),
        (
            {"sources": {"a": "postgresql://me:pw@h/d"}, "query": "q"},
            "there is a secret in the sources",
        ),
        ({"source": "a.db", "sources": PEOPLE, "query": "q"}, "further sources are for a query"),
        ({"sources": {"people": "nobody.csv"}, "query": "q"}, "there is no file nobody.csv"),
    ],
)
def test_params(files, options, told):
    """Sources that make no sense are refused before anything runs."""
    given = {"source": "orders.parquet", "target": "out.csv", **options}
    with pytest.raises(ParamsError) as raised:
        DefaultExportAction(given, packs=()).run()
    assert told in "\n".join([str(raised.value), *getattr(raised.value, "__notes__", [])])
    assert "pw@" not in str(raised.value)


@pytest.mark.parametrize("ending", ["csv", "parquet", "csv.gz"])
def test_columns_that_differ_in_case_are_not_renamed_silently(here, export, ending):
    """The engine would call the second A_1; in a query that can be said, or another name given."""
    table = pyarrow.table([[1], [2], [3]], names=["a", "A", "b"])
    if ending == "parquet":
        parquet.write_table(table, here / "rows.parquet")
    else:
        import gzip

        opened = gzip.open if ending.endswith("gz") else open
        with opened(here / f"rows.{ending}", "wt") as file:
            file.write("a;A;b\n1;2;3\n")
    done = export(f"rows.{ending}", "out.csv", fails=True)
    assert "has the columns a and A" in done.message
    assert 'SELECT "a", "A_1" AS other FROM source' in done.ways_out
    export(f"rows.{ending}", "out.csv", query="SELECT a, A_1 AS other FROM source")
    assert Path("out.csv").read_text() == "a,other\n1,2\n"


def test_a_named_source_that_changes_is_told(files, here):
    """With its place; the main one has no name in front of its files."""
    addresses = {"source": parse_source("orders.parquet"), **parse_named(PEOPLE)}
    before = stamps_of(addresses)
    assert list(before) == ["orders.parquet", "people=people.csv"]
    check_unchanged(before, addresses)
    (here / "people.csv").write_text("person,name,town\n1,Ann,1\n")
    with pytest.raises(SourceChangedError, match=r"people\.csv has changed since .* it shrank"):
        check_unchanged(before, addresses)


@step(weight=0.1)
def append(context):
    with open("people.csv", "a") as file:
        file.write("3,Cy,1\n")


class Appended(DefaultExportAction):
    """An export whose source changes after it was seen, and before it is read."""

    def setup_steps(self, registry):
        super().setup_steps(registry)
        registry.insert_after("fetch_results", append)


@pytest.mark.parametrize("main", [True, False])
def test_a_source_that_changes_while_it_is_read(files, export, here, main):
    """The rows may be neither the old nor the new ones, so nothing is exported."""
    options = {} if main else {"sources": PEOPLE, "query": "SELECT name FROM source, people"}
    source = "people.csv" if main else "orders.parquet"
    done = export(source, "out.csv", action=Appended, fails=True, **options)
    assert done.message.startswith("people.csv has changed since the run began: ")
    assert done.message.endswith("people.csv: it grew")
    assert not (here / "out.csv").exists()


def test_columns_with_numbers_are_fine(here, export):
    """A name that only looks as if it were made by the engine is kept."""
    (here / "rows.csv").write_text("a,a_1\n1,2\n")
    export("rows.csv", "out.csv")
    assert Path("out.csv").read_text() == "a,a_1\n1,2\n"


def test_times_do_not_depend_on_the_machine(here, export, monkeypatch):
    """Text of instants is in UTC, wherever the export runs."""
    kind = pyarrow.timestamp("us", "America/New_York")
    parquet.write_table(pyarrow.table({"t": pyarrow.array([0], kind)}), here / "rows.parquet")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    import time

    time.tzset()
    try:
        export("rows.parquet", "out.csv")
    finally:
        monkeypatch.undo()
        time.tzset()
        os.chdir(here)
    assert (here / "out.csv").read_text() == "t\n1970-01-01 00:00:00+00\n"
