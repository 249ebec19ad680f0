"""CSV and JSON Lines come from the stream of the engine: all rows, in their order."""

from __future__ import annotations

import gzip
import json

import pyarrow
import pyarrow.parquet as parquet
import pytest

from handrail_export.errors import ExportError


def test_rows_keep_their_order(here, export):
    """Over many parts, also where a column has the name that the row has in the query."""
    count = 50_000
    table = pyarrow.table({"row": range(count), "Row_": ["ä\n"] * count})
    parquet.write_table(table, here / "rows.parquet", row_group_size=7000)
    export("rows.parquet", "out.jsonl")
    lines = (here / "out.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == table.to_pylist()
    export("rows.parquet", "out.csv")
    expected = "".join(f'{number},"ä\n"\n' for number in range(count))
    assert (here / "out.csv").read_text() == f"row,Row_\n{expected}"


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_a_file_that_ends_in_gz_is_compressed(here, table, export, name):
    export(table(9), f"out.{name}", table="item")
    export("rows.db", f"out.{name}.gz", table="item", format=name)
    packed = (here / f"out.{name}.gz").read_bytes()
    assert gzip.decompress(packed) == (here / f"out.{name}").read_bytes()


@pytest.mark.parametrize("target", ["out.csv", "out.jsonl"])
@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT CAST('x' || i AS INT) AS n FROM range(9000) AS t(i)", "cannot be read"),
        ("SELECT repeat('x', 10000) || i AS n FROM range(90000) AS t(i) ORDER BY n", "more memory"),
    ],
)
def test_errors_of_the_engine_on_the_way(here, export, query, told, target):
    """They are told as when it writes the file itself, and nothing is left."""
    (here / "rows.csv").write_text("a\n1\n")
    done = export("rows.csv", target, query=query, memory="40MB", fails=True)
    assert isinstance(done.error.__cause__, ExportError)
    assert told in done.message
    assert "\n" not in done.message
    assert not (here / target).exists()
