"""The list that a dry run shows as its result: what each step would do, and what it found."""

from __future__ import annotations

from collections.abc import Iterator

from handrail import events
from handrail.builtin.cli.view.progress import brief
from handrail.events import Event

_FIRST = 10  # Lines of a step that are shown, before the number of the others and the last one.
_LAST = 2  # Lines after those that are shown while no others are left out.


class DryRunListing:
    """Collects the lines of a dry run by step.

    Args:
        everything: Whether every line is shown, however many there are; else no other is kept.
    """

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
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
            self._of(event.step).is_previewed = True

    def lines(self) -> Iterator[str]:
        """Yield the list: of each step the first lines, the number of the others, and the last.

        The steps stand in the order of the plan, whichever lane of a group was faster.
        """
        place = {step: number for number, step in enumerate(self._planned)}
        for step in sorted(self._steps, key=lambda each: place.get(each, len(place))):
            told = self._steps[step]
            yield f" {'○' if told.is_previewed else '·'} {step}"
            yield from (f"     {line}" for line in told.first)
            if told.left_out:
                yield f"     ... and {told.left_out:,} more: --all"
            yield from (f"     {line}" for line in told.last)

    def _of(self, step: str) -> _Lines:
        return self._steps.setdefault(step, _Lines())


class _Lines:
    """The lines of a step: the first ones, the number of those that are left out, the last ones.

    Attributes:
        is_previewed: Whether it has told what it would do.
    """

    def __init__(self) -> None:
        self.is_previewed = False
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
