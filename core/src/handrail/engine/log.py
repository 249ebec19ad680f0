"""The protocol of the record of a durable run, as the engine uses it.

The engine notes each change, and yields `COMMIT` when they have to be durable before it continues.
Storage is up to the implementation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from handrail.frozen import record

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.events import Event
    from handrail.steps import StepResult


class ValuesLeftError(Exception):
    """The answer of `RunLog.done` for a result with values that JSON lacks.

    They have to be stored with `RunLog.store_values` first.
    """


@record
class ResumedLane:
    """How far a lane of a group came in another process.

    Attributes:
        finished: The results of its steps, from the first on.
        doubt: The record of the interrupted attempt of the next one, if there is one.
    """

    finished: list[StepResult]
    doubt: StepResult | None = None


class RunLog(Protocol):
    """The record of one durable run.

    Everything but `commit`, `record`, `seal` and `relies_on` is only noted, until the next
    `commit`; what people look at may be written before, and may be lost if the process is killed.
    """

    @property
    def broken(self) -> BaseException | None:
        """The error of the first write that failed, or None.

        That write may be durable all the same, so what is recorded is unknown from then on: no
        attempt is made or undone by this process.
        """
        ...

    def started(self, position: int, attempt: int) -> None:
        """Note that an attempt of the step at `position` is about to begin."""

    def skipped(self, position: int) -> Exception | None:
        """Note that the step at `position` was skipped, and the current fields of the context.

        Returns:
            The error if the context cannot be stored; then nothing was noted.
        """
        ...

    def done(self, position: int, attempt: int, result: StepResult) -> Exception | None:
        """Note that a step succeeded, and the current fields of the context.

        Returns:
            The error if its result or the context cannot be stored, or `ValuesLeftError`; then
            nothing was noted.
        """
        ...

    def store_values(self, position: int, result: StepResult) -> Sequence[tuple[str, str]]:
        """Store the values of a result that JSON lacks, for the next `done` of this step.

        It may take long. Values that cannot be stored are left out.

        Returns:
            For each value that cannot be stored, a text about it, and what a resume will do.

        Raises:
            ResultDataError: There is no room for a value.
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
        """Note that an attempt failed, with its rollback data and its error.

        The attempt is 0 if none had begun.
        """

    def turned_back(self, *, at_once: bool = False) -> None:
        """Note that the run undoes from now on; `at_once`, since it was claimed."""

    def turned_forward(self) -> None:
        """Note that the run does not undo after all; nothing was undone yet."""

    def undone(self, position: int, attempt: int, error: str | None = None) -> None:
        """Note that an attempt was undone, and its error, if it has a new one."""

    def undo_failed(
        self, position: int, attempt: int, error: str, cause: BaseException | None = None
    ) -> None:
        """Note that an attempt could not be undone, with the traceback of `cause`."""

    def closed(self, outcome: str) -> None:
        """Note how the run ended."""

    def lane(self, context: BaseStepContext, first: int) -> RunLog:
        """Return the record of the lane of a group that begins with the step at `first`.

        Args:
            context: The context of the lane; if the run is resumed, the fields that its steps have
                changed are set in it.
            first: The position.
        """
        ...

    def join(self, lanes: Iterable[RunLog], finished: int, *, ended: bool) -> None:
        """Take over the notes of the lanes of a group that is over.

        Args:
            lanes: The records of the lanes.
            finished: The number of ordinary steps up to the end of the group.
            ended: Whether all lanes have ended well; then the fields of the context are noted too.
        """

    def commit(self, lanes: Iterable[RunLog] = ()) -> None:
        """Make all notes durable, those of these lanes too, in one write.

        Raises:
            LeaseLostError: The run belongs to another process now.
            JournalError: The notes could not be written, as far as is known; every later write
                fails too.
        """

    def record(
        self, position: int, attempt: int, seq: int, key: str, values: Sequence[Any]
    ) -> list[Any]:
        """Write rollback data; durable on return.

        Returns:
            The stored form of the values, which an undo receives.

        Raises:
            RollbackDataError: A value has no JSON form.
            JournalError: The values could not be written.
        """
        ...

    def seal(self, reason: str) -> None:
        """Write that the run can no longer be rolled back; durable on return."""

    def relies_on(self, uids: Iterable[str]) -> None:
        """Write runs on which this run relies, as far as the journal keeps that."""

    # What people look at

    def said(self, position: int, attempt: int, event: Event) -> str:
        """Keep what the step at `position` says; any thread may call this.

        What it attaches is written before the next commit, the rest soon.

        Returns:
            Why it is not kept, or nothing; of what is kept in part, that is told once.
        """
        ...

    def keep(self, step: str, attempt: int, kind: str, name: str, seq: int, text: str) -> str:
        """Keep a text of an observer, in place of one of this kind, name and `seq`.

        Returns:
            Why it is not kept, or nothing.
        """
        ...

    def keep_result(self, entries: Mapping[str, Any]) -> None:
        """Keep what the action returns of a run that has ended; values that JSON lacks are not."""
        ...

    def stored(self, result: StepResult) -> StepResult:
        """Return `result` with its rollback data as an undo in another process would get it."""
        ...
