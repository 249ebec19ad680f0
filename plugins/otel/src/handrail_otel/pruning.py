"""Forgets what was sent of runs that their journal forgets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from handrail_otel.sent import folder_of

if TYPE_CHECKING:
    from handrail import PrunedRun


def forget(run: PrunedRun) -> None:
    """Delete the note of what was sent of a run, where its journal is that of its project.

    That of a journal elsewhere stays: it is a few hundred bytes.

    Args:
        run: The run.
    """
    folder = Path(run.folder)
    journals = [str(each / ".handrail" / "runs.db") for each in (folder, *folder.parents)]
    for address in (*journals, ""):
        (folder_of(address) / run.uid).unlink(missing_ok=True)
