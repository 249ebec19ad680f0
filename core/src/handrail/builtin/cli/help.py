"""The help texts of commands, which click writes to standard output by itself."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

import click

from handrail.builtin.cli.view.text import wrapped
from handrail.redact import KNOWN
from handrail.visible import visible


class HelpText(click.HelpFormatter):
    """Spells out what could control a terminal, as in the name of a workflow; hides passwords.

    Lines that click keeps as they are, such as tables in a docstring, are broken where they are
    wider than the others may be.
    """

    def write(self, string: str) -> None:
        """Write a text with ends of lines of our own."""
        lines = map(visible, KNOWN(string).split("\n"))
        super().write("\n".join(map(self._fitting, lines)))

    def _fitting(self, line: str) -> str:
        if len(line) <= self.width:
            return line
        begin = len(line) - len(line.lstrip())
        name, gap, text = line[begin:].partition("  ")
        beside = len(line) - len(text.lstrip())
        if not gap:
            return "\n".join(wrapped(line, self.width, indent=" " * begin))
        if beside <= self.width // 2:  # The text stays in its column.
            return "\n".join(wrapped(line, self.width, indent=" " * beside))
        below = " " * (begin + 4)
        return "\n".join(
            [line[:begin] + name, *wrapped(below + text.lstrip(), self.width, indent=below)]
        )

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the line with the usage."""
        super().write_usage(visible(prog), visible(args), prefix)

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        super().write_heading(visible(heading))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names, and a text about each beside them."""
        super().write_dl([(visible(name), text) for name, text in rows], col_max, col_spacing)


@contextmanager
def visible_help() -> Generator[None]:
    """Make the help of every command, also those of packs, a `HelpText` meanwhile."""
    before = click.Context.formatter_class
    click.Context.formatter_class = HelpText
    try:
        yield
    finally:
        click.Context.formatter_class = before
