"""What people undid of a run by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from handrail.frozen import from_json, frozen
from handrail.journal.damage import decode, decoding

if TYPE_CHECKING:
    from handrail.journal.records import RunRow


@frozen
class ByHand:
    """A person undid what a step of a run had left.

    Attributes:
        step: Name of the step.
        by: The person, such as `ada on build-3`.
        at: When that was recorded, in UTC, such as `2026-11-27T18:40:00.000Z`.
        reason: What was done, and why, in the words of that person.
    """

    step: str
    by: str
    at: str
    reason: str


def by_hand_of(row: RunRow) -> tuple[ByHand, ...]:
    """Return what people undid of a run by hand, in the order in which they recorded it.

    Raises:
        JournalDamagedError: The record is not what was written.
    """
    if not row.by_hand:
        return ()
    found: list[dict[str, Any]] = decode(row.by_hand, list, row.number, "what was undone by hand")
    with decoding(row.number, "what was undone by hand"):
        return tuple(from_json(ByHand, each) for each in found)


def is_undoing(row: RunRow) -> bool:
    """Return whether the run has begun to be undone, and is not yet."""
    undone = row.outcome == "rollback_incomplete"
    return undone or (row.direction == "undo" and row.outcome in (None, "interrupted"))
