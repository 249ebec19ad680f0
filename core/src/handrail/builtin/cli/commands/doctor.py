"""`handrail doctor`: is this installation, and this project, in order?"""

from __future__ import annotations

import platform
import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from typing import TYPE_CHECKING

import click

import handrail
from handrail.amounts import plural
from handrail.builtin.cli.checkup import Checkup, plan_everything
from handrail.builtin.cli.journals import (
    given_url,
    journal_address,
    relative_place,
    session_journal,
)
from handrail.builtin.cli.session import Session, session_of, takes_json
from handrail.builtin.cli.unread import unread_groups
from handrail.builtin.cli.view.failure import problem_lines
from handrail.builtin.cli.view.journal_report import is_damaged as is_damaged_journal
from handrail.builtin.cli.view.journal_report import journal_report
from handrail.builtin.cli.view.run_text import left_text, parse_time, run_to_dict, ways_of
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import listed
from handrail.builtin.records.journal_check import check_journal
from handrail.builtin.records.leftovers import with_left
from handrail.errors import ExitCode, HandrailError, NotFoundError, Problem
from handrail.frozen import as_json, frozen
from handrail.journal.damage import is_damaged
from handrail.packs.entry_points import problems_of
from handrail.records import status_of
from handrail.redact import shown_url

if TYPE_CHECKING:
    from handrail.records import RunStatus

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
        damaged: Runs whose record cannot be read, as far as a listing shows.
        error: The reason if it cannot be opened.
    """

    place: str | None = None
    source: str = ""
    format: int = 0
    runs: int = 0
    waiting: tuple[RunStatus, ...] = ()
    damaged: tuple[RunStatus, ...] = ()
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
            "damaged": [status.row.number for status in self.damaged],
        }

    @property
    def problems(self) -> tuple[Problem, ...]:
        """The problems of the journal: that it cannot be opened, or its damaged runs."""
        if self.error is not None:
            return tuple(problems_of(self.error))
        return tuple(
            each
            for status in self.damaged
            for each in problems_of(is_damaged(status.row.number, str(status.row.damage)))
        )

    @property
    def exit_code(self) -> ExitCode:
        """The exit code if nothing else is wrong."""
        if self.error is not None:
            return self.error.exit_code
        return ExitCode.JOURNAL if self.damaged else ExitCode.DONE


@frozen
class _Health:
    """The state of the installation and the project.

    Attributes:
        settings: Problems of the settings.
        packs: Problems of the packs.
        checkup: What came out of planning every action.
        warnings: What stops nothing, and is worth knowing.
        journal: State of the journal.
    """

    settings: tuple[Problem, ...]
    packs: tuple[Problem, ...]
    checkup: Checkup
    warnings: tuple[Problem, ...]
    journal: _JournalHealth

    @property
    def plans(self) -> tuple[Problem, ...]:
        """The problems of plans that are not of packs anyway."""
        return tuple(each for each in self.checkup.problems if each not in self.packs)

    @property
    def problems(self) -> tuple[Problem, ...]:
        # Settings that cannot be read may be all that is wrong with the journal.
        journal = () if self.settings else self.journal.problems
        return (*self.settings, *self.packs, *self.plans, *journal)

    @property
    def exit_code(self) -> ExitCode:
        if self.settings:
            return ExitCode.USAGE
        if self.packs:
            return ExitCode.PACK
        if self.plans:
            return self.checkup.exit_code
        return self.journal.exit_code


@click.command()
@click.option(
    "--journal",
    is_flag=False,
    flag_value="",
    metavar="[URL]",
    help="Read all of the journal, or of this one, instead of the rest: every row of every run.",
)
@takes_json
@click.pass_context
def doctor(ctx: click.Context, journal: str | None) -> int:
    """Check this installation and this project, and say what to do.

    Loads every pack that is on, one by one, and plans every action, so it finds problems that
    `handrail packs` cannot see: hooks that raise, too. An action whose plan depends on params is
    not checked, and counted apart. Lists the runs that wait to be resumed or rolled back. The exit
    code is 0 if all is well, 2 if a setting is not valid, 3 if a plan has problems, 4 if a pack
    cannot be used, 7 if the journal is damaged or cannot.

    \b
    ✓  checked, and well
    ✗  checked, and not well: the problems are below
    ○  not checked, or worth knowing
    """  # noqa: D301 - the escape tells click to keep the lines
    session = session_of(ctx)
    if journal is not None:
        return _check_journal(session, journal)
    # A pack may print while it is imported; standard output is for the result.
    with redirect_stdout(session.console.err):
        health = _health(session)
    session.show(_listing(session, health))
    return health.exit_code


def _check_journal(session: Session, url: str) -> int:
    """Read all of the journal at `url`, or of the one of this call if that is empty."""
    place = shown_url(relative_place(session, journal_address(session, url or None).value))
    check, version = None, 0
    try:
        with closing(session_journal(session, url or None)) as found:
            check, version = check_journal(found), found.format
    except NotFoundError:
        if given_url(url):
            raise
    option, style = f" --journal {shlex.quote(url)}" if url else "", session.console.style
    session.show(journal_report(place, check, version=version, option=option, style=style))
    return ExitCode.JOURNAL if is_damaged_journal(check) else ExitCode.DONE


def _health(session: Session) -> _Health:
    found = session.packs
    packs = found.check()
    planned = Checkup() if found.settings_problems else plan_everything(found, session.folder)
    return _Health(
        settings=found.settings_problems,
        packs=packs,
        checkup=planned,
        warnings=(*found.warnings, *found.remarks, *unread_groups()),
        journal=_journal_health(session),
    )


def _listing(session: Session, health: _Health) -> Listing:
    return Listing(
        json=lambda: _to_dict(session, health),
        title=_lines(session, health),
        foot=_problem_lines(session, health),
    )


def _to_dict(session: Session, health: _Health) -> dict[str, object]:
    return {
        "handrail": handrail.__version__,
        "python": platform.python_version(),
        "environment": sys.prefix,
        "project": str(session.settings.project.folder),
        "packs": len(session.packs.records),
        "planned": health.checkup.planned,
        "without": health.checkup.without,
        "unchecked": [{"action": name, "why": why} for name, why in health.checkup.unchecked],
        "journal": health.journal.to_dict(),
        "warnings": as_json(health.warnings),
        "problems": as_json(health.problems),
    }


def _lines(session: Session, health: _Health) -> Iterator[str]:
    style = session.console.style
    good, bad, waits = style("✓", "green"), style("✗", "red"), style("○", "yellow")
    project, records = session.settings.project, session.packs.records
    yield f"{good} handrail {handrail.__version__} · Python {platform.python_version()}"
    yield f"{good} environment {sys.prefix}"
    file = project.file.name if project.file is not None else "no handrail.toml, so the defaults"
    yield f"{bad if health.settings else good} project {project.folder} ({file})"
    counts = Counter(record.status for record in records)
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    packs = f"{plural(len(records), 'pack')}{f' ({listed})' if listed else ''}"
    yield f"{bad if health.packs else good} {packs}"
    yield from _plan_lines(health, good, bad, waits)
    first, *waiting = _journal_lines(health.journal)
    yield f"{bad if health.journal.exit_code else good} {first}"
    yield from (f"{waits} {line}" for line in waiting)
    for problem in health.warnings:
        yield f"{waits} {problem.message}"
        yield from (f"    {line}" for line in (*problem.details, *problem.ways_out))


def _plan_lines(health: _Health, good: str, bad: str, waits: str) -> Iterator[str]:
    checkup = health.checkup
    if health.settings:
        yield f"{waits} no action is checked: the settings have to be valid first"
        return
    count = len(checkup.planned)
    others = f", {len(checkup.unchecked)} not checked" if checkup.unchecked else ""
    without = f", without {listed(checkup.without, room=60)}" if checkup.without else ""
    mark = bad if health.plans else waits if checkup.without else good
    yield f"{mark} {plural(count, 'action')} planned{others}{without}"
    for name, why in checkup.unchecked:
        yield f"{waits} {name} is not checked: {why}"


def _problem_lines(session: Session, health: _Health) -> Iterator[str]:
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
        state = ", ".join(filter(None, (status.described, left_text(status))))
        yield f"run {row.number} of {row.action}, {began}, {state}:  {ways}"
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
            statuses = [status_of(journal, row) for row in rows]
            return _JournalHealth(
                place=place,
                source=found.source,
                format=journal.format,
                runs=len(rows),
                waiting=tuple(with_left(journal, (each for each in statuses if each.waits))),
                damaged=tuple(status for status in statuses if status.row.damage is not None),
            )
    except NotFoundError:
        return _JournalHealth(place=place, source=found.source)
    except HandrailError as error:
        return _JournalHealth(place=place, source=found.source, error=error)
