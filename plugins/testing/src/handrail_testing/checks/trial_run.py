"""The check of hooks that take part in runs: small runs are the same with the pack as without."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel

from handrail import (
    BaseAction,
    BaseStep,
    BaseStepContext,
    Limits,
    Problem,
    StepRegistry,
    StepResult,
)
from handrail.errors import HandrailError, PlanError, StepFailedError, describe
from handrail.events import Event, StepFailed, StepFinished, StepUndone, StopObserving
from handrail_testing.checks.subject import Subject, UncheckedError
from handrail_testing.harness import run_action
from handrail_testing.outcome import Outcome

if TYPE_CHECKING:
    from handrail.packs import InstalledPacks

_IN_RUNS = frozenset({"check_run", "observe", "perform"})


class TrialParams(BaseModel):
    """The params of a trial.

    Attributes:
        folder: See `TrialContext`.
        isolated: Whether the first step is isolated.
    """

    folder: str
    isolated: bool


@dataclass(kw_only=True)
class TrialContext(BaseStepContext):
    """The context of a trial.

    Attributes:
        folder: The folder in which the steps work; with a file `fail` in it, the second one fails.
    """

    folder: str = ""


class Make(BaseStep[TrialContext]):
    """Makes a file."""

    name = "make"
    progress_weight = 0.5

    def __init__(self, isolated: bool) -> None:
        self.limits = Limits(isolated=isolated)

    def execute(self, context: TrialContext) -> StepResult:
        """Make it, after its name is recorded."""
        context.record_rollback("made", "made")
        Path(context.folder, "made").write_text("made", encoding="utf-8")
        return StepResult(data={"made": ["made", 1, None]})

    def rollback(self, context: TrialContext, result: StepResult) -> None:
        """Delete it."""
        for name in result.rollback_data["made"]:
            Path(context.folder, name).unlink(missing_ok=True)


class Send(BaseStep[TrialContext]):
    """Sends nothing anywhere, or fails."""

    name = "send"
    progress_weight = 0.5
    effects = False

    def execute(self, context: TrialContext) -> StepResult:
        """Fail if it is to fail."""
        if Path(context.folder, "fail").exists():
            raise ConnectionError("it is to fail")
        return StepResult(data={"sent": True})


class Trial(BaseAction[TrialParams]):
    """An action that other processes can import."""

    action_name = "trial"

    def setup_steps(self, registry: StepRegistry[TrialContext]) -> None:
        """Register both steps."""
        registry.register(Make(self.params.isolated))
        registry.register(Send())


def in_runs(subject: Subject) -> Iterator[Problem]:
    """Run two steps to their end, and until one fails; yield a problem for each difference."""
    packs = [each for each in subject.packs.contributors() if _IN_RUNS & each.hooks.keys()]
    if not packs:
        raise UncheckedError("it takes no part in runs")
    elsewhere = any(pack.implements("perform") for pack in packs)
    events: list[Event] = []
    for fails in (False, True):
        told, left = _tried((), isolated=False, fails=fails)
        events += told.events
        for isolated in {False, elsewhere}:
            try:
                with_pack, left_with_pack = _tried(subject.packs, isolated=isolated, fails=fails)
            except PlanError as refusal:
                if all(each.code == "no-place" for each in refusal.problems):
                    continue  # It runs others than isolated steps.
                raise UncheckedError(f"it refuses a run: {refusal.problems[0].message}") from None
            except HandrailError as error:
                yield _problem(subject, error.message, error.ways_out)
                continue
            before, after = [*_story(told), *left], [*_story(with_pack), *left_with_pack]
            if before != after:
                yield _problem(
                    subject,
                    f"a run of two steps ends otherwise with {subject.origin}",
                    ("let it take its part without changing what steps return, raise or undo",),
                    details=(f"without: {', '.join(before)}", f"with it: {', '.join(after)}"),
                )
    for pack in packs:
        if pack.implements("observe"):
            yield from _deaf(subject, pack.observer(), events)


def _tried(
    packs: InstalledPacks | Sequence[object], *, isolated: bool, fails: bool
) -> tuple[Outcome, list[str]]:
    """Return the outcome of a run, and the names of the files that it leaves."""
    with tempfile.TemporaryDirectory(prefix="handrail-check-") as folder:
        if fails:
            Path(folder, "fail").touch()
        outcome = run_action(Trial, {"folder": folder, "isolated": isolated}, packs=packs)
        return outcome, sorted(each.name for each in Path(folder).iterdir())


def _story(outcome: Outcome) -> list[str]:
    """Return what happened to the steps of a trial; other steps are no concern of it."""
    error = outcome.error
    if error is not None and not isinstance(error, StepFailedError):
        return [describe(error)]
    story: list[str] = []
    for each in outcome.events:
        match each:
            case StepFinished(step=Make.name | Send.name):
                story.append(f"{each.step} returned {dict(each.data)}")
            case StepFailed(step=Make.name | Send.name):
                story.append(f"{each.step} failed")
            case StepUndone(step=Make.name | Send.name):
                story.append(f"{each.step} was undone")
            case _:
                pass
    return story


def _deaf(
    subject: Subject, observe: Callable[[Event], object], events: Sequence[Event]
) -> Iterator[Problem]:
    """Yield a problem for the first event with which an observer is dropped."""
    for event in events:
        try:
            observe(event)
        except StopObserving:
            return
        except HandrailError as error:
            said = f"{error.message}; it would hear no more of a run"
            yield _problem(subject, said, (f"let it take a {type(event).__name__}",))
            return


def _problem(
    subject: Subject, message: str, ways_out: Sequence[str], details: tuple[str, ...] = ()
) -> Problem:
    return subject.problem(
        "in-runs",
        message,
        *tuple(ways_out),
        details=details,
    )
