"""`handrail doctor`: is this installation, and this project, in order?"""

from __future__ import annotations

import platform
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import click

import handrail
from handrail.cli.journals import journal_address, relative_place, session_journal
from handrail.cli.session import Session, session_of, takes_json
from handrail.cli.view.failure import problem_lines
from handrail.cli.view.listing import Listing
from handrail.cli.view.run_text import parse_time, run_to_dict, ways_of
from handrail.cli.view.text import plural
from handrail.errors import ExitCode, HandrailError, NotFoundError, Problem
from handrail.frozen import frozen
from handrail.packs.failures import problems_of
from handrail.params.redact import shown_url
from handrail.recovery.status import status_of

if TYPE_CHECKING:
    from handrail.recovery.status import RunStatus

_MOST = 5  # Runs that are listed.


@frozen
class _JournalHealth:
    """The state of the journal.

    Attributes:
        place: Its location, or None if unknown.
        source: The source of the location.
        format: Version of its tables; 0 if there are none yet.
        runs: Number of runs.
        waiting: Runs that can be finished or undone and were not, the latest first.
        error: The reason if it cannot be opened.
    """

    place: str | None = None
    source: str = ""
    format: int = 0
    runs: int = 0
    waiting: tuple[RunStatus, ...] = ()
    error: HandrailError | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form; `format` is null if there is no journal yet."""
        return {
            "place": self.place,
            "source": self.source,
            "opens": self.error is None,
            "format": self.format or None,
            "runs": self.runs,
            "waiting": [run_to_dict(status) for status in self.waiting],
        }


@frozen
class _Health:
    """The state of the installation and the project.

    Attributes:
        settings: Problems of the settings.
        packs: Problems of the packs.
        journal: State of the journal.
    """

    settings: tuple[Problem, ...]
    packs: tuple[Problem, ...]
    journal: _JournalHealth

    @property
    def problems(self) -> tuple[Problem, ...]:
        error = self.journal.error
        # Settings that cannot be read may be all that is wrong with the journal.
        journal = () if error is None or self.settings else problems_of(error)
        return (*self.settings, *self.packs, *journal)

    @property
    def exit_code(self) -> ExitCode:
        if self.settings:
            return ExitCode.USAGE
        if self.packs:
            return ExitCode.PACK
        return ExitCode.DONE if self.journal.error is None else self.journal.error.exit_code


@click.command()
@takes_json
@click.pass_context
def doctor(ctx: click.Context) -> int:
    """Check this installation and this project, and say what to do.

    Loads every pack that is on, one by one, so it finds problems that `handrail packs` cannot see,
    and lists the runs that wait to be resumed or rolled back. The exit code is 0 if all is well, 2
    if a setting is not valid, 4 if a pack cannot be used, 5 if the journal cannot.
    """
    session = session_of(ctx)
    found = session.packs
    health = _Health(
        settings=found.settings_problems, packs=found.check(), journal=_journal_health(session)
    )
    session.show(Listing(json=lambda: _to_dict(session, health), title=_lines(session, health)))
    return health.exit_code


def _to_dict(session: Session, health: _Health) -> dict[str, object]:
    return {
        "handrail": handrail.__version__,
        "python": platform.python_version(),
        "environment": sys.prefix,
        "project": str(session.packs.settings.project.folder),
        "packs": len(session.packs.records),
        "journal": health.journal.to_dict(),
        "problems": [problem.to_dict() for problem in health.problems],
    }


def _lines(session: Session, health: _Health) -> Iterator[str]:
    style = session.console.style
    good, bad, waits = style("✓", "green"), style("✗", "red"), style("○", "yellow")
    project, records = session.packs.settings.project, session.packs.records
    yield f"{good} handrail {handrail.__version__} · Python {platform.python_version()}"
    yield f"{good} environment {sys.prefix}"
    file = project.file.name if project.file is not None else "no handrail.toml, so the defaults"
    yield f"{bad if health.settings else good} project {project.folder} ({file})"
    counts = Counter(record.status for record in records)
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    packs = f"{plural(len(records), 'pack')}{f' ({listed})' if listed else ''}"
    yield f"{bad if health.packs else good} {packs}"
    first, *waiting = _journal_lines(health.journal)
    yield f"{bad if health.journal.error else good} {first}"
    yield from (f"{waits} {line}" for line in waiting)
    for number, problem in enumerate(health.problems, 1):
        yield ""
        yield from problem_lines(session, problem, number)


def _journal_lines(journal: _JournalHealth) -> Iterator[str]:
    """Yield a line about the journal, then one for each run that waits."""
    if journal.error is not None:
        yield f"journal {journal.place or ''}".rstrip()
        return
    runs = plural(journal.runs, "run")
    state = f"format {journal.format}, {runs}" if journal.format else "none yet"
    yield f"journal {journal.place} ({state})"
    for status in journal.waiting[:_MOST]:
        row = status.row
        ways = " or ".join(command for _, command in ways_of(status))
        began = f"{parse_time(row.opened):%d %b %H:%M}"
        yield f"run {row.number} of {row.action}, {began}, {status.described}:  {ways}"
    if len(journal.waiting) > _MOST:
        yield f"and {len(journal.waiting) - _MOST} more:  handrail runs"


def _journal_health(session: Session) -> _JournalHealth:
    """Check the journal of this call, without creating one."""
    try:
        found = journal_address(session, None)
    except HandrailError as error:
        return _JournalHealth(error=error)
    place = shown_url(relative_place(session, found.value))
    try:
        with closing(session_journal(session, None)) as journal:
            rows = journal.runs()
            statuses = (status_of(journal, row) for row in rows)
            return _JournalHealth(
                place=place,
                source=found.source,
                format=journal.format,
                runs=len(rows),
                waiting=tuple(status for status in statuses if status.waits),
            )
    except NotFoundError:
        return _JournalHealth(place=place, source=found.source)
    except HandrailError as error:
        return _JournalHealth(place=place, source=found.source, error=error)
