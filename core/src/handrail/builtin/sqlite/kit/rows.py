"""Converts rows of the tables to values, for any SQL database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, get_args

from handrail.builtin.sqlite.kit.kinds import check_text, checksum, from_stored
from handrail.builtin.sqlite.kit.statements import FREE_TEXTS, RUN_COLUMNS
from handrail.errors import JournalDamagedError, NotFoundError
from handrail.frozen import replace
from handrail.journal.damage import MISFIT, damaged, decoding, differs
from handrail.journal.records import Direction, Outcome, Reliance, RunRow

if TYPE_CHECKING:
    from handrail.builtin.sqlite.kit.changes import Connection, Cursor
    from handrail.builtin.sqlite.kit.statements import Statements

UNREADABLE = "unreadable"  # In a row in place of its columns: the error of the database.
DIRECTIONS, OUTCOMES = get_args(Direction), get_args(Outcome)
RUN_TEXTS = ("uid", "action", "params", "packs", "cwd", "core_version", "project", "owner")


# Columns of a run that are written once; the plan has a checksum of its own, because it is long and
# not always read.
_WRITTEN_ONCE = (
    *("uid", "action", "params", "packs", "cwd", "core_version", "opened", "project"),
    *("parent", "parent_step", "parent_attempt", "parent_item"),
)


def checksum_of_run(values: Mapping[str, Any]) -> int:
    """Return the checksum of a run's own row, without its plan."""
    return checksum("run", *(values[name] for name in _WRITTEN_ONCE))


def checksum_of_plan(uid: str, plan: str) -> int:
    """Return the checksum of the plan of the run `uid`."""
    return checksum("plan", uid, plan)


def run_row(row: Mapping[str, Any]) -> RunRow:
    """Return a RunRow from values by column.

    Raises:
        JournalDamagedError: The row is not what was written.
    """
    number = row["number"]
    with decoding(number, "its own row"):
        if UNREADABLE in row:
            raise damaged(number, "its own row", row[UNREADABLE])
        if row["crc"] != checksum_of_run(row):
            raise differs(number, "its own row")
        if "plan" in row and row["plan_crc"] != checksum_of_plan(row["uid"], row["plan"]):
            raise differs(number, "its plan")
        _check_run(row)
        return _run_row(row)


def run_row_or_damage(row: Mapping[str, Any]) -> RunRow:
    """Like `run_row`, but a damaged row has what can be read of it, and its `damage`."""
    try:
        return run_row(row)
    except JournalDamagedError as error:
        return damaged_row(row, error.message)


def sound_row(row: Mapping[str, Any]) -> RunRow:
    """Like `run_row_or_damage`, with the plan if that is sound, whatever the rest of the row is."""
    plan, rest = row["plan"], {name: value for name, value in row.items() if name != "plan"}
    found = run_row_or_damage(rest)
    try:
        sound = row["plan_crc"] == checksum_of_plan(row["uid"], plan)
        check_text(plan)
    except MISFIT:
        sound = False
    return replace(found, plan=plan) if sound else found


def damaged_row(row: Mapping[str, Any], damage: str) -> RunRow:
    """Return what can be read of a damaged row; texts that cannot are empty.

    Args:
        row: The values by column, as far as they could be read.
        damage: The damage.
    """
    texts: dict[str, Any] = {
        name: value.encode(errors="replace").decode() if isinstance(value, str) else ""
        for name in RUN_TEXTS
        for value in (row.get(name),)
    }
    return RunRow(
        **texts,
        number=row["number"],
        opened=row["opened"] if _is_time(row.get("opened")) else "",
        plan="",
        direction="forward",
        sealed=None,
        outcome=None,
        fence=0,
        closed=None,
        claimed="",
        damage=damage,
    )


def _run_row(row: Mapping[str, Any]) -> RunRow:
    values = {name: row[name] for name in RUN_COLUMNS}
    for name in FREE_TEXTS:
        if values[name] is not None:
            values[name] = from_stored(values[name])
    if _is_time(row["last_sign"]):  # Otherwise the row that it is from is damaged.
        values["heard"] = row["last_sign"]
    is_open = row["closed"] is None
    return RunRow(
        **values,
        number=row["number"],
        plan=row.get("plan", ""),
        given_up=is_open and bool(row["given_up"]),
    )


def _check_run(row: Mapping[str, Any]) -> None:
    """Check the types, words and times of a run's row, or raise ValueError."""
    texts = (*(row[name] for name in RUN_TEXTS), row["sealed"] or "", row["by_hand"] or "")
    check_text(*texts, row.get("plan", ""), row["parent_step"] or "")
    _check_words("direction", row["direction"], DIRECTIONS)
    _check_words("outcome", row["outcome"], (None, *OUTCOMES))
    for name in ("opened", "closed", "claimed", "turned", "heard"):
        if not (_is_time(row[name]) or (row[name] is None and name != "opened")):
            raise ValueError(f"{name} is no time")
    for name in ("number", "fence", "worked", "undid"):
        if not isinstance(row[name], int | float):
            raise ValueError(f"{name} is no number")
    for name in ("parent", "parent_attempt", "parent_item"):
        if not isinstance(row[name], int | None):
            raise ValueError(f"{name} is no number")


def _check_words(name: str, word: object, words: Collection[object]) -> None:
    if word not in words:
        raise ValueError(f"{name} is {word!r}")


def _is_time(text: object) -> bool:
    try:
        return isinstance(text, str) and bool(datetime.fromisoformat(text))
    except ValueError:
        return False


def by_name(found: Cursor) -> Iterator[dict[str, Any]]:
    """Yield each row as a dict by column."""
    names = [column[0] for column in found.description or ()]
    return (dict(zip(names, row, strict=True)) for row in found)


def unknown_run(connection: Connection, statements: Statements, number: int) -> NotFoundError:
    """Return the error for the number of no run, with the closest numbers."""
    found = connection.execute(statements.near, {"run": number})
    near = sorted(each for (each,) in found)
    if not near:
        return NotFoundError(f"there is no run {number}: the journal is empty")
    return NotFoundError(
        f"there is no run {number}; the closest: {', '.join(map(str, near))}",
        ways_out=("handrail runs lists them",),
    )


_ROWS = ("attempts of steps", "notes", "context fields", "chunks", "notes of items")


def check_counts(row: RunRow, *found: int | None) -> None:
    """Check that a run that has ended has as many rows as then.

    Args:
        row: The run.
        *found: The number of its attempts, notes and fields, of its chunks and the notes of their
            items; None for those that were not read.

    Raises:
        JournalDamagedError: Some are lost, or were added.
    """
    if row.counts is None:
        return
    with decoding(row.number, _COUNTS):
        then = [int(each) for each in row.counts.split()]
        for name, count, known in zip(_ROWS, (*found, None, None), then, strict=False):
            if count not in (None, known):
                raise damaged(
                    row.number, _COUNTS, f"has {count} {name}, and had {known} at its end"
                )


_COUNTS = "the record"


def reliance_of(relies_on: Cursor, relied_on_by: Cursor) -> dict[int, Reliance]:
    """Return the reliance of runs from the rows of both directions."""
    numbers: dict[int, list[int]] = {}
    uids: dict[int, list[str]] = {}
    for run, uid, number in relies_on:
        uids.setdefault(run, []).append(from_stored(uid))
        if number is not None:
            numbers.setdefault(run, []).append(number)
    by: dict[int, list[int]] = {}
    for run, number in relied_on_by:
        by.setdefault(run, []).append(number)
    return {
        run: Reliance(
            relies_on=tuple(numbers.get(run, ())),
            relied_on_by=tuple(by.get(run, ())),
            uids=tuple(uids.get(run, ())),
        )
        for run in uids.keys() | by.keys()
    }


def with_parts(runs: Cursor, parts: Cursor) -> list[int]:
    """Return the numbers of runs from their rows, each after all that is below it.

    Args:
        runs: The rows of the runs.
        parts: The rows of all runs that are parts of others, with the numbers of these.
    """
    below: dict[int, list[int]] = {}
    for number, parent in sorted(parts):
        below.setdefault(parent, []).append(number)

    def tree(number: int) -> Iterator[int]:
        for each in below.get(number, ()):
            yield from tree(each)
        yield number

    return [number for (whole,) in runs for number in tree(whole)]
