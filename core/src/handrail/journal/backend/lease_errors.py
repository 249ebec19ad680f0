"""The errors for a run that another process owns or has taken over."""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING

from handrail.errors import LeaseLostError, RunHeldError
from handrail.journal.backend.owner import Owner

if TYPE_CHECKING:
    from handrail.journal.protocol import Holder


def forked_from(holder: Holder, lock: str) -> Holder:
    """Return the holder of a run whose owner is gone but whose lock is still taken.

    Args:
        holder: The owner.
        lock: Path of the lock file.
    """
    described = f"a process forked from {holder.described}, which is gone"
    return replace(holder, described=described, stale=True, lock=lock)


def held_error(number: int, holder: Holder) -> RunHeldError:
    """Return the error for a claim of a run that has a holder."""
    if holder.journal is not None:
        there = shlex.quote(holder.journal)
        return RunHeldError(
            f"this journal is a copy; run {number} belongs to the journal at {holder.journal}",
            ways_out=(
                f"continue there: handrail resume {number} --journal {there}",
                "or, if this one is to replace it, remove that one first",
            ),
        )
    if holder.lock is not None:
        return RunHeldError(
            f"run {number} is held by {holder.described}, which inherited its lock",
            ways_out=(
                f"find that process and end it: fuser -v {shlex.quote(holder.lock)}",
                "or take the run from it: --take-over",
            ),
        )
    silent = "" if holder.silent is None else f"{holder.silent:.0f} s"
    if not holder.stale:
        return RunHeldError(
            f"run {number} is held by {holder.described}, which is alive"
            f"{f' (last heard of {silent} ago)' * bool(silent)}",
            ways_out=("wait for it to end, or end it",),
        )
    return RunHeldError(
        f"run {number} is held by {holder.described}, "
        f"which has given no sign of life{f' for {silent}' * bool(silent)}: stopped, or stuck",
        ways_out=("end it, or take the run from it: --take-over",),
    )


def lost_error(
    number: int, fence: int, found: tuple[int, str | None, str] | None
) -> LeaseLostError:
    """Return the error for a write to a run that we no longer own.

    Args:
        number: The number of the run.
        fence: The writer's fence.
        found: The recorded fence, outcome and owner; None if the run is gone.
    """
    if found is None:
        return LeaseLostError(f"run {number} was deleted from the journal")
    now, outcome, owner = found
    if now != fence:
        return LeaseLostError(
            f"run {number} was taken over by {Owner.from_json(owner).described}; "
            "this process must stop working on it",
            ways_out=(f"handrail show {number}",),
        )
    return LeaseLostError(f"run {number} is closed ({outcome}); nothing more can be recorded in it")
