"""`handrail doctor`: is this installation, and this project, in order?"""

from __future__ import annotations

import platform
import sys
from typing import TYPE_CHECKING

import click

import handrail
from handrail.cli.journal_health import JournalHealth, journal_health
from handrail.cli.session import Session, session_of
from handrail.cli.view.failure import problem_lines
from handrail.cli.view.text import plural
from handrail.errors import ExitCode, Problem
from handrail.packs.failures import problems_of

if TYPE_CHECKING:
    from handrail.packs.installed import InstalledPacks


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> int:
    """Check this installation and this project, and say what to do.

    Every pack that is on is loaded, one by one, so this finds what `handrail packs` cannot see.
    Runs that wait to be finished or undone are listed. Ends with 0 when all is well, 2 when a
    setting cannot be used, 4 when a pack cannot, 5 when the journal cannot.
    """
    session = session_of(ctx)
    found = session.packs
    settings = found.settings_problems
    packs = found.check()
    journal = journal_health(session)
    broken = () if journal.error is None or settings else problems_of(journal.error)
    code = ExitCode.USAGE if settings else (ExitCode.PACK if packs else ExitCode.DONE)
    if code == ExitCode.DONE and journal.error is not None:
        code = journal.error.exit_code
    if as_json:
        session.console.json(
            {
                "handrail": handrail.__version__,
                "python": platform.python_version(),
                "environment": sys.prefix,
                "project": str(found.settings.project.folder),
                "packs": len(found.records),
                "journal": journal.to_dict(),
                "problems": [problem.to_dict() for problem in (*settings, *packs, *broken)],
            }
        )
        return code
    _show(session, found, settings, packs)
    _show_journal(session, journal)
    for number, problem in enumerate((*settings, *packs, *broken), 1):
        session.console.print()
        for line in problem_lines(session, problem, number):
            session.console.print(line)
    return code


def _show(
    session: Session,
    found: InstalledPacks,
    settings: tuple[Problem, ...],
    packs: tuple[Problem, ...],
) -> None:
    console = session.console
    good, bad = console.style("✓", "green"), console.style("✗", "red")
    console.print(f"{good} handrail {handrail.__version__} · Python {platform.python_version()}")
    console.print(f"{good} environment {sys.prefix}")
    project = found.settings.project
    named = project.file.name if project.file is not None else "no handrail.toml, so the defaults"
    console.print(f"{bad if settings else good} project {project.folder} ({named})")
    counts: dict[str, int] = {}
    for record in found.records:
        counts[record.status] = counts.get(record.status, 0) + 1
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    console.print(
        f"{bad if packs else good} {plural(len(found.records), 'pack')}"
        f"{f' ({listed})' if listed else ''}"
    )


def _show_journal(session: Session, journal: JournalHealth) -> None:
    console = session.console
    good, bad = console.style("✓", "green"), console.style("✗", "red")
    first, *waiting = journal.lines()
    console.print(f"{bad if journal.error else good} {first}")
    for line in waiting:
        console.print(f"{console.style('○', 'yellow')} {line}")
