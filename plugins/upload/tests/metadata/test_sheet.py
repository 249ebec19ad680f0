"""SheetMetadata: what holds for every format, and the checks of a file as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from handrail_upload.errors import MetadataError, UploadError
from handrail_upload.metadata import Metadata, Row, SheetMetadata

Write = Callable[[str, str | bytes], Path]
Read = Callable[..., list[Row]]
Refused = Callable[..., str]


def save(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write `rows` in the format of the extension."""
    import csv
    import json

    names = list(rows[0])
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="") as file:
            writer = csv.writer(file, delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writerows([names, *(row.values() for row in rows)])
    elif path.suffix == ".xlsx":
        import openpyxl

        book = openpyxl.Workbook()
        for row in (names, *(list(row.values()) for row in rows)):
            book.active.append(row)
        book.save(path)
    else:
        path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


EVERY = pytest.mark.parametrize("ext", ["csv", "tsv", "jsonl", "ndjson", "xlsx", "CSV"])


@EVERY
def test_every_format_gives_the_same_rows(tmp_path: Path, read: Read, ext: str) -> None:
    """The same table in any format gives the same names and values, in the same order."""
    table = [{"file": f"{n}.jpg", "label": f"l{n}", "note": "ä, \n ☃"} for n in range(1500)]
    path = save(tmp_path / f"sheet.{ext.lower()}", table)
    path = path.rename(tmp_path / f"sheet.{ext}")
    rows = read(path)
    assert [row.name for row in rows] == [f"{n}.jpg" for n in range(1500)]
    assert rows[7].values == {"label": "l7", "note": "ä, \n ☃"}
    assert [row.line for row in rows] == sorted({row.line for row in rows})


@EVERY
def test_rows_come_one_at_a_time(tmp_path: Path, ext: str) -> None:
    """The first rows are there although a later one is broken: nothing is read ahead whole."""
    table = [{"file": f"{n}.jpg", "label": "x"} for n in range(20_000)]
    table[-1]["file"] = ""
    rows = SheetMetadata().rows(save(tmp_path / f"sheet.{ext.lower()}", table))
    assert [row.name for row in islice(rows, 3)] == ["0.jpg", "1.jpg", "2.jpg"]
    with pytest.raises(MetadataError, match="no file is named here"):
        list(rows)


@EVERY
def test_memory_does_not_grow_with_the_rows(tmp_path: Path, ext: str) -> None:
    """Reading a sheet holds a small part of its text in Python's memory at any time."""
    import tracemalloc

    filler = "abcdefgh" * 100
    table = [{"file": f"{n}.jpg", "label": f"{n} {filler}"} for n in range(8_000)]
    path = save(tmp_path / f"sheet.{ext.lower()}", table)
    del table
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        count = sum(1 for _ in SheetMetadata().rows(path))
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert count == 8_000
    assert peak < 2_500_000  # Of 6,400,000 characters.


@EVERY
def test_rows_may_be_left_unread(tmp_path: Path, ext: str) -> None:
    """Whoever stops early leaves no file open (warnings are errors)."""
    import gc

    table = [{"file": f"{n}.jpg"} for n in range(2_000)]
    rows = SheetMetadata().rows(save(tmp_path / f"sheet.{ext.lower()}", table))
    next(rows)
    rows.close()  # type: ignore[attr-defined]
    gc.collect()


@EVERY
def test_largest_file(tmp_path: Path, refused: Refused, ext: str) -> None:
    """A file one byte above max_bytes is refused at once, with both figures."""
    path = save(tmp_path / f"sheet.{ext.lower()}", [{"file": "1.jpg"}])
    size = path.stat().st_size
    assert f"has {size:,} bytes; {size - 1:,} are allowed" in refused(path, max_bytes=size - 1)
    with pytest.raises(MetadataError):
        SheetMetadata(max_bytes=size - 1).rows(path)


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (["label", "name", "File"], "File"),
        (["path", "filename"], "filename"),
        (["name", "file_name"], "file_name"),
        (["name", "path"], "path"),
        (["label", "NAME"], "NAME"),
        (["FILE", "label", "File"], "FILE"),
        (["picture", "label"], "picture"),
    ],
)
@pytest.mark.parametrize("ext", ["csv", "jsonl", "xlsx"])
def test_key_is_found(tmp_path: Path, read: Read, ext: str, header: list[str], key: str) -> None:
    """The column of the names is the first known one in any case, else the first column."""
    row = {name: f"value of {name}" for name in header}
    (found,) = read(save(tmp_path / f"sheet.{ext}", [row]))
    assert found.name == f"value of {key}"
    assert list(found.values) == [name for name in header if name != key]


def test_key_is_given(write: Write, read: Read, refused: Refused) -> None:
    """A key that is given wins over the known ones; one that is not there is refused."""
    path = write("a.csv", "file,picture\n1,2\n")
    assert [(row.name, row.values) for row in read(path, key="picture")] == [("2", {"file": "1"})]
    found = refused(path, key="pictures")
    assert "there is no column 'pictures'" in found
    assert "did you mean picture?" in found
    assert "columns: file, picture" in refused(path, key="zzz")


@pytest.mark.parametrize("ext", ["csv", "jsonl", "xlsx"])
def test_key_without_a_value(tmp_path: Path, refused: Refused, ext: str) -> None:
    """A row that names no file is refused with its place and the column."""
    table = [{"file": "a.jpg", "n": "1"}, {"file": None, "n": "2"}]
    place = {"csv": ":3", "jsonl": ":2", "xlsx": ", row 3"}[ext]
    found = refused(save(tmp_path / f"s.{ext}", table))
    assert found.startswith(f"s.{ext}{place}, column 'file': no file is named here")
    table[1]["file"] = "  "
    assert "no file is named here" in refused(save(tmp_path / f"s.{ext}", table))


@pytest.mark.parametrize("ext", ["jsonl", "xlsx"])
def test_key_of_another_type(tmp_path: Path, read: Read, refused: Refused, ext: str) -> None:
    """Whole numbers are names, as spreadsheets make them; other values are not."""
    assert read(save(tmp_path / f"a.{ext}", [{"file": 17}]))[0].name == "17"
    assert "is no name of a file: True" in refused(save(tmp_path / f"b.{ext}", [{"file": True}]))
    assert "is no name of a file: 1.5" in refused(save(tmp_path / f"c.{ext}", [{"file": 1.5}]))


def test_a_name_may_come_twice(write: Write, read: Read) -> None:
    """Names are not compared; the lines tell the rows apart."""
    rows = read(write("a.csv", "file\na\na\n"))
    assert [(row.name, row.line) for row in rows] == [("a", 2), ("a", 3)]


def test_missing_header(write: Write, read: Read, refused: Refused) -> None:
    """A first row that is a file like the next is no header, unless somebody says so."""
    path = write("a.csv", "a.jpg,cat\nb.jpg,dog\n")
    assert "the header is missing: 'a.jpg' looks like a file" in refused(path)
    assert read(path, key="a.jpg")[0].name == "b.jpg"
    assert len(read(write("b.csv", "v1.0,label\nb.jpg,dog\n"))) == 1


def test_missing_file(tmp_path: Path, refused: Refused) -> None:
    """A path that leads nowhere is refused at once."""
    found = refused(tmp_path / "metadata.cvs")
    assert found == "metadata.cvs: cannot be read: No such file or directory"
    with pytest.raises(MetadataError):
        SheetMetadata().rows(tmp_path / "metadata.cvs")


def test_no_regular_file(tmp_path: Path, refused: Refused) -> None:
    """A folder is refused, and a pipe without waiting for somebody to write into it."""
    (tmp_path / "a.csv").mkdir()
    assert "a.csv: is not a regular file" in refused(tmp_path / "a.csv")
    os.mkfifo(tmp_path / "b.csv")
    assert "b.csv: is not a regular file" in refused(tmp_path / "b.csv")
    assert "cannot be read: " in refused(tmp_path / "a\0.csv")
    (tmp_path / "c").write_text("")
    assert "c/a.csv: cannot be read: Not a directory" in refused(tmp_path / "c" / "a.csv")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_forbidden_file(write: Write, refused: Refused) -> None:
    """A file that may not be read is refused with the system's words."""
    path = write("a.csv", "file\na\n")
    path.chmod(0)
    assert "a.csv: cannot be read: Permission denied" in refused(path)


@pytest.mark.parametrize("ext", ["csv", "tsv", "jsonl", "xlsx"])
def test_empty_file(write: Write, refused: Refused, ext: str) -> None:
    """A file without a byte is refused as empty, whatever its format."""
    assert f"a.{ext}: is empty" in refused(write(f"a.{ext}", ""))


@pytest.mark.parametrize(
    ("name", "way_out"),
    [
        ("a.xls", "save it as .xlsx or .csv"),
        ("a.ods", "save it as .xlsx or .csv"),
        ("a.json", "one object on each line"),
        ("a.parquet", "save it as .csv or .jsonl"),
        ("a.doc", "known formats: .csv, .tsv, .jsonl, .ndjson, .xlsx"),
        ("a", "known formats: .csv"),
    ],
)
def test_unknown_format(write: Write, refused: Refused, name: str, way_out: str) -> None:
    """Other extensions are refused with those that are known, and with a hint."""
    assert way_out in refused(write(name, "x"))


def test_protocol(write: Write) -> None:
    """SheetMetadata is a Metadata, and its rows are frozen."""
    metadata: Metadata = SheetMetadata()
    (row,) = metadata.rows(write("a.csv", "file\na\n"))
    with pytest.raises(AttributeError):
        row.name = "b"  # type: ignore[misc]
    assert issubclass(MetadataError, UploadError)
