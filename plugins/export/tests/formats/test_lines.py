"""CSV and JSON Lines come from the stream of the engine: all rows, in their order."""

from __future__ import annotations

import json
import threading

import pyarrow
import pyarrow.parquet as parquet
import pytest

from handrail_export.choice import Choice
from handrail_export.errors import ExportError
from handrail_export.formats import find_format, tables
from handrail_export.rows import Rows
from handrail_export.sources.address import parse_source
from handrail_export.sources.files import FileSource


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
def test_nothing_looks_at_the_engine_once_it_cannot_be_written(here, monkeypatch, name):
    """Not even while the error is dealt with; the engine is closed then."""
    parquet.write_table(pyarrow.table({"a": range(50_000)}), here / "rows.parquet")

    def fail(_lines):
        raise OSError("no space left")

    monkeypatch.setattr(tables, "_text", fail)
    source = FileSource(parse_source("rows.parquet"))
    rows = Rows(source, Choice(), memory=1 << 28, scratch=str(here))
    try:
        with pytest.raises(OSError, match="no space left") as error:
            find_format(name).write(rows, here / "out")
        assert error.tb is not None  # With all that its frames hold.
        assert "handrail-export" not in {each.name for each in threading.enumerate()}
    finally:
        rows.close()


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
