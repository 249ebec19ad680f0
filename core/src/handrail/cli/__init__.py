"""The command line. One file per command; each is imported only when it is called.

For commands of packs: the flags, the packs and the output that all commands of a call share. Every
public name is imported from here on first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handrail.cli.starting import no_collections
from handrail.lazy import lazy_imports

if TYPE_CHECKING:
    from handrail.workflow import Workflow

with lazy_imports(__name__):
    from handrail.cli.commands.runs import runs_to_dict as runs_to_dict
    from handrail.cli.completion import RunType as RunType
    from handrail.cli.journals import journal_option as journal_option
    from handrail.cli.journals import journal_place as journal_place
    from handrail.cli.journals import number_in as number_in
    from handrail.cli.journals import run_numbers as run_numbers
    from handrail.cli.journals import session_journal as session_journal
    from handrail.cli.reports import Report as Report
    from handrail.cli.reports import report_of as report_of
    from handrail.cli.session import Session as Session
    from handrail.cli.session import echo as echo
    from handrail.cli.session import echo_json as echo_json
    from handrail.cli.session import session_of as session_of
    from handrail.cli.session import takes_json as takes_json
    from handrail.cli.view.failure import problem_lines as problem_lines
    from handrail.cli.view.listing import Listing as Listing
    from handrail.cli.view.table import Column as Column


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `handrail` command and return its exit code.

    Args:
        arguments: Those of the command; by default those of the process, which then ends.
    """
    with no_collections(to_the_end=arguments is None):
        try:
            from handrail.cli.app import run_command_line  # noqa: PLC0415 - for `import`
        except KeyboardInterrupt:
            return 130  # No command was parsed yet, so there is nothing to report.
        code = run_command_line(arguments)
    if code == 130 and arguments is None:
        from handrail.cli.signals import end_soon  # noqa: PLC0415 - only after an interrupt

        end_soon()
    return code


def run_workflow(workflow: Workflow, arguments: Sequence[str]) -> int:
    """Run a workflow as a program of its own and return the exit code."""
    with no_collections():
        from handrail.cli.app import run_program  # noqa: PLC0415 - importing this costs nothing

        return run_program(workflow, arguments)
