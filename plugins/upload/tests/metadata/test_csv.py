"""CSV and TSV: text stays text, and each mistake has its line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail_upload.metadata import Row, SheetMetadata

Write = Callable[[str, str | bytes], Path]
Read = Callable[..., list[Row]]
Refused = Callable[..., str]


def test_values_stay_text(write: Write, read: Read) -> None:
    """Digits and formulas are the text that they are, and empty cells are left out."""
    (row,) = read(write("a.csv", "file,a,b,c,d,e\nx.jpg,007,=1+1, true ,,1e5\n"))
    assert row.values == {"a": "007", "b": "=1+1", "c": " true ", "e": "1e5"}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_encodings(write: Write, read: Read, end: str, mark: bytes) -> None:
    """A byte order mark is no part of the first name, and any kind of line end will do."""
    text = end.join(("file,label", "", "a.jpg,ä", ",", "b.jpg,☃", ""))
    rows = read(write("a.csv", mark + text.encode()), key="file")
    assert rows == [
        Row(name="a.jpg", values={"label": "ä"}, line=3),
        Row(name="b.jpg", values={"label": "☃"}, line=5),
    ]


def test_lines_of_rows_with_line_ends(write: Write, read: Read) -> None:
    """The line of a row is the one that it begins on."""
    rows = read(write("a.csv", 'file,n\na,"1\n2\n\n3"\nb,4\n'))
    assert [(row.line, row.values["n"]) for row in rows] == [(2, "1\n2\n\n3"), (6, "4")]


def test_short_and_long_rows(write: Write, read: Read, refused: Refused) -> None:
    """Cells that are missing or empty at the end do not matter; those without a column do."""
    rows = read(write("a.csv", "file,n,,\na\nb,1,,,,\n"))
    assert [row.values for row in rows] == [{}, {"n": "1"}]
    found = refused(write("b.csv", "file,n\na,1\nb,2,,4\n"))
    assert found.startswith("b.csv:3: has '4' in column 4, but there are 2 columns\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\n,,\n\n", "a.csv:1: has no header"),
        ("file,a,b,a\n1\n", "a.csv:1: the columns 2 and 4 are both called 'a'"),
        ("file,a, a \n1\n", "a.csv:1: the columns 2 and 3 are both called 'a'"),
        (",file\n0,a\n", "a.csv:1: column 1 has no name\nname it, or leave it out (pandas"),
        ('file,n\na,"1\nb,2\n', "a.csv:2: is not a row of ',' separated values"),
        ('file,n\na,"1"2\n', "a.csv:2: is not a row of ',' separated values"),
        ("file\n\0\n", "a.csv:2, column 'file': has text with a NUL"),
        ("file,n\na,\0\n", "a.csv:2, column 'n': has text with a NUL"),
    ],
)
def test_mistakes(write: Write, refused: Refused, text: str, message: str) -> None:
    """Each mistake is refused with its line, and its column where there is one."""
    assert message in refused(write("a.csv", text))


@pytest.mark.parametrize("rows", [0, 1, 30_000])
def test_not_utf8(write: Write, refused: Refused, rows: int) -> None:
    """The offset and the line of the byte are those in the file, wherever it is."""
    before = b"file,n\n" + "ä.jpg,☃\n".encode() * rows
    found = refused(write("a.csv", before + b"b.jpg,caf\xe9\n"))
    assert f"a.csv:{rows + 2}: is not UTF-8: there is the byte 0xe9" in found
    assert f"at offset {len(before) + 9:,}\n" in found


def test_cut_off_character(write: Write, refused: Refused) -> None:
    """A character that the end of the file cuts off is not UTF-8 either."""
    assert "0xe2 at offset 7" in refused(write("a.csv", b"file\na\n\xe2\x98"))


def test_utf16(write: Write, refused: Refused) -> None:
    """UTF-16, as `Unicode text` of spreadsheets, is recognised."""
    assert "it looks like UTF-16" in refused(write("a.csv", "file\na\n".encode("utf-16")))
    assert "UTF-16 looks like this" in refused(write("a.csv", "file\na\n".encode("utf-16-le")))


def test_delimiters(write: Write, read: Read, refused: Refused) -> None:
    """Semicolons are no commas, unless somebody says so; tabs are the default of .tsv."""
    path = write("a.csv", "file;n\na;1,5\n")
    assert "SheetMetadata(delimiter=';')" in refused(path)
    assert read(path, delimiter=";")[0].values == {"n": "1,5"}
    assert read(write("a.tsv", "file\tn\na\t1,5\n"))[0].values == {"n": "1,5"}
    assert "'\\t' seems to separate them" in refused(write("b.csv", "file\tn\na\t1\n"))
    assert "',' seems to separate them" in refused(write("b.tsv", "file,n\na,1\n"))
    assert read(write("c.csv", "file\na;b\n"))[0].name == "a;b"


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(
    write: Write, refused: Refused
) -> None:
    text = 'file,n\na,"' + "x" * 50 + "\n" * 200_000
    assert refused(write("a.csv", text)).startswith("a.csv:2: is not a row of ',' separated")


CELLS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(table=st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=8))
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    """Any text that the csv module writes comes back, but for rows and cells that are empty."""
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["file", "a", "b"], *(["x", *row] for row in table)])
    rows = list(SheetMetadata().rows(path))
    names = ("a", "b")
    assert [row.values for row in rows] == [
        {name: cell for name, cell in zip(names, row, strict=True) if cell} for row in table
    ]
