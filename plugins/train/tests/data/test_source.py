"""Sources: one table out of any format and place, and one clear message where there is none."""

from __future__ import annotations

import gzip
import json
import sqlite3
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from handrail_train.data import Source
from handrail_train.errors import DataError

ROWS = [
    {"zip": "01234", "size": 1, "worth": 0.5, "kind": "a"},
    {"zip": "56789", "size": 2, "worth": None, "kind": "b"},
    {"zip": "01234", "size": None, "worth": 2.5, "kind": "a"},
]
TABLE = pa.Table.from_pylist(ROWS)
CSV = "zip,size,worth,kind\n01234,1,0.5,a\n56789,2,,b\n01234,,2.5,a\n"


def write(path: Path) -> None:
    """Write the rows in the format that the name tells."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name = path.name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(CSV.encode()))
    elif name.endswith(".csv"):
        path.write_text(CSV)
    elif name.endswith(".tsv"):
        path.write_text(CSV.replace(",", "\t"))
    elif name.endswith((".jsonl", ".ndjson")):
        path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    elif name.endswith((".parquet", ".pq")):
        pa.parquet.write_table(TABLE, path)
    elif name.endswith(".feather"):
        pa.feather.write_feather(TABLE, path)
    elif name.endswith((".arrow", ".ipc")):
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, TABLE.schema) as writer:
            writer.write_table(TABLE)
    else:
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        book.active.append(list(ROWS[0]))
        for row in ROWS:
            book.active.append(list(row.values()))
        book.save(path)


FORMATS = (
    *("csv", "csv.gz", "tsv", "jsonl", "ndjson", "parquet", "pq"),
    *("feather", "arrow", "ipc", "xlsx"),
)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_of_each_format_gives_the_same_rows(tmp_path: Path, ending: str) -> None:
    write(tmp_path / f"rows.{ending}")
    source = Source.parse(str(tmp_path / f"rows.{ending}"))
    assert source.read().to_pylist() == ROWS
    assert source.name == "rows.csv" if ending == "csv.gz" else "rows"
    before = source.stamp()
    assert before == source.stamp()
    write(tmp_path / f"rows.{ending}")
    assert source.stamp() != before


def test_a_folder_and_a_pattern_give_the_rows_of_their_files(tmp_path: Path) -> None:
    for part in ("year=2025/part-0.parquet", "year=2026/part-0.parquet", "year=2026/b/1.parquet"):
        write(tmp_path / "out" / part)
    (tmp_path / "out" / "manifest.json").write_text("{}")
    (tmp_path / "out" / "_SUCCESS").write_text("")
    write(tmp_path / "out" / ".hidden.parquet")
    found = Source.parse(str(tmp_path / "out")).read()
    assert found["year"].to_pylist() == [2025] * 3 + [2026] * 6
    assert found.num_rows == 9
    some = Source.parse(str(tmp_path / "out" / "*" / "*.parquet"))
    assert some.read().num_rows == 6
    assert some.name == "out"
    deep = Source.parse(str(tmp_path / "out" / "**" / "*.parquet"))
    assert deep.read().num_rows == 9


def test_files_that_do_not_fit_together_are_told_by_name(tmp_path: Path) -> None:
    write(tmp_path / "in" / "1.csv")
    (tmp_path / "in" / "2.csv").write_text("zip,size\n1,2\n")
    with pytest.raises(DataError, match=r"2\.csv has other columns than .*1\.csv.*'kind'"):
        Source.parse(str(tmp_path / "in")).read()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"(?s)no table in .*empty.*\.parquet"):
        Source.parse(str(tmp_path / "empty")).read()
    with pytest.raises(DataError, match="no table in"):
        Source.parse(str(tmp_path / "in" / "*.parquet")).read()


def test_an_object_storage_gives_files_folders_and_patterns(
    tmp_path: Path, moto: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in moto.environment().items():
        monkeypatch.setenv(variable, value)
    bucket = f"train-{uuid.uuid4().hex[:8]}"
    client = moto.client()
    client.create_bucket(Bucket=bucket)
    for key in ("in/year=2025/1.parquet", "in/year=2026/1.parquet", "in/rows.csv", "inner/2.csv"):
        write(tmp_path / key)
        client.upload_file(str(tmp_path / key), bucket, key)
    one = Source.parse(f"s3://{bucket}/in/rows.csv")
    assert one.read().to_pylist() == ROWS
    assert one.stamp() == one.stamp()
    parts = Source.parse(f"s3://{bucket}/in/year=*/*.parquet")
    assert parts.read()["year"].to_pylist() == [2025] * 3 + [2026] * 3
    for address in (f"s3://{bucket}/in", f"s3://{bucket}/in/"):
        with pytest.raises(DataError, match="other columns"):
            Source.parse(address).read()
    with pytest.raises(DataError, match="no table in"):
        Source.parse(f"s3://{bucket}/nothing").read()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "people.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE rows (zip TEXT, size INTEGER, worth REAL, kind TEXT)")
        connection.executemany("INSERT INTO rows VALUES (:zip, :size, :worth, :kind)", ROWS)
        connection.commit()
    return path


def test_an_sqlite_file_gives_tables_and_queries(database: Path) -> None:
    assert Source.parse(str(database)).read().to_pylist() == ROWS
    assert Source.parse(str(database), table="rows").read().to_pylist() == ROWS
    query = "SELECT size * 2 AS size FROM rows WHERE size > 1"
    assert Source.parse(str(database), query=query).read().to_pylist() == [{"size": 4}]
    assert Source.parse(str(database), table="rows").name == "rows"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"table": "row"}, r"(?s)no table 'row'; it has rows.*did you mean rows"),
        ({"query": "SELECT nope FROM rows"}, "no such column: nope"),
        ({"query": "DELETE FROM rows"}, "readonly database"),
        ({"query": "SELECT 1 AS a UNION SELECT 'x'"}, "(?s)several types.*CAST"),
    ],
)
def test_what_a_database_has_not_is_told(database: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Source.parse(str(database), **given).read()
    assert Source.parse(str(database)).read().num_rows == 3


def test_a_postgres_database_gives_tables_and_queries(postgres_url: str) -> None:
    psycopg = pytest.importorskip("psycopg")
    with psycopg.connect(postgres_url) as connection:
        connection.execute(
            "CREATE TABLE rows (zip text, size integer, worth numeric(10, 2), kind text)"
        )
        for row in ROWS:
            connection.execute("INSERT INTO rows VALUES (%s, %s, %s, %s)", list(row.values()))
    assert Source.parse(postgres_url, table="rows").read().to_pylist() == ROWS
    query = "SELECT kind, count(*) AS n FROM rows GROUP BY kind ORDER BY kind"
    found = Source.parse(postgres_url, query=query).read()
    assert found.to_pylist() == [{"kind": "a", "n": 2}, {"kind": "b", "n": 1}]
    with pytest.raises(DataError, match="read-only"):
        Source.parse(postgres_url, query="DELETE FROM rows RETURNING kind").read()
    with pytest.raises(DataError, match="name one: --table"):
        Source.parse(postgres_url).read()
    with pytest.raises(DataError, match='"nope" does not exist'):
        Source.parse(postgres_url, table="nope").read()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.jsonl", b'{"a": 1}\n[2]\n', "each line is one JSON object"),
        ("x.xlsx", b"no workbook", "cannot be read as Excel"),
        ("x.arrow", b"ARROW1\0\0broken", "cannot be read as Arrow"),
        ("x.csv.gz", b"not packed", "cannot be read as CSV"),
        ("x.db", b"not a database", "is no SQLite database"),
    ],
)
def test_what_is_broken_is_told(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    if name.endswith(".xlsx"):
        pytest.importorskip("openpyxl")
    with pytest.raises(DataError, match=f"(?s){said}"):
        Source.parse(str(tmp_path / name)).read()
