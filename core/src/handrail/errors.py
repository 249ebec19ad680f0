"""Every error and problem: a stable code, one message, its origins, the ways out, an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar

from handrail.frozen import frozen
from handrail.names import did_you_mean
from handrail.origin import Origin

if TYPE_CHECKING:
    from typing import Self

    from handrail.plan.plan import Plan


class ExitCode(IntEnum):
    """What the command line ends with."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PLAN = 3
    PACK = 4
    ROLLBACK = 5
    KEPT = 6
    INTERRUPTED = 130


@frozen
class Problem:
    """One thing that is wrong with a plan, a pack, a setting or an installation.

    Attributes:
        code: Stable identifier, such as `unknown-anchor`.
        message: One sentence that names what is wrong.
        origins: Who is involved, the accused first.
        ways_out: Lines that tell how to get past it; what can be pasted is on a line of its own.
        details: Further lines of explanation, such as the source line of an edit.
    """

    code: str
    message: str
    origins: tuple[Origin, ...] = ()
    ways_out: tuple[str, ...] = ()
    details: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the same keys as the attributes."""
        return {
            "code": self.code,
            "message": self.message,
            "origins": [origin.to_dict() for origin in self.origins],
            "ways_out": list(self.ways_out),
            "details": list(self.details),
        }


class HandrailError(Exception):
    """Base of all errors that Handrail raises itself.

    Attributes:
        code: Stable identifier of the kind of error.
        exit_code: What the command line ends with when this error stops it.
        message: One sentence for people.
        origin: Where the cause lies, when that is known.
        ways_out: What to do about it, each on one line.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        origin: Origin | None = None,
        ways_out: Iterable[str] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.origin = origin
        self.ways_out: tuple[str, ...] = ()
        add_ways_out(self, *ways_out)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: `code`, `message`, `exit_code`, `origin` and `ways_out`."""
        return {
            "code": self.code,
            "message": self.message,
            "exit_code": int(self.exit_code),
            "origin": self.origin.to_dict() if self.origin else None,
            "ways_out": list(self.ways_out),
        }


class InvalidStepError(HandrailError, ValueError):
    """A step that cannot be planned: no usable name or weight, or not a step at all."""

    code = "invalid-step"
    exit_code = ExitCode.PLAN


class DuplicateStepError(HandrailError, ValueError):
    """Two steps answer to one name; the message names both owners."""

    code = "duplicate-step"
    exit_code = ExitCode.PLAN


class StepNotFoundError(HandrailError, ValueError, LookupError):
    """No step answers to a name; the message lists near names."""

    code = "unknown-step"
    exit_code = ExitCode.PLAN

    @classmethod
    def among(cls, name: str, known: Iterable[str]) -> Self:
        """Build the error for `name`, with the nearest of the `known` names."""
        names = list(known)
        hint = did_you_mean(name, names)
        if not hint and names:
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            hint = f"known steps: {shown}"
        message = f"Step '{name}' not found"
        return cls(f"{message}: {hint}" if hint else message)


class PlanError(HandrailError):
    """A plan with problems. Nothing was run.

    Attributes:
        problems: All of them, in the order in which they were found.
        plan: The plan as far as it could be worked out, or None.
    """

    code = "invalid-plan"
    exit_code = ExitCode.PLAN

    _told: ClassVar[str] = "the plan of {action} has {count}; nothing was run"

    def __init__(
        self,
        action: str,
        problems: Sequence[Problem],
        *,
        plan: Plan | None = None,
        ways_out: Iterable[str] = (),
    ) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(self._told.format(action=action, count=count), ways_out=ways_out)
        self.action = action
        self.problems = tuple(problems)
        self.plan = plan
        for number, problem in enumerate(self.problems, 1):
            self.add_note(f"{number} {problem.code}: {problem.message}")
            for line in (*problem.details, *problem.ways_out):
                self.add_note(f"    {line}")

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the `problems` in full."""
        return {
            **super().to_dict(),
            "action": self.action,
            "problems": [problem.to_dict() for problem in self.problems],
        }


class PlanDriftedError(PlanError):
    """A plan that is not what the project's lock holds. Nothing was run."""

    code = "plan-drifted"
    _told = "the plan of {action} is not the one in handrail.lock; nothing was run"


class LockError(HandrailError):
    """The project's lock cannot be read or written, or there is none."""

    code = "bad-lock"
    exit_code = ExitCode.USAGE


class RollbackError(HandrailError):
    """The undo of one step failed; `__cause__` is what its `rollback` raised.

    Attributes:
        step: Name of the step whose undo failed.
    """

    code = "rollback-failed"
    exit_code = ExitCode.ROLLBACK

    def __init__(self, step: str, cause: BaseException, *, origin: Origin | None = None) -> None:
        super().__init__(f"Rollback of step '{step}' failed: {describe(cause)}", origin=origin)
        self.step = step
        self.__cause__ = cause


class StepFailedError(HandrailError, RuntimeError):
    """A step failed, and what had been done was undone; `__cause__` is the original error, if any.

    Attributes:
        step: Name of the step that failed.
        origin: Where that step came from.
        error: What went wrong, without the name of the step.
        rollback_errors: One `RollbackError` for each step that could not be undone.
        outcome: How the run ended: `rolled_back`, `rollback_incomplete`, `failed` or `completed`.
    """

    code = "step-failed"

    def __init__(
        self,
        step: str,
        error: str,
        *,
        origin: Origin | None = None,
        outcome: str = "rolled_back",
        rollback_errors: Sequence[RollbackError] = (),
    ) -> None:
        super().__init__(f"Step '{step}' failed: {error}", origin=origin)
        self.step = step
        self.error = error
        self.outcome = outcome
        self.rollback_errors = tuple(rollback_errors)
        for problem in self.rollback_errors:
            self.add_note(problem.message)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the step, its error and the undo errors."""
        return {
            **super().to_dict(),
            "step": self.step,
            "error": self.error,
            "outcome": self.outcome,
            "rollback_errors": [problem.to_dict() for problem in self.rollback_errors],
        }


class StepResultError(HandrailError, TypeError):
    """A step returned something that is not a usable StepResult."""

    code = "bad-result"


class RollbackDataError(HandrailError, ValueError):
    """Recorded and returned rollback data of one key do not fit together."""

    code = "rollback-data"


class RecordError(HandrailError, RuntimeError):
    """Rollback data was recorded outside the running step it belongs to."""

    code = "record-outside-step"


class AsyncStepError(HandrailError, RuntimeError):
    """A blocking call was asked to run an async step inside a running event loop."""

    code = "running-loop"
    exit_code = ExitCode.USAGE


class ContextError(HandrailError, TypeError):
    """A context class or object cannot serve a run, such as a subclass without `@dataclass`."""

    code = "bad-context"
    exit_code = ExitCode.USAGE


class ParamsError(HandrailError, ValueError):
    """Params did not validate.

    Attributes:
        action: Name of the action.
        fields: One `(field path, message)` for each thing that is wrong.
    """

    code = "bad-params"
    exit_code = ExitCode.USAGE

    def __init__(
        self,
        action: str,
        fields: Sequence[tuple[str, str]],
        *,
        ways_out: Iterable[str] = (),
    ) -> None:
        lines = "\n".join(f"  {path}: {text}" if path else f"  {text}" for path, text in fields)
        super().__init__(f"the params of {action} are not valid\n{lines}", ways_out=ways_out)
        self.action = action
        self.fields = tuple(fields)


class ParamsNeededError(HandrailError):
    """Planning read a param that was not given.

    Attributes:
        action: Name of the action.
        path: The way to the param through nested models.
    """

    code = "params-needed"
    exit_code = ExitCode.USAGE

    def __init__(
        self, action: str, path: Sequence[str], *, ways_out: Iterable[str] | None = None
    ) -> None:
        name = ".".join(path)
        option = "--" + "-".join(path).replace("_", "-")
        ways = (f"give it: {option} ...", f"or: -p {name}=...") if ways_out is None else ways_out
        super().__init__(f"planning {action} needs the param '{name}'", ways_out=ways)
        self.action = action
        self.path = tuple(path)


class ActionError(HandrailError, RuntimeError):
    """An action cannot be used: nothing to run, or its `setup_steps` raised."""

    code = "bad-action"
    exit_code = ExitCode.PLAN


class ActionResultError(ActionError):
    """The steps are done, but what `result` makes of them is not usable; nothing was undone."""

    code = "action-result"
    exit_code = ExitCode.KEPT


class NotFoundError(HandrailError, LookupError):
    """A name that a user gave (an action, a step, a pack, a file) leads nowhere."""

    code = "not-found"
    exit_code = ExitCode.USAGE


class AmbiguousNameError(HandrailError, LookupError):
    """A bare name is offered by several packs; `pack:name` tells them apart."""

    code = "ambiguous-name"
    exit_code = ExitCode.PACK


class LocalCodeError(HandrailError):
    """Code that was named on the command line could not be imported."""

    code = "local-code"
    exit_code = ExitCode.USAGE


class PackError(HandrailError):
    """A pack is broken or incompatible where it is needed; `__cause__` tells why.

    Attributes:
        problems: One for each pack concerned.
    """

    code = "pack-broken"
    exit_code = ExitCode.PACK

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        origin: Origin | None = None,
        ways_out: Iterable[str] = (),
    ) -> None:
        super().__init__(message, origin=origin, ways_out=ways_out)
        self.problems = tuple(problems)
        for problem in self.problems:
            for line in (problem.message, *problem.details, *problem.ways_out):
                if line != message:
                    self.add_note(line)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the `problems` in full."""
        return {
            **super().to_dict(),
            "problems": [problem.to_dict() for problem in self.problems],
        }


class JournalError(HandrailError, RuntimeError):
    """The journal of a run cannot be read or written."""

    code = "journal"
    exit_code = ExitCode.ROLLBACK


class JournalUrlError(JournalError, ValueError):
    """What was given as the place of a journal cannot be one."""

    code = "journal-url"
    exit_code = ExitCode.USAGE


class RestoreError(HandrailError, RuntimeError):
    """A finished step could not rebuild what it needs, so its run cannot go on.

    Args:
        step: Name of the step.
        error: What its `restore` raised.
        origin: Where the step came from.
    """

    code = "restore-failed"
    exit_code = ExitCode.ROLLBACK

    def __init__(self, step: str, error: str, *, origin: Origin | None = None) -> None:
        super().__init__(
            f"step '{step}' could not be restored: {error}; nothing was touched",
            origin=origin,
            ways_out=("mend what it needs, then try again",),
        )


class RunClosedError(HandrailError, RuntimeError):
    """A run has ended in a way that leaves nothing to be done to it."""

    code = "run-closed"
    exit_code = ExitCode.USAGE


class RollbackRefusedError(HandrailError, RuntimeError):
    """A run cannot be rolled back any more, or can only be rolled back."""

    code = "rollback-refused"
    exit_code = ExitCode.ROLLBACK


class ConfirmationError(HandrailError):
    """A person has to be asked, and nobody is at a terminal; `--yes` says it beforehand."""

    code = "needs-yes"
    exit_code = ExitCode.USAGE


class DriftError(HandrailError, RuntimeError):
    """The steps, or the params, that a run has begun with are not what they were."""

    code = "run-drifted"
    exit_code = ExitCode.PLAN


class SourceChangedError(DriftError):
    """What a run reads is not what it was when the run began; for `restore` and `resume` of steps.

    A run that goes on stops at this error and undoes nothing: it can be resumed once the source is
    as it was, or rolled back.

    Attributes:
        step: Name of the step that found it; None until a run has stopped at it.
    """

    code = "source-changed"
    step: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the step."""
        return {**super().to_dict(), "step": self.step}


class RunHeldError(HandrailError, RuntimeError):
    """A run belongs to another process, which lives or may live."""

    code = "run-held"
    exit_code = ExitCode.PLAN


class LeaseLostError(JournalError):
    """A run was taken over by another process; this one must not touch anything any more."""

    code = "lease-lost"
    exit_code = ExitCode.PLAN


class SettingsError(HandrailError):
    """A project file or a variable holds something that is not a setting.

    Attributes:
        problems: One for each wrong value, with its file and line.
    """

    code = "bad-settings"
    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        for problem in self.problems:
            for line in (problem.message, *problem.ways_out):
                self.add_note(line)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the `problems` in full."""
        return {
            **super().to_dict(),
            "problems": [problem.to_dict() for problem in self.problems],
        }


def add_ways_out(error: HandrailError, *ways_out: str) -> None:
    """Add what else to do about an error, for its traceback too; empty texts are left out."""
    more = tuple(way for way in ways_out if way)
    error.ways_out += more
    for way in more:
        error.add_note(way)


def describe(error: BaseException) -> str:
    """Return what `error` says, or the name of its type when it says nothing."""
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    return str(error) or type(error).__name__
