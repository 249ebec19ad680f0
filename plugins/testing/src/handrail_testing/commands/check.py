"""`handrail check`: checks the contract of a pack."""

from __future__ import annotations

from collections import Counter
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import click

from handrail import ExitCode, HandrailError
from handrail.cli import Column, Listing, Session, problem_lines, session_of, takes_json
from handrail.errors import NotFoundError

if TYPE_CHECKING:
    from handrail.packs import PackRecord
    from handrail_testing.checks import Verdict

_STYLES = {"passed": "", "failed": "red", "warned": "yellow", "unchecked": "dim"}

_HEAD = "WHAT HAS TO HOLD, OR WHY IT IS NOT CHECKED"


@click.command()
@click.argument("distribution", required=False, metavar="[DIST]")
@click.option(
    "--allow-import",
    "imports",
    multiple=True,
    metavar="PACKAGE",
    help="Let its hooks import this. Repeatable.",
)
@takes_json
@click.pass_context
def check(ctx: click.Context, distribution: str | None, imports: tuple[str, ...]) -> int:
    """Check that an installed pack fulfils the contract of every pack.

    DIST is an installed distribution; by default, the one whose pyproject.toml is here. The pack is
    imported, the actions that are on are planned with it, and its layers are tried around a step
    that does nothing, but none of its steps is run: `handrail_testing.PackContract` does that in
    the pack's own tests.

    \b
    passed       it holds
    failed       it does not hold; the place and the way out are below
    warned       allowed, and worth knowing
    not checked  it does not apply, or takes more than a command has: see beside it

    The exit code is 0 if nothing failed, 1 if a check failed, 4 if the pack cannot be used at all.
    """  # noqa: D301 - the escape tells click to keep the lines
    # Not for `--help`: importing the checks takes longer than showing it.
    from handrail_testing.checks import CHECKS, examine  # noqa: PLC0415
    from handrail_testing.checks.metadata import editable_source, project_of  # noqa: PLC0415
    from handrail_testing.checks.subject import Subject, record_of  # noqa: PLC0415

    session = session_of(ctx)
    here = project_of(session.folder, distribution)
    if distribution is None:
        if here is None:
            raise NotFoundError(
                "there is no pyproject.toml here that names a pack",
                ways_out=("name an installed one:  handrail check acme-scan",),
            )
        distribution = here[1]
    record = record_of(distribution)
    # A pack may print while it is imported; standard output is for the result.
    with redirect_stdout(session.console.err):
        subject = Subject(
            record=record,
            imports=imports,
            actions=_actions(session, record.id),
            pyproject=here[0] if here is not None else editable_source(record.name),
        )
        verdicts = [examine(subject, each) for each in CHECKS]
    code = _code(verdicts)
    session.show(_listing(session, record, verdicts, code))
    return code


def _code(verdicts: list[Verdict]) -> ExitCode:
    failed = [verdict.check.name for verdict in verdicts if verdict.status == "failed"]
    if "loads" in failed:
        return ExitCode.PACK
    return ExitCode.FAILED if failed else ExitCode.DONE


def _actions(session: Session, pack: str) -> list[Any]:
    """Return those actions that are on and can be imported."""
    found: list[Any] = []
    for record, entry in session.packs.catalog.offers("actions"):
        if record.id != pack and record.is_used:
            try:
                found.append(session.packs.catalog.load("actions", f"{record.id}:{entry.name}"))
            except HandrailError:
                continue  # `handrail check` of that pack, and the doctor, report it.
    return found


def _listing(
    session: Session, pack: PackRecord, verdicts: list[Verdict], code: ExitCode
) -> Listing:
    counts: Counter[str] = Counter(verdict.status for verdict in verdicts)
    listed = ", ".join(f"{counts[status]} {_shown(status)}" for status in _STYLES if counts[status])
    problems = [problem for verdict in verdicts for problem in verdict.problems]
    return Listing(
        json=lambda: {
            "id": pack.id,
            "name": pack.id,
            "version": pack.version,
            "exit_code": int(code),
            "checks": [verdict.to_dict() for verdict in verdicts],
        },
        title=[f"{pack.id} {pack.version} · {len(verdicts)} checks: {listed}"],
        head=("CHECK", "RESULT", Column(name=_HEAD, wraps=True, enough=28)),
        rows=[
            (each.check.name, _shown(each.status), each.why or each.check.promise)
            for each in verdicts
        ],
        styles=[_STYLES[verdict.status] for verdict in verdicts],
        foot=[
            line
            for number, problem in enumerate(problems, 1)
            for line in ("", *problem_lines(session, problem, number))
        ],
    )


def _shown(status: str) -> str:
    return "not checked" if status == "unchecked" else status
