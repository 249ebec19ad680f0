"""XLSX: cells as they are, archives that are none, and archives that are too much."""

from __future__ import annotations

import datetime as dt
import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.chart import BarChart
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

from handrail_upload.metadata import Row

Write = Callable[[str, str | bytes], Path]
Read = Callable[..., list[Row]]
Refused = Callable[..., str]


def workbook(*rows: list[Any]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def archive(**parts: str | bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in parts.items():
            file.writestr(name.replace("__", "/"), data)
    return content.getvalue()


def changed(content: bytes, name: str, old: bytes, new: bytes) -> bytes:
    """Return a workbook with other bytes in one of its parts."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        parts = {entry: file.read(entry) for entry in file.namelist()}
    assert old in parts[name]
    return archive(**{**parts, name: parts[name].replace(old, new)})


def test_cells(write: Write, read: Read) -> None:
    """Cells keep their types, and dates and times become text."""
    moment = dt.datetime(2026, 3, 1, 12, 30)  # noqa: DTZ001 - spreadsheets know no zones
    cells = [
        "a.jpg",
        7,
        1.5,
        True,
        "007",
        moment,
        dt.time(3, 4),
        dt.timedelta(hours=30),
        None,
        "#N/A",
    ]
    (row,) = read(write("a.xlsx", workbook(["File", *"abcdefghi"], cells)))
    assert row == Row(
        name="a.jpg",
        values={
            "a": 7,
            "b": 1.5,
            "c": True,
            "d": "007",
            "e": "2026-03-01T12:30:00",
            "f": "03:04:00",
            "g": "PT108000S",
            "i": "#N/A",
        },
        line=2,
    )


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (dt.timedelta(days=20, seconds=7), "PT1728007S"),
        (dt.timedelta(hours=1, milliseconds=5), "PT3600.005S"),
        (dt.timedelta(0), "PT0S"),
    ],
)
def test_durations_keep_all_digits(
    write: Write, read: Read, duration: dt.timedelta, text: str
) -> None:
    (row,) = read(write("a.xlsx", workbook(["file", "a"], ["a.jpg", duration])))
    assert row.values == {"a": text}


def test_formulas_are_text(write: Write, read: Read, refused: Refused) -> None:
    """A formula stays what is in the cell, and cannot be the name of a file."""
    array = ArrayFormula("C2:C2", "=SUM(A1:A2*2)")
    table = DataTableFormula("D2:D3")
    rows = read(write("a.xlsx", workbook(["file", "a", "b", "c"], ["x", "=1+1", array, table])))
    assert rows[0].values == {"a": "=1+1", "b": "=SUM(A1:A2*2)", "c": "=TABLE(D2:D3)"}
    found = refused(write("b.xlsx", workbook(["file"], ['=B2&".jpg"'])))
    assert "b.xlsx, row 2, column 'file': is a formula" in found


def test_blank_rows_and_numbers_as_names(write: Write, read: Read) -> None:
    """Rows are counted as the spreadsheet does, blank ones are none, any header is text."""
    rows = read(write("a.xlsx", workbook([], ["file", 2026, None], [], ["a", 1, None, ""])))
    assert rows == [Row(name="a", values={"2026": 1}, line=4)]
    content = workbook(["file", "n"], ["a", "gone"])
    sheet = "xl/worksheets/sheet1.xml"
    content = changed(content, sheet, b't="inlineStr"><is><t>gone<', b't="inlineStr"><is><t><')
    assert read(write("b.xlsx", content))[0].values == {}


def test_first_sheet(tmp_path: Path, read: Read, refused: Refused) -> None:
    """The first sheet with cells counts, also behind a chart; one without cells has no header."""
    book = openpyxl.Workbook()
    book.active.append(["file"])
    book.active.append(["first"])
    book.create_sheet().append(["other"])
    book.create_chartsheet(index=0).add_chart(BarChart())
    book.save(tmp_path / "a.xlsx")
    assert [row.name for row in read(tmp_path / "a.xlsx")] == ["first"]
    openpyxl.Workbook().save(tmp_path / "b.xlsx")
    assert "b.xlsx, row 1: has no header" in refused(tmp_path / "b.xlsx")


def test_archive_bomb(write: Write, refused: Refused) -> None:
    """An archive that unpacks to more than max_bytes is refused before it is unpacked."""
    path = write("a.xlsx", archive(xl__sheet="x" * 3_000_000))
    assert path.stat().st_size < 10_000
    found = refused(path, max_bytes=2_999_999)
    assert "has 3,000,000 bytes when it is unpacked; 2,999,999 are allowed" in found
    assert "SheetMetadata(max_bytes=...)" in found


def test_no_workbook(write: Write, refused: Refused) -> None:
    """Whatever is no workbook is refused as such, also if only its rows are broken."""
    assert refused(write("a.xlsx", b"file,label\na,b\n")).startswith("a.xlsx: it is no Excel work")
    content = workbook(["file"], ["a"])
    broken = changed(content, "xl/worksheets/sheet1.xml", b"</row>", b"</rows>")
    assert refused(write("b.xlsx", broken)).startswith("b.xlsx: the sheet Sheet is broken: ")


def test_missing_openpyxl(write: Write, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra, the error says how to install it."""
    path = write("a.xlsx", workbook(["file"], ["a"]))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    found = refused(path)
    assert "pip install 'handrail-upload[xlsx]'" in found
