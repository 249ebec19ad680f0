"""Parquet: types that JSON does not have, large files, and files that are none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from handrail_upload.metadata import Row, SheetMetadata

Write = Callable[[str, str | bytes], Path]
Read = Callable[..., list[Row]]
Refused = Callable[..., str]

MOMENT = dt.datetime(2026, 3, 1, 12, 30, tzinfo=dt.UTC)


def table_of(array: Any) -> Any:
    return pa.table({"file": [f"{n}.jpg" for n in range(len(array))], "x": array})


@pytest.mark.parametrize(
    ("array", "value"),
    [
        (pa.array([1], pa.int8()), 1),
        (pa.array([2**64 - 1], pa.uint64()), 2**64 - 1),
        (pa.array([0.5], pa.float32()), 0.5),
        (pa.array([True]), True),
        (pa.array([""]), ""),
        (pa.array(["a"], pa.large_string()), "a"),
        (pa.array(["a"]).dictionary_encode(), "a"),
        (pa.array([Decimal("1.10")]), "1.10"),
        (pa.array([dt.date(2026, 3, 1)]), "2026-03-01"),
        (pa.array([dt.time(12, 30)]), "12:30:00"),
        (pa.array([MOMENT], pa.timestamp("us", "UTC")), "2026-03-01T12:30:00+00:00"),
        (pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("ns")), "2026-03-01T12:30:00"),
        (pa.array([dt.timedelta(seconds=90, microseconds=5)]), "PT90.000005S"),
        (pa.array([dt.timedelta(seconds=-90)]), "-PT90S"),
        (pa.array([[1, None]]), [1, None]),
        (pa.array([{"a": [Decimal("0.1")]}]), {"a": ["0.1"]}),
        (pa.array([[("k", 1.5)]], pa.map_(pa.string(), pa.float64())), {"k": 1.5}),
        (pa.array([[(1, "a")]], pa.map_(pa.int32(), pa.string())), {"1": "a"}),
    ],
)
def test_types(tmp_path: Path, read: Read, array: Any, value: Any) -> None:
    """Each type becomes the JSON value that says the same."""
    parquet.write_table(table_of(array), tmp_path / "a.parquet")
    (row,) = read(tmp_path / "a.parquet")
    assert row.values == {"x": value}
    assert type(row.values["x"]) is type(value)


@pytest.mark.parametrize(
    "array",
    [pa.array([None], pa.string()), pa.array([float("nan")]), pa.array([None], pa.float64())],
)
def test_nothing(tmp_path: Path, read: Read, array: Any) -> None:
    """Null and NaN are left out."""
    parquet.write_table(table_of(array), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet")[0].values == {}


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (pa.array(["", b"x"], pa.binary()), "a.parquet, row 1, column 'x': holds bytes"),
        (pa.array([1.0, float("-inf")]), "a.parquet, row 2, column 'x': is infinite"),
        (pa.array(["a", "\0"]), "a.parquet, row 2, column 'x': has text with a NUL"),
        (
            pa.array([0, 1], pa.timestamp("ns")),
            "a.parquet, column 'x': a value in the rows 1 to 2 has no equal in Python",
        ),
    ],
)
def test_unfit_values(tmp_path: Path, refused: Refused, array: Any, message: str) -> None:
    """What JSON cannot hold is refused with the row and the column."""
    parquet.write_table(table_of(array), tmp_path / "a.parquet")
    assert message in refused(tmp_path / "a.parquet")


def test_large_file_is_read_lazily(tmp_path: Path) -> None:
    """A million rows are there after the first, and each is counted once."""
    numbers = pa.array(range(1_000_000))
    parquet.write_table(pa.table({"file": numbers, "n": numbers}), tmp_path / "a.parquet")
    rows = SheetMetadata().rows(tmp_path / "a.parquet")
    assert [row.name for row in islice(rows, 2)] == ["0", "1"]
    last = Row(name="", values={}, line=0)
    for row in islice(rows, 4_000):
        last = row
    assert last == Row(name="4001", values={"n": 4001}, line=4002)
    rows.close()  # type: ignore[attr-defined]


def test_limits_are_seen_before_the_first_row(tmp_path: Path) -> None:
    """What the file says about its rows and bytes is enough to refuse it."""
    text = pa.array(["x" * 1000] * 3000)
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"file": text}), path, use_dictionary=False, compression="zstd")
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"has 3,0\d\d,\d\d\d bytes when it is unpacked"):
        next(SheetMetadata(max_bytes=100_000).rows(path))
    with pytest.raises(ValueError, match="has 3,000 rows; 2,999 are allowed"):
        next(SheetMetadata(max_rows=2999).rows(path))


def test_column_names(tmp_path: Path, refused: Refused) -> None:
    """Two columns of one name, and no columns at all, are refused."""
    twice = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["file", "file"])
    parquet.write_table(twice, tmp_path / "a.parquet")
    assert "a.parquet: the columns 1 and 2 are both called 'file'" in refused(
        tmp_path / "a.parquet"
    )
    parquet.write_table(pa.table({}), tmp_path / "b.parquet")
    assert "b.parquet: has no header" in refused(tmp_path / "b.parquet")


@pytest.mark.parametrize("part", ["text", "start", "end", "middle"])
def test_broken_files(tmp_path: Path, write: Write, refused: Refused, part: str) -> None:
    """Text, and a Parquet file of which a part is missing, are refused as such."""
    numbers = pa.array(range(5000))
    parquet.write_table(table_of(numbers), tmp_path / "whole.parquet", compression="gzip")
    whole = (tmp_path / "whole.parquet").read_bytes()
    broken = {
        "text": b"file,label\na.jpg,cat\n",
        "start": whole[500:],
        "end": whole[:-500],
        "middle": whole[:200] + bytes(1000) + whole[1200:],
    }[part]
    found = refused(write("a.parquet", broken))
    assert found.startswith("a.parquet: is not a Parquet file, or only a part of one: ")
