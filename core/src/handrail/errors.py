"""Errors and problems, each with a stable code, a message, an origin and ways out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar

from handrail.frozen import as_json, frozen
from handrail.origin import Origin
from handrail.suggest import did_you_mean

if TYPE_CHECKING:
    from typing import Self

    from handrail.plan.plan import Plan


class ExitCode(IntEnum):
    """The exit codes of the command line."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    PLAN = 3
    PACK = 4
    ROLLBACK = 5
    KEPT = 6
    JOURNAL = 7
    INTERRUPTED = 130


@frozen
class Problem:
    """One problem with a plan, a pack, a setting or an installation.

    Attributes:
        code: Stable identifier, such as `unknown-anchor`.
        message: One sentence that describes the problem.
        origins: The sources involved, the cause first.
        ways_out: Suggested fixes, one per line; a command to paste is on its own line.
        details: Further lines of explanation, such as the source line of an edit.
    """

    code: str
    message: str
    origins: tuple[Origin, ...] = ()
    ways_out: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


class HandrailError(Exception):
    """Base class of all errors that Handrail raises.

    Attributes:
        code: Stable identifier of the kind of error.
        exit_code: Exit code of the command line when this error ends it.
        message: One sentence that describes the error.
        origin: The source of the cause, or None if unknown.
        ways_out: Suggested fixes, one per line.
        problems: The causes, if there may be several.
    """

    code: ClassVar[str] = "error"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    _told: ClassVar[tuple[str, ...]] = ()  # Attributes in the JSON form, beside those of all.

    def __init__(
        self,
        message: str,
        *,
        origin: Origin | None = None,
        ways_out: Iterable[str] = (),
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.origin = origin
        self.ways_out: tuple[str, ...] = ()
        add_ways_out(self, *ways_out)
        self.problems: tuple[Any, ...] = tuple(problems)  # Those of a pack may be of another kind.
        for problem in problems:
            for line in (problem.message, *problem.details, *problem.ways_out):
                if line != message:
                    self.add_note(line)

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form: `code`, `message`, `exit_code`, `origin`, `ways_out`, and more."""
        return {
            "code": self.code,
            "message": self.message,
            "exit_code": int(self.exit_code),
            "origin": as_json(self.origin),
            "ways_out": list(self.ways_out),
            **{name: as_json(getattr(self, name)) for name in self._told},
        }


class InvalidStepError(HandrailError, ValueError):
    """A step has no usable name, weight or aliases, or is not a step at all."""

    code = "invalid-step"
    exit_code = ExitCode.PLAN


class DuplicateStepError(HandrailError, ValueError):
    """Two steps have the same name or alias; the message names both owners."""

    code = "duplicate-step"
    exit_code = ExitCode.PLAN


class StepNotFoundError(HandrailError, ValueError, LookupError):
    """No step has the given name or alias; the message suggests similar names."""

    code = "unknown-step"
    exit_code = ExitCode.PLAN

    @classmethod
    def among(cls, name: str, known: Iterable[str]) -> Self:
        """Return the error for `name`, with similar names among `known` as a hint."""
        names = list(known)
        hint = did_you_mean(name, names)
        if not hint and names:
            shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
            hint = f"known steps: {shown}"
        message = f"Step '{name}' not found"
        return cls(f"{message}: {hint}" if hint else message)


class PlanError(HandrailError):
    """The plan has problems, and nothing was run.

    Attributes:
        action: Name of the action.
        problems: All problems, in the order in which they were found.
        plan: The plan as far as it could be made, or None.
    """

    code = "invalid-plan"
    exit_code = ExitCode.PLAN
    _told = ("action", "problems")

    _summary: ClassVar[str] = "the plan of {action} has {count}; nothing was run"

    def __init__(
        self,
        action: str,
        problems: Sequence[Problem],
        *,
        plan: Plan | None = None,
        ways_out: Iterable[str] = (),
    ) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(self._summary.format(action=action, count=count), ways_out=ways_out)
        self.action = action
        self.problems = tuple(problems)
        self.plan = plan
        for number, problem in enumerate(self.problems, 1):
            self.add_note(f"{number} {problem.code}: {problem.message}")
            for line in (*problem.details, *problem.ways_out):
                self.add_note(f"    {line}")


class PlanDriftedError(PlanError):
    """The plan differs from the project's lock, and nothing was run."""

    code = "plan-drifted"
    _summary = "the plan of {action} is not the one in handrail.lock; nothing was run"


class LockError(HandrailError):
    """The project's lock cannot be read or written, or does not exist."""

    code = "bad-lock"
    exit_code = ExitCode.USAGE


class RollbackError(HandrailError):
    """A step could not be undone; `__cause__` is the error that its `rollback` raised.

    Attributes:
        step: Name of the step whose undo failed.
    """

    code = "rollback-failed"
    exit_code = ExitCode.ROLLBACK
    step: str

    def __init__(self, step: str, cause: BaseException, *, origin: Origin | None = None) -> None:
        if isinstance(cause, RollbackError):
            # That of a step of a run that the step has made.
            step, origin = f"{step}.{cause.step}", cause.origin
            cause = cause.__cause__ or cause
        super().__init__(f"Rollback of step '{step}' failed: {describe(cause)}", origin=origin)
        self.step = step
        self.__cause__ = cause


class RefusedError(HandrailError, RuntimeError):
    """A step refuses to work because something else is in the way, and has done nothing itself.

    What happens to the run depends on where a step raises it. In `execute`, the run is undone as
    after any failure, and ends with this error's exit code. In `resume` and `restore`, the run
    stops, and nothing is undone. In `rollback`, the undo stops at this step; it can be continued
    later.

    Attributes:
        step: Name of the step that stopped a resume or a rollback; None until then.
    """

    code = "refused"
    exit_code = ExitCode.PLAN
    step: str | None = None
    _told = ("step",)


class StepNeededError(HandrailError, KeyError):
    """A step needs the work of another one that was left out of the run, as by `run --only`.

    Attributes:
        needed: Name of the step that was left out.
    """

    code = "step-needed"
    exit_code = ExitCode.USAGE

    def __init__(self, needed: str) -> None:
        super().__init__(
            f"it needs {needed}, which was left out of this run",
            ways_out=(f"let {needed} run too, or leave out --only, --from and --skip",),
        )
        self.needed = needed

    def __str__(self) -> str:
        return self.message  # Not in quotation marks, as that of a KeyError is.


class StepFailedError(HandrailError, RuntimeError):
    """A step failed and the run was undone; `__cause__` is the original error, if any.

    If that is a `RefusedError`, this error has its code, exit code, message and ways out; if it is
    a `StepNeededError`, its code, exit code and ways out.

    Attributes:
        step: Name of the step that failed.
        origin: Where that step came from.
        error: The error message, without the name of the step.
        rollback_errors: One `RollbackError` for each step that could not be undone.
        held_back: The steps that were not undone, because they wait for one of those, by name.
        outcome: How the run ended: `rolled_back`, `rollback_incomplete`, `failed` or `completed`.
        of_part: Whether that run is a part of another one, whose error then names this step.
    """

    code = "step-failed"
    _told = ("step", "error", "outcome")
    of_part = False
    step: str
    error: str

    def __init__(
        self,
        step: str,
        error: str,
        *,
        origin: Origin | None = None,
        outcome: str = "rolled_back",
        rollback_errors: Sequence[RollbackError] = (),
        held_back: Mapping[str, str] | None = None,
        cause: BaseException | None = None,
    ) -> None:
        if isinstance(cause, StepFailedError) and cause.of_part:
            step, error = f"{step}.{cause.step}", cause.error
            origin, cause = cause.origin, cause.__cause__
        refused = cause if isinstance(cause, RefusedError) else None
        message = f"Step '{step}' failed: {error}" if refused is None else refused.message
        super().__init__(message, origin=origin)
        if isinstance(cause, RefusedError | StepNeededError):
            # For others they are class variables.
            vars(self).update(code=cause.code, exit_code=cause.exit_code)
            self.ways_out = cause.ways_out  # They are notes of the cause already.
        self.__cause__ = cause
        self.step = step
        self.error = error
        self.outcome = outcome
        self.rollback_errors = tuple(rollback_errors)
        for problem in self.rollback_errors:
            self.add_note(problem.message)
        self.held_back = dict(held_back or {})

    def to_dict(self) -> dict[str, object]:
        """Return the JSON form, with the errors of the undo."""
        return {
            **super().to_dict(),
            "rollback_errors": [problem.to_dict() for problem in self.rollback_errors],
            **({"held_back": self.held_back} if self.held_back else {}),
        }


class LayerError(HandrailError, RuntimeError):
    """A layer around a step of another pack hid a failure or changed a result without a grant.

    `__cause__` is the error that it hid, if there is one.

    Attributes:
        layer: The class of the layer.
    """

    code = "layer-changes-step"

    def __init__(
        self, layer: str, what: str, origin: Origin, cause: BaseException | None = None
    ) -> None:
        place = f" ({origin.place})" if origin.place and origin.pack else ""
        super().__init__(
            f"layer {layer} of {origin}{place} {what}",
            origin=origin,
            ways_out=(f"say changes = True in {layer}, which needs a grant of the project",),
        )
        self.layer = layer
        self.__cause__ = cause


class StepTimeoutError(HandrailError, TimeoutError):
    """A step, or its undo, took longer than its limits allow.

    Attributes:
        result: The StepResult that it returned too late, or None. It has the data for the undo.
    """

    code = "step-timeout"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.result: object = None


class StepTimedOut(BaseException):
    """Raised inside a step whose time is over, so that it can clean up.

    Like KeyboardInterrupt, it is not caught by `except Exception`. The step fails with a
    StepTimeoutError, whatever it does with this one.
    """


class StepResultError(HandrailError, TypeError):
    """A step returned something that is not a usable StepResult."""

    code = "bad-result"


class RollbackDataError(HandrailError, ValueError):
    """Rollback data cannot be stored, or a step recorded and returned it in different shapes."""

    code = "rollback-data"


class ResultDataError(HandrailError, TypeError):
    """A value in the `data` of a result cannot be stored in the journal, so its step failed."""

    code = "result-data"


class ResultMissingError(HandrailError, RuntimeError):
    """A run cannot be resumed, because a value that its steps may need could not be stored.

    It can be rolled back.
    """

    code = "result-missing"
    exit_code = ExitCode.PLAN


class ItemsFailedError(HandrailError, RuntimeError):
    """More items of a step failed than may; what ran has ended.

    Attributes:
        failed: How many items failed.
        most: How many may.
        errors: The first few errors, each with the position of its item.
    """

    code = "items-failed"

    def __init__(self, failed: int, most: int, errors: Sequence[str]) -> None:
        may = f"; {most:,} may" if most else ""
        items = "1 item" if failed == 1 else f"{failed:,} items"
        super().__init__(f"{items} failed{may}: {_first(errors, failed)}")
        self.failed = failed
        self.most = most
        self.errors = tuple(errors)


class ItemsUndoError(HandrailError, RuntimeError):
    """Items of a step could not be undone.

    Attributes:
        left: How many.
        errors: The first few errors, each with the position of its item.
    """

    code = "items-left"
    exit_code = ExitCode.ROLLBACK

    def __init__(self, left: int, errors: Sequence[str]) -> None:
        items = "1 item was" if left == 1 else f"{left:,} items were"
        super().__init__(f"{items} not undone: {_first(errors, left)}")
        self.left = left
        self.errors = tuple(errors)


def _first(errors: Sequence[str], count: int) -> str:
    return "; ".join((*errors, "...") if count > len(errors) else errors)


class RecordError(HandrailError, RuntimeError):
    """Rollback data was recorded while its step was not executing, or `seal` was called early."""

    code = "record-outside-step"


class AttachmentError(HandrailError, ValueError):
    """What was attached to a step is no attachment, or a value in it is of another type."""

    code = "bad-attachment"


class FieldConflictError(HandrailError, RuntimeError):
    """Two lanes of a group set one field of the context to different values."""

    code = "field-conflict"


class StepCancelled(BaseException):
    """A step of a group has to end, because another one failed or the run was interrupted.

    The next `log`, `set_progress`, `set_status`, `set_metrics` or `record_rollback` of the step
    raises it. It is no Exception, so that a step that handles the errors of its own work does not
    suppress it.
    """


class AsyncStepError(HandrailError, RuntimeError):
    """An async step was run with a blocking call inside a running event loop."""

    code = "running-loop"
    exit_code = ExitCode.USAGE


class ContextError(HandrailError, TypeError):
    """A context cannot be used for a run, for example because `@dataclass` is missing."""

    code = "bad-context"
    exit_code = ExitCode.USAGE


class ParamsError(HandrailError, ValueError):
    """The params are not valid.

    Attributes:
        action: Name of the action.
        fields: One `(field path, message)` for each validation error.
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
    """Planning needs the value of a param that was not given.

    Attributes:
        action: Name of the action.
        path: Path of the param through nested models.
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
    """An action has nothing to run, is declared incorrectly, or its `setup_steps` raised."""

    code = "bad-action"
    exit_code = ExitCode.PLAN


class ActionResultError(ActionError):
    """All steps succeeded, but the action's `result` failed; nothing was undone."""

    code = "action-result"
    exit_code = ExitCode.KEPT


class NotFoundError(HandrailError, LookupError):
    """There is no action, step, pack, run or file with the given name."""

    code = "not-found"
    exit_code = ExitCode.USAGE


class AmbiguousNameError(HandrailError, LookupError):
    """Several packs offer the given name; use `pack:name`."""

    code = "ambiguous-name"
    exit_code = ExitCode.PACK


class LocalCodeError(HandrailError):
    """A file or module named on the command line could not be imported."""

    code = "local-code"
    exit_code = ExitCode.USAGE


class PackError(HandrailError):
    """A pack that is needed is broken or incompatible; `__cause__` is the original error, if any.

    Attributes:
        problems: One problem for each pack involved.
    """

    problems: tuple[Problem, ...]
    code = "pack-broken"
    exit_code = ExitCode.PACK
    _told = ("problems",)


class ExecutorError(HandrailError, RuntimeError):
    """An executor cannot be used, or can work on no more items."""

    code = "executor"


class ExecutorLostError(ExecutorError):
    """An executor has died under a run. Nothing was undone: what it had begun may still go on."""

    code = "executor-lost"
    exit_code = ExitCode.JOURNAL


class ExecutorUrlError(ExecutorError, ValueError):
    """The URL of an executor is not valid, or no installed pack provides such an executor."""

    code = "executor-url"
    exit_code = ExitCode.USAGE


class JournalError(HandrailError, RuntimeError):
    """The journal of a run cannot be read or written."""

    code = "journal"
    exit_code = ExitCode.JOURNAL


class JournalDamagedError(JournalError):
    """A journal, or a record in it, is not what was written; nothing was undone.

    Attributes:
        run: The number of the damaged run, or None if the journal is damaged as a whole.
        row: The damaged row in words, or an empty text.
    """

    code = "journal-damaged"
    _told = ("run", "row")

    def __init__(
        self,
        message: str,
        *,
        run: int | None = None,
        row: str = "",
        ways_out: Iterable[str] = (),
    ) -> None:
        super().__init__(message, ways_out=ways_out)
        self.run = run
        self.row = row


class ValueTooLargeError(HandrailError, ValueError):
    """A value of a result is larger than its journal takes."""

    code = "value-too-large"


class JournalUrlError(JournalError, ValueError):
    """The URL or path of a journal is not valid."""

    code = "journal-url"
    exit_code = ExitCode.USAGE


class IsolationError(HandrailError, RuntimeError):
    """An isolated step, or what it needs, cannot be made in a process of its own."""

    code = "cannot-isolate"
    exit_code = ExitCode.PLAN


class StepProcessError(HandrailError, RuntimeError):
    """The process of an isolated step ended before the step did; the message says how.

    Also an error that the step raised, of a class that cannot be made again in the run.
    """

    code = "step-process"


class RestoreError(HandrailError, RuntimeError):
    """The `restore` of a finished step failed, so its run cannot be resumed or rolled back.

    Args:
        step: Name of the step.
        error: The message of the error that `restore` raised.
        origin: Where the step came from.
    """

    code = "restore-failed"
    exit_code = ExitCode.ROLLBACK

    def __init__(self, step: str, error: str, *, origin: Origin | None = None) -> None:
        super().__init__(
            f"step '{step}' could not be restored: {error}; nothing was touched",
            origin=origin,
            ways_out=("fix the cause, then try again",),
        )


class RunClosedError(HandrailError, RuntimeError):
    """A run has ended and can be neither resumed nor rolled back."""

    code = "run-closed"
    exit_code = ExitCode.USAGE


class RollbackRefusedError(HandrailError, RuntimeError):
    """A run can no longer be rolled back, or can only be rolled back."""

    code = "rollback-refused"
    exit_code = ExitCode.ROLLBACK


class ConfirmationError(HandrailError):
    """A command needs a confirmation but has no terminal; `--yes` confirms in advance."""

    code = "needs-yes"
    exit_code = ExitCode.USAGE


class DriftError(HandrailError, RuntimeError):
    """The steps or the params of a run have changed since it began."""

    code = "run-drifted"
    exit_code = ExitCode.PLAN


class SourceChangedError(DriftError):
    """The source of a run has changed since it began; raised in a step's `restore` or `resume`.

    It stops a resumed run without undoing anything. The run can be rolled back, or resumed once
    the source is as it was.

    Attributes:
        step: Name of the step that raised it; None until the run has stopped.
    """

    code = "source-changed"
    step: str | None = None
    _told = ("step",)


class RunHeldError(HandrailError, RuntimeError):
    """A run belongs to another process that is, or may be, alive."""

    code = "run-held"
    exit_code = ExitCode.PLAN


class LeaseLostError(JournalError):
    """Another process took the run over; this process must stop working on it."""

    code = "lease-lost"
    exit_code = ExitCode.PLAN


class SettingsError(HandrailError):
    """A project file or an environment variable has an unknown or invalid setting.

    Attributes:
        problems: One problem for each such setting, with its file and line.
    """

    problems: tuple[Problem, ...]
    code = "bad-settings"
    exit_code = ExitCode.USAGE
    _told = ("problems",)


StopsResume = SourceChangedError | RefusedError
"""The errors with which a step stops a resumed run, without undoing anything."""


def add_ways_out(error: HandrailError, *ways_out: str) -> None:
    """Add what else to do about an error, for its traceback too; empty texts are left out."""
    more = tuple(way for way in ways_out if way)
    error.ways_out += more
    for way in more:
        error.add_note(way)


def describe(error: BaseException) -> str:
    """Return the message of `error`, or the name of its type if the message is empty."""
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r})"
    return str(error) or type(error).__name__
