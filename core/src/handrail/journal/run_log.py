"""The log of one durable run: what the engine notes, in the words of a journal."""

from __future__ import annotations

import contextlib
import json
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from handrail.errors import ContextError, HandrailError, JournalError, LeaseLostError
from handrail.journal.codec import encode, encode_result, mask_json
from handrail.journal.records import (
    AttemptChange,
    Change,
    FieldChange,
    NoteChange,
    RunChange,
)
from handrail.params.redact import json_has_password

if TYPE_CHECKING:
    from handrail.context import BaseStepContext
    from handrail.journal.context_fields import ContextFields
    from handrail.journal.protocol import OwnedRun
    from handrail.plan.plan import Plan
    from handrail.steps import StepResult


_LONGEST = 100_000  # Letters of a traceback that are kept; its end says most.


class JournaledLog:
    """Writes one run to a journal.

    The first write that fails is the last: every later one fails too, also when a step has
    swallowed the error, so that nothing is done that could not be undone.

    Args:
        plan: The plan of the run.
        context: Its context.
        fields: How to store the fields of the context.
        stored: What is stored of them already.
        boundary: The last boundary that was stored.
        finished: How many ordinary steps of the plan were over then.
        undoing: Whether the run undoes already.
        mask: Takes the known secrets out of a text for people.
    """

    def __init__(
        self,
        plan: Plan,
        context: BaseStepContext,
        fields: ContextFields,
        *,
        stored: Mapping[str, str] | None = None,
        boundary: int = 0,
        finished: int = 0,
        undoing: bool = False,
        mask: Callable[[str], str] = str,
    ) -> None:
        self._steps = plan.steps
        self._context = context
        self._fields = fields
        self._stored = dict(stored or {})
        # The boundaries of an undo come after all others: the latest one has the latest values.
        self._boundary = max(boundary, len(plan.steps))
        # A plan that lost steps has fewer boundaries than there are; new values still come last.
        self._shift = max(0, boundary - finished)
        self._undoing = undoing
        self._mask = mask
        self._owned: OwnedRun | None = None
        self._began = (-1, 0.0)
        self._noted: list[Change] = []
        self._broken: BaseException | None = None

    def attach(self, owned: OwnedRun) -> None:
        """Write to `owned` from now on."""
        self._owned = owned

    def first(self) -> list[Change]:
        """Take what was noted so far, to be written with the opening of the run."""
        noted, self._noted = self._noted, []
        return noted

    def context_changed(self, boundary: int) -> None:
        """Note what the fields of the context hold.

        Raises:
            ContextError: One of them cannot be stored.
        """
        changed = self._fields.encode(self._context, self._stored)
        if not changed:
            return
        for name, text in changed.items():
            if json_has_password(text):
                raise ContextError(
                    f"{type(self._context).__qualname__}.{name} has a URL with a password in it, "
                    "which is never stored",
                    ways_out=(
                        "make it anew in each process:  field(metadata={'transient': True})",
                    ),
                )
        self._stored.update(changed)
        self._noted += [
            FieldChange(boundary=boundary, name=name, value=mask_json(text, self._mask))
            for name, text in changed.items()
        ]

    # What the engine notes

    def started(self, position: int, attempt: int) -> None:
        """Note that an attempt is about to begin."""
        self._began = (position, time.monotonic())
        planned = self._steps[position]
        self._noted.append(
            AttemptChange(planned.name, attempt, "started", planned.step.data_version)
        )

    def skipped(self, position: int) -> Exception | None:
        """Note that a step had nothing to do, and what the context holds now."""
        try:
            self.context_changed(position + 1 + self._shift)
        except HandrailError as error:
            return error
        self._noted.append(AttemptChange(step=self._steps[position].name, n=1, state="skipped"))
        return None

    def done(self, position: int, attempt: int, result: StepResult) -> Exception | None:
        """Note that a step succeeded, with its result and what the context holds now."""
        planned = self._steps[position]
        try:
            text = encode_result(result, planned.name, self._mask, self._took(position))
            self.context_changed(position + 1 + self._shift)
        except HandrailError as error:
            return error
        self._noted.append(AttemptChange(planned.name, attempt, "done", 1, text))
        return None

    def failed(
        self,
        position: int,
        attempt: int,
        result: StepResult,
        error: str,
        cause: BaseException | None = None,
    ) -> None:
        """Note that an attempt failed, with what its undo needs, and the traceback of `cause`."""
        planned = self._steps[position]
        took, trace = self._took(position), None
        if cause is not None:
            trace = "".join(traceback.format_exception(cause))[-_LONGEST:]
        try:
            text = encode_result(result, planned.name, self._mask, took, trace)
        except HandrailError:
            # What it has recorded is there already; what it returned has no JSON form.
            bare = replace(result, rollback_data={})
            text = encode_result(bare, planned.name, self._mask, took, trace)
        self._noted.append(
            AttemptChange(
                step=planned.name,
                n=attempt,
                state="failed",
                result=text,
                error=self._mask(error),
            )
        )

    def turned_back(self) -> None:
        """Note that the run undoes from now on."""
        self._undoing = True
        self._noted.append(RunChange(direction="undo"))

    def undone(self, position: int, attempt: int) -> None:
        """Note that an attempt was undone, and what the context holds now."""
        self._noted.append(
            AttemptChange(step=self._steps[position].name, n=attempt, state="undone")
        )
        # An undo goes on whatever it leaves in the context.
        with contextlib.suppress(HandrailError):
            if self._undoing:
                self._boundary += 1
            self.context_changed(self._boundary if self._undoing else position + self._shift)

    def undo_failed(self, position: int, attempt: int, error: str) -> None:
        """Note that an attempt could not be undone."""
        self._noted.append(
            AttemptChange(
                step=self._steps[position].name,
                n=attempt,
                state="undo_failed",
                error=self._mask(error),
            )
        )

    def closed(self, outcome: Any) -> None:
        """Note how the run ended."""
        self._noted.append(RunChange(outcome=outcome))

    def _took(self, position: int) -> float | None:
        """Return the seconds since an attempt began, if it began in this process."""
        began, at = self._began
        return time.monotonic() - at if began == position else None

    # What is durable on return

    def commit(self) -> None:
        """Write what was noted, in one commit."""
        noted, self._noted = self._noted, []
        self._write(noted)

    def record(
        self, position: int, attempt: int, seq: int, key: str, values: Sequence[Any]
    ) -> list[Any]:
        """Write rollback data; the owned run writes threads that come together in one commit."""
        name = self._steps[position].name
        text = encode(list(values), f"rollback data '{key}' of step '{name}'")
        text = mask_json(text, self._mask)
        self._write([NoteChange(step=name, n=attempt, seq=seq, key=key, values=text)])
        stored: list[Any] = json.loads(text)
        return stored

    def seal(self, reason: str) -> None:
        """Write that the run can no longer be rolled back."""
        self._write([RunChange(sealed=self._mask(reason))])

    def stored(self, result: StepResult) -> StepResult:
        """Return `result` with its rollback data in the form that is stored."""
        try:
            text = encode(result.rollback_data, "rollback data")
        except HandrailError:
            return result
        return replace(result, rollback_data=json.loads(mask_json(text, self._mask)))

    def _write(self, changes: Sequence[Change]) -> None:
        if self._broken is not None:
            # Whoever lost the run has lost it for good: nothing may be touched any more.
            lost = isinstance(self._broken, LeaseLostError)
            raise (LeaseLostError if lost else JournalError)(
                f"the journal takes nothing any more: {self._broken}",
                ways_out=getattr(self._broken, "ways_out", ()),
            ) from self._broken
        if not changes:
            return
        assert self._owned is not None
        try:
            self._owned.write(changes)
        except BaseException as error:
            self._broken = error
            raise
