"""Results of commands: values with two views, text for people and JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Protocol

from handrail.builtin.cli.view.table import Column, Row, table
from handrail.builtin.cli.view.text import folded, terminal_width
from handrail.frozen import frozen


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
