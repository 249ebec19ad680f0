"""The outcome of a run, with assertions that show all events when they fail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from handrail.errors import StepFailedError, describe
from handrail.events import (
    Event,
    MessageLogged,
    StepFailed,
    StepFinished,
    StepSkipped,
    StepUndone,
    UndoFailed,
)
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from typing import Self

    from handrail import BaseStepContext

E = TypeVar("E", bound=Event)


class Outcome:
    """All that happened when `run_step` or `run_action` ran something.

    The assertions return the outcome, so that they can be chained:
    `outcome.ran("find", "copy").failed_at("check").undid("copy", "find")`. The steps of a group are
    named in the order of the plan, lane by lane, whichever of them was faster; for `undid` in the
    reverse order.

    Attributes:
        steps: The names of the planned steps, in order.
        events: All that happened, in order.
        context: The context of the run; None when it came to none.
        result: The result of the run; empty when it failed.
        error: The error that it raised, or None.
    """

    def __init__(
        self,
        *,
        steps: Sequence[str],
        events: Sequence[Event],
        context: BaseStepContext | None,
        result: Any,
        error: BaseException | None,
    ) -> None:
        self.steps = tuple(steps)
        self.events = tuple(events)
        self.context = context
        self.result: Any = {} if result is None else result
        self.error = error

    @property
    def success(self) -> bool:
        """Whether the run went through."""
        return self.error is None

    @property
    def data(self) -> Mapping[str, Mapping[str, Any]]:
        """The data of each finished step, by the name of the step."""
        return _ByStep({each.step: each.data for each in self._all(StepFinished)}, self.story)

    @property
    def logged(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        """The name and the data of each event that was logged, in order."""
        return tuple((each.name, each.data) for each in self._all(MessageLogged))

    @property
    def story(self) -> str:
        """All that happened to the steps, one line each."""
        return "\n".join(f"  {line}" for line in self._lines()) or "  nothing was run"

    def ran(self, *steps: str) -> Self:
        """Demand that exactly these steps were executed to their end, in this order."""
        __tracebackhide__ = True
        return self._same("to run", steps, self._in_order(StepFinished))

    def skipped(self, *steps: str) -> Self:
        """Demand that exactly these steps were skipped."""
        __tracebackhide__ = True
        return self._same("to be skipped", steps, self._in_order(StepSkipped))

    def undid(self, *steps: str) -> Self:
        """Demand that exactly these steps were undone, in this order; none without names.

        Steps that have no rollback are not among them.
        """
        __tracebackhide__ = True
        return self._same("to be undone", steps, self._in_order(StepUndone))

    def succeeded(self) -> Self:
        """Demand that the run went through."""
        __tracebackhide__ = True
        if self.error is not None:
            raise self._wrong(f"expected it to go through, but: {describe(self.error)}")
        return self

    def failed_at(self, step: str, saying: str = "") -> Self:
        """Demand that it failed at `step`, with an error that contains `saying`."""
        __tracebackhide__ = True
        expected = f"expected it to fail at {step}, but"
        if self.error is None:
            raise self._wrong(f"{expected} it went through")
        if not isinstance(self.error, StepFailedError):
            raise self._wrong(f"{expected} {type(self.error).__name__}: {describe(self.error)}")
        if self.error.step != step:
            raise self._wrong(f"{expected} it failed at {self.error.step}: {self.error.error}")
        if saying not in self.error.error:
            raise self._wrong(f"expected an error with {saying!r}, but it is: {self.error.error}")
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}\n{self.story}>"

    def _all(self, kind: type[E]) -> list[E]:
        return [each for each in self.events if isinstance(each, kind)]

    def _in_order(
        self, kind: type[StepFinished] | type[StepSkipped] | type[StepUndone]
    ) -> list[str]:
        """Return the steps of these events, those of a group as if one lane followed the other."""
        place = {step: number for number, step in enumerate(self.steps)}
        steps: list[str] = []
        for group, alike in groupby(self._all(kind), key=lambda each: each.group):
            names = [each.step for each in alike]
            if group is not None:
                names.sort(key=lambda step: place.get(step, 0), reverse=kind is StepUndone)
            steps += names
        return steps

    def _same(self, what: str, expected: Sequence[str], real: Sequence[str]) -> Self:
        __tracebackhide__ = True
        if list(expected) != list(real):
            hints = [did_you_mean(each, self.steps) for each in expected if each not in self.steps]
            message = f"expected {_listed(expected)} {what}, but it was {_listed(real)}"
            raise self._wrong("; ".join([message, *filter(None, hints)]))
        return self

    def _wrong(self, message: str) -> AssertionError:
        return AssertionError(f"{message}\n{self.story}")

    def _lines(self) -> Iterator[str]:
        for each in self.events:
            match each:
                case StepFinished():
                    said = f"  {dict(each.data)}" if each.data else ""
                    yield f"✓ {each.step}{said}"
                case StepSkipped():
                    yield f"- {each.step}  skipped"
                case StepFailed():
                    yield f"✗ {each.step}  {each.error}"
                case StepUndone():
                    yield f"↶ {each.step}"
                case UndoFailed():
                    yield f"✗ undo of {each.step}  {each.error}"
                case MessageLogged():
                    yield f"  · {each.name} {dict(each.data)}"
                case _:
                    pass
        if self.error is not None and not isinstance(self.error, StepFailedError):
            yield f"{type(self.error).__name__}: {describe(self.error)}"


class _ByStep(dict[str, Mapping[str, Any]]):
    """Data by step; a missing step is an assertion error that shows all events."""

    def __init__(self, data: Mapping[str, Mapping[str, Any]], story: str) -> None:
        super().__init__(data)
        self._story = story

    def __missing__(self, step: str) -> Mapping[str, Any]:
        __tracebackhide__ = True
        hint = did_you_mean(step, self)
        said = f"no step '{step}' has finished{f'; {hint}' if hint else ''}"
        raise AssertionError(f"{said}\n{self._story}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"
