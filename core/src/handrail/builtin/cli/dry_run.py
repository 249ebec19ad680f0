"""Dry runs: a plan in which steps with effects return a preview instead, and the list of those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail import BaseStep, Plan, PlannedStep, StepResult, events
from handrail.builtin.cli.execution import Execution, head_of
from handrail.builtin.cli.journals import executor_here
from handrail.builtin.cli.view.progress import brief
from handrail.derived import orchestrator_of, result_of
from handrail.errors import HandrailError, describe
from handrail.events import Event
from handrail.frozen import replace
from handrail.places import StaysHere, innermost
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from handrail import BaseAction
    from handrail.builtin.cli.new_run import RunRequest
    from handrail.derived import Observer

NOT_PREVIEWED = "not previewed"

Told = Callable[[str, str], object]
"""Takes the name of a step, and one line of its preview."""

# What a step stumbles over if something is missing that a step before it would have made.
_STUMBLES = (LookupError, AttributeError, TypeError, AssertionError, OSError, ArithmeticError)


def preview_plan(plan: Plan, told: Told = lambda step, line: None) -> Plan:
    """Return `plan` for a dry run.

    Steps with `effects = False` really run; the others give their `preview` as `data["preview"]`, a
    list of lines. `always_run` steps with effects are previewed too. A dry run fails where the run
    would: at a reading step that fails, and at a preview that raises a HandrailError, such as that
    the target cannot be reached, or that a step was left out of the run. Behind a step with effects
    that is only previewed, a reading step that has a `preview` gives that too. Any other may
    stumble there over results that are missing (LookupError, AttributeError, TypeError, OSError and
    the like): it then reports that, and the dry run continues. A run that a step makes is previewed
    in the same way, unless an output of a step with effects is needed for it.

    Args:
        plan: The plan.
        told: Called with each line as it comes, also those before a failure.
    """
    steps: list[Any] = []
    begins = {group.name: group.span.start for group in plan.groups}
    first_left_out = len(plan)
    lanes_with_one: set[tuple[str | None, int | None]] = set()
    previewed: set[str] = set()
    for position, planned in enumerate(plan.steps):
        stand_in: BaseStep[Any]
        lane = planned.group, planned.lane
        if planned.inner is not None:
            sources = dict.fromkeys(planned.inputs.values())
            needed = [each for each in sources if each.partition(".")[0] in previewed]
            stand_in = _Part(planned, told, " and ".join(needed))
            if needed or any(each.effects for each in planned.inner.steps):
                first_left_out = min(first_left_out, position)
                previewed.add(planned.name)
        elif planned.effects:
            stand_in = _Previewed(planned.step, planned.name, told)
            first_left_out = min(first_left_out, position)
            lanes_with_one.add(lane)
        elif lane in lanes_with_one or first_left_out < begins.get(planned.group or "", position):
            stand_in = Lenient(planned.step, planned.name, told)
        else:
            steps.append(planned)
            continue
        facts = replace(planned.facts, plain=True, skippable=True, reverts=False)
        steps.append(replace(planned, step=stand_in, facts=facts))
    return replace(plan, steps=tuple(steps))


class _StandIn(StaysHere):
    """Takes the place of a step in a dry run."""

    def __init__(self, step: BaseStep[Any], name: str, told: Told) -> None:
        self.step = step
        self._told = told
        self.name = name
        self.progress_weight = 0.0
        self.always_run = step.always_run

    @calls_user_code
    def can_skip(self, context: Any) -> bool | Awaitable[bool]:
        """Call the step's `can_skip`; if that fails in a dry run, the step is not skipped."""
        try:
            answer = self.step.can_skip(context)
        except Exception:  # noqa: BLE001 - it may need an omitted step
            return False
        return self._later(answer) if isinstance(answer, Awaitable) else answer

    @staticmethod
    @calls_user_code
    async def _later(answer: Awaitable[bool]) -> bool:
        try:
            return await answer
        except Exception:  # noqa: BLE001 - as above
            return False

    @calls_user_code
    def _preview(self, context: Any) -> list[str] | None:
        """Return the lines of the step's preview, or None if it has none."""
        try:
            answer = self.step.preview(context)
            # It may be a generator, and fail late.
            return None if answer is None else self._lines(answer)
        except HandrailError:
            raise
        except Exception as error:  # noqa: BLE001 - a preview may fail, the dry run continues
            return [self._tell(f"{NOT_PREVIEWED}: {describe(error)}")]

    @calls_user_code
    def _lines(self, answer: str | Iterable[str]) -> list[str]:
        lines: list[str] = []
        try:
            lines += answer.splitlines() if isinstance(answer, str) else map(str, answer)
        except HandrailError:
            # It says why the run would fail here, after what it would do before that.
            for line in lines:
                self._tell(line)
            raise
        return [self._tell(line) for line in lines]

    def _tell(self, line: str) -> str:
        self._told(self.name, line)
        return line


class _Previewed(_StandIn):
    @calls_user_code
    def execute(self, context: Any) -> StepResult:
        """Return the preview of the step."""
        lines = self._preview(context)
        return StepResult(data={"preview": [self._tell(NOT_PREVIEWED)] if lines is None else lines})


class _Part(_StandIn):
    """Previews the run that a step makes, step by step."""

    def __init__(self, planned: PlannedStep, told: Told, needed: str) -> None:
        super().__init__(planned.step, planned.name, told)
        assert planned.inner is not None
        self._plan = planned.inner
        self._needed = needed

    def can_skip(self, context: Any) -> bool:
        """Return False: the step would ask for what is not there."""
        return False

    @calls_user_code
    def execute(self, context: Any) -> StepResult:
        """Preview the steps of the run, or say what they need, which only a run makes."""

        def told(step: str, line: str) -> None:
            self._told(f"{self.name}.{step}", line)

        if not self._needed:
            step: Any = innermost(self.step)
            answer: StepResult = step.preview_run(context, preview_plan(self._plan, told))
            return answer
        for each in self._plan.steps:
            told(each.name, f"{NOT_PREVIEWED}: needs {self._needed}")
        return StepResult(data={"steps_executed": len(self._plan.steps)})

    def close(self, context: Any) -> int:
        """Return 0: a preview leaves no run open."""
        return 0


class Lenient(_StandIn):
    """Runs a step that only reads, and tells what it stumbles over."""

    def place(self, placed: Callable[[BaseStep[Any]], BaseStep[Any]]) -> None:
        """Let the step that it runs be run elsewhere."""
        self.step = placed(self.step)

    @calls_user_code
    def execute(self, context: Any) -> StepResult | Awaitable[StepResult]:
        """Preview the step, or run it; it may stumble over what an omitted step would have made."""
        lines = self._preview(context)
        if lines is not None:
            return StepResult(data={"preview": lines})
        try:
            answer = self.step.execute(context)
        except _STUMBLES as error:
            return self._stumbled(error)
        return self._finish(answer) if isinstance(answer, Awaitable) else answer

    @calls_user_code
    async def _finish(self, answer: Awaitable[StepResult]) -> StepResult:
        try:
            return await answer
        except _STUMBLES as error:
            return self._stumbled(error)

    def _stumbled(self, error: Exception) -> StepResult:
        if isinstance(error, HandrailError):  # The run would fail, too.
            raise error
        reason = f"cannot tell in a dry run: {describe(error)}"
        return StepResult(data={"preview": [self._tell(reason)]})


def dry_execution(request: RunRequest, action: BaseAction[Any], part: Plan) -> Execution:
    """Return the dry run of a plan that was checked against the lock."""
    session = request.session
    listing = DryRunListing(everything=request.everything)
    plan = preview_plan(part, listing.told)

    def run(views: Sequence[Observer]) -> Mapping[str, Any]:
        orchestrator = orchestrator_of(
            action,
            plan,
            observers=views,
            strict_results=request.strict_results or session.packs.strict_results,
            executor=executor_here(session, request.executor),
        )
        return result_of(action, orchestrator.execute(), orchestrator.context)

    return Execution(
        plan=plan,
        head=head_of(part, None, dry=True),
        run=run,
        quiet=request.quiet,
        keeps=request.on_failure == "keep",
        dry=listing,
    )


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
