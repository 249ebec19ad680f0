"""The progress of a chain on a terminal: a line for each action, the last of which moves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from handrail.amounts import seconds
from handrail.builtin.cli.view.progress import CTRL_C, LiveView
from handrail.builtin.cli.view.text import columns

if TYPE_CHECKING:
    from handrail import Plan, events
    from handrail.builtin.cli.view.console import Console
    from handrail.builtin.cli.view.progress import Working

_MOST = 24  # Columns of the name of a step; what follows a longer one is moved.


class ChainView(LiveView):
    """Writes a line for each action that ends, and for each step that fails or is undone.

    Args:
        console: The output.
        head: The first line, without the number of the run.
        plan: The plan.
        options: See `LiveView`.
    """

    def __init__(self, console: Console, head: str, plan: Plan, **options: Any) -> None:
        super().__init__(console, head, **options)
        self._total = {
            planned.name: planned.inner.ordinary
            for planned in plan.steps
            if planned.inner is not None
        }
        names = [each.name for inner in plan.inner for each in inner.steps]
        self._done: Counter[str] = Counter()
        self._ended_runs: set[str] = set()
        self._since: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._room = min(max(map(columns, names), default=0), _MOST)
        self._indent = max(map(columns, self._total), default=0)

    def _step_started(self, event: events.StepStarted) -> None:
        if event.step not in self._total:
            super()._step_started(event)

    def _step_finished(self, event: events.StepFinished) -> None:
        total = self._total.get(event.step)
        if total is None:
            super()._step_finished(event)
        else:
            mark = self._console.style("✓", "green", err=True)
            head = f" {self._padded(event.step)} {mark} {f'{total} of {total}':{self._room}}"
            took = seconds(self._clock() - self._since.get(event.step, self._clock()))
            self._line(f"{head} {took:>7}  {self._told.get(event.step, '')}".rstrip())
            self._ended_runs.add(event.step)

    def _step_skipped(self, event: events.StepSkipped) -> None:
        if event.step not in self._total:
            super()._step_skipped(event)

    def _step_failed(self, event: events.StepFailed) -> None:
        if event.step not in self._total:
            super()._step_failed(event)

    def _begin(self, step: str, lane: str, *, back: bool, number: int | None = None) -> None:
        super()._begin(step, lane, back=back, number=number)
        self._since.setdefault(self._action_of(step), self._clock())

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        if mark not in ("✓", "-"):
            super()._end(lane, mark, step, took, text)
            return
        action = self._action_of(step)
        if not action:
            super()._end(lane, mark, step, took, text)
            return
        if action not in self._ended_runs:  # Otherwise the step closes what has ended.
            self._done[action] += 1
            if mark == "✓" and text:
                self._told[action] = text

    def _action_of(self, step: str) -> str:
        """Return the step that makes the run of which a step is, or an empty text."""
        action = step.partition(".")[0]
        return action if action in self._total and action != step else ""

    def _padded(self, action: str) -> str:
        return action + " " * (self._indent - columns(action))

    def _head_of(self, working: Working, lane: str, room: int) -> str:
        action = self._action_of(working.name)
        if lane or working.back or not action:
            return super()._head_of(working, lane, room)
        own = working.name.removeprefix(f"{action}.")
        name = own + " " * (self._room - columns(own))
        took = seconds(self._clock() - working.began)
        return f" {self._padded(action)} ▸ {name} {took:>7}"

    def _overall(self, working: Working) -> list[tuple[int, str]]:
        action = self._action_of(working.name)
        if working.back or not action:
            return super()._overall(working)
        done = f"·  {self._done[action]} of {self._total[action]}"
        return [(4, done), (0, CTRL_C[self._keeps])]
