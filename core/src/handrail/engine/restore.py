"""Restores what no journal keeps: transient values of finished steps, before a run goes on."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from handrail.calls import Call, NotRun, Raised, checked
from handrail.engine.line import lane_of
from handrail.engine.outcome import found_by
from handrail.errors import (
    RestoreError,
    ResultMissingError,
    SourceChangedError,
    StopsResume,
    describe,
)
from handrail.events import MessageLogged

if TYPE_CHECKING:
    from handrail.engine.line import Line
    from handrail.engine.state import Missing, RunState
    from handrail.plan.plan import PlannedStep


def restore(
    lines: Iterable[tuple[Line, int]], *, reads: bool
) -> Generator[Any, Any, BaseException | None]:
    """Let the finished steps restore transient values; return why the run cannot continue, if so.

    Args:
        lines: Their lines, each with its first position.
        reads: Whether steps remain that may read those values.
    """
    for line, first in lines:
        broken = yield from _restore(line, first, reads=reads)
        if broken is not None:
            return broken
    return None


def _restore(line: Line, first: int, *, reads: bool) -> Generator[Any, Any, BaseException | None]:
    """Let the finished steps of one line from `first` on restore transient values."""
    run = line.run
    for position, result in enumerate(line.finished[first:], first):
        planned = run.plan.steps[position]
        missing = run.missing.get(position) if run.missing else None
        if not planned.facts.restorable and missing is None:
            continue
        if result.skipped or not result.success or position in run.undone:
            continue
        if planned.facts.restorable:
            answer = yield from _call_restore(line, position)
            if isinstance(answer, Raised | NotRun):
                if reads or not isinstance(answer.error, SourceChangedError):
                    return _not_restored(run, planned, answer.error)
                if run.listener:
                    summary = f"ignored for the undo: {describe(answer.error)}"
                    yield _logged(planned, "source_changed", summary)
        if missing is not None and reads:
            broken = yield from _fill_in(line, position, missing)
            if broken is not None:
                return broken
    return None


def _call_restore(line: Line, position: int) -> Generator[Any, Any, Any]:
    line.asking = True
    restore = line.run.plan.steps[position].step.restore
    answer = yield Call(restore, (line.context, line.finished[position]))
    line.asking = False
    return answer


def _fill_in(
    line: Line, position: int, missing: Missing
) -> Generator[Any, Any, BaseException | None]:
    """Run a step without effects again for values that could not be stored.

    Return why the run cannot continue, if so. The results of such a step are all of one execution.
    """
    planned, result = line.run.plan.steps[position], line.finished[position]
    left = {key: kind for key, kind in missing.types.items() if key not in result.data}
    if not left:
        return None
    if planned.facts.effects:
        return missing_error(planned.name, left, restorable=planned.facts.restorable)
    if line.run.listener:
        summary = f"runs again for {', '.join(left)}, which could not be stored"
        yield _logged(planned, "runs_again", summary)
    line.current, line.context.current_step, line.asking = position, planned.name, True
    context = missing.context(line.context)
    answer = yield Call(planned.step.execute, (context,))
    line.current, line.context.current_step, line.asking = None, None, False
    if not isinstance(answer, Raised | NotRun):
        answer = checked(planned.step, answer)
    if isinstance(answer, Raised | NotRun):
        return _not_restored(line.run, planned, answer.error)
    if not answer.success:
        return RestoreError(planned.name, str(answer.error), origin=planned.origin)
    result.data = answer.data
    return None


def missing_error(step: str, types: Mapping[str, str], *, restorable: bool) -> ResultMissingError:
    """Return the error for a finished step with values that could not be stored."""
    values = ", ".join(f"'{key}' ({kind})" for key, kind in types.items())
    restores = f"; its restore() does not set {'it' if len(types) == 1 else 'them'}"
    return ResultMissingError(
        f"step '{step}' returned {values}, which could not be stored, so the run cannot go on"
        f"{restores if restorable else ''}; nothing was done",
        ways_out=(
            f"let restore() of '{step}' set it in result.data, then resume the run",
            f"or set effects = False, if '{step}' only reads: it runs again for its result",
        ),
    )


def _logged(planned: PlannedStep, name: str, summary: str) -> MessageLogged:
    return MessageLogged(
        step=planned.name,
        name=name,
        data={"summary": summary},
        file=None,
        **lane_of(planned),
    )


def _not_restored(run: RunState, planned: PlannedStep, error: BaseException) -> BaseException:
    if isinstance(error, StopsResume):
        return found_by(planned, error)
    if isinstance(error, run.interruptions):
        return error
    failed = RestoreError(planned.name, describe(error), origin=planned.origin)
    failed.__cause__ = error
    return failed
