"""Rows as they come out of the tables, whichever database has them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from handrail.errors import NotFoundError
from handrail.journal.backend.db_text import MARK, from_stored, to_stored
from handrail.journal.records import AttemptRow, FieldRow, NewRun, NoteRow, RunRow


def no_run(number: int, near: list[int]) -> NotFoundError:
    """Return the error for a number that no run has."""
    if not near:
        return NotFoundError(f"there is no run {number}: the journal is empty")
    return NotFoundError(
        f"there is no run {number}; near it: {', '.join(map(str, near))}",
        ways_out=("handrail runs lists them",),
    )


def new_values(new: NewRun) -> dict[str, str]:
    """Return the values of a new run but its plan, by column, as they are stored."""
    return {
        "uid": new.uid,
        "action": to_stored(new.action),
        "params": new.params,
        "packs": new.packs,
        "cwd": to_stored(new.cwd),
        "core_version": new.core_version,
        "opened": new.opened,
        "project": to_stored(new.project),
    }


def run_row(row: tuple[Any, ...], *, seen: float | None, given_up: bool) -> RunRow:
    """Return the row with these values, in the order of the attributes.

    Args:
        row: The values, up to `undid`.
        seen: When its owner last gave a sign of life, in seconds since 1970, or None.
        given_up: Whether it is open, and its owner gave it up.
    """
    uid, action, plan, params, packs, cwd, core_version, opened, project = row[:9]
    number, direction, sealed, outcome, fence, owner, closed = row[9:16]
    claimed, turned, heard, worked, undid = row[16:]
    return RunRow(
        uid=uid,
        action=from_stored(action),
        plan=plan,
        params=params,
        packs=packs,
        cwd=from_stored(cwd),
        core_version=core_version,
        opened=opened,
        project=from_stored(project),
        number=number,
        direction=direction,
        sealed=_perhaps(sealed),
        outcome=outcome,
        fence=fence,
        owner=owner,
        closed=closed,
        claimed=claimed or opened,
        turned=turned,
        heard=heard,
        worked=worked,
        undid=undid,
        seen=None if seen is None else _moment(seen),
        given_up=given_up,
    )


def attempt_rows(found: Iterable[tuple[Any, ...]]) -> tuple[AttemptRow, ...]:
    """Return the rows with these values, in the order of the attributes."""
    rows = list(map(AttemptRow._make, found))
    for place, row in enumerate(rows):
        # A long run has thousands of rows, and next to none of them has either.
        if row.error is not None or row.step.startswith(MARK):
            error = None if row.error is None else from_stored(row.error)
            rows[place] = row._replace(step=from_stored(row.step), error=error)
    return tuple(rows)


def note_rows(found: Iterable[tuple[Any, ...]]) -> tuple[NoteRow, ...]:
    """Return the rows with these values, in the order of the attributes."""
    return tuple(
        NoteRow(from_stored(step), n, seq, from_stored(key), values)
        for step, n, seq, key, values in found
    )


def field_rows(found: Iterable[tuple[Any, ...]]) -> tuple[FieldRow, ...]:
    """Return the rows with these values, in the order of the attributes."""
    return tuple(FieldRow(boundary, from_stored(name), value) for boundary, name, value in found)


def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _perhaps(text: str | None) -> str | None:
    return None if text is None else from_stored(text)
