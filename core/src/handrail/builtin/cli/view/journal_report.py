"""What `handrail doctor --journal` has found in a journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from handrail.amounts import plural
from handrail.builtin.cli.view.run_text import numbered
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import command_line

if TYPE_CHECKING:
    from handrail.builtin.cli.view.table import Style
    from handrail.builtin.records.journal_check import JournalCheck


def journal_report(
    place: str, check: JournalCheck | None, *, version: int, option: str, style: Style
) -> Listing:
    """Return the report of a journal of which all rows were read.

    Args:
        place: Its location.
        check: What was found; None if there is no journal yet.
        version: Version of its tables; 0 if there are none yet.
        option: The option that names it in commands, or an empty text.
        style: Returns text in a style.
    """
    good = style("✓", "green")
    if check is None:
        lines = iter((f"{good} journal {place} (none yet)",))
    else:
        mark = style("✗", "red") if is_damaged(check) else good
        read = f"format {version}, {plural(check.runs, 'run')}, {plural(check.rows, 'row')}"
        lines = _lines(f"{mark} journal {place} ({read})", check, option, style)
    return Listing(
        json=lambda: {
            "journal": place,
            "format": version or None,
            "runs": 0 if check is None else check.runs,
            "rows": 0 if check is None else check.rows,
            "database": [] if check is None else list(check.database),
            "damaged": [] if check is None else [each.to_dict() for each in check.damage],
            "unseen": [] if check is None else [each.to_dict() for each in check.unseen],
        },
        title=lines,
    )


def is_damaged(check: JournalCheck | None) -> bool:
    """Return whether anything in a journal is damaged."""
    return check is not None and bool(check.damage or check.database)


def _lines(head: str, found: JournalCheck, option: str, style: Style) -> Iterator[str]:
    bad, other = style("✗", "red"), style("○", "yellow")
    yield head
    yield from (f"{bad} the file: {line}" for line in found.database)
    yield from (f"{bad} {error.message}" for error in found.damage)
    yield from (f"{other} {error.message}; it is only shown" for error in found.unseen)
    if is_damaged(found):
        yield ""
        damaged = found.damaged_runs
        if damaged and found.runs > len(damaged):
            runs = "run" if len(damaged) == 1 else "runs"
            yield f"all but {runs} {numbered(damaged)} can be shown, resumed and rolled back"
        yield "copy the journal, and what SQLite has beside it, before you try anything"
        yield f"what is recorded of a sound run:  {command_line(f'show RUN{option}')}"
        yield "a damaged run cannot be undone: put back a backup, or clean up by hand"
