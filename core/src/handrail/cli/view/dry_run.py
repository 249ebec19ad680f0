"""The list that a dry run shows as its result: what each step would do, and what it found."""

from __future__ import annotations

from collections.abc import Iterator

from handrail import events
from handrail.cli.view.progress import brief
from handrail.events import Event

_FIRST = 10  # Lines of a step that are shown, before the number of the others and the last one.


class DryRunListing:
    """Collects the lines of a dry run by step.

    Args:
        everything: Whether every line is shown, however many there are.
    """

    def __init__(self, *, everything: bool) -> None:
        self._everything = everything
        self._lines: dict[str, list[str]] = {}
        self._previewed: set[str] = set()

    def told(self, step: str, line: str) -> None:
        """Take a line of a step."""
        self._lines.setdefault(step, []).extend(line.splitlines() or [""])

    def __call__(self, event: Event) -> None:
        """Take a message of a step, or that a step was previewed."""
        if isinstance(event, events.MessageLogged):
            about = f" ({event.file})" if event.file else ""
            self.told(event.step or "", f"{event.name}{about} {brief(event.data, limit=6)}".strip())
        elif isinstance(event, events.StepFinished) and "preview" in event.data:
            self._previewed.add(event.step)
            self._lines.setdefault(event.step, [])

    def lines(self) -> Iterator[str]:
        """Yield the list: of each step the first lines, the number of the others, and the last."""
        for step, lines in self._lines.items():
            yield f" {'○' if step in self._previewed else '·'} {step}"
            left_out = 0 if self._everything else len(lines) - _FIRST - 1
            if left_out < 2:
                yield from (f"     {line}" for line in lines)
                continue
            yield from (f"     {line}" for line in lines[:_FIRST])
            yield f"     ... and {left_out:,} more: --all"
            yield f"     {lines[-1]}"
