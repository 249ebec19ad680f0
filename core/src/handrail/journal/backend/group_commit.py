"""Writing to an owned run from several threads: whoever comes first commits for all who wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from handrail.errors import JournalError
from handrail.journal.backend.fork_guard import process

if TYPE_CHECKING:
    from handrail.journal.records import Change

Commit = Callable[[list[Sequence["Change"]]], None]


class _Waiting:
    __slots__ = ("changes", "failure", "over")

    def __init__(self, changes: Sequence[Change]) -> None:
        self.changes = changes
        self.over = False
        self.failure: JournalError | None = None


class Writer:
    """Takes the changes of one run; the first write that fails fails every later one.

    Args:
        run: What the run is called in messages, such as `run 12`.
        commit: Commits batches of changes, all or none, or raises a JournalError.
    """

    def __init__(self, run: str, commit: Commit) -> None:
        self._run = run
        self._commit = commit
        self._process = process()
        self._turn = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._failure: JournalError | None = None

    def write(self, changes: Sequence[Change]) -> None:
        """Commit `changes`; they are durable when this returns.

        Raises:
            JournalError: They could not be written, or something before them could not.
        """
        # Before the lock: a child may have been forked while a thread of its parent held it.
        if process() != self._process:
            raise JournalError(
                f"{self._run} belongs to the process {self._process}; "
                f"{process()}, which was forked from it, cannot write to it",
                ways_out=("record in the process that runs the workflow",),
            )
        if not self._turn.locked():
            # Nobody else writes now; should one come first after all, this is a commit of its own.
            with self._turn:
                self._lead([changes])
                failure = self._failure
        else:
            failure = self._wait(changes)
        if failure is not None:
            # An error of its own for each: threads would mix their tracebacks in one.
            raise type(failure)(failure.message, ways_out=failure.ways_out) from failure

    def end(self, failure: JournalError) -> bool:
        """Fail every later write with `failure`; return whether all was well before."""
        if process() != self._process:
            return False
        with self._turn:
            well = self._failure is None
            self._failure = self._failure or failure
        return well

    def _wait(self, changes: Sequence[Change]) -> JournalError | None:
        """Commit with all who wait by then, or have it done by one of them."""
        mine = _Waiting(changes)
        self._queue.append(mine)
        with self._turn:
            if not mine.over:
                batch = [self._queue.popleft() for _ in range(len(self._queue))]
                try:
                    self._lead([each.changes for each in batch])
                finally:
                    for each in batch:
                        each.failure = self._failure
                        each.over = True
        return mine.failure

    def _lead(self, batch: list[Sequence[Change]]) -> None:
        if self._failure is not None:
            return
        try:
            self._commit(batch)
        except JournalError as error:
            self._failure = error
        except BaseException as error:
            self._failure = JournalError(f"writing to {self._run} was broken off: {error!r}")
            raise
