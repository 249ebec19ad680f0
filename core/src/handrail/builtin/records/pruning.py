"""Deletes old runs from a journal, after packs have released what these keep elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from handrail.builtin.records.run_record import origins_of, rollback_data_of
from handrail.errors import HandrailError, PackError, describe
from handrail.frozen import frozen
from handrail.packs import import_target
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail import PrunedRun
    from handrail.journal import Journal
    from handrail.journal.records import RunRow
    from handrail.packs import EntryPoint, PackRecord

KIND = "prune"
"""The kind of the entry points: `handrail.prune`."""


@frozen
class Pruning:
    """The result of pruning a journal.

    Attributes:
        deleted: Numbers of the deleted runs.
        stays: The error of a pack for each run that stays because of it, by number.
        notes: What packs have deleted with a run, by number.
    """

    deleted: list[int]
    notes: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    stays: dict[int, HandrailError] = field(default_factory=dict[int, HandrailError])


def prune(journal: Journal, older_than: timedelta, packs: Iterable[PackRecord]) -> Pruning:
    """Delete runs that ended longer ago than `older_than`, unless a pack objects.

    Args:
        journal: The journal.
        older_than: The age.
        packs: The installed packs. They are imported only if there is a run to delete, and only
            those that take part in pruning.

    Raises:
        JournalError: The journal cannot be written.
    """
    releases = [
        _Release(record, entry)
        for record in packs
        if record.status != "off"
        for entry in record.offered(KIND)
    ]
    whole = {row.number for row in journal.runs()}
    if not releases:
        return Pruning(deleted=_without_parts(journal.prune(older_than), whole))
    stays: dict[int, HandrailError] = {}
    notes: dict[int, list[str]] = {}

    def release(number: int) -> bool:
        try:
            recorded = journal.read(number, fields=False)
            told = [note for each in releases for note in each.release(recorded)]
        except HandrailError as error:
            stays[number] = error
            return False
        if told:
            notes[number] = told
        return True

    deleted = _without_parts(journal.prune(older_than, release), whole)
    return Pruning(deleted=deleted, stays=stays, notes=notes)


def _without_parts(numbers: Iterable[int], whole: Collection[int]) -> list[int]:
    """Return the numbers of runs that are no parts of others."""
    return [number for number in numbers if number in whole]


class _Release:
    """The function of one pack, imported for the first run."""

    def __init__(self, record: PackRecord, entry: EntryPoint) -> None:
        self.record = record
        self._entry = entry
        self._function: Callable[[PrunedRun], object] | None = None
        self._broken: PackError | None = None

    def release(self, recorded: RunRow) -> list[str]:
        """Call the function for a run; return what it says.

        Raises:
            HandrailError: The function raised; or it cannot be imported, and the run has a step of
                its pack.
        """
        if self._function is None and self._broken is None:
            self._import()
        if self._broken is not None:
            if any(each["pack"] == self.record.id for each in origins_of(recorded)):
                raise self._broken
            return []
        said = self._call(_pruned(recorded))
        return [said] if said else []

    def _import(self) -> None:
        if not self.record.is_used:
            record = self.record
            self._broken = PackError(
                f"{record.origin} is {record.status}: {record.why}", problems=record.problems
            )
            return
        try:
            self._function = import_target(self.record, self._entry)
        except PackError as error:
            self._broken = error

    @calls_user_code
    def _call(self, run: PrunedRun) -> str | None:
        function: Any = self._function
        try:
            said = function(run)
        except HandrailError:
            raise
        except Exception as error:
            raise PackError(
                f"{self._entry.value} of {self.record.origin} raised {type(error).__name__}: "
                f"{describe(error)}",
                origin=self.record.origin,
            ) from error
        return said if isinstance(said, str) else None


def _pruned(row: RunRow) -> PrunedRun:
    """Return a run as packs receive it."""
    from handrail import PrunedRun  # noqa: PLC0415 - it needs pluggy

    return PrunedRun(
        uid=row.uid,
        number=row.number,
        action=row.action,
        outcome=row.outcome or "interrupted",
        project=row.project,
        folder=row.cwd,
        rollback_data={step: values for step, values in rollback_data_of(row).items() if values},
    )
