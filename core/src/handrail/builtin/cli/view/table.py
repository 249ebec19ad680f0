"""What commands show: results as JSON and text, tables that fit the terminal, and documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import click

from handrail.atomic import replace_file
from handrail.builtin.cli.view.text import (
    columns,
    folded,
    joined,
    shorten,
    shorten_start,
    shown,
    terminal_width,
    wrapped,
)
from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session

NOTHING, VERSIONS, PREFIXES, SHARES = range(4)
"""What a table loses if it is too wide, in this order. Reasons and counts are never lost."""

_GAP = 2  # Columns of the terminal between two columns of a table.
_LEAST = 12  # Columns of the terminal that are left of a text.
_WORD = 40  # Columns of words that are not broken if it can be helped.
_INDENT = 4  # Of what stands below a row.

Cell = str | Sequence[str]
"""The text of a cell; or one for each loss, from `NOTHING`, of which the last is kept."""

Row = Sequence[Cell] | str
"""The cells of a row; or a text that stands below the row before, across all columns."""

Paint = Callable[[int, int, str], str]
"""Returns a text in its style, for the number of a row, that of a column, and the text."""


@frozen
class Column:
    """A column of a table, and what becomes of its texts where there is little room.

    Attributes:
        name: The heading.
        lost: The loss with which the column is left out; `NOTHING` for one that always stays.
        cut: The part of long texts that gives way: their `end`, or their `begin`, as of paths.
            Empty for texts that are never cut, such as counts.
        wraps: Whether long texts go on in further lines, as reasons do, instead of being cut.
        enough: Columns of the terminal that are enough for a text that is cut or wrapped.
    """

    name: str
    lost: int = NOTHING
    cut: str = "end"
    wraps: bool = False
    enough: int = 40


def names(heading: str, *, cut: str = "end") -> Column:
    """Return a column of names, which are cut where nothing else helps."""
    return Column(name=heading, cut=cut)


def counts(heading: str, *, lost: int = NOTHING) -> Column:
    """Return a column of texts that are never cut: counts, times, states."""
    return Column(name=heading, lost=lost, cut="")


def reasons(heading: str) -> Column:
    """Return a column of reasons, which are wrapped and never cut."""
    return Column(name=heading, wraps=True, enough=28)


def versions(heading: str = "VERSION") -> Column:
    """Return a column of versions, which is lost first."""
    return Column(name=heading, lost=VERSIONS, cut="")


def pack_cell(identifier: str) -> Cell:
    """Return the cell of a pack."""
    return (identifier, identifier, identifier.removeprefix("handrail-"))


def owner_cell(pack_id: str | None, text: str) -> Cell:
    """Return the cell of the owner of a thing: `text`, then without the version, and the prefix."""
    return text if pack_id is None else (text, *pack_cell(pack_id)[1:])


def table(
    head: Sequence[Column],
    rows: Sequence[Row],
    *,
    width: int,
    paint: Paint = lambda _row, _column, text: text,
) -> Iterator[list[str]]:
    """Yield the lines of the head, then those of each row; none is wider than the terminal.

    Args:
        head: The columns.
        rows: The rows.
        width: Columns of the terminal.
        paint: Styles a piece of a cell.
    """
    kept, texts, fields = _reduced(head, rows, width)
    widths = _fitted(fields, width)
    yield _lines(fields, widths, [field.column.name for field in fields[: len(widths)]], width)
    for number, row in enumerate(texts):

        def painted(place: int, text: str, number: int = number) -> str:
            return paint(number, kept[place], text)

        if isinstance(row, str):
            yield _below(row, width)
        else:
            yield _lines(fields, widths, row, width, painted)


def _reduced(
    head: Sequence[Column], rows: Sequence[Row], width: int
) -> tuple[list[int], list[list[str] | str], list[_Field]]:
    """Return the places of the columns that are shown, their texts, and how wide they can be."""
    loss = NOTHING
    while True:
        kept = [place for place, column in enumerate(head) if not 0 < column.lost <= loss]
        texts = [
            shown(row) if isinstance(row, str) else [_text(row[place], loss) for place in kept]
            for row in rows
        ]
        cells = [row for row in texts if not isinstance(row, str)]
        fields = [
            _field(head[at], [head[at].name, *(row[place] for row in cells)], width)
            for place, at in enumerate(kept)
        ]
        if loss == SHARES or _across(field.enough for field in fields) <= width:
            return kept, texts, fields
        loss += 1


def _text(cell: Cell, loss: int) -> str:
    text = cell if isinstance(cell, str) else cell[min(loss, len(cell) - 1)]
    return shown(text)


@frozen
class _Field:
    """A column that is shown, and the columns of the terminal for it.

    Attributes:
        column: The column.
        wanted: How many its texts take.
        enough: How many are enough.
        least: How many it needs.
    """

    column: Column
    wanted: int
    enough: int
    least: int


def _field(column: Column, texts: Sequence[str], width: int) -> _Field:
    wanted = max(map(columns, texts))
    if not column.wraps and not column.cut:
        return _Field(column=column, wanted=wanted, enough=wanted, least=wanted)
    least = _LEAST
    if column.wraps:
        # Words are not broken, as long as they are no paths.
        words = (columns(word) for text in texts for word in text.split())
        least = max(_LEAST, min(max(words, default=0), _WORD))
    enough = min(wanted, max(column.enough, least))
    return _Field(column=column, wanted=min(wanted, width), enough=enough, least=min(least, wanted))


def _fitted(fields: Sequence[_Field], width: int) -> list[int]:
    """Return the widths of as many columns as fit; the others stand below the rows."""
    for count in range(len(fields), 1, -1):
        widths = _narrowed(fields[:count], width)
        if _across(widths) <= width:
            return widths
    return [min(fields[0].wanted, width)]


def _narrowed(fields: Sequence[_Field], width: int) -> list[int]:
    """Return the widths of columns: as they want to be, or narrowed to what is enough, or least."""
    widths = [field.wanted for field in fields]
    for floors in ([field.enough for field in fields], [field.least for field in fields]):
        for _ in range(_across(widths) - width):
            at = max(range(len(widths)), key=lambda place: widths[place] - floors[place])
            widths[at] = max(widths[at] - 1, floors[at])
    return widths


def _across(widths: Iterable[int]) -> int:
    found = list(widths)
    return sum(found) + _GAP * (len(found) - 1)


def _lines(
    fields: Sequence[_Field],
    widths: Sequence[int],
    texts: Sequence[str],
    width: int,
    paint: Callable[[int, str], str] = lambda _place, text: text,
) -> list[str]:
    """Return the lines of a row: its cells side by side, then those that have no room there."""
    pieces = [
        _pieces(field.column, room, text)
        for field, room, text in zip(fields, widths, texts, strict=False)
    ]
    lines = [_joined(line, widths, paint) for line in zip_longest(*pieces, fillvalue="")]
    rest = [
        f"{field.column.name.strip(' #').lower()} {text}".lstrip()
        for field, text in zip(fields[len(widths) :], texts[len(widths) :], strict=False)
        if text.strip(" -")
    ]
    below = joined(rest, width - _INDENT)
    return lines + [line for text in below for line in _below(text, width)]


def _pieces(column: Column, width: int, text: str) -> list[str]:
    if columns(text) <= width:
        return [text]
    if column.wraps or not column.cut:
        return wrapped(text, width)
    return [shorten_start(text, width) if column.cut == "begin" else shorten(text, width)]


def _joined(pieces: Sequence[str], widths: Sequence[int], paint: Callable[[int, str], str]) -> str:
    last = max((place for place, piece in enumerate(pieces) if piece), default=-1)
    line = ""
    for place, piece in enumerate(pieces[: last + 1]):
        space = " " * (widths[place] - columns(piece) + _GAP)
        line += (paint(place, piece) if piece else "") + (space if place < last else "")
    return line


def _below(text: str, width: int) -> list[str]:
    indent = " " * _INDENT
    return [indent + line for line in wrapped(text, width - _INDENT)]


class Style(Protocol):
    """Returns text in some styles, such as `dim` and `red`, where the output shows them."""

    def __call__(self, text: str, *styles: str) -> str:
        """Return `text` in these styles."""
        ...


def _plain(text: str, *_styles: str) -> str:
    return text


class View(Protocol):
    """A value with two views."""

    def lines(self, style: Style) -> Iterable[str]:
        """Return the lines for people."""
        ...

    def to_dict(self) -> Mapping[str, object]:
        """Return the JSON object for programs."""
        ...


@frozen
class Listing:
    """A table with lines above and below it, and the JSON object of the same.

    No line is wider than the terminal: tables lose what matters least, other texts are wrapped.

    Attributes:
        json: Returns the JSON object; needed where a session shows it.
        title: Lines above the table.
        head: The columns; empty for no table. A heading alone is a column of names.
        rows: The cells of each row, or a text below the row before.
        foot: Lines below the table.
        dims_head: Whether the head is dim.
        styles: The style of each row; empty for none.
        styled: The one column that `styles` are for; None for whole rows.
    """

    json: Callable[[], Mapping[str, object]] = dict
    title: Iterable[str] = ()
    head: Sequence[Column | str] = ()
    rows: Iterable[Row] = ()
    foot: Iterable[str] = ()
    dims_head: bool = False
    styles: Sequence[str] = ()
    styled: int | None = None

    def lines(self, style: Style = _plain) -> Iterator[str]:
        """Yield the lines for people."""
        for line in self.title:
            yield from folded(line)
        if self.head:
            yield from self._table(style)
        for line in self.foot:
            yield from folded(line)

    def to_dict(self) -> Mapping[str, object]:
        """Return the JSON object for programs."""
        return self.json()

    def _table(self, style: Style) -> Iterator[str]:
        styles, only = self.styles, self.styled

        def paint(row: int, column: int, text: str) -> str:
            return style(text, styles[row]) if column == only and styles[row : row + 1] else text

        head, *rows = table(
            [Column(name=each) if isinstance(each, str) else each for each in self.head],
            list(self.rows),
            width=terminal_width(),
            paint=paint,
        )
        yield from (style(line, "dim") if self.dims_head else line for line in head)
        for lines, name in zip_longest(rows, styles if only is None else (), fillvalue=""):
            yield from (style(line, name) if name else line for line in lines)


def write_document(session: Session, content: str | bytes, file: str | None) -> None:
    """Write a document to a file, which is replaced as a whole, or to standard output.

    Args:
        session: The call.
        content: The document.
        file: Path of the file; None or `-` is standard output.

    Raises:
        UsageError: The file cannot be written; or a terminal cannot show the document.
    """
    whole = content.encode() if isinstance(content, str) else content
    if file not in (None, "-"):
        _write_file(Path(file), whole)
        session.console.note(f"wrote {file}")
    elif not session.console.out.isatty():
        session.console.out.buffer.write(whole)  # A program reads it: it gets every character.
    elif isinstance(content, str):
        for line in content.splitlines():
            session.console.print(line)
    else:
        raise click.UsageError("a terminal cannot show this: write it to a file with -o FILE")


def _write_file(path: Path, content: bytes) -> None:
    try:
        if path.exists() and not path.is_file():  # A device, or a pipe, cannot be replaced.
            path.write_bytes(content)
        else:
            replace_file(path, content)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from error
