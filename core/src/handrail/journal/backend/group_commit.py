"""Group commit: of several threads that write to a run, the first commits for all."""

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
    """Writes the changes of one run; after a failed write, every later write fails.

    Args:
        run: Name of the run in messages, such as `run 12`.
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
            JournalError: The changes could not be written, or an earlier write failed.
        """
        # Before taking the lock: in a forked child it may be locked forever, by a parent's thread.
        if process() != self._process:
            raise JournalError(
                f"{self._run} belongs to the process {self._process}; "
                f"{process()}, which was forked from it, cannot write to it",
                ways_out=("record in the process that runs the workflow",),
            )
        if not self._turn.locked():
            # No other thread is writing; if one gets ahead after all, this becomes a second commit.
            with self._turn:
                self._lead([changes])
                failure = self._failure
        else:
            failure = self._wait(changes)
        if failure is not None:
            # A new error for each thread: they would mix their tracebacks in a shared one.
            raise type(failure)(failure.message, ways_out=failure.ways_out) from failure

    def end(self, failure: JournalError) -> bool:
        """Make every later write fail with `failure`; return whether no write failed before."""
        if process() != self._process:
            return False
        with self._turn:
            succeeded = self._failure is None
            self._failure = self._failure or failure
        return succeeded

    def _wait(self, changes: Sequence[Change]) -> JournalError | None:
        """Commit `changes` together with those of waiting threads, in this thread or in theirs."""
        waiting = _Waiting(changes)
        self._queue.append(waiting)
        with self._turn:
            if not waiting.over:
                batch = [self._queue.popleft() for _ in range(len(self._queue))]
                try:
                    self._lead([each.changes for each in batch])
                finally:
                    for each in batch:
                        each.failure = self._failure
                        each.over = True
        return waiting.failure

    def _lead(self, batch: list[Sequence[Change]]) -> None:
        if self._failure is not None:
            return
        try:
            self._commit(batch)
        except JournalError as error:
            self._failure = error
        except BaseException as error:
            self._failure = JournalError(f"writing to {self._run} was interrupted: {error!r}")
            raise
