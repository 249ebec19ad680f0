"""RunInfo of a run in this process, made when a step asks for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from handrail.context import RunInfo
from handrail.journal.this_process import host_name, user_name

if TYPE_CHECKING:
    from handrail.engine.state import RunState


def run_info(
    run: RunState,
    *,
    action: str | None = None,
    project: str | None = None,
    parent: int | None = None,
) -> RunInfo:
    """Return what names `run` to others.

    Args:
        run: The run.
        action: The recorded name of its action; by default, that of the plan.
        project: Its recorded project; by default, that of the working folder.
        parent: The number of the run that it is a part of.
    """
    from handrail.packs.configuration import project_at  # noqa: PLC0415

    return RunInfo(
        uid=run.run_id,
        action=run.plan.action if action is None else action,
        host=host_name(),
        user=user_name(),
        project=project_at(os.getcwd()) if project is None else project,
        number=run.number,
        journal=run.journal,
        parent=parent,
    )
