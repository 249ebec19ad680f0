"""The progress of a chain on a terminal: a line for each action, the last of which moves."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from handrail.amounts import seconds
from handrail.cli.view.progress import LiveView
from handrail.cli.view.text import columns

if TYPE_CHECKING:
    from handrail import events
    from handrail.cli.view.console import Console
    from handrail.cli.view.progress import Working
    from handrail.plan.plan import Plan

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
        ordinary = plan.steps[: plan.ordinary]
        self._action_of = {planned.name: planned.action for planned in plan.steps}
        self._own = {planned.name: planned.own_name for planned in plan.steps}
        self._ordinary = [planned.name for planned in ordinary]
        self._total = Counter(planned.action for planned in ordinary)
        self._done: Counter[str] = Counter()
        self._since: dict[str, float] = {}
        self._told: dict[str, str] = {}
        self._room = min(max(map(columns, self._own.values()), default=0), _MOST)
        self._indent = max((columns(each.name) for each in plan.actions), default=0)

    def _run_started(self, event: events.RunStarted) -> None:
        super()._run_started(event)
        self._done.update(self._action_of[name] for name in self._ordinary[: event.finished])

    def _begin(self, step: str, lane: str, *, back: bool, number: int | None = None) -> None:
        super()._begin(step, lane, back=back, number=number)
        self._since.setdefault(self._action_of.get(step, ""), self._clock())

    def _end(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        if mark not in ("✓", "-"):
            super()._end(lane, mark, step, took, text)
            return
        action = self._action_of[step]
        if step not in self._ordinary:
            return  # It closes what has ended.
        self._done[action] += 1
        if mark == "✓" and text:
            self._told[action] = text
        if self._done[action] == self._total[action]:
            mark = self._console.style("✓", "green", err=True)
            count = f"{self._done[action]} of {self._total[action]}"
            lasted = seconds(self._clock() - self._since[action])
            head = f" {self._padded(action)} {mark} {count:{self._room}} {lasted:>7}"
            self._line(f"{head}  {self._told.get(action, '')}".rstrip())

    def _padded(self, action: str) -> str:
        return action + " " * (self._indent - columns(action))

    def _head_of(self, working: Working, lane: str) -> str:
        if lane or working.back or working.name not in self._own:
            return super()._head_of(working, lane)
        own = self._own[working.name]
        name = own + " " * (self._room - columns(own))
        took = seconds(self._clock() - working.began)
        return f" {self._padded(self._action_of[working.name])} ▸ {name} {took:>7}"

    def _overall(self, working: Working) -> list[str]:
        if working.back:
            return super()._overall(working)
        action = self._action_of[working.name]
        done = f"·  {self._done[action]} of {self._total[action]}"
        return [done, *super()._overall(working)[1:]]
