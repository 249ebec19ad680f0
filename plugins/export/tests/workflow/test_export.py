"""A whole export of rows: what is written, where, and what is told about it."""

from __future__ import annotations

import hashlib
import json
import resource
from pathlib import Path

import duckdb
import pyarrow.parquet as parquet
import pytest

from handrail_export.manifest import Manifest

SIX = [
    *("initialize", "fetch_results", "prepare_export"),
    *("convert_data", "save_files", "finalize"),
]


def test_table_to_parquet(table, export, here):
    """All rows arrive, in order, with their types; the result counts them and says where."""
    done = export(table(1000), "out.parquet", table="item")
    found = parquet.read_table(here / "out.parquet")
    assert found.column("id").to_pylist() == list(range(1, 1001))
    assert [str(field.type) for field in found.schema] == ["int64", "string", "double", "string"]
    assert found.column("price").to_pylist()[:2] == [0.25, 0.5]
    result = done.result
    counts = {"exported_count": 1000, "failed_count": 0, "total_count": 1000}
    assert {**result, **counts, "output_path": "out.parquet", "files": 1} == result
    assert result["summary"].startswith("exported 1,000 rows to out.parquet · 1 file, ")
    assert result["steps_executed"] == 6


def test_csv_and_jsonl(table, export, here):
    """The ending of the target says what is written; the first line of CSV has the names."""
    export(table(2), "out.csv", table="item")
    assert (here / "out.csv").read_text() == (
        "id,name,price,kind\n1,item 1,0.25,b\n2,item 2,0.5,a\n"
    )
    export("rows.db", "out.jsonl", table="item")
    assert [json.loads(line) for line in (here / "out.jsonl").read_text().splitlines()] == [
        {"id": 1, "name": "item 1", "price": 0.25, "kind": "b"},
        {"id": 2, "name": "item 2", "price": 0.5, "kind": "a"},
    ]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_files_as_sources(table, export, here, ending):
    """Parquet and CSV are read as well, one or many."""
    export(table(5), f"in/a.{ending}", table="item")
    export("rows.db", f"in/b.{ending}", table="item", limit=2)
    done = export(f"in/*.{ending}", "out.jsonl")
    assert done.result["exported_count"] == 7
    first = json.loads((here / "out.jsonl").read_text().splitlines()[0])
    assert first == {"id": 1, "name": "item 1", "price": 0.25, "kind": "b"}


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.jsonl"])
@pytest.mark.parametrize("source", ["database", "file"])
def test_columns_filter_and_limit(table, export, here, source, target):
    """Columns come in the order asked for; the filter is SQL, and the limit comes last."""
    name = table(20)
    options = {"table": "item"}
    if source == "file":
        export(name, "in.parquet", table="item")
        name, options = "in.parquet", {}
    export(
        name, target, columns=["price", "id"], where="kind = 'a' -- even ones", limit=3, **options
    )
    export(
        target if target != "out.jsonl" else name,
        "check.csv",
        **(
            {}
            if target != "out.jsonl"
            else {**options, "columns": ["price", "id"], "where": "kind = 'a'", "limit": 3}
        ),
    )
    assert (here / "check.csv").read_text() == "price,id\n0.5,2\n1.0,4\n1.5,6\n"


@pytest.mark.parametrize("limit", [1, 3, 5, 8, 100])
def test_limit_across_batches(table, export, here, monkeypatch, limit):
    """A limit ends where it says, also in the middle of a batch, and at the end of one."""
    monkeypatch.setattr("handrail_export.sources.sqlite.BATCH", 4)
    done = export(table(10), table="item", limit=limit)
    assert done.result["exported_count"] == min(limit, 10)
    assert parquet.read_table(here / "out.parquet").num_rows == min(limit, 10)


def test_query_with_values(table, export, here):
    """Values are bound by name, never pasted; quotes, casts and comments are left alone."""
    query = """
        SELECT id, name || ':not' AS text -- :neither
        FROM item WHERE name = :name OR id IN (:low, :high, :low) /* :nor this */;
    """
    values = {"name": "item 3' OR 1=1 --", "low": 2, "high": 5}
    export(table(9), "out.csv", query=query, parameters=values)
    assert (here / "out.csv").read_text() == "id,text\n2,item 2:not\n5,item 5:not\n"


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_partitions(table, export, here, ending):
    """Each value of a column has a folder; the manifest has the rows of each file."""
    done = export(
        table(11), "out", table="item", partition_by=["kind"], format=ending, where="id > 1"
    )
    manifest = json.loads((here / "out" / "manifest.json").read_text())
    files = {each["path"]: each["rows"] for each in manifest["files"]}
    assert files == {f"kind=a/data_0.{ending}": 5, f"kind=b/data_0.{ending}": 5}
    assert done.result["exported_count"] == 10


def test_rows_of_files_with_breaks_in_values(table, export, here):
    """A line break in a value is no row."""
    query = "SELECT id % 2 AS odd, 'a' || char(10) || '\"b\"' || char(10) AS text FROM item"
    export(table(6), "out", query=query, partition_by=["odd"], format="csv")
    manifest = json.loads((here / "out" / "manifest.json").read_text())
    assert [each["rows"] for each in manifest["files"]] == [3, 3]


def test_manifest(table, export, here):
    """Every file is listed with its rows, size and checksum, and the document comes last."""
    done = export(table(3), "out/", table="item", format="csv")
    document = json.loads((here / "out" / "manifest.json").read_text())
    content = (here / "out" / "data.csv").read_bytes()
    assert document.pop("created").endswith("+00:00")
    assert document == {
        "schema": 1,
        "run": done.result["run"],
        "source": "rows.db",
        "format": "csv",
        "columns": ["id", "name", "price", "kind"],
        "exported_count": 3,
        "failed_count": 0,
        "total_count": 3,
        "files": [
            {
                "path": "data.csv",
                "size": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
                "rows": 3,
            }
        ],
    }
    kept = Manifest(here / ".handrail" / "exports" / f"{done.result['run']}.db", make=False)
    assert [(each.path, each.state) for each in kept.files()] == [("data.csv", "saved")]
    kept.close()


@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.jsonl", "out/"])
def test_no_rows(table, export, here, world, target):
    """Without rows nothing is written, that is said, and it is no failure."""
    name = table(3)
    before = world()
    done = export(name, target, table="item", where="id > 3")
    assert done.result["summary"] == "nothing to export: rows.db has no such rows"
    assert done.result["exported_count"] == 0
    assert "output_path" not in done.result
    assert {k: v for k, v in world().items() if v != "folder"} == before


@pytest.mark.parametrize("target", ["new/deep/out.csv", "new/deep/"])
def test_folders_are_made(table, export, here, target):
    """The folders of the target are made, and nothing else is left beside the export."""
    export(table(3), target, table="item", format="csv")
    names = {path.name for path in (here / "new" / "deep").iterdir()} - {".handrail-target"}
    assert names == ({"out.csv"} if target.endswith("csv") else {"data.csv", "manifest.json"})


def test_unicode(table, export, here):
    """Names and values in any script survive, in the names of files and columns too."""
    query = 'SELECT id, \'größe 🎨\' AS "straße, ""quoted""", \'a,"b"\' AS "名前" FROM item'
    export(table(1), "ausgabe 🎨.csv", query=query)
    assert (here / "ausgabe 🎨.csv").read_text(encoding="utf-8") == (
        'id,"straße, ""quoted""",名前\n1,größe 🎨,"a,""b"""\n'
    )
    export("ausgabe 🎨.csv", "zwei.jsonl", where="\"名前\" like 'a%'")
    assert json.loads((here / "zwei.jsonl").read_text())["名前"] == 'a,"b"'


def test_progress_never_goes_back(table, export, seen, monkeypatch):
    """Rows are counted while they are read, and bytes while they are saved."""
    monkeypatch.setattr("handrail_export.sources.sqlite.BATCH", 4)
    export(table(20), table="item")
    rows = [current for current, _, category in seen.progress if category == "rows"]
    assert rows == sorted(rows)
    assert rows[-1] == 20
    assert seen.progress[-1][2] == "bytes"
    assert seen.progress[-1][0] == seen.progress[-1][1]


def test_source_is_not_touched(table, export, here):
    """A database is opened so that nothing can be written to it, and no file is left beside it."""
    name = table(3)
    before = Path(name).read_bytes(), sorted(Path.cwd().iterdir())
    export(name, "elsewhere/out.csv", table="item")
    assert Path(name).read_bytes() == before[0]
    assert {path.name for path in here.iterdir()} == {"rows.db", "elsewhere", ".handrail"}


@pytest.mark.slow
def test_thousands_of_partitions(here, export):
    """There may be more of them than files that may be open; none is torn into several files."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    query = "SELECT (hash(i) % 600)::INT AS k, i FROM range(50000) AS t(i)"
    duckdb.execute(f"COPY ({query}) TO 'rows.parquet'")
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, limits[1]))
    try:
        done = export("rows.parquet", "out", partition_by=["k"], format="csv")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert done.result["exported_count"] == 50_000
    assert len(list(here.glob("out/k=*/*.csv"))) == len(list(here.glob("out/k=*"))) == 600
