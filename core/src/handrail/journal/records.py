"""The rows of a journal, and the changes that one commit makes to them.

Every value is text or a number: what steps, contexts and plans are as text is up to who writes
them, so that a journal needs to know nothing of either. What there are thousands of in a long run
is a named tuple, which costs a fraction of a dataclass to make, and to compare.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

Direction = Literal["forward", "undo"]
Outcome = Literal["completed", "rolled_back", "rollback_incomplete", "failed", "interrupted"]
State = Literal["started", "done", "skipped", "failed", "undone", "undo_failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """A run that is about to begin.

    Attributes:
        uid: Its UUIDv7.
        action: What it is called on the command line, such as `upload` or `flows.py:nightly`.
        plan: The plan, as JSON.
        params: The params, as JSON; secrets by the name of their variable only.
        packs: Which packs were switched on or off, and how, as JSON.
        cwd: The working folder.
        core_version: Version of Handrail.
        opened: When, in UTC, as `2026-11-25T03:30:00.000Z`.
        project: Whose run it is: the name that the settings of the project give it, else the real
            path of its folder.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow(NewRun):
    """A run as it is recorded.

    Attributes:
        number: 1, 2, 3... in its journal; never given twice.
        direction: Whether it goes forward or undoes.
        sealed: Why it cannot be rolled back any more, or None.
        outcome: How it ended, or None while it has not.
        fence: Raised by each claim; who writes with an older one has lost the run.
        owner: Who claimed it last, for people: JSON with `pid`, `host`, `user`, `started`.
        closed: When it ended, or None.
        claimed: When its last owner began to work on it.
        turned: When its undo began, or None.
        heard: When its last owner renewed its lease or gave the run up, or None.
        worked: Seconds that earlier owners worked on it, before its undo.
        undid: Seconds that earlier owners undid it.
        seen: When its owner last gave a sign of life, in UTC; None where it has ended, was given
            up, or the machine has been restarted since.
        given_up: Whether it has not ended, and its owner gave it up: it was told to stop, or could
            not write any more.
        plan: As in `NewRun`; empty where it was not asked for.
    """

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
    seen: str | None = None
    given_up: bool = False

    def spent(self, until: str) -> tuple[float, float]:
        """Return the seconds that its owners worked on it, and those for which they undid it.

        Time in which nobody had it does not count.

        Args:
            until: When its last owner ended, or now.
        """
        turned = until if self.turned is None else max(self.turned, self.claimed)
        working = seconds_between(self.claimed, min(turned, until))
        return self.worked + working, self.undid + seconds_between(turned, until)


def seconds_between(first: str, last: str) -> float:
    """Return the seconds between two times of a journal; 0.0 where they are the wrong way round."""
    took = datetime.fromisoformat(last) - datetime.fromisoformat(first)
    return max(0.0, took.total_seconds())


class AttemptRow(NamedTuple):
    """One attempt of a step.

    Attributes:
        step: Name of the step.
        n: 1, 2, 3...
        state: How far it came.
        data_version: That of the step when it was started.
        result: Its StepResult as JSON, or None.
        error: Why it failed, or could not be undone, or None.
        at: When this state was written, in UTC, like `NewRun.opened`.
    """

    step: str
    n: int
    state: State
    data_version: int
    result: str | None
    error: str | None
    at: str


class NoteRow(NamedTuple):
    """Rollback data that an attempt recorded: one batch of values of one key.

    Attributes:
        step: Name of the step.
        n: The attempt.
        seq: 1, 2, 3... within the attempt.
        key: The key.
        values: A JSON list.
    """

    step: str
    n: int
    seq: int
    key: str
    values: str


class FieldRow(NamedTuple):
    """The value of a field of the context from one boundary on.

    Attributes:
        boundary: How many ordinary steps of the plan were over.
        name: Name of the field.
        value: JSON.
    """

    boundary: int
    name: str
    value: str


class AttemptChange(NamedTuple):
    """Write the state of an attempt; one that has a row already keeps what is None here."""

    step: str
    n: int
    state: State
    data_version: int = 1
    result: str | None = None
    error: str | None = None


class NoteChange(NamedTuple):
    """Add a batch of recorded values."""

    step: str
    n: int
    seq: int
    key: str
    values: str


class FieldChange(NamedTuple):
    """Write the value of a field from a boundary on."""

    boundary: int
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunChange:
    """Change the run itself; what is None stays. An `outcome` closes it."""

    direction: Direction | None = None
    sealed: str | None = None
    outcome: Outcome | None = None


Change = AttemptChange | NoteChange | FieldChange | RunChange


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class RecordedRun:
    """All that is recorded of one run.

    Attributes:
        row: The run itself.
        attempts: In the order of their first commit.
        notes: In the order in which they were recorded.
        fields: In the order of their boundaries.
    """

    row: RunRow
    attempts: tuple[AttemptRow, ...]
    notes: tuple[NoteRow, ...]
    fields: tuple[FieldRow, ...]
