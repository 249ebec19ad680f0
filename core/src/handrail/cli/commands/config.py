"""`handrail config`: every setting and where it came from."""

from __future__ import annotations

import click

from handrail.cli.journals import journal_address, relative_place
from handrail.cli.session import Session, session_of, takes_json
from handrail.cli.view.failure import problem_lines
from handrail.cli.view.json_text import to_json
from handrail.cli.view.listing import Listing
from handrail.errors import ExitCode, SettingsError
from handrail.params.redact import shown_url
from handrail.settings.requirements import brief_source
from handrail.settings.rows import rows_of


@click.command()
@takes_json
@click.pass_context
def config(ctx: click.Context) -> int:
    """Show every setting and where it came from: a flag, a variable, a file and line, a default.

    A policy goes before a flag, that before a variable, that before the project's handrail.toml or
    [tool.handrail] in its pyproject.toml, and that before the default. Ends with 2 where a setting
    cannot be used, with 4 where something is required and not there.
    """
    session = session_of(ctx)
    found = session.packs
    problems = (*found.settings_problems, *found.unmet)
    rows = rows_of(found.settings, (record.id for record in found.records))
    rows.append(_journal(session))
    project = str(found.settings.project.folder)
    listing = Listing(
        json=lambda: {
            "project": project,
            "settings": [
                {"key": key, "value": value, "source": source} for key, value, source in rows
            ],
            "problems": [problem.to_dict() for problem in problems],
        },
        title=[f"project {project}"],
        head=("SETTING", "VALUE", "FROM"),
        rows=((key, _text(value), brief_source(source)) for key, value, source in rows),
    )
    session.show(listing)
    if not session.json:
        for number, problem in enumerate(problems, 1):
            for line in problem_lines(session, problem, number):
                session.console.note(line)
    if found.settings_problems:
        return ExitCode.USAGE
    return ExitCode.PACK if found.unmet else ExitCode.DONE


def _journal(session: Session) -> tuple[str, object, str]:
    try:
        place = journal_address(session, None)
    except SettingsError:
        return "journal.url", None, "unknown"
    return "journal.url", shown_url(relative_place(session, place.value)), place.source


def _text(value: object) -> str:
    if value is None:
        return "-"
    return value if isinstance(value, str) else to_json(value)
