"""Sources that cannot be read, and what is asked of them in vain: one line each, nothing left."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from handrail.errors import ParamsError
from handrail_export import DefaultExportAction
from handrail_export.sources.binding import bind

OVER = {"if_exists": "overwrite"}


@pytest.fixture(scope="session")
def broken(tmp_path_factory):
    """Make sources of all kinds, most of them broken; once, as the large ones take a moment."""
    folder = tmp_path_factory.mktemp("broken")
    (folder / "empty.csv").write_bytes(b"")
    (folder / "empty.parquet").write_bytes(b"")
    (folder / "text.parquet").write_text("hello, I am no Parquet file")
    (folder / "text.db").write_text("hello, I am no database at all")
    (folder / "latin.csv").write_bytes("a,b\n1,größe\n".encode("latin-1"))
    (folder / "late.csv").write_text("a,b\n" + "1,2\n" * 30_000 + "x,3\n")
    (folder / "ragged.csv").write_text("a,b\n1,2\n1,2,3\n4\n")
    (folder / "folder").mkdir()
    with closing(sqlite3.connect(folder / "bytes.db")) as database, database:
        database.execute("CREATE TABLE a (v)")
        database.executemany("INSERT INTO a VALUES (?)", [("text",)] * 65_536 + [(b"\xff",)])
    (folder / "fine.csv").write_text("id,name\n1,one\n")
    with closing(sqlite3.connect(folder / "bare.db")) as database, database:
        database.execute("CREATE TABLE a (id INTEGER)")
        database.execute("CREATE TABLE mixed (value)")
        values = [(number if number < 70_000 else "text",) for number in range(70_010)]
        database.executemany("INSERT INTO mixed VALUES (?)", values)
    with closing(sqlite3.connect(folder / "blank.db")):
        pass
    return folder


@pytest.fixture
def files(here, table, broken):
    """Work where those sources are, and a table that is fine."""
    table(5)
    shutil.copytree(broken, here, dirs_exist_ok=True)


@pytest.mark.parametrize(
    ("source", "options", "told", "way_out"),
    [
        ("empty.csv", {}, "empty.csv is empty", ""),
        ("empty.parquet", {}, "empty.parquet is empty", ""),
        ("text.parquet", {}, "text.parquet is not a Parquet file", ""),
        ("text.db", {"table": "a"}, "text.db is not an SQLite database", ""),
        ("latin.csv", {}, "not utf-8 encoded", "iconv"),
        ("late.csv", {}, "CSV Error on Line: 30002", "--csv-types text"),
        ("rows.db", {}, "rows.db is not a catalogue of uploads", "tables: item"),
        ("rows.db", {"table": "itme"}, "has no table itme; did you mean item?", "tables: item"),
        ("rows.db", {"query": "SELEC 1"}, 'near "SELEC": syntax error', ""),
        ("rows.db", {"query": "SELECT nope FROM item"}, "no such column: nope", ""),
        ("rows.db", {"query": "DELETE FROM item"}, "attempt to write a readonly database", ""),
        ("rows.db", {"query": "SELECT 1; SELECT 2"}, "several statements", ""),
        ("rows.db", {"query": ";"}, "the query is empty", ""),
        ("rows.db", {"query": "SELECT id, id FROM item"}, "has two columns id", "AS other"),
        (
            "rows.db",
            {"query": "SELECT :lwo AS x", "parameters": {"low": 1}},
            "the query has :lwo, and there is no value for it; did you mean low?",
            "-p parameters.lwo=VALUE",
        ),
        (
            "rows.db",
            {"query": "SELECT 1 AS x", "parameters": {"low": 1}},
            "the query has no :low, and there is a value for it",
            "no places for values",
        ),
        ("bare.db", {"table": "mixed"}, "Type mismatch in column 0", "CAST(column AS TEXT)"),
        ("blank.db", {}, "blank.db is not a catalogue", "it has no tables at all"),
        ("fine.csv", {"columns": ["nmae"]}, "no column nmae; did you mean name?", "id, name"),
        ("fine.csv", {"columns": ["id", "id"]}, "the column id is asked for twice", ""),
        ("fine.csv", {"where": "nmae = 'a'"}, "the filter makes no sense", "columns: id, name"),
        ("fine.csv", {"where": "id ="}, "the filter makes no sense: syntax error", ""),
        ("rows.db", {"table": "item", "where": "name > "}, "the filter makes no sense", ""),
        (
            "fine.csv",
            {"where": "name = (SELECT content FROM read_text('/etc/hostname'))"},
            "only what is given as a source can be read",
            "",
        ),
        ("fine.csv", {"partition_by": ["nmae"]}, "no column nmae; did you mean name?", ""),
        ("fine.csv", {"partition_by": ["id", "name"]}, "nothing is left but the columns", ""),
        ("fine.csv", {"format": "coco"}, "is for the catalogue of an upload", "--format parquet"),
        ("fine.csv", {"masks": "mask_1"}, "masks is for collections of pictures", ""),
        ("fine.csv", {"format": "parqet"}, "no format parqet; did you mean parquet?", "formats: "),
        ("fine.csv", {"target": "out.xls"}, "no format for files that end in .xls", "--format"),
        ("fine.csv", {"target": "fine.csv/out.csv"}, "fine.csv is no folder", ""),
        ("fine.csv", {"target": "fine.csv", **OVER}, "fine.csv is what is read", "another target"),
        (
            "rows.db",
            {"target": "rows.db", "format": "csv", "table": "item", **OVER},
            "rows.db is what is read",
            "",
        ),
        (
            "fine.csv",
            {"target": "./", "format": "csv", "csv_types": "text", **OVER},
            " is read, and what is there",
            "leave out",
        ),
        ("ragged.csv", {}, "ragged.csv makes no table: its lines do not have as many", ""),
        ("late.csv", {"where": " "}, "the filter is empty", "leave out --where"),
        (
            "rows.db",
            {"table": "item", "where": "id < 3) OR (1 = 1"},
            'makes no sense: syntax error at or near ")"',
            "columns: id",
        ),
        (
            "rows.db",
            {"table": "item", "where": "1 = 1); DROP TABLE item; --"},
            "makes no sense",
            "columns: id",
        ),
        (
            "rows.db",
            {"table": "item", "where": "getenv('HOME') = 'x'"},
            "the filter makes no sense: Scalar Function",
            "",
        ),
        (
            "rows.db",
            {"query": "ATTACH 'new.db' AS new"},
            "begins with ATTACH, and only what reads",
            "SELECT",
        ),
        (
            "rows.db",
            {"query": "-- c\n /* d */ vacuum into 'new.db'"},
            "begins with VACUUM",
            "SELECT",
        ),
        (
            "rows.db",
            {"query": "DELETE FROM item RETURNING *"},
            "attempt to write a readonly database",
            "",
        ),
        (
            "rows.db",
            {"query": "WITH a AS (SELECT 1) INSERT INTO item (name) SELECT 'x' FROM a"},
            "attempt to write",
            "",
        ),
        ("rows.db", {"query": "-- nothing"}, "the query is empty", "SELECT"),
        ("rows.db", {"query": "BEGIN"}, "", ""),
        (
            "rows.db",
            {"query": "SELECT * FROM item WHERE id = ?"},
            "parameter count mismatch",
            ":NAME in the query",
        ),
        (
            "rows.db",
            {"query": "SELECT 1 AS a, 2 AS A"},
            "the columns a and A, which are the same",
            "AS other",
        ),
        ("rows.db", {"query": "SELECT 1 AS ''"}, "has a column without a name", "AS other"),
        ("bytes.db", {"table": "a"}, "has text in the column v that is not UTF-8", "AS BLOB"),
        ("fine.csv", {"folder": "late.csv"}, "what is written: Not a directory", ""),
    ],
)
def test_refused(files, export, world, source, options, told, way_out):
    """It is told in one line with the way out, and all is as it was."""
    before = world()
    given = {"target": "new/out.parquet", **options}
    target = given.pop("target")
    done = export(source, target, fails=True, **given)
    assert told in done.message
    assert "\n" not in done.message
    assert way_out in done.ways_out
    assert world() == before


@pytest.mark.parametrize(
    ("source", "options", "told"),
    [
        ("none.csv", {}, "source: there is no file none.csv"),
        ("none.db", {"table": "a"}, "source: there is no file none.db"),
        ("in/*.parquet", {}, "source: there is no file in/*.parquet"),
        ("folder", {"table": "a"}, "source: folder is no file"),
    ],
)
def test_a_source_that_is_not_there_is_a_mistake_in_the_params(
    files, export, world, source, options, told
):
    """It is found before a run begins."""
    before = world()
    with pytest.raises(ParamsError) as caught:
        export(source, "new/out.parquet", **options)
    assert told in str(caught.value)
    assert world() == before


def test_text_instead_of_guessing(files, export, here):
    """What cannot be guessed can be taken as text."""
    assert export("late.csv", csv_types="text").result["exported_count"] == 30_001


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"source": "a.csv", "table": "t"}, "table is for databases, and a.csv is a csv file"),
        ({"source": "a.db", "table": "t", "query": "q"}, "give one of query and table, not both"),
        ({"source": "a.db", "parameters": {"a": 1}}, "parameters are for a query"),
        ({"source": "mysql://host/db"}, "no source is known as mysql://"),
        ({"source": "sqlite://rel.db"}, "does not lead to a file"),
        ({"source": "postgresql://me:hunter7@host/db"}, "there is a secret in the source"),
        ({"source": "a.db", "target": "s3://"}, "names no bucket"),
        ({"source": "a.db", "target": "s3://b/../x"}, "have no meaning in an object storage"),
        ({"source": "a.db", "target": "ftp://h/x"}, "no storage is known as ftp://"),
        ({"source": "a.db", "limit": 0}, "greater than or equal to 1"),
        ({"source": ""}, "the source is empty"),
        ({"source": "a.db", "query": ""}, "the query is empty"),
        ({"source": "a.db", "table": " "}, "the table is empty"),
    ],
)
def test_params(given, told):
    """Params that make no sense are refused before anything runs, and no secret is repeated."""
    with pytest.raises(ParamsError) as raised:
        DefaultExportAction({"target": "out.csv", **given}, packs=())
    text = "\n".join([str(raised.value), *getattr(raised.value, "__notes__", [])])
    assert told in text
    assert "secret@" not in text


@pytest.mark.parametrize(
    ("query", "bound", "values"),
    [
        ("SELECT ':a', \":a\", :a", "SELECT ':a', \":a\", $1", [1]),
        ("SELECT :a::int -- :b\n", "SELECT $1::int -- :b\n", [1]),
        ("SELECT $q$ :b $q$, :a, :a /* :b */", "SELECT $q$ :b $q$, $1, $1 /* :b */", [1]),
        ("SELECT x[1:a]", "SELECT x[1:a]", None),
        ("SELECT 'it''s :b', :a", "SELECT 'it''s :b', $1", [1]),
    ],
)
def test_places_for_values(query, bound, values):
    """A name is a value only outside of quotes, comments and casts."""
    given = {} if values is None else {"a": 1}
    assert bind(query, given, "$") == (bound, values or [])


def test_what_stands_after_a_statement(table, export):
    """A comment after the last statement is none, wherever it begins."""
    name = table(3)
    for query in (
        "SELECT 1 AS a; -- done",
        "/* ; */ SELECT 1 AS a -- ;",
        "SELECT 1 AS a;;\n /**/ ",
    ):
        export(name, "out.csv", query=query, if_exists="overwrite")
        assert Path("out.csv").read_text() == "a\n1\n"
