"""JournaledLog: translates the progress of a durable run into changes of its journal."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handrail.engine.log import ValuesLeftError
from handrail.errors import (
    ContextError,
    ExecutorLostError,
    HandrailError,
    JournalError,
    LeaseLostError,
    ResultDataError,
    RollbackDataError,
    describe,
)
from handrail.frozen import NOTHING
from handrail.journal.codec import encode, encode_result, entries_of, is_json, items_of, mask_json
from handrail.journal.context_fields import ContextFields
from handrail.journal.records import (
    UNDO_TRACEBACK,
    AttemptChange,
    Change,
    FieldRow,
    NoteRow,
    RelianceChange,
    RunChange,
)
from handrail.redact import Mask, json_has_password

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.engine.log import RunLog
    from handrail.events import Event
    from handrail.journal.kept_rows import KeptRows
    from handrail.journal.protocol import Journal, OwnedRun
    from handrail.journal.values import Serializers
    from handrail.plan.plan import Plan, PlannedStep
    from handrail.steps import StepResult


_LONGEST = 100_000  # Maximum length of a traceback, of which the end is kept.


class JournaledLog:
    """Writes one run to a journal.

    After a failed write every later write fails too, even if a step suppressed the error, so that
    a run never does something that cannot be undone, nor undoes what may be recorded as done.

    Args:
        plan: The plan of the run.
        context: The context of the run.
        fields: Encodes the context's fields.
        stored: The encoded fields that are stored already, as they are for `context`.
        latest: The encoded fields that are stored at the last boundary of all, if a group is not
            over yet; by default, `stored`.
        lanes: For each lane that has begun, by the position of its first step, the encoded fields
            as they are for it.
        boundary: The last stored boundary.
        finished: The number of steps, without `always_run` ones, finished at that boundary.
        undoing: Whether the run is being undone already.
        mask: Removes known secrets from a text for display.
        serializers: The serializers for values that JSON lacks.
    """

    def __init__(
        self,
        plan: Plan,
        context: BaseStepContext,
        fields: ContextFields,
        *,
        stored: Mapping[str, str] | None = None,
        latest: Mapping[str, str] | None = None,
        lanes: Mapping[int, Mapping[str, str]] = NOTHING,
        boundary: int = 0,
        finished: int = 0,
        undoing: bool = False,
        mask: Mask | None = None,
        serializers: Serializers | None = None,
    ) -> None:
        self._plan = plan
        self._steps = plan.steps
        self._context = context
        self._fields = fields
        self._stored = dict(stored or {})
        # Boundaries of an undo come after all others, so the latest one has the latest values.
        self._boundary = max(boundary, len(plan.steps))
        # If the plan has lost steps since, shift boundaries so that new values still come last.
        self._shift = max(0, boundary - finished)
        self._undoing = undoing
        self._mask = mask or Mask()
        self._writes = _Writes(self._mask)
        self._written = _Written(dict(stored or {}) if latest is None else dict(latest), boundary)
        self._lanes = lanes
        self._lane: int | None = None
        self._relied_on: set[str] = set()
        self._began = (-1, 0.0)
        self._pending: list[Change] = []
        self._serializers = serializers
        self._values: tuple[int, Mapping[str, str]] = (-1, NOTHING)

    def write_to(self, owned: OwnedRun, journal: Journal, *, new: bool = False) -> None:
        """Use `owned`, a run of `journal`, for all further writes.

        Args:
            owned: The run.
            journal: The journal.
            new: Whether this process has opened the run.
        """
        self._writes.owned, self._writes.journal, self._writes.new = owned, journal, new

    def first(self) -> list[Change]:
        """Return and clear the pending changes, to be written in the commit that opens the run."""
        pending, self._pending = self._pending, []
        return pending

    def lane(self, context: BaseStepContext, first: int) -> JournaledLog:
        """Return the log of a lane; set the fields of its context that are stored for it.

        It shares what is written, but not what is pending.
        """
        lane = copy(self)
        lane._lane, lane._pending = first, []
        lane._context, lane._stored = context, dict(self._stored)
        stored = self._lanes.get(first)
        if stored is not None:
            assert self._writes.owned is not None
            self._fields.restore(context, dict(stored), self._writes.owned.number)
            lane._stored.update(stored)
        return lane

    def join(self, lanes: Iterable[RunLog], finished: int, *, ended: bool) -> None:
        """Take over the pending changes of lanes; see `RunLog`."""
        for lane in lanes:
            assert isinstance(lane, JournaledLog)
            self._pending += lane.first()
        last = self._written.boundary
        self._shift = max(self._shift, last + 1 - finished)
        self._boundary = max(self._boundary, last)
        self._stored.update(self._written.fields)
        if ended:
            # One lane may have put back a field that another one has changed as well.
            with contextlib.suppress(HandrailError):
                self.context_changed(finished + self._shift, finished - 1)

    def context_changed(self, boundary: int, position: int | None = None) -> None:
        """Add changed context fields to the pending changes.

        Args:
            boundary: The boundary, outside of groups.
            position: The position of the step that has changed them, if it was one.

        Raises:
            ContextError: A field cannot be stored.
        """
        changed = self._fields.encode(self._context, self._stored)
        if not changed:
            return
        for name, text in changed.items():
            if json_has_password(text):
                raise ContextError(
                    f"{type(self._context).__qualname__}.{name} has a URL with a password in it, "
                    "which is never stored",
                    ways_out=("recreate it in each process:  field(metadata={'transient': True})",),
                )
        self._stored.update(changed)
        step = None
        if position is not None and self._plan.groups:
            step = self._steps[position].name
        boundary = self._written.at(None if self._lane is not None else boundary, changed)
        self._pending += [
            FieldRow(boundary, name, mask_json(text, self._mask), step)
            for name, text in changed.items()
        ]

    # Pending changes, written by the next commit

    def started(self, position: int, attempt: int) -> None:
        """Add that an attempt is about to begin."""
        self._began = (position, time.monotonic())
        planned = self._steps[position]
        self._pending.append(
            AttemptChange(planned.name, attempt, "started", planned.step.data_version)
        )

    def skipped(self, position: int) -> Exception | None:
        """Add that a step was skipped, and the context's fields; return the error if that fails."""
        try:
            self.context_changed(position + 1 + self._shift, position)
        except HandrailError as error:
            return error
        self._pending.append(AttemptChange(step=self._steps[position].name, n=1, state="skipped"))
        return None

    def done(self, position: int, attempt: int, result: StepResult) -> Exception | None:
        """Add a step's result and the context's fields; return the error if that fails."""
        planned = self._steps[position]
        of, values = self._values
        stored = values if of == position else NOTHING
        try:
            text = encode_result(
                result, planned.name, self._mask, self._took(position), stored=stored
            )
            if of != position and entries_of(text):
                return ValuesLeftError()
            self.context_changed(position + 1 + self._shift, position)
        except HandrailError as error:
            return error
        self._values = (-1, NOTHING)
        self._pending.append(AttemptChange(planned.name, attempt, "done", 1, text))
        return None

    def store_values(self, position: int, result: StepResult) -> list[tuple[str, str]]:
        """Store the values of a result that JSON lacks, for the next `done`; durable on return.

        Returns:
            For each value that cannot be stored, a text about it, and what a resume will do.

        Raises:
            ResultDataError: There is no room for a value.
        """
        from handrail.journal.values import ValueWriter  # noqa: PLC0415 - few results have any

        planned, told = self._steps[position], list[tuple[str, str]]()
        assert self._writes.owned is not None
        writer = ValueWriter(self._serializers, self._writes.owned, self._mask)
        stored: dict[str, str] = {}
        for key, value in items_of(result.data):
            if is_json(value):
                continue
            try:
                entry = writer.store(f"{planned.name}-{key}", value)
            except OSError as error:
                raise ResultDataError(
                    f"'{key}' of step '{planned.name}' cannot be written: {describe(error)}"
                ) from error
            stored[key] = entry.text
            if entry.kind:
                why = f": {entry.why}" if entry.why else ""
                text = f"'{key}' of step '{planned.name}' is {entry.kind}, which cannot be stored"
                told.append((self._mask(f"{text}{why}"), _without(planned)))
        self._values = (position, stored)
        return told

    def failed(
        self,
        position: int,
        attempt: int,
        result: StepResult,
        error: str,
        cause: BaseException | None = None,
    ) -> None:
        """Add that an attempt failed, with its rollback data and the traceback of `cause`."""
        planned = self._steps[position]
        took, trace = self._took(position), None if cause is None else _traceback(cause)
        if result.error is None:
            result = replace(result, error=error)
        try:
            text = encode_result(result, planned.name, self._mask, took, trace)
        except HandrailError:
            # Recorded values are written already; only the returned ones have no JSON form.
            bare = replace(result, rollback_data={})
            text = encode_result(bare, planned.name, self._mask, took, trace)
        masked = self._mask(error)
        self._pending.append(AttemptChange(planned.name, attempt, "failed", 1, text, masked))

    def turned_back(self, *, at_once: bool = False) -> None:
        """Add that the run is being undone from now on, or since it was claimed."""
        self._undoing = True
        self._pending.append(RunChange(direction="undo", at_once=at_once))

    def turned_forward(self) -> None:
        """Add that the run is not being undone after all."""
        self._undoing = False
        self._pending.append(RunChange(direction="forward"))

    def undone(self, position: int, attempt: int, error: str | None = None) -> None:
        """Add that an attempt was undone, and the context's fields."""
        self._pending.append(
            AttemptChange(step=self._steps[position].name, n=attempt, state="undone", error=error)
        )
        # An undo continues even if it leaves values in the context that cannot be stored.
        with contextlib.suppress(HandrailError):
            if self._undoing:
                self._boundary += 1
                self.context_changed(self._boundary)
            else:
                self.context_changed(position + self._shift, position)

    def undo_failed(
        self, position: int, attempt: int, error: str, cause: BaseException | None = None
    ) -> None:
        """Add that an attempt could not be undone, with the traceback of `cause`."""
        if cause is not None:
            error = f"{error}{UNDO_TRACEBACK}{_traceback(cause)}"
        step, masked = self._steps[position].name, self._mask(error)
        self._pending.append(AttemptChange(step, attempt, "undo_failed", error=masked))

    def closed(self, outcome: Any) -> None:
        """Add the outcome of the run."""
        self._writes.closing = True
        self._pending.append(RunChange(outcome=outcome))

    def _took(self, position: int) -> float | None:
        """Return the seconds since an attempt began, or None if another process began it."""
        began, at = self._began
        return time.monotonic() - at if began == position else None

    # What people look at, written soon

    def said(self, position: int, attempt: int, event: Event) -> str:
        """Keep what a step says; see `RunLog`."""
        return self._writes.kept_rows.said(self._steps[position].name, attempt, event)

    def keep(self, step: str, attempt: int, kind: str, name: str, seq: int, text: str) -> str:
        """Keep a text of an observer; see `RunLog`."""
        return self._writes.kept_rows.keep(step, attempt, kind, name, seq, text)

    def keep_result(self, entries: Mapping[str, Any]) -> None:
        """Keep what the action returns of a run that has ended; see `RunLog`."""
        journal, owned = self.place
        told = {
            str(name): value
            for name, value in entries.items()
            if is_json(value) and len(json.dumps(value)) <= _LONGEST
        }
        text = mask_json(json.dumps(told), self._mask)
        if len(text) <= _LONGEST:
            with contextlib.suppress(HandrailError):  # The run has ended all the same.
                journal.keep_result(owned.number, text)

    # Durable on return

    @property
    def broken(self) -> BaseException | None:
        """The error of the first write that failed; see `RunLog`."""
        return self._writes.broken

    def break_off(self, error: HandrailError) -> None:
        """Let no later write succeed, of its lanes neither: another process has to go on."""
        self._writes.broken = self._writes.broken or error

    def commit(self, lanes: Iterable[RunLog] = ()) -> None:
        """Write the pending changes in one commit, with those of lanes."""
        pending = self.first()
        for lane in lanes:
            assert isinstance(lane, JournaledLog)
            pending += lane.first()
        kept = self._writes.kept
        if kept is not None and (kept.urgent or self._writes.closing):
            kept.flush()
        self._writes.write(pending)

    def record(
        self, position: int, attempt: int, seq: int, key: str, values: Sequence[Any]
    ) -> list[Any]:
        """Write rollback data; concurrent calls of several threads share one commit."""
        name = self._steps[position].name
        if self._mask(key) != key:
            # The rollback looks for this key, so it cannot be masked as the values are.
            raise RollbackDataError(
                f"step '{name}' recorded rollback data under a key with a secret in it",
                ways_out=("record it under another key: secrets are never stored",),
            )
        text = encode(list(values), f"rollback data '{key}' of step '{name}'")
        text = mask_json(text, self._mask)
        self._writes.write([NoteRow(step=name, n=attempt, seq=seq, key=key, values=text)])
        stored: list[Any] = json.loads(text)
        return stored

    def write(self, changes: Sequence[Change]) -> None:
        """Commit changes of its items, apart from those that are pending."""
        self._writes.write(changes)

    @property
    def mask(self) -> Mask:
        """What removes known secrets from a text."""
        return self._mask

    @property
    def place(self) -> tuple[Journal, OwnedRun]:
        """The journal of the run, and the run in it."""
        assert self._writes.journal is not None
        assert self._writes.owned is not None
        return self._writes.journal, self._writes.owned

    def seal(self, reason: str) -> None:
        """Write that the run can no longer be rolled back."""
        self._writes.write([RunChange(sealed=self._mask(reason))])

    def relies_on(self, uids: Iterable[str]) -> None:
        """Write the UUIDs of runs on which this run relies, unless this process has already."""
        new = tuple(uid for uid in dict.fromkeys(uids) if uid not in self._relied_on)
        if new:
            self._writes.write([RelianceChange(new)])
            self._relied_on.update(new)

    def stored(self, result: StepResult) -> StepResult:
        """Return `result` with its rollback data as it is decoded from the journal."""
        try:
            text = encode(result.rollback_data, "rollback data")
        except HandrailError:
            return result
        return replace(result, rollback_data=json.loads(mask_json(text, self._mask)))


class _Written:
    """What all lanes of a run have noted of the fields of their contexts, in order.

    Attributes:
        fields: The latest value of each field, as JSON.
        boundary: The latest boundary.
    """

    def __init__(self, fields: dict[str, str], boundary: int) -> None:
        self.fields = fields
        self.boundary = boundary

    def at(self, boundary: int | None, changed: Mapping[str, str]) -> int:
        """Keep changes; return their boundary, by default the next one."""
        self.fields.update(changed)
        self.boundary = max(self.boundary + 1 if boundary is None else boundary, self.boundary)
        return self.boundary if boundary is None else boundary


class _Writes:
    """Writes the changes of a run, those of its lanes too; after a failed write, none succeeds.

    Attributes:
        owned: The run in its journal.
        journal: The journal.
        new: Whether this process has opened the run.
        closing: Whether the run ends with the next commit.
        kept: What is kept beside it, if anything is.
        broken: The error of the first write that failed.
    """

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self.owned: OwnedRun | None = None
        self.journal: Journal | None = None
        self.new = False
        self.closing = False
        self.kept: KeptRows | None = None
        self._first = threading.Lock()
        self.broken: BaseException | None = None

    @property
    def kept_rows(self) -> KeptRows:
        """What is kept beside it; made when something first is."""
        return self.kept or self._kept_first()

    def _kept_first(self) -> KeptRows:
        # The steps of many runs say nothing.
        from handrail.journal.kept_rows import KeptRows  # noqa: PLC0415

        assert self.journal is not None
        assert self.owned is not None
        made = KeptRows(self.journal, self.owned, self._mask, new=self.new)
        with self._first:  # Two threads may be the first at once.
            self.kept = self.kept or made
            return self.kept

    def write(self, changes: Sequence[Change]) -> None:
        """Commit changes; they are durable when this returns."""
        if isinstance(self.broken, ExecutorLostError):
            raise ExecutorLostError(self.broken.message) from self.broken
        if self.broken is not None:
            # A lost run stays lost: this process must stop working on it.
            lost = isinstance(self.broken, LeaseLostError)
            raise (LeaseLostError if lost else JournalError)(
                f"an earlier write to the journal failed: {self.broken}",
                ways_out=getattr(self.broken, "ways_out", ()),
            ) from self.broken
        if not changes:
            return
        assert self.owned is not None
        try:
            self.owned.write(changes)
        except BaseException as error:
            self.broken = error
            raise


def _traceback(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 - few steps fail

    return "".join(traceback.format_exception(error))[-_LONGEST:]


def _without(planned: PlannedStep) -> str:
    """Return what a resume will do without a value of a step's result."""
    if planned.facts.restorable:
        return "a resumed run leaves it to restore() of the step"
    if not planned.facts.effects:
        return "a resumed run runs the step again for it"
    return "from here on the run can be undone, but not resumed"
