"""How far the steps of a run and their items came, and when they worked and were undone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from handrail.frozen import frozen
from handrail.journal import CANCELLED, MAY_HAVE_LEFT, errors_of_chunk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from handrail.journal import Journal
    from handrail.journal.records import AttemptRow, ChunkCount, Direction, RunRow


StepState = Literal[
    "not started",
    "running",
    "waiting",
    "interrupted",
    "done",
    "skipped",
    "failed",
    "undone",
    "failed and undone",
    "undo failed",
    "may have left something",
    "unknown",
]
"""How far a step came.

- `waiting`: it could begin, or be undone, and waits for others.
- `interrupted`: it began and did not end, because it was stopped or its process is gone.
- `failed and undone`: it failed, and what it had done was undone; others are `undone`.
- `may have left something`: its process is gone, it has effects, and nothing can undo it.
- `unknown`: what the journal has of it is damaged.
"""

UNDONE: frozenset[StepState] = frozenset(["undone", "failed and undone"])
INTERRUPTED = "interrupted"
_BROKEN_OFF = "KeyboardInterrupt"


def state_of(
    row: AttemptRow, result: Mapping[str, Any], *, running: bool, has_way_back: bool
) -> StepState:
    """Return the state of a step from the row of its last attempt.

    Args:
        row: The row.
        result: Its result.
        running: Whether a process works on the step.
        has_way_back: Whether it has no effects, or something undoes them.
    """
    if row.state == "started":
        if running:
            return "running"
        return "interrupted" if has_way_back else "may have left something"
    if row.state == "failed":
        return "failed" if is_failure(row.error) else "interrupted"
    if row.state == "undone":
        return "failed and undone" if is_failure(error_of(row, result)) else "undone"
    if row.state == "undo_failed":
        return "may have left something" if row.message == MAY_HAVE_LEFT else "undo failed"
    return row.state


def error_of(row: AttemptRow, result: Mapping[str, Any]) -> str | None:
    """Return why the way forward of an attempt ended, if it did not end well."""
    error = row.error
    if row.state != "failed":
        error = None if result.get("success", True) else result.get("error")
    return INTERRUPTED if error == _BROKEN_OFF else error


def is_failure(error: str | None) -> bool:
    """Return whether an error is one of the step itself, and not that something stopped it."""
    return error not in (None, INTERRUPTED, _BROKEN_OFF) and not str(error).startswith(CANCELLED)


_FORWARD = ("done", "failed", "skipped")
_UNDO = ("undone", "undo_failed")


@frozen
class Span:
    """A time in which a step worked, or was undone.

    Attributes:
        attempt: The number of the attempt.
        direction: Whether the step went forward, or was undone.
        began: When it began, in UTC, in the format of the journal.
        ended: When it ended; None if it still goes on. Of a process that died, its last sign of
            life.
    """

    attempt: int
    direction: Direction
    began: str
    ended: str | None


def forward_span(row: AttemptRow, run: RunRow, *, running: bool) -> Span | None:
    """Return the time in which an attempt went forward, as far as it is known.

    Args:
        row: The attempt.
        run: Its run.
        running: Whether a process works on it.
    """
    if row.state == "skipped":
        return None
    began, ended = row.began, row.at if row.state in _FORWARD else row.ended
    if row.state == "started":
        # Once the run is undone, its sign of life is that of the process which undoes it.
        heard = row.ended if run.direction == "undo" else run.heard
        began, ended = row.at, None if running else max(heard or row.at, row.at)
    elif began is None or ended is None:
        return None
    return Span(attempt=row.n, direction="forward", began=began, ended=ended)


def undo_spans(recorded: RunRow) -> Mapping[tuple[str, int], Span]:
    """Return when attempts were undone: one begins when the one before it has ended.

    They are known by step and attempt.
    """
    found: dict[tuple[str, int], Span] = {}
    last = ""
    for each in sorted(
        (each for each in recorded.attempts if each.state in _UNDO),
        key=lambda each: each.at,
    ):
        if each.message == MAY_HAVE_LEFT:
            continue
        known = (
            time for time in (last, recorded.turned, recorded.claimed) if time and time <= each.at
        )
        began = max(known, default=each.at)
        span = Span(attempt=each.n, direction="undo", began=began, ended=each.at)
        found[each.step, each.n] = span
        last = each.at
    return found


MOST = 20
"""How many failures are read of one step."""


@frozen
class ItemFailure:
    """Why an item failed, or some of them could not be undone.

    Attributes:
        item: The position of the item in its step, from 0; of the first one, if it is about some.
        error: The error, in one line.
        traceback: The traceback, or None.
    """

    item: int
    error: str
    traceback: str | None = None


@frozen
class ItemsRecord:
    """The items of the last attempt of a step.

    Attributes:
        done: How many are done.
        failed: How many failed, and were undone then.
        begun: How many were perhaps begun, and have not ended.
        undone: How many were undone with their step.
        left: How many may not be undone, because that has failed.
        undoable: How many an undo of the step would undo.
        failures: The first failures, `MOST` at most.
    """

    done: int = 0
    failed: int = 0
    begun: int = 0
    undone: int = 0
    left: int = 0
    undoable: int = 0
    failures: tuple[ItemFailure, ...] = ()

    @property
    def described(self) -> str:
        """The numbers in words, such as `items: 1,998 done, 2 failed`."""
        words = ("done", "failed", "begun", "undone", "left")
        numbers = ((getattr(self, word), word) for word in words)
        shown = ", ".join(f"{count:,} {word}" for count, word in numbers if count)
        return f"items: {shown or 'none'}"


def items_of_steps(journal: Journal, number: int) -> dict[tuple[str, int], ItemsRecord]:
    """Return what is known of the items of a run, by step and attempt."""
    counts: dict[tuple[str, int], list[ChunkCount]] = {}
    for count in journal.chunk_counts(number):
        counts.setdefault((count.step, count.n), []).append(count)
    return {place: _record(journal, number, *place, found) for place, found in counts.items()}


def undoable(count: ChunkCount) -> int:
    """Return how many of some items an undo of their step would undo."""
    if count.state == "undone" or not count.undoable:
        return 0
    # Those that failed were undone when they did.
    return count.undoable - (count.failed if count.state == "done" else 0)


def _record(
    journal: Journal, number: int, step: str, n: int, counts: Sequence[ChunkCount]
) -> ItemsRecord:
    def items(*states: str) -> int:
        return sum(count.items for count in counts if count.state in states)

    failed = sum(count.failed for count in counts if count.state == "done")
    fails = failed or items("failed", "undo_failed")
    found: list[ItemFailure] = []
    for failure in _failures(journal, number, step, n) if fails else ():
        found.append(failure)
        if len(found) == MOST:
            break
    return ItemsRecord(
        done=items("done") - failed,
        failed=failed,
        begun=items("started", "failed"),
        undone=items("undone"),
        left=items("undo_failed"),
        undoable=sum(map(undoable, counts)),
        failures=tuple(found),
    )


def _failures(journal: Journal, number: int, step: str, n: int) -> Iterator[ItemFailure]:
    for row in journal.chunks(number, step, n, contents=False):
        if row.error is not None and row.state in ("failed", "undo_failed"):
            yield ItemFailure(item=row.first, error=row.error)
        elif row.failed and row.state == "done":
            whole = next(journal.chunks(number, step, n, first=row.number))
            for place, error, trace in errors_of_chunk(number, whole):
                yield ItemFailure(item=row.first + place, error=error, traceback=trace or None)
