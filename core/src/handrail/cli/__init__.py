"""The command line. One file per command; each is imported only when it is called."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.workflow import Workflow


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the `handrail` command and return its exit code."""
    collects = gc.isenabled()
    gc.disable()  # What is imported stays: to look for garbage in it takes milliseconds.
    try:
        from handrail.cli.app import run_command_line  # noqa: PLC0415 - importing this costs nothing
    except KeyboardInterrupt:
        return 130  # Nothing has been looked at yet, so there is nothing to tell.
    finally:
        if collects:
            gc.enable()
    return run_command_line(arguments)


def run_workflow(workflow: Workflow, arguments: Sequence[str]) -> int:
    """Run a workflow as a program of its own and return the exit code."""
    from handrail.cli.app import run_program  # noqa: PLC0415 - importing this costs nothing

    return run_program(workflow, arguments)
