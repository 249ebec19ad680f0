"""What `handrail doctor --journal` has found in a journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from handrail.amounts import plural
from handrail.cli.hints import command_line
from handrail.cli.view.run_text import numbered
from handrail.errors import ExitCode
from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail.cli.view.listing import Style
    from handrail.recovery.journal_check import JournalCheck


@frozen
class JournalReport:
    """A journal of which all rows were read.

    Attributes:
        place: Its location.
        option: The option that names it in commands, or an empty text.
        format: Version of its tables; 0 if there are none yet.
        check: What was found; None if there is no journal yet.
    """

    place: str
    option: str
    format: int = 0
    check: JournalCheck | None = None

    @property
    def exit_code(self) -> ExitCode:
        """The exit code: 7 if anything is damaged."""
        found = self.check
        damaged = found is not None and (found.damage or found.database)
        return ExitCode.JOURNAL if damaged else ExitCode.DONE

    def lines(self, style: Style) -> Iterable[str]:
        """Yield the lines for people."""
        good, bad, other = style("✓", "green"), style("✗", "red"), style("○", "yellow")
        found = self.check
        if found is None:
            yield f"{good} journal {self.place} (none yet)"
            return
        mark = bad if self.exit_code else good
        read = f"format {self.format}, {plural(found.runs, 'run')}, {plural(found.rows, 'row')}"
        yield f"{mark} journal {self.place} ({read})"
        yield from (f"{bad} the file: {line}" for line in found.database)
        yield from (f"{bad} {error.message}" for error in found.damage)
        yield from (f"{other} {error.message}; it is only shown" for error in found.unseen)
        if self.exit_code:
            yield ""
            yield from self._ways()

    def _ways(self) -> Iterator[str]:
        found = self.check
        assert found is not None
        damaged = found.damaged_runs
        sound = found.runs - len(damaged)
        if damaged and sound:
            runs = "run" if len(damaged) == 1 else "runs"
            yield f"all but {runs} {numbered(damaged)} can be shown, resumed and rolled back"
        yield "copy the journal, and what SQLite has beside it, before you try anything"
        yield f"what is recorded of a sound run:  {command_line(f'show RUN{self.option}')}"
        yield "a damaged run cannot be undone: put back a backup, or clean up by hand"

    def to_dict(self) -> dict[str, object]:
        """Return the JSON object for programs."""
        found = self.check
        return {
            "journal": self.place,
            "format": self.format or None,
            "runs": 0 if found is None else found.runs,
            "rows": 0 if found is None else found.rows,
            "database": [] if found is None else list(found.database),
            "damaged": [] if found is None else [each.to_dict() for each in found.damage],
            "unseen": [] if found is None else [each.to_dict() for each in found.unseen],
        }
