"""Sheets of workbooks become Arrow files with the same values, or are refused with the cell."""

from __future__ import annotations

import datetime
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow
import pytest

from handrail_arrow import excel
from handrail_arrow.excel import ExcelError, ExcelSizeError, split_address, write_sheet

DAY = datetime.date(2026, 11, 27)
NOON = datetime.datetime(2026, 11, 27, 12, 30)  # noqa: DTZ001 - Excel has no zones


def book(path: Path, **sheets: list[list[Any]]) -> Path:
    """Make a workbook of sheets, each a list of rows."""
    made = openpyxl.Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = made.create_sheet(name)
        for row in rows:
            sheet.append(row)
    made.save(path)
    return path


def rewritten(path: Path, pattern: str, text: str) -> Path:
    """Change the XML of the first sheet of a workbook."""
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    name = "xl/worksheets/sheet1.xml"
    parts[name], count = re.subn(pattern.encode(), text.encode(), parts[name])
    assert count
    with zipfile.ZipFile(path, "w") as packed:
        for each, content in parts.items():
            packed.writestr(each, content)
    return path


def read(path: Any, **options: Any) -> pyarrow.Table:
    target = Path(f"{path if isinstance(path, Path) else 'book'}.arrow")
    target.unlink(missing_ok=True)
    write_sheet(path, target, **options)
    return pyarrow.ipc.open_file(target.read_bytes()).read_all()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_type_of_cell(here: Path) -> None:
    """Numbers, texts, booleans, dates, times and durations; a column without values is text."""
    rows = [
        ["whole", "part", "text", "yes", "day", "at", "time", "took", "none"],
        [1, 1, "a", True, DAY, NOON, datetime.time(1, 2, 3), datetime.timedelta(hours=30), None],
        [2, 2.5, "b", False, DAY, DAY, None, datetime.timedelta(hours=1), None],
    ]
    found = read(book(here / "book.xlsx", rows=rows))
    assert [str(kind) for kind in found.schema.types] == [
        *("int64", "double", "string", "bool", "date32[day]", "timestamp[us]"),
        *("time64[us]", "duration[us]", "string"),
    ]
    midnight = datetime.datetime.combine(DAY, datetime.time())
    assert found["at"].to_pylist() == [NOON, midnight]
    assert found["took"].to_pylist()[0] == datetime.timedelta(hours=30)
    assert found.slice(0, 1).to_pylist()[0] == {
        **dict(zip(rows[0], rows[1], strict=True)),
        "whole": 1,
        "part": 1.0,
    }


def test_types_are_those_of_all_rows(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a later batch is the first to show them."""
    monkeypatch.setattr(excel, "_ROWS", 2)
    rows = [["n", "d", "late"], *([n, DAY, None] for n in range(5)), [0.5, NOON, "x"]]
    found = read(book(here / "book.xlsx", rows=rows))
    assert [str(kind) for kind in found.schema.types] == ["double", "timestamp[us]", "string"]
    assert found["n"].to_pylist() == [0, 1, 2, 3, 4, 0.5]
    assert found["late"].to_pylist() == [None] * 5 + ["x"]


def test_empty_rows_columns_and_texts(here: Path) -> None:
    """Empty rows are left out, wherever they are; an empty text is a missing value."""
    rows = [[], [None, "a", None, "b"], [], [None, 1, None, ""], [None, None], [None, 2, None, "x"]]
    assert read(book(here / "book.xlsx", rows=rows)).to_pylist() == [
        {"a": 1, "b": None},
        {"a": 2, "b": "x"},
    ]


def test_sheets(here: Path) -> None:
    """The first one is read unless another is named; the result tells of the others."""
    made = book(here / "book.xlsx", one=[["a"], [1]], two=[["b"], [2], [3]])
    first = write_sheet(made, here / "1.arrow")
    assert (first.name, first.others, first.rows) == ("one", ("two",), 1)
    assert read(made, sheet="two").to_pydict() == {"b": [2, 3]}
    assert read(io.BytesIO(made.read_bytes()), sheet="two").num_rows == 2
    with pytest.raises(ExcelError, match="it has no sheet three") as told:
        read(made, sheet="three")
    assert told.value.ways_out == ("sheets: one, two",)


def test_all_as_text(here: Path) -> None:
    """Values of any kinds are one column of text, as they are seen."""
    rows = [["v"], [1], [1.5], ["x"], [True], [DAY], [NOON], [datetime.time(1, 2)]]
    found = read(book(here / "book.xlsx", rows=rows), text=True)
    texts = ["1", "1.5", "x", "true", "2026-11-27", "2026-11-27 12:30:00", "01:02:00"]
    assert found["v"].to_pylist() == texts


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([["n"], [1], ["n/a"]], "the column n has a number in A2, and a text in A3: n/a"),
        ([["n"], [1], [True]], "a number in A2, and a boolean in A3: True"),
        ([["d"], [DAY], [3]], "a date in A2, and a number in A3: 3"),
        ([["a", "b"], [1, "#N/A"]], "B2 is an error: #N/A"),
        ([["a"], [1, 2]], "B2 has a value, and its column has no name"),
        ([["a", "b", "a"], [1, 2, 3]], "two columns are called a: A1 and C1"),
        ([[]], "the sheet rows is empty, without even the names"),
        ([["a", "b"], [1, "=A2*2"]], "B2 has a formula whose result is not in the file"),
    ],
    ids=["text", "boolean", "number", "error", "no name", "names", "empty", "formula"],
)
def test_what_is_refused_with_its_cell(here: Path, rows: list[list[Any]], told: str) -> None:
    made = book(here / "book.xlsx", rows=rows)
    with pytest.raises(ExcelError, match=re.escape(told)):
        read(made)
    assert list(here.iterdir()) == [made]  # Nothing is left of it.


def test_formulas_with_results(here: Path) -> None:
    """The result that is in the file is the value, an empty text too."""
    made = book(here / "book.xlsx", rows=[["a", "b"], [1, "=A2*2"], [2, "=A3*2"]])
    rewritten(made, "<f>A2\\*2</f><v *(/>|></v>)", "<f>A2*2</f><v>2.5</v>")
    rewritten(made, '<c r="B3"', '<c r="B3" t="str"')
    assert read(made)["b"].to_pylist() == [2.5, None]


def test_a_size_that_a_sheet_only_claims(here: Path) -> None:
    """Rows and columns beyond it are read, too."""
    made = book(here / "book.xlsx", rows=[["a", "b"], [1, 2], [3, 4]])
    rewritten(made, "<sheetData>", '<dimension ref="A1:A2"/><sheetData>')
    assert read(made).to_pylist() == [{"a": 1, "b": 2}, {"a": 3, "b": 4}]


OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(512)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "no Excel workbook"),
        (b"no workbook", "no Excel workbook"),
        (b"PK\x03\x04 broken", "no Excel workbook"),
        (OLE, r"an old \.xls workbook, or has a password"),
    ],
)
def test_what_is_no_workbook(here: Path, content: bytes, told: str) -> None:
    (here / "book.xlsx").write_bytes(content)
    with pytest.raises(ExcelError, match=told):
        read(here / "book.xlsx")


@pytest.mark.parametrize(
    ("pattern", "text", "told"),
    [
        ("</row>", "</rows>", "mismatched tag"),
        ('r="A2"', 'r="2A"', "the sheet rows is broken"),
        ('"2"><c r="A2"', '"1048577"><c r="A1048577"', "more than 1,048,576 rows"),
    ],
)
def test_what_is_broken(here: Path, pattern: str, text: str, told: str) -> None:
    """Neither a traceback, nor rows that no spreadsheet has."""
    made = book(here / "book.xlsx", rows=[["a"], [1]])
    with pytest.raises(ExcelError, match=told):
        read(rewritten(made, pattern, text))


def test_an_archive_that_grows(here: Path) -> None:
    """One that unpacks to more than is allowed is refused before it is unpacked."""
    with zipfile.ZipFile(here / "book.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/sharedStrings.xml", "x" * 3_000_000)
    with (here / "book.xlsx").open("rb") as file, pytest.raises(ExcelSizeError) as told:
        excel.load_workbook(file, data_only=True, most_bytes=2_999_999)
    assert told.value.message == "it has 3,000,000 bytes when it is unpacked; 2,999,999 are allowed"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities(here: Path, encoding: str) -> None:
    """A document type, with which entities are declared, is refused in every part."""
    bomb = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x [<!ENTITY a "aa">]><x>&a;</x>'
    with zipfile.ZipFile(here / "book.xlsx", "w") as packed:
        packed.writestr("xl/strings", bomb.encode(encoding))
    with pytest.raises(ExcelError, match="xl/strings in it declares a document type"):
        read(here / "book.xlsx")


def test_openpyxl_does_not_warn(here: Path) -> None:
    """What it says about extensions is kept from the user."""
    made = book(here / "book.xlsx", rows=[["a"], [1]])
    extension = '<extLst><ext uri="{CCE6A557-97BC-4B89-ADB6-D9C93CAAB3DF}"/></extLst></worksheet>'
    assert read(rewritten(made, "</worksheet>", extension)).num_rows == 1


def test_numbers_that_are_too_large_for_whole_ones(here: Path) -> None:
    """They are fractions, as they are in Excel."""
    found = read(book(here / "book.xlsx", rows=[["n"], [2**63], [1]]))
    assert found["n"].to_pylist() == [float(2**63), 1.0]


def test_addresses() -> None:
    assert split_address("in/book.XLSX#My #1") == ("in/book.XLSX", "My #1")
    assert split_address("in/book.xlsx") == ("in/book.xlsx", None)
    assert split_address("in/#1.csv") == ("in/#1.csv", None)


def test_only_some_rows_wait(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are on the disk, in parts that are deleted; wide sheets have smaller ones."""
    monkeypatch.setattr(excel, "_ROWS", 100)
    monkeypatch.setattr(excel, "_CELLS", 120)
    sizes: list[int] = []
    write = excel._write

    def noted(path: Path, schema: Any, batches: Any) -> Path:
        return write(path, schema, (sizes.append(each.num_rows) or each for each in batches))

    monkeypatch.setattr(excel, "_write", noted)
    rows = [["a", "b"], *([n, n] for n in range(130))]
    assert read(book(here / "book.xlsx", rows=rows))["a"].to_pylist() == list(range(130))
    assert sizes == [60, 60, 10] * 2
    assert sorted(path.name for path in here.iterdir()) == ["book.xlsx", "book.xlsx.arrow"]
