"""The checks of the entry points of a pack: its steps, actions and commands."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from handrail import (
    BaseAction,
    BaseStep,
    DuplicateStepError,
    InvalidStepError,
    Problem,
    Serializer,
    StepRegistry,
    StepResult,
    StepWrapper,
    Workflow,
)
from handrail.cli import Option, unread_groups
from handrail.errors import describe
from handrail.inspection import has_own
from handrail.packs import EntryPoint
from handrail_testing.checks.subject import Subject, UncheckedError, takes_nothing
from handrail_testing.undo import is_step

_OTHERS: Mapping[str, tuple[Any, str]] = {
    "commands": (click.Command, "a click command"),
    "executors": (Callable, "a function that makes an executor"),
    "journals": (Callable, "a function that opens a journal"),
    "options": (Option, "an Option"),
    "prune": (Callable, "a function that takes a PrunedRun"),
    "serializers": (Serializer, "an object with the attributes of a Serializer"),
    "views": (Callable, "a function that shows values"),
}
"""What entry points of other groups lead to, and how that is called."""

_TAKE_OPTIONS = ("resume", "rollback", "run", "show")  # See `handrail.cli.Option`.


def names(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for each entry point whose target does not match its group and name."""
    misspelt = list(unread_groups(subject.record.name))
    yield from misspelt
    if not misspelt and not subject.record.entry_points:
        raise UncheckedError("it offers nothing by name")
    for entry in subject.record.offered("actions"):
        yield from _of_action(subject, entry)
    for entry in subject.record.offered("steps"):
        yield from _of_step(subject, entry)
    yield from _of_others(subject)
    registry: StepRegistry[Any] = StepRegistry()
    # A wrapper has the name of the wrapped step.
    for step in (each for each in subject.made.values() if not isinstance(each, StepWrapper)):
        try:
            registry.register(step)
        except DuplicateStepError as error:
            yield subject.problem(
                "step-name",
                error.message,
                *error.ways_out,
                details=place_of(step),
            )
        except InvalidStepError:
            continue  # The check of the weights has it.


def weights(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for each step without a usable name, or a weight from 0.0 to 1.0."""
    has_steps(subject)
    for entry, step in subject.made.items():
        try:
            weight = _names_and_weight(step)[1]
        except InvalidStepError as error:
            yield _wrong_weight(subject, step, error.message)
            continue
        if weight > 1:
            message = f"step '{entry}' has the progress_weight {weight:g}, which is above 1.0"
            yield _wrong_weight(subject, step, message)


def no_undo(subject: Subject) -> Iterator[Problem]:
    """Yield a problem for each step that has effects, and neither a rollback nor a resume."""
    for entry, step in subject.made.items():
        back = has_own(step, "rollback") or has_own(step, "resume")
        if step.effects and not step.always_run and not back:
            yield subject.problem(
                "no-undo",
                f"step '{entry}' has effects and no rollback: what it did before a "
                "failure or a kill stays",
                "record with context.record_rollback before each effect, and write a rollback",
                "or say that it only reads:  effects = False",
                details=place_of(step),
            )


def has_steps(subject: Subject) -> None:
    """Raise UncheckedError if the pack offers no steps, or none that can be made."""
    if not subject.record.offered("steps"):
        raise UncheckedError("it offers no steps")
    if not subject.made:
        raise UncheckedError("its steps need arguments; a PackContract can give them")


def _of_action(subject: Subject, entry: EntryPoint) -> Iterator[Problem]:
    target = subject.target(entry)
    called = ""
    if isinstance(target, Workflow):
        called = target.name
    elif isinstance(target, type) and issubclass(target, BaseAction):
        called = target.action_name
    else:
        yield _wrong_target(subject, entry, "an action: a class derived from BaseAction")
        return
    if called != entry.name:
        yield subject.problem(
            "action-name",
            f"the entry point {entry.name} leads to an action called '{called}'",
            f"call both the same:  action_name = {entry.name!r}",
            details=(entry.value,),
        )


def _of_step(subject: Subject, entry: EntryPoint) -> Iterator[Problem]:
    target = subject.target(entry)
    if not is_step(target) and not callable(target):
        yield _wrong_target(subject, entry, "a step: a class, or a function that makes one")
        return
    first, second = subject.made.get(entry.name), subject.make(entry)
    if first is None or second is None:
        if not isinstance(target, type) and takes_nothing(target):
            yield _wrong_target(subject, entry, "what makes a step")
        return
    try:
        called, again = _names_and_weight(first)[0], _names_and_weight(second)[0]
    except InvalidStepError:
        return  # The check of the weights has it.
    if called != again:
        yield subject.problem(
            "step-name",
            f"step '{entry.name}' is called '{called[0]}' and then '{again[0]}'",
            "a name is for anchors and journals: make it a constant",
            details=place_of(first),
        )
    elif (
        entry.name not in called and not _takes_name(target) and not isinstance(first, StepWrapper)
    ):
        yield subject.problem(
            "step-name",
            f"the entry point {entry.name} leads to a step called '{called[0]}'",
            f"call both the same:  name = {entry.name!r}",
            f"or let it answer to both:  aliases = ({entry.name!r},)",
            details=place_of(first),
        )


def _of_others(subject: Subject) -> Iterator[Problem]:
    for group, (kind, what) in _OTHERS.items():
        for entry in subject.record.offered(group):
            target = subject.target(entry)
            if not isinstance(target, kind):
                yield _wrong_target(subject, entry, what)
            elif group in _UNUSABLE:
                find, way_out = _UNUSABLE[group]
                if why := find(entry, target):
                    yield subject.problem(
                        "wrong-target",
                        f"{entry.group} {entry.name} of {subject.origin} {why}",
                        way_out,
                        details=(entry.value,),
                    )


def _helpless(_entry: EntryPoint, command: Any) -> str:
    return "" if command.get_short_help_str() else "has no help, which --help would show"


def _misnamed(entry: EntryPoint, option: Any) -> str:
    command, _, name = entry.name.partition(".")
    if command not in _TAKE_OPTIONS:
        return f"is for none of {', '.join(_TAKE_OPTIONS)}"
    own = {text for each in option.click_params for text in each.opts}
    return "" if f"--{name}" in own else f"has {', '.join(sorted(own))}, and not --{name}"


def _misshown(_entry: EntryPoint, view: Any) -> str:
    for value in (object(), StepResult()):
        try:
            shown: object = view(value)
        except Exception as error:  # noqa: BLE001 - it is the pack's
            return f"raises {type(error).__name__} for a {type(value).__name__}: {describe(error)}"
        if not isinstance(shown, str | None):
            return f"returns {shown!r}, and neither text nor None"
    return ""


_UNUSABLE: Mapping[str, tuple[Callable[[EntryPoint, Any], str], str]] = {
    "commands": (_helpless, 'say what it does:  click.Command("stats", help="Add up the runs.")'),
    "options": (_misnamed, 'name it as it is typed:  "run.over" for  handrail run --over'),
    "views": (_misshown, "return None for a value that it does not show"),
}
"""What finds out why the target of an entry point cannot be used, and the way out."""


def _names_and_weight(step: BaseStep[Any]) -> tuple[tuple[str, ...], float]:
    """Return all names that a step answers to, its own first, and its progress weight.

    Raises:
        InvalidStepError: Its name or its weight is missing or senseless.
    """
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(step)
    (entry,) = registry.entries()
    return entry.names, float(entry.weight)


def _takes_name(target: Any) -> bool:
    """Whether users of the step give it its name."""
    try:
        return "name" in inspect.signature(target).parameters
    except (TypeError, ValueError):
        return False


def _wrong_target(subject: Subject, entry: EntryPoint, what: str) -> Problem:
    return subject.problem(
        "wrong-target",
        f"{entry.group} {entry.name} of {subject.origin} does not lead to {what}",
        f'correct it in pyproject.toml, under [project.entry-points."{entry.group}"]',
        details=(entry.value,),
    )


def _wrong_weight(subject: Subject, step: BaseStep[Any], message: str) -> Problem:
    return subject.problem(
        "step-weight",
        message,
        "give it a share of the progress from 0.0 to 1.0:  progress_weight = 0.1",
        details=place_of(step),
    )


def place_of(step: BaseStep[Any]) -> tuple[str, ...]:
    """Return the line of the class or the function of a step, as details of a problem."""
    made_from: Any = getattr(step, "function", None) or type(step)
    try:
        line = inspect.getsourcelines(made_from)[1]
    except (OSError, TypeError):
        return ()
    return (f"at {str(made_from.__module__).replace('.', '/')}.py:{line}",)
