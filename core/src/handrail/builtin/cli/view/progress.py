"""The progress of a run: what its events say, as lines of steps, lines with times, or JSON."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from handrail import events
from handrail.amounts import plural, seconds, share_of, size
from handrail.builtin.cli.view.amounts import Amounts
from handrail.builtin.cli.view.console import Console, terminal_size
from handrail.builtin.cli.view.run_text import commands_for
from handrail.builtin.cli.view.text import (
    WIDTH,
    columns,
    command_line,
    folded,
    lane_mark,
    lanes_of,
    one_line,
    shorten,
)
from handrail.builtin.records.status import exception, purposes_of
from handrail.derived import EXECUTED
from handrail.events import Event
from handrail.journal import MAY_HAVE_LEFT

if TYPE_CHECKING:
    from handrail import Plan
    from handrail.builtin.cli.execution import Execution
    from handrail.packs import Group

Figure = tuple[int, str]
"""What a text is worth where there is no room for all, and the text."""

_MADE_WELL = (events.StepStarted, events.StepSkipped, events.StepFinished)
_LANES = 8  # Lines of lanes that are drawn at once; of the others, how many they are.
_WIDEST = 40  # Columns that names may take; a longer one is shown in full, out of line.
CTRL_C = {False: "Ctrl-C undoes", True: "Ctrl-C stops and keeps"}
_STYLES = {"-": "dim", "○": "cyan", "✓": "green", "✗": "red", "↶": "yellow"}
_EACH = 30.0  # Seconds between two lines of a log while a step runs.
_STATUS_PAUSE = 5.0  # Seconds between two lines of a log for what a step waits for.


class Outcome:
    """Collects the outcome of a run from its events, for the lines below it.

    Attributes:
        value: The outcome, or None during the run.
        number: The number in its journal, or None without a journal.
        undoes: Whether the undo has begun.
        sealed: Whether it can no longer be rolled back.
        resumable: Whether all that its steps returned is there for a resume.
        not_undone: Steps with effects that its undo did not take back.
    """

    def __init__(self) -> None:
        self.value: str | None = None
        self.number: int | None = None
        self.undoes = False
        self.sealed = False
        self.resumable = True
        self.not_undone: tuple[str, ...] = ()

    def __call__(self, event: Event) -> None:
        """Take one event of the run."""
        if isinstance(event, events.RunStarted):
            self.number = event.number
        elif isinstance(event, events.UndoStarted):
            self.undoes = True
        elif isinstance(event, events.MessageLogged):
            lost = event.name == "result_not_stored" and event.data.get("resumable") is False
            self.resumable = self.resumable and not lost
        elif isinstance(event, events.RunFinished):
            self.value, self.not_undone = event.outcome, event.not_undone

    @property
    def exception(self) -> str:
        """` except a, b`, for the steps that were not undone; empty if all were, or some failed."""
        return exception(self.not_undone) * (self.value == "rolled_back")

    @property
    def ways(self) -> tuple[tuple[str, str], ...]:
        """The commands that can be used on the run now, each with its purpose."""
        if self.number is None:
            return ()
        left = "undoing" if self.undoes else "interrupted"
        outcome = left if self.value in (None, "interrupted") else self.value
        ways = commands_for(self.number, purposes_of(outcome, sealed=self.sealed))
        return ways if self.resumable else tuple(way for way in ways if way[0] != "finish")


class JsonView:
    """Writes one event per line.

    Args:
        write: Takes the JSON object of an event.
    """

    def __init__(self, write: Callable[[Mapping[str, Any]], None]) -> None:
        self._write = write

    def __call__(self, event: Event) -> None:
        """Write `event` with the time, in seconds since the epoch."""
        document = event.to_dict()
        if isinstance(event, events.RunStarted) and event.number is not None:
            document["number"] = event.number
        self._write({"time": round(time.time(), 3), **document})

    def close(self) -> None:
        """Do nothing: every line is complete."""


class Working:
    """A step that is being run or undone.

    Args:
        name: Its name.
        began: When that began.
        event: The event that it began with; None for an undo, which has none.

    Attributes:
        back: Whether it is being undone.
        lane: The number of its lane, from 0; None outside groups, and for an undo.
        timeout: Seconds that it may take, or None.
        amounts: What it has reported of its progress.
        detail: What else is known of its progress.
        status: What it said it waits for or does, while that holds.
        told: The status of which a log has a line.
    """

    def __init__(self, name: str, began: float, event: events.StepStarted | None = None) -> None:
        self.name = name
        self.began = began
        self.back = event is None
        self.lane = None if event is None else event.lane
        self.timeout = None if event is None else event.timeout
        self.amounts = Amounts(began)
        self.detail = ""
        self.status: str | None = None
        self.told: str | None = None

    def figures(self, now: float) -> list[Figure]:
        """Return what is known of its progress; first the percentage, if anything is."""
        if not self.amounts:
            return []
        first, *others = (share_of(*of, unit) for unit, of in self.amounts.units.items())
        figures = [(9, f"{int(self.amounts.share * 100):2d} %"), (7, first)]
        if self.status is None:
            figures += zip((8, 6), _pace(self.amounts, now), strict=False)
            figures += [(3, self.detail)] if self.detail else []
        return [*figures, *((5, other) for other in others)]


class _Part:
    """The run of an action that a step of a chain makes.

    Attributes:
        total: How many steps it has, but for those that always run.
        done: How many of them have ended here.
        began: When the first of them began.
        told: What the last of them said at its end.
    """

    def __init__(self, plan: Plan, began: float) -> None:
        self.total = plan.ordinary
        self.done = 0
        self.began = began
        self.told = ""


class RunView:
    """Turns the events of a run into what is known of it; its views write that.

    Args:
        console: The output.
        execution: The run.
        clock: Returns the time in seconds, of which only differences count.
    """

    _folds = False  # Whether an action of a chain has one line, and not one for each of its steps.

    def __init__(
        self, console: Console, execution: Execution, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._execution = execution
        self._clock = clock
        self._lock, self._lock_of = threading.RLock(), os.getpid()
        self._width = 12
        made = {each.name: each.inner for each in execution.plan.steps if each.inner is not None}
        folds = self._folds and not (execution.undoes or execution.dry)
        # Such steps do nothing which is worth a line, unless they fail.
        self._hidden = {name for name, plan in made.items() if not plan.steps}
        self._plans = {name: plan for name, plan in made.items() if plan.steps and folds}
        self._groups = {group.name: group for group in execution.plan.groups}
        self._group: Group | None = None
        self._waiting: dict[int, str] = {}  # The first step of each lane that has not begun.
        self._parts: dict[str, _Part] = {}
        self._steps: Sequence[str] = ()
        self._began = clock()
        self._ended = 0
        self._percent = 0
        self._working: dict[str, Working] = {}
        self._undone = ""
        self._back = 0
        self._to_undo: tuple[str, ...] = ()
        self._undoing = execution.undoes
        self._warned = False
        self._later = "leaves things behind"
        self._closed = threading.Event()
        self._ticker: threading.Thread | None = None
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
            events.StatusChanged: self._status_changed,
            events.ProgressChanged: self._progress_changed,
            events.MessageLogged: self._message_logged,
            events.MetricsMeasured: self._metrics_measured,
            events.InterruptReceived: self._interrupt_received,
            events.RunFinished: self._run_finished,
        }

    def __call__(self, event: Event) -> None:
        """Show `event`."""
        if isinstance(event, _MADE_WELL) and event.step in self._hidden:
            return
        handler = self._handlers.get(type(event))
        if handler is not None:
            with self._alone():
                handler(event)
                self._refresh()

    def tick(self) -> float:
        """Show how the time goes on; return the seconds until it is to be called again."""
        raise NotImplementedError

    def close(self) -> None:
        """End the view. Calling it twice is harmless."""
        self._closed.set()
        if self._ticker is not None:
            self._ticker.join()

    def _alone(self) -> threading.RLock:
        """Return the lock for events, ticks and what steps write."""
        if self._lock_of != os.getpid():
            # The thread that had it at the fork is not in this process.
            self._lock, self._lock_of = threading.RLock(), os.getpid()
        return self._lock

    def _tick_after(self, wait: float) -> None:
        """Let time be shown from then on, in a thread of its own."""

        def ticks() -> None:
            left = wait
            while not self._closed.wait(left):
                left = self.tick()

        if self._ticker is None:
            # A daemon: a view that was not closed must not keep the process from its end.
            self._ticker = threading.Thread(target=ticks, name="handrail-progress", daemon=True)
            self._ticker.start()

    # To be defined by the views

    def _line(self, text: str) -> None:
        """Write a line."""

    def _heading(self, name: str, text: str) -> None:
        """Write that a group begins."""

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        """Write that a step, or its undo, has ended; `lane` stands before a step of a group."""

    def _refresh(self) -> None:
        """Show what an event has changed of the running step."""

    # Events

    def _run_started(self, event: events.RunStarted) -> None:
        self._steps = event.steps
        self._width = min(max([12, *self._widths()]), _WIDEST)
        number = "" if event.number is None else f"run {event.number} · "
        over = f" · goes on after {event.finished} of {len(self._steps)}" if event.finished else ""
        if self._execution.undoes:
            over = " · undoes what was done"
        if event.number is not None:
            self._later = f"leaves the rest to  {command_line(f'rollback {event.number}')}"
        self._ended = event.finished
        self._began = self._clock()
        self._line(f"{number}{self._execution.head}{over}")

    def _widths(self) -> Iterator[int]:
        """Yield the columns of what stands before the times of steps."""
        yield from map(columns, self._steps)
        for name, plan in self._plans.items():
            yield from (columns(f"{name}.{planned.name}") for planned in plan.steps)
        for group in self._groups.values():
            beside = columns(lane_mark(0, len(group.lanes)))
            yield from (beside + columns(self._steps[place]) for place in group.span)

    def _step_started(self, event: events.StepStarted) -> None:
        if event.step not in self._plans:
            self._lane_of(event)
            self._begin(Working(event.step, self._clock(), event))

    def _lane_of(self, event: events.StepEvent) -> str:
        """Return what stands before the step of an event; write a heading before a new group."""
        group = self._groups.get(event.group or "")
        if group is not self._group:
            self._group, self._waiting = group, {}
            if group is not None:
                self._heading(group.name, lanes_of(len(group.lanes), group.limit))
                # Of a run that goes on within the group nobody knows which lanes have ended.
                if self._ended <= group.span.start:
                    first = (self._steps[lane.start] for lane in group.lanes)
                    self._waiting = dict(enumerate(first))
        if event.lane is not None:
            self._waiting.pop(event.lane, None)
        return self._mark(event.lane)

    def _mark(self, lane: int | None) -> str:
        """Return what stands before a step in a lane of the group that runs."""
        return "" if self._group is None else lane_mark(lane, len(self._group.lanes))

    def _begin(self, working: Working) -> None:
        self._working[working.name] = working
        action = working.name.partition(".")[0]
        if action in self._plans and action not in self._parts:
            self._parts[action] = _Part(self._plans[action], working.began)

    def _step_skipped(self, event: events.StepSkipped) -> None:
        if event.step not in self._plans:
            self._over(self._lane_of(event), "-", event.step, "", "skipped")

    def _step_finished(self, event: events.StepFinished) -> None:
        if event.step in self._plans:
            part = self._parts.get(event.step) or _Part(self._plans[event.step], self._clock())
            told = "  ".join(filter(None, (f"{part.total} of {part.total}", part.told)))
            self._end("", "✓", event.step, seconds(self._clock() - part.began), told)
            return
        lane = self._lane_of(event)
        if "preview" in event.data:
            self._over(lane, "○", event.step, "", "would run")
        else:
            # How many steps a run had that the step has made, is said at the end of the whole.
            data = {name: each for name, each in event.data.items() if name != EXECUTED}
            told = brief(data) if len(data) == len(event.data) or "summary" in data else ""
            self._over(lane, "✓", event.step, seconds(event.took), told)

    def _step_failed(self, event: events.StepFailed) -> None:
        if event.step in self._plans:
            return
        error = "interrupted" if event.error == "KeyboardInterrupt" else event.error
        lane = self._lane_of(event)
        self._waiting.clear()  # No lane starts another step.
        self._over(lane, "✗", event.step, seconds(event.took), self._short(error))

    def _undo_started(self, event: events.UndoStarted) -> None:
        self._undoing, self._to_undo = True, event.steps
        self._next_undo()

    def _next_undo(self) -> None:
        """Begin with the next step to be undone, which no event announces."""
        self._working.clear()
        if self._back < len(self._to_undo):
            self._begin(Working(self._to_undo[self._back], self._clock()))

    def _step_undone(self, event: events.StepUndone) -> None:
        self._over("", "↶", event.step, seconds(event.took), self._undone or "undone")

    def _undo_failed(self, event: events.UndoFailed) -> None:
        unsure = event.error == MAY_HAVE_LEFT
        error = self._short(event.error if unsure else f"undo failed: {event.error}")
        self._over("", "✗", event.step, seconds(event.took), error)

    def _over(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        working = self._working.pop(step, None)
        undoing = self._undoing and (working is None or working.back)
        self._ended += not undoing
        # A step of a run that a step has made is undone before that one, and not in its place.
        undoing = undoing and step in self._to_undo
        self._back += undoing
        self._undone = ""
        part = self._part_of(step)
        if part is None or mark in "✗↶":
            self._end(lane, mark, step, took, text)
        else:
            part.done += 1
            part.told = text if mark == "✓" and text else part.told
        if undoing:
            self._next_undo()

    def _part_of(self, step: str) -> _Part | None:
        """Return the part of a chain that a step belongs to."""
        action, inside, _ = step.partition(".")
        return self._parts.get(action) if inside else None

    def _step_progressed(self, event: events.StepProgressed) -> None:
        working = self._working.get(event.step)
        if working is None:
            return
        now = self._clock()
        working.detail = event.detail
        if working.amounts.report(event.category, event.current, event.total, now):
            working.status = None

    def _status_changed(self, event: events.StatusChanged) -> None:
        working = self._working.get(event.step)
        if working is not None:
            working.status = None if event.status is None else one_line(event.status)

    def _progress_changed(self, event: events.ProgressChanged) -> None:
        self._percent = event.percent

    def _message_logged(self, event: events.MessageLogged) -> None:
        if self._undoing and event.name == "undone":
            self._undone = brief(event.data, limit=6)  # It belongs on the line of the step.
            return
        if self._execution.dry is not None:
            return  # It is shown with the result.
        about = f" ({event.file})" if event.file else ""
        self._said(event, f"{event.name}{about} {brief(event.data, limit=6)}")

    def _metrics_measured(self, event: events.MetricsMeasured) -> None:
        self._said(event, f"{event.category} {brief(event.value, limit=6)}")

    def _said(self, event: events.MessageLogged | events.MetricsMeasured, text: str) -> None:
        """Write what a step has said; beside others, with its lane and its name."""
        lane = "" if self._undoing else self._mark(event.lane)
        self._line(f" {lane}  · {f'{event.step}: ' * bool(lane)}{text}".rstrip())

    def _interrupt_received(self, event: events.InterruptReceived) -> None:
        if event.undoing:
            self._warned = True
            text = f"the undo goes on; Ctrl-C again stops it and {self._later}"
        elif self._undoing and self._warned:
            text = f"stopping the undo, which {self._later}"
        else:
            kept = "what was done is kept" if self._execution.keeps else "undoing what was done"
            text = f"interrupted: {kept}"
        self._line(self._console.style(text, "yellow", err=True))

    def _run_finished(self, _event: events.RunFinished) -> None:
        self._working.clear()

    def _short(self, error: str) -> str:
        """Return as much of an error as its line has room for; all of it is shown below the run."""
        room, _ = terminal_size(self._console.err, WIDTH)
        return shorten(one_line(error), max(room - self._width - 13, 40))


class StepView(RunView):
    """Writes a line for each step that ends, or for each action of a chain."""

    _folds = True

    def _heading(self, name: str, text: str) -> None:
        if self._execution.dry is None:
            self._line(f" ┌ {self._name(name)} {'':>7}  {text}")

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        if self._execution.dry is not None and mark == "○":
            return  # It is shown with the result.
        styled = self._console.style(mark, _STYLES[mark], err=True)
        self._line(f" {lane}{styled} {self._name(step, lane)} {took:>7}  {text}".rstrip())

    def _name(self, step: str, lane: str = "") -> str:
        return step + " " * (self._width - columns(lane + step))

    def _line(self, text: str) -> None:
        for line in folded(text, self._console.err):
            self._console.note(line)


class LogView(RunView):
    """Writes plain lines with the time: when a step begins and ends, and one each 30 seconds."""

    _told = 0.0  # When the last line was written.

    def wall(self) -> str:
        """Return the time of day."""
        return time.strftime("%H:%M:%S")

    def tick(self) -> float:
        """Write what is known of the running step, if nothing was written for a while."""
        with self._alone():
            left = self._told + _EACH - self._clock()
            if left > 0:
                return left
            for working in islice(self._working.values(), _LANES):
                self._line(f"{self._mark(working.lane)}  {working.name}  {self._known(working)}")
            if len(self._working) > _LANES:
                self._line(f"│   … and {len(self._working) - _LANES} more running")
            self._told = self._clock()
            return _EACH

    def _run_started(self, event: events.RunStarted) -> None:
        super()._run_started(event)
        self._tick_after(_EACH)

    def _begin(self, working: Working) -> None:
        super()._begin(working)
        self._line(f"{self._mark(working.lane)}{'◂' if working.back else '▸'} {working.name}")

    def _heading(self, name: str, text: str) -> None:
        self._line(f"┌ {name}  {text}")

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        styled = self._console.style(mark, _STYLES[mark], err=True)
        self._line("  ".join(filter(None, (f"{lane}{styled} {step}", took, text))))

    def _status_changed(self, event: events.StatusChanged) -> None:
        super()._status_changed(event)
        working = self._working.get(event.step)
        if working is None or working.status is None or working.status == working.told:
            return
        # Several workers may retry at once; the line of each 30 seconds tells their last.
        if working.told is None or self._clock() - self._told >= _STATUS_PAUSE:
            self._line(f"{self._mark(working.lane)}  {working.name}  {working.status}")
        working.told = working.status

    def _line(self, text: str) -> None:
        self._told = self._clock()
        self._console.note(f"{self.wall()} {text}")

    def _known(self, working: Working) -> str:
        now = self._clock()
        known = [text for _, text in working.figures(now)]
        if not known:
            return working.status or f"has been running for {seconds(now - working.began)}"
        more = known[1:] if working.status is None else [*known[1:], working.status]
        return f"{known[0].lstrip()}  {' · '.join(more)}"


def _pace(amounts: Amounts, now: float) -> list[str]:
    """Return the time left and the rate, or how long there was no progress."""
    silent, left, rate = amounts.silent(now), amounts.left(now), amounts.rate(now)
    if silent is not None:
        return [f"no progress for {seconds(silent)}"]
    known = [] if left is None else [f"{seconds(left)} left"]
    if rate is None:
        return known
    many = f"{rate:.3g}" if rate < 100 else f"{rate:,.0f}"
    return [*known, f"{size(rate) if amounts.leading == 'bytes' else many}/s"]


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
