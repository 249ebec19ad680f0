"""The actions of a chain in one run: where each begins, and the context that its steps share."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, cast

from handrail.engine.attempt import end_event
from handrail.engine.commands import Call, NotRun, Raised, Within
from handrail.engine.line import Results
from handrail.engine.outcome import Failure, settle
from handrail.errors import ContextError, describe
from handrail.frozen import replace
from handrail.plan.joined import qualified

if TYPE_CHECKING:
    from handrail.context import BaseStepContext, RunLink
    from handrail.engine.line import Line
    from handrail.plan.plan import PlannedAction
    from handrail.runtime import RunInfo
    from handrail.steps import StepResult


class ChainedAction:
    """One action of a chain in a run, to which its context is tied.

    For its steps all is as if the action ran alone; what is not said here is that of the line.

    Attributes:
        planned: The action.
        context: The context of its steps, once it has begun.
        results: The results of its steps by their own names.
    """

    def __init__(self, planned: PlannedAction, line: Line) -> None:
        self.planned = planned
        self.context: BaseStepContext | None = None
        self.results: Mapping[str, StepResult] = Results(line, planned.name)
        self._line = line
        self._uid: str | None = None

    @property
    def run_id(self) -> str:
        """A UUID of the action in this run, the same in every process that continues the run."""
        if self._uid is None:
            self._uid = uid_of(self._line.run_id, self.planned.name)
        return self._uid

    @property
    def run_info(self) -> RunInfo:
        """The number, journal, machine and so on, for others."""
        return replace(self._line.run_info, uid=self.run_id, action=self.planned.plan.action)

    @property
    def idempotency_key(self) -> str | None:
        """`run/step`, stable for all attempts of a step in this run."""
        planned = self._line.running()
        return None if planned is None else f"{self.run_id}/{planned.own_name}"

    def needs(self, step: str) -> None:
        """Raise StepNeededError if `step` was left out of the run."""
        self._line.needs(qualified(self.planned.name, step))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


def uid_of(run: str, action: str) -> str:
    """Return the UUID of an action of a chain, for a run of the chain."""
    import uuid  # noqa: PLC0415 - only chains need it

    return str(uuid.uuid5(uuid.UUID(run), action))


class Chain:
    """The actions of a chain in a run.

    Its context as a whole is that of the line between two actions, and makes theirs.

    Args:
        line: The line of the run.

    Attributes:
        actions: The actions by name, in order.
        begins: The actions that begin before the step at a position.

    Raises:
        ContextError: The context cannot make those of the actions.
    """

    def __init__(self, line: Line) -> None:
        plan = line.run.plan
        root: Any = line.context
        if not hasattr(root, "begin"):
            raise ContextError(
                f"{plan.action} is a chain, and {type(root).__qualname__} is not its context",
                ways_out=("run it with its action:  action.run_plan(plan)",),
            )
        self.actions = {each.name: ChainedAction(each, line) for each in plan.actions}
        self.begins: dict[int, list[ChainedAction]] = {}
        self._line = line
        self._root = root
        self._at = [self.actions[planned.action] for planned in plan.steps]
        position = 0
        for action in self.actions.values():
            if action in self._at:  # All its steps may be left out.
                self.begins.setdefault(position, []).append(action)
            position += self._at[: plan.ordinary].count(action)

    def arrive(self, position: int) -> Generator[Any, Any, Failure | None]:
        """Begin the actions that are due before the step at `position`, and go to that step's."""
        for action in self.begins.get(position, ()):
            if action.context is None:
                failure = yield from self._begin(action, position)
                if failure is not None:
                    return failure
        if position < len(self._at):
            yield from self.go_to(position)
        return None

    def go_to(self, position: int) -> Generator[Any, Any, None]:
        """Go to the context of the step at `position`, if its action has begun."""
        context = self._at[position].context
        if context is not None:
            yield from self._within(context)

    def be_at(self, position: int) -> None:
        """Go to the context of the step at `position` before a driver moves the line."""
        for _ in self.go_to(position):
            pass

    def leave(self) -> Generator[Any, Any, None]:
        """Go to the context of the chain as a whole."""
        yield from self._within(self._root)

    def link(self, line: Line, position: int) -> RunLink:
        """Return what ties the context of a lane that begins at `position` to its action."""
        # What it lacks is that of the line.
        return cast("RunLink", ChainedAction(self._at[position].planned, line))

    def recall(self, action: ChainedAction, context: BaseStepContext) -> None:
        """Take the context of an action that has begun in another process."""
        finished = zip(self._at, self._line.finished, strict=False)
        context.step_results[:] = [result for owner, result in finished if owner is action]
        action.context = context

    def context_at(self, position: int) -> BaseStepContext:
        """Return the context of the step at `position`; that of the chain if it has none."""
        return self._at[position].context or self._root

    def has_begun(self, position: int) -> bool:
        """Return whether the action of the step at `position` has begun."""
        return self._at[position].context is not None

    def _within(self, context: BaseStepContext) -> Generator[Any, Any, None]:
        line = self._line
        if context is line.context:
            return
        line.context.current_step = None
        line.context = context
        if line.log is not None:
            line.log.within(context)
        yield Within(context)

    def _begin(self, action: ChainedAction, position: int) -> Generator[Any, Any, Failure | None]:
        line, plan = self._line, self._line.run.plan
        yield from self.leave()  # What fails here is no result of the action before.
        line.began = line.run.clock() if line.run.listener else 0.0
        answer = yield Call(self._root.begin, (action.planned, action))
        if line.log is not None and not isinstance(answer, Raised | NotRun):
            noted = yield Call(line.log.begins, (action.planned.name, answer, position))
            answer = answer if noted is None else noted
        if not isinstance(answer, Raised | NotRun):
            action.context = answer
            return None
        if position < plan.ordinary and plan.steps[position].group is None:
            planned = plan.steps[position]
            failure = settle(line, planned, NotRun(answer.error))
            if (
                line.run.listener
                and failure is not None
                and not isinstance(answer.error, line.run.interruptions)
            ):
                yield end_event(line, planned, position, failure)
            return failure
        first = plan.steps[self._at.index(action)]
        return Failure(
            planned=first,
            text=describe(answer.error),
            error=answer.error,
            from_position=position - 1,
        )
