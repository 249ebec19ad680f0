"""What `handrail doctor` says of the journal: where it is, if it opens, and what waits in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handrail.cli.commands.runs import to_dict
from handrail.cli.journals import address, opened, shortened
from handrail.cli.view.run_text import moment, ways_of
from handrail.cli.view.text import plural
from handrail.errors import HandrailError, NotFoundError
from handrail.params.redact import shown_url
from handrail.recovery.status import status_of

if TYPE_CHECKING:
    from handrail.cli.session import Session
    from handrail.journal.protocol import Journal
    from handrail.recovery.status import RunStatus

_MOST = 5  # Runs that are listed.


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalHealth:
    """What is known of the journal.

    Attributes:
        place: Where it is, or None where that cannot be known.
        source: Who says so.
        format: Version of its tables; 0 where there are none yet.
        runs: How many runs it has.
        waiting: Runs that can be finished or undone, and are not, the latest first.
        error: Why it cannot be opened.
    """

    place: str | None = None
    source: str = ""
    format: int = 0
    runs: int = 0
    waiting: tuple[RunStatus, ...] = field(default=())
    error: HandrailError | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form; `format` is null where there is not a journal yet."""
        return {
            "place": self.place,
            "source": self.source,
            "opens": self.error is None,
            "format": self.format or None,
            "runs": self.runs,
            "waiting": [to_dict(status) for status in self.waiting],
        }

    def lines(self) -> list[str]:
        """Return the lines for people, without a mark; the first is about the journal."""
        if self.error is not None:
            return [f"journal {self.place or ''}".rstrip()]
        known = f"format {self.format}, {plural(self.runs, 'run')}" if self.format else "none yet"
        lines = [f"journal {self.place} ({known})"]
        for status in self.waiting[:_MOST]:
            row = status.row
            ways = " or ".join(command for _, command in ways_of(status))
            began = f"{moment(row.opened):%d %b %H:%M}"
            lines.append(f"run {row.number} of {row.action}, {began}, {status.described}:  {ways}")
        if len(self.waiting) > _MOST:
            lines.append(f"and {len(self.waiting) - _MOST} more:  handrail runs")
        return lines


def journal_health(session: Session) -> JournalHealth:
    """Look at the journal of this call, and make none where there is none."""
    try:
        found = address(session, None)
    except HandrailError as error:
        return JournalHealth(error=error)
    place = shown_url(shortened(session, found.value))
    try:
        journal = opened(session, None)
    except NotFoundError:
        return JournalHealth(place=place, source=found.source)
    except HandrailError as error:
        return JournalHealth(place=place, source=found.source, error=error)
    try:
        return _looked_at(journal, place, found.source)
    except HandrailError as error:
        return JournalHealth(place=place, source=found.source, error=error)
    finally:
        journal.close()


def _looked_at(journal: Journal, place: str, source: str) -> JournalHealth:
    rows = journal.runs()
    statuses = (status_of(journal, row) for row in rows)
    return JournalHealth(
        place=place,
        source=source,
        format=journal.format,
        runs=len(rows),
        waiting=tuple(status for status in statuses if status.waits),
    )
