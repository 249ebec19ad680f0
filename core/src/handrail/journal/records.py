"""The rows of a journal, and the changes that a commit makes to them.

Every value is text or a number: callers encode steps, contexts and plans, so a journal does not
depend on them. What is only added to is written as the row that is read. Rows of which a long run
has thousands are named tuples, which cost a fraction of a dataclass to create and compare.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from typing import Literal, NamedTuple

from handrail.frozen import frozen

Direction = Literal["forward", "undo"]
Outcome = Literal["completed", "rolled_back", "rollback_incomplete", "failed", "interrupted"]
State = Literal["started", "done", "skipped", "failed", "undone", "undo_failed"]
ChunkState = Literal["started", "done", "failed", "undone", "undo_failed"]


@frozen
class NewRun:
    """A run to add to a journal.

    Attributes:
        uid: Its UUIDv7.
        action: The action's name on the command line, such as `upload` or `flows.py:nightly`.
        plan: The plan, as JSON.
        params: The params, as JSON; for a secret, only the name of its variable.
        packs: The enabled and disabled packs and the reasons, as JSON.
        cwd: The working folder.
        core_version: Version of Handrail.
        opened: Start time in UTC, such as `2026-11-25T03:30:00.000Z`.
        project: The name of the project in its settings, or else the real path of its folder.
        parent: The number of the run of which it is a part; None if it is of its own.
        parent_step: The step of that run that it is made for.
        parent_attempt: The number of the attempt of that step, or of that item of it.
        parent_item: Its place among the parts of that step.
        parent_fence: The fence of the owner of that run. The run is added only while its parent has
            it, is open and goes forward. It is not stored.
    """

    uid: str
    action: str
    plan: str
    params: str
    packs: str
    cwd: str
    core_version: str
    opened: str
    project: str
    parent: int | None = None
    parent_step: str | None = None
    parent_attempt: int | None = None
    parent_item: int | None = None
    parent_fence: int | None = None


@frozen
class RunRow(NewRun):
    """A recorded run. Times are in UTC, in the format of `opened`.

    Attributes:
        number: Its number in the journal: 1, 2, 3, ... Numbers are never reused.
        direction: Whether the run goes forward or is being undone.
        sealed: Why the run can no longer be rolled back, or None.
        outcome: How the run ended, or None if it has not ended.
        fence: A counter raised by each claim; a write with an older value fails.
        owner: The process that claimed it last, as JSON with `pid`, `host`, `user`, `started`.
        closed: When it ended, or None.
        claimed: When its last owner claimed it.
        turned: When its undo began, or None.
        heard: The last sign of life of its owner: a renewal of the lease, or the last row with a
            time; None if nothing is known.
        worked: Seconds that earlier owners spent going forward.
        undid: Seconds that earlier owners spent undoing.
        by_hand: What people undid by hand, as a JSON list; None if nothing was.
        given_up: Whether its owner gave up the run before the end, because it was stopped or could
            no longer write.
        plan: The plan, as JSON; empty if plans were not requested.
        counts: How many attempts, notes and fields it has, as `3 10 2`, if it has ended; None if
            nobody counted.
        damage: How the row is damaged, or None. Of a damaged one only the number is certain; other
            attributes are empty if they cannot be read. Only listings have damaged rows.
        attempts: The attempts of steps, in the order of their first commit. Listings have none of
            these.
        notes: The recorded rollback data, in order.
        fields: The values of context fields, in the order of their boundaries.
    """

    __slots__ = ("__weakref__",)

    number: int
    direction: Direction
    sealed: str | None
    outcome: Outcome | None
    fence: int
    owner: str
    closed: str | None
    claimed: str
    turned: str | None = None
    heard: str | None = None
    worked: float = 0.0
    undid: float = 0.0
    by_hand: str | None = None
    given_up: bool = False
    counts: str | None = None
    damage: str | None = None
    attempts: tuple[AttemptRow, ...] = ()
    notes: tuple[NoteRow, ...] = ()
    fields: tuple[FieldRow, ...] = ()

    def spent(self, until: str) -> tuple[float, float]:
        """Return the seconds that its owners spent going forward, and those spent undoing.

        Time without an owner does not count.

        Args:
            until: When its last owner stopped, or the current time.
        """
        turned = until if self.turned is None else max(self.turned, self.claimed)
        working = seconds_between(self.claimed, min(turned, until))
        return self.worked + working, self.undid + seconds_between(turned, until)


@frozen
class RunPage:
    """Some of the runs of a journal that fit a search.

    Attributes:
        rows: The runs, the latest first, without their plans.
        count: How many runs fit in all, at most `MOST_COUNTED`.
        actions: The names of all actions of which the journal has runs, in order.
        errors: Why steps of these runs failed, in order, by the number of the run; where the
            journal can tell cheaply.
    """

    rows: list[RunRow]
    count: int
    actions: list[str]
    errors: Mapping[int, Sequence[str]] = field(default_factory=dict[int, Sequence[str]])


MOST_COUNTED = 100_000
"""A search counts no further than this, so that it ends soon in any journal."""


def seconds_between(first: str, last: str) -> float:
    """Return the seconds from `first` to `last`, two times of a journal; 0.0 if negative."""
    took = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return max(0.0, took.total_seconds())


UNDO_TRACEBACK = "\x1f\n"
"""What separates why an attempt could not be undone from the traceback, in its `error`."""


class AttemptRow(NamedTuple):
    """One attempt of a step.

    Attributes:
        step: Name of the step.
        n: Number of the attempt: 1, 2, 3, ...
        state: The state of the attempt.
        data_version: The step's `data_version` when the attempt started.
        result: Its StepResult as JSON, or None.
        error: Why the attempt failed or could not be undone, or None; see `message`.
        at: When this state was written, in UTC, in the format of `NewRun.opened`.
        began: When the attempt began, or None if it did not, or that is not recorded.
        ended: When it ended as done, failed or skipped, or its process did before, also if it was
            undone since; None if it did not, or that is not recorded.
    """

    step: str
    n: int
    state: State
    data_version: int
    result: str | None
    error: str | None
    at: str
    began: str | None = None
    ended: str | None = None

    @property
    def message(self) -> str | None:
        """The error, without the traceback of an undo."""
        return None if self.error is None else self.error.partition(UNDO_TRACEBACK)[0]

    @property
    def undo_traceback(self) -> str | None:
        """The traceback of an undo that failed, or None."""
        return None if self.error is None else self.error.partition(UNDO_TRACEBACK)[2] or None


class NoteRow(NamedTuple):
    """Rollback data recorded by an attempt: a batch of values under one key.

    Attributes:
        step: Name of the step.
        n: Number of the attempt.
        seq: Number of the batch within the attempt: 1, 2, 3, ...
        key: The key.
        values: The values, as a JSON list.
    """

    step: str
    n: int
    seq: int
    key: str
    values: str


class FieldRow(NamedTuple):
    """The value of a context field from a boundary on.

    Attributes:
        boundary: The number of steps, without `always_run` ones, that had finished; in a group, a
            number that grows with each step that ends in any lane.
        name: Name of the field.
        value: The value, as JSON.
        step: In a plan with groups, the step that had ended: its lane has this value.
    """

    boundary: int
    name: str
    value: str
    step: str | None = None


class ChunkRow(NamedTuple):
    """Some items of a step, which an executor works on at a time.

    Attributes:
        step: Name of the step.
        n: Number of the attempt of the step.
        number: The number of the chunk in that attempt: 0, 1, 2, ...
        part: The number of the first chunk of the same call of `map_items`: 0 in the first call.
        first: The position of its first item among all items of the step.
        size: How many items it has.
        attempt: The number of the last attempt at it: 1, 2, 3, ...
        state: How that went. `started` may have done anything, or nothing.
        failed: How many items failed in the last attempt that ended.
        digest: A checksum of the items.
        head: What undoes the items of the part in another process, as JSON, in its first chunk.
        items: The items as a JSON list, if they can be undone; None too if they were not read.
        results: What the items returned, as a JSON list; None if that is nothing, or was not read.
            Items that cannot be undone, and not be read again, are in an object with both lists.
        errors: Why items failed, as a JSON list of their positions in the chunk, errors and
            tracebacks; None if none did.
        error: Why the chunk as a whole failed, or could not be undone, or None.
        at: When this state was written, in UTC, in the format of `NewRun.opened`.
        began: When the last attempt at it began, or None if that is not recorded.
    """

    step: str
    n: int
    number: int
    part: int
    first: int
    size: int
    attempt: int
    state: ChunkState
    failed: int
    digest: int
    head: str | None
    items: str | None
    results: str | None
    errors: str | None
    error: str | None
    at: str
    began: str | None = None


class ItemNoteRow(NamedTuple):
    """Rollback data recorded by an item: a batch of values under one key.

    Attributes:
        step: Name of the step.
        n: Number of the attempt of the step.
        number: The number of the chunk.
        attempt: The number of the attempt at the chunk.
        item: The position of the item in the chunk.
        key: The key.
        values: The values, as a JSON list.
    """

    step: str
    n: int
    number: int
    attempt: int
    item: int
    key: str
    values: str


class ChunkCount(NamedTuple):
    """How many chunks and items of an attempt of a step are in one state.

    Attributes:
        step: Name of the step.
        n: Number of the attempt of the step.
        state: The state.
        chunks: How many chunks are in it.
        items: How many items these have.
        failed: How many of the items failed.
        undoable: How many of the items there is a way to undo.
    """

    step: str
    n: int
    state: ChunkState
    chunks: int
    items: int
    failed: int
    undoable: int


KINDS_OF_STEPS = ("attachment", "log", "metric", "progress")
"""The kinds of rows with what steps say, which nobody else writes."""


class KeptRow(NamedTuple):
    """A text beside a run, such as what a step said or showed; only people look at it.

    One that is written takes the place of what is there with the same `seq`. An undo reads none.

    Attributes:
        step: Name of the step; empty if it is about the run as a whole.
        n: Number of the attempt; 0 if it is about none.
        kind: What it is to whoever reads it, such as `log`.
        name: Its name among those of its kind, or empty.
        seq: Its place among those of the same kind and name.
        text: Any text; empty if it was not read.
        at: When it was kept, in UTC, in the format of `NewRun.opened`.
    """

    step: str
    n: int
    kind: str
    name: str
    seq: int
    text: str
    at: str


class AttemptChange(NamedTuple):
    """Write the state of an attempt; in an existing row, values that are None here are kept."""

    step: str
    n: int
    state: State
    data_version: int = 1
    result: str | None = None
    error: str | None = None


class ChunkChange(NamedTuple):
    """Write a chunk, or the state of a known one, in which `head` and `items` stay as they are.

    `failed`, `results` and `errors` are written if the state is `done`, and otherwise stay, too.
    """

    step: str
    n: int
    number: int
    part: int
    first: int
    size: int
    attempt: int
    state: ChunkState
    digest: int
    failed: int = 0
    head: str | None = None
    items: str | None = None
    results: str | None = None
    errors: str | None = None
    error: str | None = None


class RelianceChange(NamedTuple):
    """Add runs, by their UUIDs, on which this run relies; those that are there already stay."""

    uids: tuple[str, ...]


@frozen
class RunChange:
    """Change the run itself; values that are None are kept. An `outcome` closes the run.

    With `at_once`, the owner has undone the run from its claim on, so that none of its time was
    spent going forward.
    """

    direction: Direction | None = None
    at_once: bool = False
    sealed: str | None = None
    outcome: Outcome | None = None
    by_hand: str | None = None


Change = AttemptChange | NoteRow | FieldRow | ChunkChange | ItemNoteRow | RelianceChange | RunChange


@frozen
class Reliance:
    """Which runs rely on what other runs made; those that were rolled back do not count.

    Attributes:
        relies_on: Numbers of the runs in this journal on which the run relies.
        relied_on_by: Numbers of the runs that rely on it.
        uids: UUIDs of all runs on which it relies, those of other journals too.
    """

    relies_on: tuple[int, ...] = ()
    relied_on_by: tuple[int, ...] = ()
    uids: tuple[str, ...] = ()
