"""What the commands that finish or undo a recorded run would do. Only the record is asked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from handrail.cli.plain import listed, shorten

if TYPE_CHECKING:
    from handrail.cli.recorded_steps import Shown
    from handrail.cli.session import Session
    from handrail.journal.records import RecordedRun, RunRow

_ROOM = 50  # Columns beside a command.
_NAME = 24


def would(purpose: str, row: RunRow, steps: Sequence[Shown]) -> str:
    """Return what one of `Standing.ways` would do, in words."""
    if purpose == "finish":
        return _would_finish(steps)
    if purpose == "again":
        return f"undoes {_names([step for step in steps if step.state == 'undo failed'])}"
    undone = [step for step in reversed(steps) if step.is_undone]
    told = f"undoes {_names(undone)}" if undone else "has nothing to undo"
    return f"goes on with the undo: {told}" if row.direction == "undo" else told


def staying(steps: Sequence[Shown]) -> list[str]:
    """Return the steps that may have left something that nothing takes back."""
    return [step.name for step in steps if step.stays]


def packs_of(session: Session, recorded: RecordedRun) -> dict[str, dict[str, str | None]]:
    """Return the packs of a run: which version it began with, and which is installed now."""
    planned: list[dict[str, Any]] = json.loads(recorded.row.plan)["steps"]
    origins = [
        each["origin"]
        for step in planned
        for each in (step, *step.get("layers", ()))
        if each["origin"]["pack"]
    ]
    if not origins:
        return {}
    now = {record.id: record.version for record in session.packs.records}
    return {
        origin["pack"]: {"then": origin["version"], "now": now.get(origin["pack"])}
        for origin in origins
    }


def _would_finish(steps: Sequence[Shown]) -> str:
    for step in steps:
        if step.state in ("INTERRUPTED", "failed"):
            name = shorten(step.name, _NAME)
            if step.planned.get("resume"):
                return f"goes on in {name}, from what it recorded"
            if step.planned.get("undo"):
                return f"undoes what {name} recorded, and runs it again"
            return f"runs {name} again"
    following = next((step.name for step in steps if step.state in ("", "undone")), None)
    return "closes it" if following is None else f"goes on with {shorten(following, _NAME)}"


def _names(steps: Sequence[Shown]) -> str:
    return listed([step.name for step in steps], room=_ROOM)
