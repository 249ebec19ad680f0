"""The `handrail` command, and a workflow as a program of its own: what imports little."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from handrail.builtin.cli.starting import no_collections

if TYPE_CHECKING:
    from handrail import Workflow


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `handrail` command and return its exit code.

    Args:
        arguments: Those of the command; by default those of the process, which then ends.
    """
    with no_collections(to_the_end=arguments is None):
        try:
            from handrail.builtin.cli.app import run_command_line  # noqa: PLC0415 - for `import`
        except KeyboardInterrupt:
            return 130  # No command was parsed yet, so there is nothing to report.
        code = run_command_line(arguments)
    if code == 130 and arguments is None:
        from handrail.builtin.cli.signals import end_soon  # noqa: PLC0415 - only after an interrupt

        end_soon()
    return code


def run_workflow(workflow: Workflow, arguments: Sequence[str]) -> int:
    """Run a workflow as a program of its own and return the exit code."""
    with no_collections():
        from handrail.builtin.cli.app import run_program  # noqa: PLC0415 - importing this costs nothing

        return run_program(workflow, arguments)
