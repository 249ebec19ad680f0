"""Results of commands: values with two views, text for people and JSON for programs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Protocol

from handrail.cli.view.table import table
from handrail.cli.view.text import shown
from handrail.frozen import frozen


class Style(Protocol):
    """Returns text in some styles, such as `dim` and `red`, where the output shows them."""

    def __call__(self, text: str, *styles: str) -> str:
        """Return `text` in these styles."""
        ...


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

    Attributes:
        json: Returns the JSON object.
        title: Lines above the table.
        head: Names of the columns; empty for no table.
        rows: The texts of each row.
        foot: Lines below the table.
        ends: Columns that keep their end when they are shortened, rather than their beginning.
        dims_head: Whether the head is dim.
        styles: The style of each row; empty for none.
        styled: The one column that `styles` are for; None for whole rows.
    """

    json: Callable[[], Mapping[str, object]]
    title: Iterable[str] = ()
    head: Sequence[str] = ()
    rows: Iterable[Sequence[str]] = ()
    foot: Iterable[str] = ()
    ends: Collection[int] = ()
    dims_head: bool = False
    styles: Sequence[str] = ()
    styled: int | None = None

    def lines(self, style: Style) -> Iterable[str]:
        """Yield the lines for people."""
        yield from self.title
        if self.head:
            yield from self._table(style)
        yield from self.foot

    def to_dict(self) -> Mapping[str, object]:
        """Return the JSON object for programs."""
        return self.json()

    def _table(self, style: Style) -> Iterable[str]:
        rows = list(self.rows)
        head, *lines = table(self.head, rows, ends=self.ends)
        yield style(head, "dim") if self.dims_head else head
        for row, line, name in zip_longest(rows, lines, self.styles, fillvalue=""):
            part = line if self.styled is None else shown(row[self.styled])
            yield line.replace(part, style(part, name), 1) if name else line
