"""Stopping, resuming and undoing a run from the page: a preview, a question, and the change.

The preview is that of the command line, and so is what is done. It is done only if the run is as it
was when the preview was made.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from anyio import to_thread

from handrail.cli import number_in, stop_of
from handrail.errors import HandrailError, NotFoundError, RollbackRefusedError, RunClosedError
from handrail.frozen import frozen
from handrail.journal import Holder, RunRow
from handrail.sqlite import after_orphans
from handrail_web.pages import TEMPLATES, View, problem_view

if TYPE_CHECKING:
    from handrail_web.commands import Answer, CommandLine
    from handrail_web.pages import SharedJournal
    from handrail_web.security import Door

Aim = Literal["stop", "resume", "rollback"]
AIMS: Mapping[str, str] = {"stop": "Stop", "resume": "Resume", "rollback": "Undo"}
_MOST_LINES = 40  # Of one step.


@frozen
class _Seen:
    """A run as a preview has seen it.

    Attributes:
        row: Its row.
        holder: The process from which it would be taken, as that gives no sign of life; or None.
    """

    row: RunRow
    holder: Holder | None = None

    @property
    def fingerprint(self) -> str:
        """A text that is another one when the run is."""
        row = self.row
        return f"{row.uid}.{row.fence}.{row.outcome}.{row.direction}.{bool(row.sealed)}"

    @property
    def flags(self) -> tuple[str, ...]:
        """What the command line needs to be told besides the number."""
        return () if self.holder is None else ("--take-over",)


class Changes:
    """Shows what a change would do, and does it.

    Args:
        journal: The journal.
        commands: The command line.
        door: What signs questions.
        would: Returns what each way to go on with a run would do.
    """

    def __init__(
        self,
        journal: SharedJournal,
        commands: CommandLine,
        door: Door,
        would: Callable[[str], Mapping[str, str]],
    ) -> None:
        self._journal = journal
        self._commands = commands
        self._door = door
        self._would = would

    async def preview(self, number: str, aim: Aim, *, note: str = "") -> View:
        """Return the page that asks.

        Args:
            number: The number of the run.
            aim: What is to be done.
            note: What to say first.
        """
        told: dict[str, Any] = dict.fromkeys(("stop", "undo", "undone", "finish"))
        try:
            # Looked at first, so that a change during the preview is noticed.
            seen = await to_thread.run_sync(self._look, number, aim)
            if aim == "stop":
                told["stop"] = await to_thread.run_sync(self._stop, number)
            elif aim == "rollback":
                words = ("rollback", number, "--dry-run", *seen.flags)
                told["undo"] = _undo(await self._commands.ask(*words, journal=True))
                told["undone"] = [(step["step"], _facts(step)) for step in told["undo"]["undo"]]
            else:
                would = await to_thread.run_sync(self._would, number)
                told["finish"] = would.get("finish")
        except TimeoutError:
            late = HandrailError("the preview took longer than two minutes")
            return self._refused(number, late, status=504)
        except HandrailError as error:
            return self._refused(number, error)
        sections = TEMPLATES.sections(
            "question.html",
            **told,
            verb=AIMS[aim],
            number=number,
            aim=aim,
            row=seen.row,
            holder=seen.holder,
            note=note,
            run_at=self._run_at(number),
            seen=seen.fingerprint,
            proof=self._proof(number, aim, seen.fingerprint),
        )
        return View(title=f"{AIMS[aim]} run {number}?", sections=sections, icon="warn")

    async def start(self, number: str, aim: Aim, form: Mapping[str, str]) -> View | str:
        """Do what was asked for.

        Returns:
            The address to go on at; or the page that asks again because the run has changed.
        """
        fingerprint, proof = form.get("seen", ""), form.get("proof", "")
        expected = self._proof(number, aim, fingerprint)
        if not hmac.compare_digest(expected.encode(), proof.encode()):
            return await self.preview(number, aim, note="Please confirm what is shown here.")
        try:
            seen = await to_thread.run_sync(self._look, number, aim)
            working = self._commands.started(number)
            if aim != "stop" and working is not None and working.code is None:
                return self._run_at(number)
            if seen.fingerprint != fingerprint:
                note = "The run has changed since you looked, so nothing was done. Look again."
                return await self.preview(number, aim, note=note)
            if aim == "stop":
                await to_thread.run_sync(lambda: self._stop(number, carry_out=True))
                return f"{self._run_at(number)}?asked=1"
        except HandrailError as error:
            return self._refused(number, error)
        words = ("rollback", number, "--yes") if aim == "rollback" else ("resume", number)
        words = (*words, *seen.flags, "--progress=plain")
        await to_thread.run_sync(lambda: self._commands.start(number, *words))
        return self._run_at(number)

    def _look(self, text: str, aim: Aim) -> _Seen:
        with self._journal.reading() as journal:
            number = number_in(journal, text)
            row = journal.read(number, fields=False)
            if aim == "stop":
                return _Seen(row=row)
            if row.outcome == "rolled_back":
                raise RunClosedError(f"run {text} was rolled back; nothing is left to undo")
            if aim == "resume" and row.outcome not in (None, "failed"):
                raise RollbackRefusedError(f"run {text} is {row.outcome}; it cannot be resumed")
            holder = None if row.outcome else after_orphans(lambda: journal.holder(number))
        if holder is not None and not holder.stale:
            raise RollbackRefusedError(f"run {text} belongs to {holder.described}")
        return _Seen(row=row, holder=holder)

    def _stop(self, text: str, *, carry_out: bool = False) -> object:
        """Return what stopping a run does; and do it, if that is asked for."""
        with self._journal.reading() as journal:
            stop = stop_of(journal, number_in(journal, text))
            if carry_out:
                stop.carry_out(journal)
            return stop

    def _refused(self, number: str, error: HandrailError, *, status: int = 409) -> View:
        # There may be no such run.
        back = None if isinstance(error, NotFoundError) else self._run_at(number)
        return problem_view(f"Run {number} cannot be changed", error, status=status, back=back)

    def _proof(self, number: str, aim: Aim, fingerprint: str) -> str:
        return self._door.sign("question", aim, number, fingerprint)

    def _run_at(self, number: str) -> str:
        return f"{self._door.path}/runs/{number}"


def _undo(answer: Answer) -> Mapping[str, Any]:
    """Return what an undo would do.

    Raises:
        RollbackRefusedError: It would be refused.
    """
    preview = answer.document("RollbackPreview")
    if preview is None:
        error = answer.error or {}
        message = str(error.get("message") or answer.notes.strip() or "it cannot be previewed")
        raise RollbackRefusedError(message, ways_out=error.get("ways_out", ()))
    return preview


def _facts(undo: Mapping[str, Any]) -> Sequence[str]:
    facts: list[str] = []
    if undo.get("items"):
        facts.append(f"{undo['items']:,} items, the last one first")
    if undo["lines"] is not None:
        facts += undo["lines"]
    elif undo["recorded"]:
        counted = ", ".join(f"{key}: {count:,}" for key, count in undo["recorded"].items())
        facts.append(f"undone from what it recorded ({counted})")
    elif not facts:
        facts.append("undone; it recorded nothing")
    more = len(facts) - _MOST_LINES
    if more > 1:
        facts = [*facts[:_MOST_LINES], f"... and {more:,} more lines"]
    return facts or ["nothing to do"]
