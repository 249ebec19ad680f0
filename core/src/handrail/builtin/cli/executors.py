"""The executor for the items of steps: its option, and whether it can work for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from handrail.builtin.cli.journals import reached_by_url
from handrail.builtin.project.load import EXECUTOR
from handrail.packs import default_url, is_local

if TYPE_CHECKING:
    from handrail.builtin.cli.session import Session


def executor_option() -> click.Option:
    """Return the option."""
    return click.Option(
        ["--executor"],
        metavar="URL",
        help="Work on items of steps in processes:4, threads:8, or the executor of a pack; by "
        f"default in one process for each core. {EXECUTOR}, or [executor] of the project, names "
        "one for every call.",
    )


def check_named(session: Session, executor: str | None, journal: str | None) -> None:
    """Check, before the journal of a new run is even made, that the executor can work with it.

    Args:
        session: The call.
        executor: The value of `--executor`; by default, that of the settings.
        journal: The value of `--journal`.

    Raises:
        ExecutorError: It cannot.
    """
    url = executor or session.packs.executor
    if url is not None:
        session.packs.executors.check(url, reached_by_url(session, journal))


def executor_here(session: Session, executor: str | None) -> str | None:
    """Return the executor of a dry run, which has no journal, and so stays on this machine."""
    url = executor or session.packs.executor
    return url if url is None or is_local(url) else default_url()
