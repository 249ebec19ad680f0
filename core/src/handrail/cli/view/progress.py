"""The progress of a run: a moving line on a terminal, plain lines elsewhere, or JSON."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from typing import Any

from handrail import events
from handrail.cli.hints import command_line
from handrail.cli.view.console import Console
from handrail.cli.view.run_text import commands_for
from handrail.cli.view.text import (
    WIDTH,
    columns,
    cut,
    one_line,
    plural,
    rate,
    seconds,
    share_of,
    shorten,
)
from handrail.events import Event
from handrail.recovery.status import purposes_of

_WIDEST = 40  # Columns that names may take; a longer one is shown in full, out of line.
_CTRL_C = {False: "Ctrl-C undoes", True: "Ctrl-C stops and keeps"}
_REFRESH = 0.1  # Seconds between two drawings of the moving line.


class Outcome:
    """Collects the outcome of a run from its events, for the lines below it.

    Attributes:
        value: The outcome, or None during the run.
        number: The number in its journal, or None without a journal.
        undoes: Whether the undo has begun.
        sealed: Whether it can no longer be rolled back.
    """

    def __init__(self) -> None:
        self.value: str | None = None
        self.number: int | None = None
        self.undoes = False
        self.sealed = False

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if isinstance(event, events.RunStarted):
            self.number = event.number
        elif isinstance(event, events.UndoStarted):
            self.undoes = True
        elif isinstance(event, events.RunFinished):
            self.value = event.outcome

    @property
    def ways(self) -> tuple[tuple[str, str], ...]:
        """The commands that can be used on the run now, each with its purpose."""
        if self.number is None:
            return ()
        left = "undoing" if self.undoes else "interrupted"
        outcome = left if self.value in (None, "interrupted") else self.value
        return commands_for(self.number, purposes_of(outcome, sealed=self.sealed))


class JsonView:
    """Writes one event per line to standard output."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event) -> None:
        """Write `event` with the time, in seconds since the epoch."""
        self._console.json_line({"time": round(time.time(), 3), **event.to_dict()})

    def close(self) -> None:
        """Do nothing: every line is complete."""


class LineView:
    """Writes a line to standard error for each step that ends; on a terminal one line moves."""

    def __init__(
        self,
        console: Console,
        head: str,
        *,
        moving: bool,
        keeps: bool = False,
        undoes: bool = False,
    ) -> None:
        self._console = console
        self._head = head
        self._moving = moving
        self._keeps = keeps
        self._width = 12
        self._steps = 0
        self._ended = 0
        self._percent = 0
        self._step: str | None = None
        self._began = 0.0
        self._within: dict[str | None, tuple[float, float]] = {}
        self._undone = ""
        self._back = 0
        self._to_undo = 0
        self._goes_back = False
        self._drawn = 0.0
        self._dirty = False
        self._undoes = self._undoing = undoes
        self._warned = False
        self._later = "leaves things behind"
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            events.RunStarted: self._run_started,
            events.StepStarted: self._step_started,
            events.StepSkipped: self._step_skipped,
            events.StepFinished: self._step_finished,
            events.StepFailed: self._step_failed,
            events.UndoStarted: self._undo_started,
            events.StepUndone: self._step_undone,
            events.UndoFailed: self._undo_failed,
            events.StepProgressed: self._step_progressed,
            events.ProgressChanged: self._progress_changed,
            events.MessageLogged: self._message_logged,
            events.MetricsMeasured: self._metrics_measured,
            events.InterruptReceived: self._interrupt_received,
            events.RunFinished: self._run_finished,
        }

    def __call__(self, event: Event) -> None:
        """Show `event`."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
            self._draw()

    def close(self) -> None:
        """Wipe the moving line."""
        if self._dirty:
            self._console.redraw()
            self._dirty = False

    def _run_started(self, event: events.RunStarted) -> None:
        self._steps = len(event.steps)
        self._width = min(max([12, *(columns(name) for name in event.steps)]), _WIDEST)
        number = "" if event.number is None else f"run {event.number} · "
        over = f" · goes on after {event.finished} of {self._steps}" if event.finished else ""
        if self._undoes:
            over = " · undoes what was done"
        if event.number is not None:
            self._later = f"leaves the rest to  {command_line(f'rollback {event.number}')}"
        self._ended = event.finished
        self._console.note(f"{number}{self._head}{over}")

    def _step_started(self, event: events.StepStarted) -> None:
        self._step, self._began, self._within = event.step, time.monotonic(), {}
        self._goes_back = False

    def _step_skipped(self, event: events.StepSkipped) -> None:
        self._end("-", event.step, "", "skipped", "dim")

    def _step_finished(self, event: events.StepFinished) -> None:
        preview = event.data.get("preview")
        if preview is None:
            self._end("✓", event.step, seconds(event.took), brief(event.data), "green")
        else:
            self._end("○", event.step, "", "would run", "cyan")
        if isinstance(preview, list):
            for line in preview:  # pyright: ignore[reportUnknownVariableType]
                self._line(f"     {line}")

    def _step_failed(self, event: events.StepFailed) -> None:
        error = "interrupted" if event.error == "KeyboardInterrupt" else event.error
        self._end("✗", event.step, seconds(event.took), self._short(error), "red")

    def _undo_started(self, event: events.UndoStarted) -> None:
        self._undoing, self._step = True, None
        self._began, self._to_undo = time.monotonic(), len(event.steps)

    def _step_undone(self, event: events.StepUndone) -> None:
        self._end("↶", event.step, seconds(event.took), self._undone or "undone", "yellow")
        self._undone = ""

    def _undo_failed(self, event: events.UndoFailed) -> None:
        self._undone = ""
        error = self._short(f"undo failed: {event.error}")
        self._end("✗", event.step, seconds(event.took), error, "red")

    def _step_progressed(self, event: events.StepProgressed) -> None:
        if self._undoing and self._step is None:
            # The undo of a step is announced by nothing else; it began where the last one ended.
            self._step, self._goes_back = event.step, True
        self._within[event.category] = (event.current, event.total)

    def _progress_changed(self, event: events.ProgressChanged) -> None:
        self._percent = event.percent

    def _message_logged(self, event: events.MessageLogged) -> None:
        if self._undoing and event.name == "undone":
            self._undone = brief(event.data, limit=6)  # It belongs on the line of the step.
            return
        about = f" ({event.file})" if event.file else ""
        self._line(f"   · {event.name}{about} {brief(event.data, limit=6)}".rstrip())

    def _metrics_measured(self, event: events.MetricsMeasured) -> None:
        self._line(f"   · {event.category} {brief(event.value, limit=6)}".rstrip())

    def _interrupt_received(self, event: events.InterruptReceived) -> None:
        if event.undoing:
            self._warned = True
            text = f"the undo goes on; Ctrl-C again stops it and {self._later}"
        elif self._undoing and self._warned:
            text = f"stopping the undo, which {self._later}"
        else:
            kept = "what was done is kept" if self._keeps else "undoing what was done"
            text = f"interrupted: {kept}"
        self._line(self._console.style(text, "yellow", err=True))

    def _run_finished(self, _event: events.RunFinished) -> None:
        self.close()
        self._step = None

    def _end(self, mark: str, step: str, took: str, text: str, style: str) -> None:
        self._ended += not self._undoing
        self._back += self._undoing
        self._step, self._began, self._within = None, time.monotonic(), {}
        mark = self._console.style(mark, style, err=True)
        line = f" {mark} {self._name(step)} {took:>7}  {text}"
        self._line(line.rstrip())

    def _short(self, error: str) -> str:
        """Return as much of an error as its line has room for; all of it is shown below the run."""
        return shorten(one_line(error), max(WIDTH - self._width - 13, 40))

    def _name(self, step: str) -> str:
        return step + " " * (self._width - columns(step))

    def _line(self, text: str) -> None:
        self.close()
        self._console.note(text)

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._moving or self._step is None or now - self._drawn < _REFRESH:
            return
        self._drawn = now
        size = min(WIDTH, shutil.get_terminal_size().columns)
        took = seconds(now - self._began)
        mark = "◂" if self._goes_back else "▸"
        line = f" {mark} {self._name(self._step)} {took:>7}"
        for part in [*self._bar(now), *self._overall()]:  # Half a figure would be a wrong one.
            longer = f"{line}  {part}"
            if columns(longer) > size - 1:
                break
            line = longer
        self._console.redraw(cut(line, size - 1))
        self._dirty = True

    def _overall(self) -> list[str]:
        """Return the parts about the whole run."""
        if self._goes_back:
            return [f"·  {self._back} of {self._to_undo} undone"]
        return [f"·  {self._percent} %  {self._ended} of {self._steps}", _CTRL_C[self._keeps]]

    def _bar(self, now: float) -> list[str]:
        """Return the parts of the progress bar, the most important first."""
        if not self._within:
            return []
        # Bytes show best how far it is; the other units stand beside them.
        leading = "bytes" if "bytes" in self._within else next(reversed(self._within))
        current, total = self._within[leading]
        share = current / total
        filled = int(share * 16)
        took = now - self._began
        left = took / share - took if share > 0 else 0.0
        bar = "█" * filled + "░" * (16 - filled)
        parts = [f"{bar} {int(share * 100):3d} %", share_of(current, total, leading)]
        if share > 0 and took > 1:
            parts.append(f"ETA {seconds(left)}")
            if leading == "bytes":
                parts.append(rate(current, took))
        others = [unit for unit in self._within if unit != leading]
        return [*parts, *(share_of(*self._within[unit], unit) for unit in others)]


def brief(data: Mapping[str, Any], *, limit: int = 3) -> str:
    """Return the plain values of `data` as `key=value`, or its `summary`."""
    summary = data.get("summary")
    if isinstance(summary, str):
        return one_line(summary, limit=200)
    plain = [
        f"{one_line(str(key))}={_short(value)}"
        for key, value in data.items()
        if isinstance(value, str | int | float | bool)
    ]
    more = len(data) - len(plain[:limit])
    tail = f" +{more}" if more and plain else (plural(more, "value") if more else "")
    return " ".join(plain[:limit]) + tail


def _short(value: object) -> str:
    return one_line(f"{value:g}" if isinstance(value, float) else str(value), limit=40)
