"""The results of the finished steps of a run, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

from handrail.suggest import near

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.steps import StepResult


D = TypeVar("D")


class Results(Mapping[str, "StepResult"]):
    """The results of the finished steps by name, alias or inner name; nothing is kept per step."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def __getitem__(self, name: str) -> StepResult:
        result = self.get(name)
        if result is not None:
            return result
        positions = self._line.run.plan.positions
        if name in positions:
            raise KeyError(f"step '{name}' has not finished yet")
        matches = near(name, positions)
        hint = f"; did you mean {' or '.join(matches)}?" if matches else ""
        raise KeyError(f"no step answers to '{name}'{hint}")

    @overload
    def get(self, key: str, /) -> StepResult | None: ...
    @overload
    def get(self, key: str, /, default: StepResult | D) -> StepResult | D: ...

    # Overridden, as is `in`, because a miss of `[]` looks for near names.
    def get(self, key: str, /, default: Any = None) -> Any:
        """Return the result of the step that answers to `key`, or `default`."""
        position = self._line.run.plan.positions.get(key)
        result = None if position is None else self._line.result_at(position)
        return default if result is None else result

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.get(name) is not None

    def __iter__(self) -> Iterator[str]:
        for position, planned in enumerate(self._line.run.plan.steps):
            if self._line.result_at(position) is not None:
                yield planned.name

    def __len__(self) -> int:
        return len(self._line.finished) + len(self._line.run.closed)
