"""The option that names an executor for the items of steps."""

from __future__ import annotations

import click

from handrail.settings.load import EXECUTOR


def executor_option() -> click.Option:
    """Return the option."""
    return click.Option(
        ["--executor"],
        metavar="URL",
        help="Work on items of steps in processes:4, threads:8, or the executor of a pack; by "
        f"default in one process for each core. {EXECUTOR}, or [executor] of the project, names "
        "one for every call.",
    )
