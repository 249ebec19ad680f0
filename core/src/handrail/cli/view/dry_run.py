"""The list that a dry run shows as its result: what each step would do, and what it found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from handrail import events
from handrail.cli.view.progress import brief
from handrail.cli.view.text import columns
from handrail.events import Event

_FIRST = 10  # Lines of a step that are shown, before the number of the others and the last one.
_LAST = 2  # Lines after those that are shown while no others are left out.
_MARKS = {"": "·", "previewed": "○", "done": "✓", "skipped": "-", "failed": "✗"}

_State = Literal["", "previewed", "done", "skipped", "failed"]


class DryRunListing:
    """Collects the lines of a dry run by step.

    Args:
        everything: Whether every line is shown, however many there are; else no other is kept.
        results: Whether the steps that ran are in the list too, with what they returned, and those
            that would be skipped. Otherwise the progress of the run has shown them.
    """

    def __init__(self, *, everything: bool, results: bool = False) -> None:
        self._everything = everything
        self._results = results
        self._steps: dict[str, _Lines] = {}
        self._planned: tuple[str, ...] = ()

    def told(self, step: str, line: str) -> None:
        """Take a line of a step."""
        taken = self._of(step)
        for each in line.splitlines() or [""]:
            taken.add(each, keep=self._everything)

    def __call__(self, event: Event) -> None:
        """Take the steps of the run, a message of a step, or that a step was previewed."""
        if isinstance(event, events.RunStarted):
            self._planned = event.steps
        elif isinstance(event, events.MessageLogged):
            about = f" ({event.file})" if event.file else ""
            self.told(event.step or "", f"{event.name}{about} {brief(event.data, limit=6)}".strip())
        elif isinstance(event, events.StepFinished) and "preview" in event.data:
            self._of(event.step).state = "previewed"
        elif not self._results:
            pass
        elif isinstance(event, events.StepFinished):
            done = self._of(event.step)
            done.state, done.result = "done", event.data
        elif isinstance(event, events.StepSkipped):
            self._of(event.step).state = "skipped"
        elif isinstance(event, events.StepFailed):
            self._of(event.step).state = "failed"

    def lines(self) -> Iterator[str]:
        """Yield the list: of each step the first lines, the number of the others, and the last.

        The steps stand in the order of the plan, whichever lane of a group was faster.
        """
        width = max(map(columns, self._steps), default=0)
        for step, told in self._in_order():
            beside = brief(told.result, limit=6) if told.state == "done" else ""
            if told.state == "skipped":
                beside = "skipped"
            room = " " * (width - columns(step))
            yield f" {_MARKS[told.state]} {step}{room}  {beside}".rstrip()
            yield from (f"     {line}" for line in told.first)
            if told.left_out:
                yield f"     ... and {told.left_out:,} more: --all"
            yield from (f"     {line}" for line in told.last)

    def to_list(self) -> list[dict[str, object]]:
        """Return the JSON form: how each step went that was reached, and its lines."""
        return [told.to_dict(step) for step, told in self._in_order()]

    def _in_order(self) -> list[tuple[str, _Lines]]:
        place = {step: number for number, step in enumerate(self._planned)}
        return sorted(self._steps.items(), key=lambda each: place.get(each[0], len(place)))

    def _of(self, step: str) -> _Lines:
        return self._steps.setdefault(step, _Lines())


class _Lines:
    """The lines of a step: the first ones, the number of those that are left out, the last ones.

    Attributes:
        state: How it went, as far as the list has that.
        result: What it returned, if it ran.
    """

    def __init__(self) -> None:
        self.state: _State = ""
        self.result: Mapping[str, object] = {}
        self.first: list[str] = []
        self.left_out = 0
        self.last: list[str] = []

    def add(self, line: str, *, keep: bool) -> None:
        if keep or len(self.first) < _FIRST:
            self.first.append(line)
            return
        self.last.append(line)
        # The number of others takes the place of two lines at least.
        if len(self.last) > (1 if self.left_out else _LAST):
            self.left_out += len(self.last) - 1
            del self.last[:-1]

    def to_dict(self, step: str) -> dict[str, object]:
        result = {"data": self.result} if self.state == "done" else {}
        return {"step": step, "state": self.state, **result, "lines": [*self.first, *self.last]}
