"""The progress of a run: a moving line on a terminal, lines with times in logs, or JSON."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from handrail import events
from handrail.amounts import plural, seconds, share_of, size
from handrail.builtin.cli.view.amounts import Amounts
from handrail.builtin.cli.view.console import Console, terminal_size
from handrail.builtin.cli.view.run_text import commands_for
from handrail.builtin.cli.view.shared_terminal import SharedTerminal
from handrail.builtin.cli.view.text import (
    WIDTH,
    columns,
    command_line,
    cut,
    lane_mark,
    lanes_of,
    one_line,
    shorten,
)
from handrail.builtin.records.status import exception, purposes_of
from handrail.engine.finalize import EXECUTED
from handrail.events import Event
from handrail.rollback_data import MAY_HAVE_LEFT

if TYPE_CHECKING:
    from handrail.plan.plan import Group

    _Part = tuple[int, str]  # What a text is worth where there is no room for all, and the text.
    _StepEvent = events.StepStarted | events.StepSkipped | events.StepFinished | events.StepFailed

_MADE_WELL = (events.StepStarted, events.StepSkipped, events.StepFinished)
_LANES = 8  # Lines of lanes that are drawn at once; of the others, how many they are.
_WIDEST = 40  # Columns that names may take; a longer one is shown in full, out of line.
CTRL_C = {False: "Ctrl-C undoes", True: "Ctrl-C stops and keeps"}
_STYLES = {"-": "dim", "○": "cyan", "✓": "green", "✗": "red", "↶": "yellow"}
_REFRESH = 0.1  # Seconds between two drawings of the moving line for events.
_TICK = 1.0  # Seconds between two drawings without one.
_NARROW = 40  # Columns below which names are not aligned, so that figures have room.
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

    Attributes:
        name: Its name.
        back: Whether it is being undone.
        began: When that began.
        lane: The number of its lane, from 0; None outside groups, and for an undo.
        timeout: Seconds that it may take, or None.
        amounts: What it has reported of its progress.
        detail: What else is known of its progress.
        status: What it said it waits for or does, while that holds.
        told: The status of which a log has a line.
    """

    def __init__(self, name: str, began: float, *, back: bool, lane: int | None) -> None:
        self.name = name
        self.back = back
        self.began = began
        self.lane = lane
        self.timeout: float | None = None
        self.amounts = Amounts(began)
        self.detail = ""
        self.status: str | None = None
        self.told: str | None = None


class _Lanes:
    """The group that is being run.

    Attributes:
        group: The group.
        waiting: The number and the first step of each lane that has not begun, in order.
    """

    def __init__(self, group: Group, steps: Sequence[str], *, goes_on: bool) -> None:
        self.group = group
        # Of a run that goes on within the group nobody knows which lanes have ended.
        first = {number: steps[lane.start] for number, lane in enumerate(group.lanes)}
        self.waiting: dict[int, str] = {} if goes_on else first

    def mark(self, lane: int | None) -> str:
        """Return what stands before a step in a lane."""
        return lane_mark(lane, len(self.group.lanes))


class _RunView:
    """Turns the events of a run into lines on standard error.

    Args:
        console: The output.
        head: The first line, without the number of the run.
        groups: The groups of its plan.
        keeps: Whether finished steps are kept after a failure.
        undoes: Whether the run undoes from the start.
        dry: Whether it is a dry run, whose list of what would be done is its result.
        hidden: Steps that do nothing which is worth a line, unless they fail.
        clock: Returns the time in seconds, of which only differences count.
    """

    def __init__(
        self,
        console: Console,
        head: str,
        *,
        groups: Sequence[Group] = (),
        keeps: bool = False,
        undoes: bool = False,
        dry: bool = False,
        hidden: Collection[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._head = head
        self._keeps = keeps
        self._dry = dry
        self._hidden = hidden
        self._clock = clock
        self._lock = threading.RLock()
        self._process = self._lock_of = os.getpid()
        self._width = 12
        self._groups = {group.name: group for group in groups}
        self._lanes: _Lanes | None = None
        self._steps: Sequence[str] = ()
        self._began = clock()
        self._ended = 0
        self._percent = 0
        self._working: dict[str, Working] = {}
        self._undone = ""
        self._back = 0
        self._to_undo: tuple[str, ...] = ()
        self._undoes = self._undoing = undoes
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
        ticker, self._ticker = self._ticker, None
        if ticker is not None and not self._in_child:
            ticker.join()

    def _alone(self) -> threading.RLock:
        """Return the lock for events, ticks and what steps write."""
        if self._lock_of != os.getpid():
            # The thread that had it at the fork is not in this process.
            self._lock, self._lock_of = threading.RLock(), os.getpid()
        return self._lock

    @property
    def _in_child(self) -> bool:
        """Whether this is a process that a step has forked."""
        return self._process != os.getpid()

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

    # To be defined by the two views

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
        longest = max([12, *map(columns, event.steps), *self._in_lanes(event.steps)])
        self._width = min(longest, _WIDEST)
        number = "" if event.number is None else f"run {event.number} · "
        over = f" · goes on after {event.finished} of {len(self._steps)}" if event.finished else ""
        if self._undoes:
            over = " · undoes what was done"
        if event.number is not None:
            self._later = f"leaves the rest to  {command_line(f'rollback {event.number}')}"
        self._ended = event.finished
        self._began = self._clock()
        self._line(f"{number}{self._head}{over}")

    def _in_lanes(self, steps: Sequence[str]) -> Iterator[int]:
        """Yield the columns of the steps in groups, with their lanes."""
        for group in self._groups.values():
            beside = columns(lane_mark(0, len(group.lanes)))
            yield from (beside + columns(steps[place]) for place in group.span)

    def _step_started(self, event: events.StepStarted) -> None:
        lane = self._lane_of(event)
        self._begin(event.step, lane, back=False, number=event.lane)
        self._working[event.step].timeout = event.timeout

    def _lane_of(self, event: _StepEvent) -> str:
        """Return what stands before the step of an event; write a heading before a new group."""
        group = self._groups.get(event.group or "")
        if group is None:
            self._lanes = None
        elif self._lanes is None or self._lanes.group is not group:
            self._lanes = _Lanes(group, self._steps, goes_on=self._ended > group.span.start)
            self._heading(group.name, lanes_of(len(group.lanes), group.limit))
        if self._lanes is None or event.lane is None:
            return ""
        self._lanes.waiting.pop(event.lane, None)
        return self._lanes.mark(event.lane)

    def _begin(self, step: str, lane: str, *, back: bool, number: int | None = None) -> None:
        self._working[step] = Working(step, self._clock(), back=back, lane=number)

    def _step_skipped(self, event: events.StepSkipped) -> None:
        self._over(self._lane_of(event), "-", event.step, "", "skipped")

    def _step_finished(self, event: events.StepFinished) -> None:
        lane = self._lane_of(event)
        if "preview" in event.data:
            self._over(lane, "○", event.step, "", "would run")
        else:
            # How many steps a run had that the step has made, is said at the end of the whole.
            data = {name: each for name, each in event.data.items() if name != EXECUTED}
            told = brief(data) if len(data) == len(event.data) or "summary" in data else ""
            self._over(lane, "✓", event.step, seconds(event.took), told)

    def _step_failed(self, event: events.StepFailed) -> None:
        error = "interrupted" if event.error == "KeyboardInterrupt" else event.error
        lane = self._lane_of(event)
        if self._lanes is not None:
            self._lanes.waiting.clear()  # No lane starts another step.
        self._over(lane, "✗", event.step, seconds(event.took), self._short(error))

    def _undo_started(self, event: events.UndoStarted) -> None:
        self._undoing, self._to_undo = True, event.steps
        self._next_undo()

    def _next_undo(self) -> None:
        """Begin with the next step to be undone, which no event announces."""
        self._working.clear()
        if self._back < len(self._to_undo):
            self._begin(self._to_undo[self._back], "", back=True)

    def _step_undone(self, event: events.StepUndone) -> None:
        self._over("", "↶", event.step, seconds(event.took), self._undone or "undone")

    def _undo_failed(self, event: events.UndoFailed) -> None:
        unsure = event.error == MAY_HAVE_LEFT
        error = self._short(event.error if unsure else f"undo failed: {event.error}")
        self._over("", "✗", event.step, seconds(event.took), error)

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
        if self._dry:
            return  # It is shown with the result.
        about = f" ({event.file})" if event.file else ""
        self._said(event, f"{event.name}{about} {brief(event.data, limit=6)}")

    def _metrics_measured(self, event: events.MetricsMeasured) -> None:
        self._said(event, f"{event.category} {brief(event.value, limit=6)}")

    def _said(self, event: events.MessageLogged | events.MetricsMeasured, text: str) -> None:
        """Write what a step has said; beside others, with its lane and its name."""
        lane = "" if self._undoing or self._lanes is None else self._lanes.mark(event.lane)
        self._line(f" {lane}  · {f'{event.step}: ' * bool(lane)}{text}".rstrip())

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
        self._working.clear()

    def _over(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        working = self._working.pop(step, None)
        undoing = self._undoing and (working is None or working.back)
        self._ended += not undoing
        # A step of a run that a step has made is undone before that one, and not in its place.
        undoing = undoing and step in self._to_undo
        self._back += undoing
        self._undone = ""
        self._end(lane, mark, step, took, text)
        if undoing:
            self._next_undo()

    def _short(self, error: str) -> str:
        """Return as much of an error as its line has room for; all of it is shown below the run."""
        room, _ = terminal_size(self._console.err, WIDTH)
        return shorten(one_line(error), max(room - self._width - 13, 40))


class LiveView(_RunView):
    """Writes a line for each step that ends; on a terminal, lines below them tell what runs.

    Args:
        moving: Whether there are those; otherwise there are only the others.
    """

    def __init__(self, console: Console, head: str, *, moving: bool, **options: Any) -> None:
        super().__init__(console, head, **options)
        self._moving = moving
        self._drawn = -_REFRESH
        self._terminal = SharedTerminal(console, self._moving_lines, self._alone)

    def close(self) -> None:
        """Wipe the lines that move, and give the terminal back."""
        super().close()
        with self._alone():
            self._terminal.close()

    def tick(self) -> float:
        """Draw the lines that move."""
        with self._alone():
            self._terminal.refresh()
        return _TICK

    def _run_started(self, event: events.RunStarted) -> None:
        super()._run_started(event)
        if self._moving:
            self._terminal.open()
            self._tick_after(_TICK)

    def _heading(self, name: str, text: str) -> None:
        if not self._dry:
            self._line(f" ┌ {self._name(name)} {'':>7}  {text}")

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        if self._dry and mark == "○":
            return  # It is shown with the result.
        styled = self._console.style(mark, _STYLES[mark], err=True)
        self._line(f" {lane}{styled} {self._name(step, lane)} {took:>7}  {text}".rstrip())

    def _name(self, step: str, lane: str = "") -> str:
        return step + " " * (self._width - columns(lane + step))

    def _line(self, text: str) -> None:
        self._terminal.note(text)

    # The lines that move

    def _refresh(self) -> None:
        if self._clock() - self._drawn >= _REFRESH:
            self._drawn = self._clock()
            self._terminal.refresh()

    def _moving_lines(self) -> list[str]:
        if not self._working:
            return []
        wide, high = terminal_size(self._console.err)
        room = wide - 1
        working = list(self._working.values())
        if self._lanes is None or working[0].lane is None:
            lines = [self._moving_line(working[0], room, "", self._overall(working[0]))]
        else:
            most = max(min(_LANES, high - 3), 1)
            lines = self._lines_of_lanes(self._lanes, working, room, most)
        return [cut(line, room) for line in lines]

    def _lines_of_lanes(
        self, lanes: _Lanes, working: Sequence[Working], room: int, most: int
    ) -> list[str]:
        lines = [
            self._moving_line(each, room, lanes.mark(each.lane))
            for each in sorted(working, key=lambda each: each.lane or 0)
        ]
        lines += [
            f" {lanes.mark(lane)}  {self._name(name, lanes.mark(lane))} {'':>7}  waiting"
            for lane, name in islice(lanes.waiting.items(), _LANES)
        ]
        more = len(working) + len(lanes.waiting) - most
        if more > 0:
            lines = [*lines[:most], f" │ … and {more} more running or waiting"]
        return [*lines, self._all_lanes(len(working))]

    def _all_lanes(self, running: int) -> str:
        """Return the line about the whole run below those of lanes."""
        done = f"{self._percent} %  {self._ended} of {len(self._steps)} done, {running} running"
        return f" {' · '.join([done, seconds(self._clock() - self._began), CTRL_C[self._keeps]])}"

    def _moving_line(
        self, working: Working, room: int, lane: str, overall: Sequence[_Part] = ()
    ) -> str:
        line = self._head_of(working, lane, room)
        if working.status is not None:
            line += f"  {shorten(working.status, max(room - columns(line) - 2, 1))}"
        limit = [] if working.timeout is None else [(3, f"(limit {seconds(working.timeout)})")]
        parts = [*self._figures(working), *limit, *overall]
        return line + _fitting(parts, room - columns(line))

    def _head_of(self, working: Working, lane: str, room: int) -> str:
        """Return what a moving line begins with: the step, and how long it has been running."""
        took = seconds(self._clock() - working.began)
        mark = "◂" if working.back else "▸"
        if room < _NARROW:
            return f" {lane}{mark} {shorten(working.name, max(room - 15, 4))} {took}"
        return f" {lane}{mark} {self._name(working.name, lane)} {took:>7}"

    def _overall(self, working: Working) -> list[_Part]:
        """Return the parts about the whole run."""
        if working.back:
            return [(4, f"·  {self._back} of {len(self._to_undo)} undone")]
        done = f"·  {self._percent} %  {self._ended} of {len(self._steps)}"
        return [(4, done), (0, CTRL_C[self._keeps])]

    def _figures(self, working: Working) -> list[_Part]:
        """Return the parts about the running step."""
        amounts, now = working.amounts, self._clock()
        if not amounts:
            return []
        percent = f"{int(amounts.share * 100):2d} %"
        first, *others = (share_of(*of, unit) for unit, of in amounts.units.items())
        more = [(5, other) for other in others]
        if working.status is not None:
            return [(9, percent), (7, first), *more]
        pace = [(worth, each) for worth, each in zip((8, 6), _pace(amounts, now), strict=False)]
        detail = [(3, working.detail)] if working.detail else []
        filled = int(amounts.share * 16)
        bar = "█" * filled + "░" * (16 - filled)
        return [(2, bar), (9, percent), (7, first), *pace, *detail, *more]


def _fitting(parts: Sequence[_Part], room: int) -> str:
    """Return the parts of a line that fit, in their order: half a figure would be a wrong one."""
    kept = list(parts)
    while kept and sum(columns(text) + 2 for _, text in kept) > room:
        kept.remove(min(reversed(kept), key=lambda part: part[0]))
    return "".join(f"  {text}" for _, text in kept)


class LogView(_RunView):
    """Writes plain lines with the time: when a step begins, when it ends, and one each 30 seconds.

    Args:
        wall: Returns the time of day, as `12:00:01`.
    """

    def __init__(
        self,
        console: Console,
        head: str,
        *,
        wall: Callable[[], str] = lambda: time.strftime("%H:%M:%S"),
        **options: Any,
    ) -> None:
        super().__init__(console, head, **options)
        self._wall = wall
        self._told = self._clock()

    def tick(self) -> float:
        """Write what is known of the running step, if nothing was written for a while."""
        with self._alone():
            left = self._told + _EACH - self._clock()
            if left > 0:
                return left
            for working in islice(self._working.values(), _LANES):
                self._line(f"{self._before(working)}  {working.name}  {self._known(working)}")
            if len(self._working) > _LANES:
                self._line(f"│   … and {len(self._working) - _LANES} more running")
            self._told = self._clock()
            return _EACH

    def _run_started(self, event: events.RunStarted) -> None:
        super()._run_started(event)
        self._tick_after(_EACH)

    def _begin(self, step: str, lane: str, *, back: bool, number: int | None = None) -> None:
        super()._begin(step, lane, back=back, number=number)
        self._line(f"{lane}{'◂' if back else '▸'} {step}")

    def _heading(self, name: str, text: str) -> None:
        self._line(f"┌ {name}  {text}")

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        styled = self._console.style(mark, _STYLES[mark], err=True)
        self._line("  ".join(filter(None, (f"{lane}{styled} {step}", took, text))))

    def _before(self, working: Working) -> str:
        return "" if self._lanes is None else self._lanes.mark(working.lane)

    def _status_changed(self, event: events.StatusChanged) -> None:
        super()._status_changed(event)
        working = self._working.get(event.step)
        if working is None or working.status is None or working.status == working.told:
            return
        # Several workers may retry at once; the line of each 30 seconds tells their last.
        if working.told is None or self._clock() - self._told >= _STATUS_PAUSE:
            self._line(f"{self._before(working)}  {working.name}  {working.status}")
        working.told = working.status

    def _line(self, text: str) -> None:
        self._told = self._clock()
        self._console.note(f"{self._wall()} {text}")

    def _known(self, working: Working) -> str:
        amounts, now = working.amounts, self._clock()
        took = seconds(now - working.began)
        if not amounts:
            return working.status or f"has been running for {took}"
        figures = [share_of(*of, unit) for unit, of in amounts.units.items()]
        more = _pace(amounts, now) if working.status is None else [working.status]
        more += [working.detail] if working.detail else []
        return f"{int(amounts.share * 100)} %  {' · '.join([*figures, *more])}"


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
