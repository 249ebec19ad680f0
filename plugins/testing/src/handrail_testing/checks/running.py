"""The checks that run code of the pack: its skip checks and, with a context, its steps."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from inspect import isawaitable
from typing import Any

from handrail import BaseStep, BaseStepContext, Problem, RuntimeContext
from handrail.errors import describe
from handrail.inspection import has_own, intercept_records, overrides, run_awaitable
from handrail_testing.checks.offers import has_steps, no_undo, place_of
from handrail_testing.checks.probe import effect_of
from handrail_testing.checks.subject import Subject, UncheckedError
from handrail_testing.harness import SilentLogger, run_step
from handrail_testing.undo import NotUndoneError, check_undo


def rollback_data(subject: Subject) -> Iterator[Problem]:
    """Run each step, and yield a problem if its rollback data does not survive JSON.

    With a world, each step is undone as well, so that nothing is left for the next check.
    """
    if not subject.record.offered("steps"):
        raise UncheckedError("it offers no steps")
    if subject.context is None:
        raise UncheckedError("running its steps takes a PackContract with a context")
    steps = {name: step for name, step in subject.made.items() if name not in subject.untried}
    if not steps:
        raise UncheckedError("none of its steps is tried")
    for name, step in steps.items():
        if subject.world is not None and not step.always_run:
            found = _undone(subject, name, step)
            yield from (problem for problem in found if problem.code != "not-undone")
        else:
            yield from _survives(subject, name, step)


def undo(subject: Subject) -> Iterator[Problem]:
    """Undo each step that has effects, and yield a problem if something is left behind.

    A step without a way back is a problem too, whether it can be run or not.

    Raises:
        UncheckedError: Not every step that has a rollback was run.
    """
    has_steps(subject)
    found = list(no_undo(subject))
    steps = {
        name: step
        for name, step in subject.made.items()
        if step.effects and not step.always_run and has_own(step, "rollback")
    }
    tried = {name: step for name, step in steps.items() if name not in subject.untried}
    runs = subject.context is not None and subject.world is not None
    if runs:
        problems = [each for name, step in tried.items() for each in _undone(subject, name, step)]
        found += [problem for problem in problems if problem.code == "not-undone"]
        if problems and not found:
            raise UncheckedError("a step could not be tried, or its rollback data are not JSON")
    yield from found
    if found:
        return
    if not runs:
        raise UncheckedError(
            "no step was run and undone; that takes a PackContract with context and world"
        )
    unmade = sorted({each.name for each in subject.record.offered("steps")} - set(subject.made))
    left_out = [*unmade, *(name for name in steps if name not in tried)]
    if left_out:
        raise UncheckedError(f"not run and undone: {', '.join(left_out)}")
    if not steps:
        raise UncheckedError("none of its steps has effects to undo")


def _survives(subject: Subject, name: str, step: BaseStep[Any]) -> Iterator[Problem]:
    assert subject.context is not None
    outcome = run_step(step, subject.context())
    if outcome.error is not None:
        yield _failing(subject, name, step, describe(outcome.error))
        return
    assert outcome.context is not None
    data = outcome.context.step_results[-1].rollback_data
    try:
        same = json.loads(json.dumps(data, allow_nan=False)) == _as_json(data)
        said = "" if same else f"{data!r} comes back otherwise"
    except (TypeError, ValueError) as error:
        said = describe(error)
    if said:
        yield subject.problem(
            "rollback-not-json",
            f"the rollback data of step '{name}' does not survive JSON: {said}",
            "record strings, numbers, lists and dicts: str(path), not path",
            details=place_of(step),
        )


def _as_json(value: Any) -> Any:
    """Return `value` with lists for tuples, which a rollback can treat alike."""
    if isinstance(value, list | tuple):
        return [_as_json(each) for each in value]  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict):
        return {key: _as_json(each) for key, each in value.items()}  # pyright: ignore[reportUnknownVariableType]
    return value


def _undone(subject: Subject, name: str, step: BaseStep[Any]) -> Iterator[Problem]:
    assert subject.context is not None
    assert subject.world is not None
    try:
        check_undo(step, subject.context, subject.world)
    except NotUndoneError as error:
        first, *rest = str(error).splitlines()
        yield subject.problem(
            "not-undone" if error.times else "rollback-not-json",
            first,
            details=(*place_of(step), *(line.strip() for line in rest)),
        )
    except ValueError as error:
        yield _failing(subject, name, step, describe(error))


def _failing(subject: Subject, name: str, step: BaseStep[Any], said: str) -> Problem:
    return subject.problem(
        "step-untried",
        f"step '{name}' could not be tried: {said}",
        "give the contract a context in which it succeeds",
        f"or leave it out:  untried = ({name!r},)",
        details=place_of(step),
    )


def skip_effects(subject: Subject) -> Iterator[Problem]:
    """Call each `can_skip` twice, and yield a problem if it does more than answer."""
    steps = {name: step for name, step in subject.made.items() if overrides(step, "can_skip")}
    if not steps:
        raise UncheckedError("none of its steps has a can_skip")
    unasked: list[str] = []
    for name, step in steps.items():
        fault = _skip_fault(step, _context(subject))
        if fault is None:
            continue
        # Without a context of its own, a step may fail because it misses something there.
        if fault.startswith("raises") and (subject.context is None or name in subject.untried):
            unasked.append(name)
            continue
        yield subject.problem(
            "skip-effect",
            f"can_skip of step '{name}' {fault}",
            "can_skip only looks, and says True or False; do the work in execute",
            details=place_of(step),
        )
    if len(unasked) == len(steps):
        raise UncheckedError(f"{unasked[0]} needs a context of its own, as a PackContract gives it")


def _skip_fault(step: BaseStep[Any], context: BaseStepContext) -> str | None:
    """Return the problem of a skip check, as the end of a sentence."""
    recorded: list[str] = []
    intercept_records(context, lambda _record, key, _value: recorded.append(key))
    before = _picture(context)
    answers: list[Any] = []
    raised: Exception | None = None
    with no_effects() as seen:
        try:
            answers += [_asked(step, context), _asked(step, context)]
        except Exception as error:  # noqa: BLE001 - the step may raise anything
            raised = error
    changed = [key for key, text in _picture(context).items() if before.get(key) != text]
    if seen:
        return seen[0]
    if raised is not None:
        return f"raises {type(raised).__name__}: {describe(raised)}"
    if changed:
        return f"changes context.{changed[0]}"
    if recorded:
        return "records rollback data"
    if not all(isinstance(answer, bool) for answer in answers):
        return f"returns {answers[0]!r}, not True or False"
    return None if answers[0] == answers[1] else f"answers {answers[0]} and then {answers[1]}"


def _context(subject: Subject) -> BaseStepContext:
    if subject.context is not None:
        return subject.context()
    return BaseStepContext(runtime_ctx=RuntimeContext(logger=SilentLogger()))


def _asked(step: BaseStep[Any], context: BaseStepContext) -> Any:
    answer: Any = step.can_skip(context)
    return run_awaitable(answer) if isawaitable(answer) else answer


def _picture(context: BaseStepContext) -> Mapping[str, str]:
    return {key: repr(value) for key, value in vars(context).items() if not key.startswith("_")}


class _EffectError(Exception):
    """Something was about to change the world where that is not allowed."""


_watching: list[list[str]] = []
_hooked: list[bool] = []


@contextmanager
def no_effects() -> Generator[list[str]]:
    """Block all changes of the world outside; yield the attempts."""
    if not _hooked:
        # The hook stays for the life of the process, and ignores events unless enabled.
        sys.addaudithook(_audit)
        _hooked.append(True)
    seen: list[str] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.pop()


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    what = effect_of(event, arguments)
    if what is not None:
        _watching[-1].append(what)
        raise _EffectError(what)
