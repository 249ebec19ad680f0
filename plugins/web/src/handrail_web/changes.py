"""Resuming a run and rolling it back from the page: a preview, a question, and a new process.

The preview is that of `handrail rollback RUN --dry-run`, and what is started is the command line
itself. It is started only if the run is as it was when the preview was made.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from anyio import to_thread

from handrail.cli import number_in
from handrail.errors import HandrailError, NotFoundError, RollbackRefusedError, RunClosedError
from handrail.frozen import frozen
from handrail.journal import Holder, RunRow
from handrail.sqlite import after_orphans
from handrail_report import Content, Markup, element
from handrail_web.pages import View, problem_view

if TYPE_CHECKING:
    from handrail_web.commands import Answer, CommandLine
    from handrail_web.journals import SharedJournal
    from handrail_web.security import Door

Aim = Literal["resume", "rollback"]
AIMS = ("resume", "rollback")
_MOST_LINES = 40  # Of one step.


@frozen
class _Seen:
    """A run as a preview has seen it.

    Attributes:
        row: Its row.
        holder: The process from which it would be taken, as that gives no sign of life; or None.
    """

    row: RunRow
    holder: Holder | None

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
    """Shows what a change would do, and starts it.

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
        try:
            # Looked at first, so that a change during the preview is noticed.
            seen = await to_thread.run_sync(self._look, number)
            if aim == "rollback":
                words = ("rollback", number, "--dry-run", *seen.flags)
                answer = await self._commands.ask(*words, journal=True)
                told = _undo(answer)
            else:
                told = _resume(seen, await to_thread.run_sync(self._would, number))
        except TimeoutError:
            late = NotFoundError("the preview took longer than two minutes")
            return self._refused(f"Run {number} cannot be previewed", late, number, status=504)
        except HandrailError as error:
            return self._refused(f"Run {number} cannot be changed", error, number)
        question = "Undo it?" if aim == "rollback" else "Resume it?"
        verb = "Undo" if aim == "rollback" else "Resume"
        section = element(
            "section",
            element("h1", f"{verb} run {number} of {seen.row.action}?"),
            element("p", note, class_="notice warn", role="alert") if note else None,
            _held(seen.holder),
            told,
            self._form(number, aim, seen, question),
            id="question",
        )
        return View(title=f"{verb} run {number}?", sections={"question": section}, icon="warn")

    async def start(self, number: str, aim: Aim, form: Mapping[str, str]) -> View | None:
        """Start a change; return None, or the page that asks again because the run has changed."""
        fingerprint, proof = form.get("seen", ""), form.get("proof", "")
        expected = self._door.sign("question", aim, number, fingerprint)
        if not hmac.compare_digest(expected.encode(), proof.encode()):
            return await self.preview(number, aim, note="Please confirm what is shown here.")
        try:
            seen = await to_thread.run_sync(self._look, number)
        except HandrailError as error:
            return self._refused(f"Run {number} cannot be changed", error, number)
        working = self._commands.started(number)
        if working is not None and working.code is None:
            return None
        if seen.fingerprint != fingerprint:
            note = "The run has changed since you looked, so nothing was done. Look again."
            return await self.preview(number, aim, note=note)
        words = ("rollback", number, "--yes") if aim == "rollback" else ("resume", number)
        words = (*words, *seen.flags, "--progress=plain")
        await to_thread.run_sync(lambda: self._commands.start(number, *words))
        return None

    def _look(self, text: str) -> _Seen:
        with self._journal.reading() as journal:
            number = number_in(journal, text)
            row = journal.read(number, fields=False)
            if row.outcome == "rolled_back":
                raise RunClosedError(f"run {text} was rolled back; nothing is left to undo")
            holder = None if row.outcome else after_orphans(lambda: journal.holder(number))
        if holder is not None and not holder.stale:
            raise RollbackRefusedError(f"run {text} belongs to {holder.described}")
        return _Seen(row=row, holder=holder)

    def _refused(self, title: str, error: HandrailError, number: str, *, status: int = 409) -> View:
        run = element("a", f"Back to run {number}", href=self._run_at(number))
        # There may be no such run.
        known = not isinstance(error, NotFoundError) or status == 504
        return problem_view(title, error, status=status, back=run if known else None)

    def _run_at(self, number: str) -> str:
        return f"{self._door.path}/runs/{number}"

    def _form(self, number: str, aim: Aim, seen: _Seen, question: str) -> Markup:
        proof = self._door.sign("question", aim, number, seen.fingerprint)
        run = self._run_at(number)
        return element(
            "form",
            element("input", type="hidden", name="seen", value=seen.fingerprint),
            element("input", type="hidden", name="proof", value=proof),
            element("p", question, class_="question"),
            element(
                "p",
                element(
                    "button", "Yes", type="submit", class_="danger" if aim == "rollback" else None
                ),
                element("a", "No", href=run, class_="button"),
                class_="answers",
            ),
            method="post",
            action=f"{run}/{aim}",
        )


def _held(holder: Holder | None) -> Markup | None:
    """Return from whom a run would be taken."""
    if holder is None:
        return None
    silent = "" if holder.silent is None else f" for {holder.silent:.0f} s"
    told = f"It belongs to {holder.described}, which has given no sign of life{silent}: it is "
    taken = "stopped, or stuck. Yes takes the run from it; it can write nothing more of the run."
    return element("p", told, taken, class_="notice warn")


def _undo(answer: Answer) -> Content:
    """Return what an undo would do.

    Raises:
        RollbackRefusedError: It would be refused.
    """
    preview = answer.document("RollbackPreview")
    if preview is None:
        error = answer.error or {}
        message = str(error.get("message") or answer.notes.strip() or "it cannot be previewed")
        raise RollbackRefusedError(message, ways_out=error.get("ways_out", ()))
    steps: Sequence[Mapping[str, Any]] = preview["undo"]
    rows = [
        element(
            "tr",
            element("th", f"↶ {each['step']}", scope="row", class_="name"),
            element("td", element("ul", [element("li", line) for line in _facts(each)])),
        )
        for each in steps
    ]
    table = element(
        "table",
        element("thead", element("tr", [element("th", x, scope="col") for x in ("Step", "Undo")])),
        element("tbody", rows),
        id="undo",
    )
    kept, others = preview["not_undone"], preview["relied_on_by"]
    unsure = preview["may_have_left"]
    listed = ", ".join(map(str, others))
    return [
        element("div", table, class_="scroll", tabindex=0, role="region", aria_label="The undo")
        if rows
        else element("p", "Nothing to undo."),
        element("p", f"Relied on by run {listed}.", class_="notice warn") if others else None,
        element("p", f"Not undone, without a way back: {', '.join(kept)}.") if kept else None,
        element(
            "p",
            f"{', '.join(unsure)} may have left something: interrupted, and without a way back. "
            "The undo will end as incomplete; look, and record what you did with ",
            element("code", "handrail rollback RUN --by-hand STEP --reason TEXT"),
            class_="notice warn",
        )
        if unsure
        else None,
    ]


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


def _resume(seen: _Seen, would: Mapping[str, str]) -> Content:
    """Return what resuming would do.

    Raises:
        RollbackRefusedError: There is nothing to resume.
    """
    row = seen.row
    if row.outcome not in (None, "failed"):
        raise RollbackRefusedError(f"run {row.number} is {row.outcome}; it cannot be resumed")
    if row.direction == "undo":
        return element("p", "It was being undone: its undo is continued to the end.")
    here = "It goes on in its own folder, with its own params and packs; what is done stays done."
    return [
        element("p", f"It {would['finish']}.") if "finish" in would else None,
        element("p", here),
    ]
