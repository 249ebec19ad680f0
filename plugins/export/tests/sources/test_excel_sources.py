"""Workbooks are sources as other files of rows are."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import openpyxl
import pytest

from handrail.errors import ParamsError
from handrail_export import DefaultExportAction


@pytest.fixture
def book(here):
    """A workbook with a sheet of orders and one of people."""
    made = openpyxl.Workbook(write_only=True)
    for name, rows in {
        "orders": [["id", "person", "price"], [1, 1, 1.5], [], [2, 2, 2]],
        "the people": [["person", "name"], [1, "Ann"], [2, "=Bo"]],
    }.items():
        sheet = made.create_sheet(name)
        for row in rows:
            cells = [openpyxl.cell.WriteOnlyCell(sheet, value=value) for value in row]
            for cell in cells:
                cell.data_type = "s" if isinstance(cell.value, str) else cell.data_type
            sheet.append(cells)
    made.save(here / "book.xlsx")
    return "book.xlsx"


def test_a_sheet(book, export, here, seen):
    """The first, unless one is named, and then it is said that there are others."""
    done = export(book, "out.jsonl", columns=["id", "price"], where="price > 1.6")
    assert json.loads(Path("out.jsonl").read_text()) == {"id": 2, "price": 2.0}
    assert done.result["exported_count"] == 1
    notes = [data["summary"] for event, data, _ in seen.logged if event == "note"]
    assert notes == [
        "book.xlsx has other sheets than orders, which is read: the people; another is read by "
        "book.xlsx#the people"
    ]
    export(f"{book}#the people", "people.csv")
    assert Path("people.csv").read_text() == "person,name\n1,Ann\n2,=Bo\n"
    assert len([event for event, _, _ in seen.logged if event == "note"]) == 1
    assert not list(here.rglob("*.arrow"))


def test_sheets_in_a_query(book, export):
    """Also of one workbook, and more than once."""
    query = "SELECT name, price FROM source JOIN people USING (person) ORDER BY name"
    sources = {"people": f"{book}#the people"}
    export(f"{book}#orders", "out.csv", query=query, sources=sources)
    assert Path("out.csv").read_text() == "name,price\n=Bo,2.0\nAnn,1.5\n"
    twice = "SELECT count(*) AS n FROM source AS a, source AS b"
    export(f"{book}#orders", "twice.csv", query=twice)
    assert Path("twice.csv").read_text() == "n\n4\n"


def test_workbooks_of_a_pattern_need_not_agree_on_fractions(here, export):
    """A column that is whole in one and not in another has fractions."""
    for name, value in (("1", 1), ("2", 2.5)):
        made = openpyxl.Workbook()
        made.active.append(["v"])
        made.active.append([value])
        made.save(here / f"{name}.xlsx")
    export("*.xlsx", "out.csv")
    assert Path("out.csv").read_text() == "v\n1.0\n2.5\n"


def test_mixed_columns(here, export):
    """They are refused with the cell, or all of it is text."""
    made = openpyxl.Workbook()
    for row in (["v"], [1], ["n/a"]):
        made.active.append(row)
    made.save(here / "book.xlsx")
    done = export("book.xlsx", "out.csv", fails=True)
    assert "book.xlsx: the column v has a number in A2, and a text in A3: n/a" in done.message
    assert "to take all values as text: --csv-types text" in done.ways_out
    export("book.xlsx", "out.csv", csv_types="text")
    assert Path("out.csv").read_text() == "v\n1\nn/a\n"


def test_an_archive_that_grows(here, export):
    """A small workbook that would take gigabytes of memory is refused before it is unpacked."""
    made = openpyxl.Workbook()
    made.active.append(["v"])
    made.active.append(["a text"])
    made.save(here / "book.xlsx")
    strings = b"<si><t>a</t></si>" * 60_000
    with (
        zipfile.ZipFile(here / "book.xlsx", "a", zipfile.ZIP_DEFLATED) as packed,
        packed.open("xl/more.xml", "w") as part,
    ):
        for _ in range(270):
            part.write(strings)
    assert (here / "book.xlsx").stat().st_size < 3_000_000
    done = export("book.xlsx", "out.csv", fails=True)
    assert "bytes when it is unpacked; 268,435,456 are allowed" in done.message
    assert "save the sheet as .csv" in done.ways_out
    assert os.listdir() == ["book.xlsx"]


def test_what_an_export_has_written_is_read_again(table, export, here):
    """To Excel and back, with the same values."""
    export(table(3), "out.xlsx", table="item")
    export("out.xlsx", "out.csv")
    export("rows.db", "rows.csv", table="item")
    assert Path("out.csv").read_text() == Path("rows.csv").read_text()


def test_params(book):
    with pytest.raises(ParamsError, match=r"a sheet is named by book\.xlsx#NAME"):
        DefaultExportAction({"source": book, "target": "out.csv", "table": "orders"}, packs=())
    with pytest.raises(ParamsError, match="no-book"):
        DefaultExportAction({"source": "no-book.xlsx#a", "target": "out.csv"}, packs=()).run()
    assert os.listdir() == [book]
