"""A table fits the terminal: it loses what matters least, and never a reason or a count."""

from __future__ import annotations

import pytest

from handrail.builtin.cli.view.table import (
    SHARES,
    Column,
    counts,
    names,
    owner_cell,
    pack_cell,
    reasons,
    table,
    versions,
)
from handrail.builtin.cli.view.text import columns

HEAD = (
    counts(" #"),
    names("STEP"),
    reasons("STATUS"),
    names("PACK"),
    versions(),
    counts("SHARE", lost=SHARES),
    names("DOES"),
    reasons("WHY"),
)
LATIN = (
    "12",
    "analyze_the_collection_of_everything",
    "off handrail.toml:12, relied on by 15, 16 and 4 more",
    pack_cell("handrail-collection-analysis"),
    "2026.11.27",
    "100 %",
    "Look at all of it, and say what it is, in one line that is rather long",
    "inserted after organize_the_files_of_the_collection, which is create-only not honoured",
)
WIDE = (
    "7",
    "資料を送る" * 6,
    "必須 " * 9,
    pack_cell("acme-資料"),
    "1",
    "5 %",
    "送る" * 30,
    "理由 " * 40,
)


def lines_of(head, rows, width):
    return [line for lines in table(head, rows, width=width) for line in lines]


def flat(lines):
    """Return the words of lines, without what lines them up."""
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize("width", [40, 80, 100, 140])
@pytest.mark.parametrize("row", [LATIN, WIDE], ids=["latin", "wide"])
def test_no_line_is_wider_than_the_terminal(row, width):
    """Whatever is in the cells, and whatever letters these are made of."""
    rows = [row, f"└ {'layer(' * 40}·{')' * 40}  acme-retry 1.0, outermost first"]
    assert max(map(columns, lines_of(HEAD, rows, width))) <= width


@pytest.mark.parametrize("width", [40, 80, 100, 140])
@pytest.mark.parametrize("row", [LATIN, WIDE], ids=["latin", "wide"])
def test_reasons_and_counts_are_whole(row, width):
    """They go on in further lines, or stand below the row, but no letter of them is lost."""
    for place in (0, 2, 7):
        alone = [column if at == place else names("X") for at, column in enumerate(HEAD)]
        cells = [cell if at == place else "" for at, cell in enumerate(row)]
        shown = flat(lines_of(alone, [cells], width))
        assert "".join(str(row[place]).split()) in "".join(shown.split()), place
    assert str(row[0]) in flat(lines_of(HEAD, [row], width))


@pytest.mark.parametrize("width", [40, 80, 100, 140])
def test_words_of_reasons_stay_whole(width):
    """A reason is wrapped between its words, so `create-only` is on one line."""
    lines = lines_of(HEAD, [LATIN], width)
    for word in ("create-only", "honoured", "inserted", "handrail.toml:12,"):
        assert any(word in line for line in lines), word


def test_versions_go_first_then_prefixes_then_shares():
    """The wider the terminal, the more there is; names are cut only when these are gone."""
    head = (names("STEP"), names("FROM"), versions(), counts("SHARE", lost=SHARES))
    cells = ("upload_files", pack_cell("handrail-upload"), "0.3.0", "26 %")
    widths = [12, 15, 7, 5]
    shown = [
        lines_of(head, [cells], width)[1].split()
        for width in (
            sum(widths) + 6,
            sum(widths) + 5,
            sum(widths[:2]) + widths[3] + 3,
            sum(widths[:2]) + 2 - len("handrail-"),
        )
    ]
    assert shown == [
        ["upload_files", "handrail-upload", "0.3.0", "26", "%"],
        ["upload_files", "handrail-upload", "26", "%"],
        ["upload_files", "upload", "26", "%"],
        ["upload_files", "upload"],
    ]


def test_an_owner_loses_its_version_before_its_prefix():
    cell = owner_cell("handrail-upload", "handrail-upload 0.3.0")
    head = (counts("STEP"), names("FROM"))
    shown = [lines_of(head, [("x", cell)], width)[1].split() for width in (27, 26, 20)]
    assert shown == [
        ["x", "handrail-upload", "0.3.0"],
        ["x", "handrail-upload"],
        ["x", "upload"],
    ]
    assert owner_cell(None, "flows.py") == "flows.py"


def test_columns_line_up_with_wide_letters():
    first, second = lines_of((names("A"), names("B")), [("日本", "x")], 80)
    assert columns(first.rpartition("B")[0]) == columns(second.rpartition("x")[0])


def test_the_begin_of_a_path_is_cut_and_the_end_kept():
    [_, line] = lines_of((Column(name="PATH", cut="begin"),), [("/a/long/path/to/flows.py",)], 12)
    assert line == "…to/flows.py"


def test_a_cell_without_room_stands_below_with_its_heading():
    """A command in the last column is whole in a narrow terminal, and empty cells take no line."""
    head = (counts("RUN"), names("ACTION"), counts("NEXT"))
    rows = [("1", "nightly", "handrail rollback 1 --take-over"), ("2", "nightly", "")]
    assert lines_of(head, rows, 40) == [
        "RUN  ACTION",
        "1    nightly",
        "    next handrail rollback 1 --take-over",
        "2    nightly",
    ]


def test_only_the_wanted_piece_is_painted_and_the_columns_line_up():
    def paint(row, column, text):
        return f"<{text}>" if (row, column) == (1, 1) else text

    head = (names("A"), reasons("B"), counts("C"))
    lines = [
        line
        for row in table(head, [("1", "2", "3"), ("1", "2", "3")], width=80, paint=paint)
        for line in row
    ]
    assert lines == ["A  B  C", "1  2  3", "1  <2>  3"]
