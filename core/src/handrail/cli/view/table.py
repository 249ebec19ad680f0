"""Tables: aligned columns, cut to fit a terminal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from handrail.cli.view.text import WIDTH, columns, shorten, shorten_start, shown


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    limit: int = WIDTH,
    ends: Collection[int] = (),
) -> list[str]:
    """Return lines with the columns lined up; the widest texts give way in long lines.

    Args:
        head: The names of the columns.
        rows: The texts.
        limit: Columns of the terminal that a line may take.
        ends: Columns of which the end is kept where a text is shortened, rather than the begin.
    """
    cells = [list(map(shown, row)) for row in (head, *rows)]
    widths = [max(columns(row[column]) for row in cells) for column in range(len(head))]
    spare = limit - sum(widths) - 2 * (len(head) - 1)
    while spare < 0:
        widest = max(range(len(head) - 1), key=lambda column: widths[column], default=0)
        if widths[widest] <= 12:
            break
        widths[widest] -= 1
        spare += 1
    return [
        "  ".join(
            fit(text, width, end=column in ends) if column < len(head) - 1 else text
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]


def fit(text: str, width: int, *, end: bool = False) -> str:
    """Return `text` in exactly `width` columns; if it is longer, its beginning or its end."""
    text = shorten_start(text, width) if end else shorten(text, width)
    return text + " " * (width - columns(text))
