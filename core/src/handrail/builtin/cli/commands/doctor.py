"""`handrail doctor`: is this installation, and this project, in order?"""

from __future__ import annotations

import platform
import shlex
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, redirect_stdout
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

import handrail
from handrail import Origin
from handrail.amounts import plural
from handrail.builtin.cli.journals import (
    given_url,
    journal_address,
    relative_place,
    session_journal,
)
from handrail.builtin.cli.session import Session, session_of, takes_json
from handrail.builtin.cli.view.failure import problem_lines
from handrail.builtin.cli.view.run_text import numbered
from handrail.builtin.cli.view.table import Listing
from handrail.builtin.cli.view.text import command_line
from handrail.builtin.project.targets import find_target
from handrail.builtin.records.journal_check import JournalCheck, check_journal
from handrail.errors import (
    ExitCode,
    HandrailError,
    NotFoundError,
    ParamsError,
    ParamsNeededError,
    Problem,
    describe,
)
from handrail.frozen import NOTHING, as_json, frozen
from handrail.journal.damage import is_damaged
from handrail.packs import GROUPS, normalised, problems_of
from handrail.records import status_of
from handrail.redact import shown_url
from handrail.suggest import near

if TYPE_CHECKING:
    # It has the same names, and types.
    from importlib.metadata import Distribution, distributions

    from handrail.builtin.cli.view.table import Style
else:
    from importlib_metadata import Distribution, distributions

_OURS = "handrail"


@frozen
class _Part:
    """One part of the installation or the project, as far as it was checked.

    Attributes:
        line: What was checked, in a line.
        problems: What is wrong with it.
        exit_code: The exit code if something is.
        remarks: What of it was not checked, or is worth knowing.
        is_checked: Whether it was checked at all.
        json: What a program is told of it, beside the problems.
    """

    line: str
    problems: Sequence[Problem] = ()
    exit_code: ExitCode = ExitCode.DONE
    remarks: Sequence[str] = ()
    is_checked: bool = True
    json: Mapping[str, object] = NOTHING


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
    `handrail packs` cannot see: hooks that raise, too. Nothing is planned before the settings are
    valid, and nothing with packs that are broken; an action whose plan depends on params is not
    checked, and counted apart. The exit code is 0 if all is well, 2 if a setting is not valid, 3 if
    a plan has problems, 4 if a pack cannot be used, 7 if the journal is damaged or cannot.

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
        parts = _parts(session)
    found = session.packs
    warnings = (*found.warnings, *unread_groups())
    problems = [problem for part in parts for problem in part.problems]
    about = {"python": platform.python_version(), "environment": sys.prefix}
    session.show(
        Listing(
            json=lambda: {
                "handrail": handrail.__version__,
                **about,
                **{key: value for part in parts for key, value in part.json.items()},
                "warnings": as_json(warnings),
                "problems": as_json(problems),
            },
            title=_lines(session, parts, warnings),
            foot=_problem_lines(session, problems),
        )
    )
    return next((part.exit_code for part in parts if part.problems), ExitCode.DONE)


def _lines(session: Session, parts: Sequence[_Part], warnings: Sequence[Problem]) -> Iterator[str]:
    style = session.console.style
    good, bad, waits = style("✓", "green"), style("✗", "red"), style("○", "yellow")
    yield f"{good} handrail {handrail.__version__} · Python {platform.python_version()}"
    yield f"{good} environment {sys.prefix}"
    for part in parts:
        mark = bad if part.problems else good if part.is_checked else waits
        yield f"{mark} {part.line}"
        yield from (f"{waits} {remark}" for remark in part.remarks)
    for problem in warnings:
        yield f"{waits} {problem.message}"
        yield from (f"    {line}" for line in (*problem.details, *problem.ways_out))


def _problem_lines(session: Session, problems: Sequence[Problem]) -> Iterator[str]:
    for number, problem in enumerate(problems, 1):
        yield ""
        yield from problem_lines(session, problem, number)


def _parts(session: Session) -> list[_Part]:
    settings, packs = _settings(session), _packs(session)
    plans = _plans(session, is_valid=not settings.problems, broken=packs.problems)
    journal = _journal(session)
    if settings.problems:  # Which may be all that is wrong with it.
        journal = _Part(line=journal.line, json=journal.json)
    return [settings, packs, plans, journal]


def _settings(session: Session) -> _Part:
    project = session.settings.project
    file = project.file.name if project.file is not None else "no handrail.toml, so the defaults"
    return _Part(
        line=f"project {project.folder} ({file})",
        problems=session.packs.settings_problems,
        exit_code=ExitCode.USAGE,
        json={"project": str(project.folder)},
    )


def _packs(session: Session) -> _Part:
    records = session.packs.records
    counts = Counter(record.status for record in records)
    listed = ", ".join(f"{count} {status}" for status, count in counts.items())
    return _Part(
        line=f"{plural(len(records), 'pack')}{f' ({listed})' if listed else ''}",
        problems=session.packs.check(),
        exit_code=ExitCode.PACK,
        json={"packs": len(records)},
    )


def _plans(session: Session, *, is_valid: bool, broken: Sequence[Problem]) -> _Part:
    """Plan every action that is on, where the settings are valid, without packs that are broken."""
    packs = session.packs.for_undo(()) if broken else session.packs
    planned: list[str] = []
    unchecked: list[tuple[str, str]] = []
    problems: dict[Problem, ExitCode] = {}
    offers = session.packs.catalog.offers("actions")
    for record, entry in offers if is_valid else ():
        if not record.is_used:
            continue
        try:
            target = find_target(packs, session.folder, f"{record.id}:{entry.name}")
            target.action_class.partial({}, packs=packs).plan()
        except ParamsNeededError as error:
            unchecked.append((entry.name, f"its plan depends on {'.'.join(error.path)}"))
        except ParamsError as error:
            unchecked.append((entry.name, describe(error)))
        except HandrailError as error:
            found: Sequence[Problem] = getattr(error, "problems", ()) or problems_of(error)
            problems |= {each: error.exit_code for each in found if each not in broken}
        else:
            planned.append(entry.name)
    others = f", {len(unchecked)} not checked" if unchecked else ""
    without = list(getattr(packs, "left_out", ()))
    others += f", without {', '.join(without)}" if without else ""
    line = f"{plural(len(planned), 'action')} planned{others}"
    return _Part(
        line=line if is_valid else "no action is checked: the settings have to be valid first",
        problems=list(problems),
        exit_code=next(iter(problems.values()), ExitCode.DONE),
        remarks=[f"{name} is not checked: {why}" for name, why in unchecked],
        is_checked=is_valid and not broken,
        json={
            "planned": planned,
            "without": without,
            "unchecked": [{"action": name, "why": why} for name, why in unchecked],
        },
    )


def _journal(session: Session) -> _Part:
    """Check the journal of this call, without creating one."""
    place, version, waiting, damaged = "", 0, list[int](), list[int]()
    about: dict[str, Any] = {"place": None, "source": "", "opens": True, "format": None, "runs": 0}
    problems: list[Problem] = []
    code = ExitCode.JOURNAL
    try:
        address = journal_address(session, None)
        place = shown_url(relative_place(session, address.value))
        about |= {"place": place, "source": address.source}
        with closing(session_journal(session, None)) as journal:
            rows, version = journal.runs(), journal.format
            for status in (status_of(journal, row) for row in rows):
                number, damage = status.row.number, status.row.damage
                if damage is not None:
                    damaged.append(number)
                    problems += problems_of(is_damaged(number, str(damage)))
                elif status.waits:
                    waiting.append(number)
            about |= {"format": version or None, "runs": len(rows)}
    except NotFoundError:
        pass
    except HandrailError as error:
        about["opens"], problems, code = False, list(problems_of(error)), error.exit_code
    state = f"format {version}, {plural(about['runs'], 'run')}" if version else "none yet"
    wait = f"{plural(len(waiting), 'run')} can be finished or undone:  {command_line('runs')}"
    return _Part(
        line=f"journal {place}{f' ({state})' * about['opens']}".rstrip(),
        problems=problems,
        exit_code=code,
        remarks=[wait] if waiting else (),
        json={"journal": {**about, "waiting": waiting, "damaged": damaged}},
    )


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
        check = JournalCheck(runs=0, rows=0, database=(), damage=())
    broken = bool(check.damage or check.database)
    read = f"format {version}, {plural(check.runs, 'run')}, {plural(check.rows, 'row')}"
    style = session.console.style
    mark = style("✗", "red") if broken else style("✓", "green")
    option = f" --journal {shlex.quote(url)}" if url else ""
    session.show(
        Listing(
            json=lambda: {
                "journal": place,
                "format": version or None,
                "runs": check.runs,
                "rows": check.rows,
                "database": list(check.database),
                "damaged": [each.to_dict() for each in check.damage],
                "unseen": [each.to_dict() for each in check.unseen],
            },
            title=[
                f"{mark} journal {place} ({read if version else 'none yet'})",
                *_damage_lines(check, style),
                *(_advice(check, option) if broken else ()),
            ],
        )
    )
    return ExitCode.JOURNAL if broken else ExitCode.DONE


def _damage_lines(found: JournalCheck, style: Style) -> Iterator[str]:
    bad, other = style("✗", "red"), style("○", "yellow")
    yield from (f"{bad} the file: {line}" for line in found.database)
    yield from (f"{bad} {error.message}" for error in found.damage)
    yield from (f"{other} {error.message}; it is only shown" for error in found.unseen)


def _advice(found: JournalCheck, option: str) -> Iterator[str]:
    yield ""
    damaged = found.damaged_runs
    if damaged and found.runs > len(damaged):
        runs = "run" if len(damaged) == 1 else "runs"
        yield f"all but {runs} {numbered(damaged)} can be shown, resumed and rolled back"
    yield "copy the journal, and what SQLite has beside it, before you try anything"
    yield f"what is recorded of a sound run:  {command_line(f'show RUN{option}')}"
    yield "a damaged run cannot be undone: put back a backup, or clean up by hand"


def unread_groups(distribution: str | None = None) -> Iterator[Problem]:
    """Yield a problem for each group of entry points with a name like ours that is not ours.

    Args:
        distribution: The installed distribution to look at; by default, all of them.
    """
    seen = {_OURS}
    for each in distributions(name=distribution):
        try:
            name = normalised(each.metadata["Name"])
            if name not in seen:
                yield from _of_distribution(each)
        except Exception:  # noqa: BLE001 - metadata may contain anything; the doctor tells of packs
            continue
        seen.add(name)


def _of_distribution(distribution: Distribution) -> Iterator[Problem]:
    groups = {point.group for point in distribution.entry_points}
    pack = Origin(pack=distribution.metadata["Name"], version=distribution.version)
    kinds = [group.partition(".")[2] for group in GROUPS]
    for group in sorted(groups - set(GROUPS)):
        kind = group.partition(_OURS)[2].lstrip("._-")
        hints = [f"did you mean {_OURS}.{match}?" for match in near(kind, kinds, limit=1)]
        meant = group.startswith(f"{_OURS}.") or (_OURS in group and hints)
        if meant and not _is_of_a_pack(group):
            yield Problem(
                code="bad-entry-point",
                message=f"{pack} has entry points in {group}, which nobody reads",
                origins=(pack,),
                ways_out=tuple(hints) or (f"the groups are: {', '.join(GROUPS)}",),
            )


def _is_of_a_pack(group: str) -> bool:
    """Whether a group, such as `acme_train.models`, belongs to a package that is installed."""
    package = group.partition(".")[0]
    return package != _OURS and find_spec(package) is not None
