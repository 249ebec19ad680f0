"""The record of a durable run, as the engine sees it.

The engine notes what happened, and yields `COMMIT` where that has to be durable before it goes on.
How it is stored is up to the implementation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from handrail.steps import StepResult


class RunLog(Protocol):
    """The record of one durable run.

    Everything but `commit`, `record` and `seal` is only noted, until the next `commit`.
    """

    def started(self, position: int, attempt: int) -> None:
        """Note that an attempt of the step at `position` is about to begin."""

    def skipped(self, position: int) -> Exception | None:
        """Note that the step at `position` had nothing to do, and what the context holds now.

        Returns:
            Why the context cannot be stored, if so; then nothing was noted.
        """
        ...

    def done(self, position: int, attempt: int, result: StepResult) -> Exception | None:
        """Note that a step succeeded, and what the context holds now.

        Returns:
            Why its result or the context cannot be stored, if so; then nothing was noted.
        """
        ...

    def failed(
        self,
        position: int,
        attempt: int,
        result: StepResult,
        error: str,
        cause: BaseException | None = None,
    ) -> None:
        """Note that an attempt failed, with what its undo needs and what it raised.

        The attempt is 0 if none had begun.
        """

    def turned_back(self) -> None:
        """Note that the run undoes from now on."""

    def undone(self, position: int, attempt: int) -> None:
        """Note that an attempt was undone."""

    def undo_failed(self, position: int, attempt: int, error: str) -> None:
        """Note that an attempt could not be undone."""

    def closed(self, outcome: str) -> None:
        """Note how the run ended."""

    def commit(self) -> None:
        """Make durable what was noted, in one write.

        Raises:
            LeaseLostError: The run belongs to another process now.
            JournalError: It could not be written; no later write will succeed either.
        """

    def record(
        self, position: int, attempt: int, seq: int, key: str, values: Sequence[Any]
    ) -> list[Any]:
        """Write rollback data; durable on return.

        Returns:
            The values as they are stored, and as an undo gets them.

        Raises:
            RollbackDataError: A value has no JSON form.
            JournalError: They could not be written.
        """
        ...

    def seal(self, reason: str) -> None:
        """Write that the run can no longer be rolled back; durable on return."""

    def stored(self, result: StepResult) -> StepResult:
        """Return `result` with its rollback data as an undo in another process would get it."""
        ...
