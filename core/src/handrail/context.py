"""What steps share: BaseStepContext, and the RuntimeContext through which it talks outside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import Field, dataclass, field
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import ContextError, RecordError
from handrail.recording import LINK, RECORDER, InterceptedRecorder, Recorder, RunLink
from handrail.runtime import RuntimeContext, RuntimeLogger

if TYPE_CHECKING:
    from typing import Self

    from handrail.recording import Intercept
    from handrail.steps import StepResult

__all__ = ["BaseStepContext", "RuntimeContext", "RuntimeLogger", "link_run"]

_NO_RESULTS: Mapping[str, StepResult] = {}


class _FromRun:
    """A value that a run offers under `name`, unless the user's context has a field of that name.

    It is a non-data descriptor, so such a field wins; it raises on the class, so that a dataclass
    does not take it for the default of such a field.
    """

    def __init__(self, without_run: Any, doc: str) -> None:
        self.without_run = without_run
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, context: object | None, owner: type) -> Any:
        if context is None:
            raise AttributeError(f"{self.name} belongs to a context, not to its class")
        link = context.__dict__.get(LINK)
        return self.without_run if link is None else getattr(link, self.name)


@dataclass
class BaseStepContext:
    """The state that the steps of one run share; subclass it with your own fields.

    Write subclasses as `@dataclass(kw_only=True)`; a plain `@dataclass` works when every field of
    its own has a default.

    Attributes:
        runtime_ctx: Where `log`, `set_progress` and `set_metrics` go.
        step_results: One result for each finished step, in order; the failing one too.
        errors: One sentence for each step that could not be undone, and what steps add.
        current_step: Name of the step that is being run or undone, else None.
    """

    runtime_ctx: RuntimeContext
    step_results: list[StepResult] = field(default_factory=list["StepResult"])
    errors: list[str] = field(default_factory=list[str])
    current_step: str | None = field(default=None, init=False)

    if TYPE_CHECKING:

        @property
        def results(self) -> Mapping[str, StepResult]:
            """The result of each finished step by its name, its aliases and its inner names."""
            ...

        @property
        def outcome(self) -> str | None:
            """For `always_run` steps: `completed`, `rolled_back`, `rollback_incomplete`, ..."""
            ...

        @property
        def failure(self) -> BaseException | None:
            """For `always_run` steps: the error that ended the run, or None."""
            ...

        @property
        def run_id(self) -> str | None:
            """Identifies the run, or None outside one."""
            ...

        @property
        def idempotency_key(self) -> str | None:
            """Identifies this step of this run towards other systems, or None outside a run."""
            ...

    else:
        results = _FromRun(_NO_RESULTS, "The result of each finished step, by name.")
        outcome = _FromRun(None, "How the run ended, for `always_run` steps.")
        failure = _FromRun(None, "What ended the run, for `always_run` steps.")
        run_id = _FromRun(None, "Identifies the run.")
        idempotency_key = _FromRun(None, "Identifies this step of this run.")

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuse a class that declares fields but forgot `@dataclass`."""
        _check_declared(cls)
        return super().__new__(cls)

    @property
    def record_rollback(self) -> Callable[[str, Any], None]:
        """Record `(key, value)` for undo before an effect: appends to `rollback_data[key]`.

        What a step has recorded survives when it raises, fails or is killed. The callable is bound
        to the attempt that runs when it is looked up, so hand it to threads as a value.
        """
        return self._recorder().record

    @property
    def record_rollback_many(self) -> Callable[[str, Iterable[Any]], None]:
        """Record `(key, values)` in one write; see `record_rollback`."""
        return self._recorder().record_many

    @property
    def arecord_rollback(self) -> Callable[[str, Any], Awaitable[None]]:
        """Record `(key, value)` from a coroutine; see `record_rollback`."""
        return self._recorder().arecord

    def _recorder(self) -> Recorder:
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            return link.recorder()
        # A step that a unit test calls by hand may record; there is no run to undo it.
        own: Recorder = self.__dict__.setdefault(RECORDER, Recorder("(no run)"))
        return own

    def seal(self, reason: str) -> None:
        """Say that something which undo would need is about to be discarded.

        Only in an `always_run` step of a run that succeeded. From then on the run cannot be rolled
        back.

        Raises:
            RecordError: The run has not succeeded, or there is none.
        """
        link: RunLink | None = self.__dict__.get(LINK)
        if link is None:
            raise RecordError("seal() works inside a run only")
        link.seal(reason)

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Log an event with its data through the runtime context.

        `log("undone", {"summary": "12 objects deleted"})` in a rollback is what the command line
        shows on the line of that step.
        """
        self.runtime_ctx.log(event, data, file)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.logged(event, data, file)

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Report a position within the current step; `category` defaults to the step's name.

        What is reported as `bytes` is shown as sizes, with its rate.
        """
        category = self.current_step if category is None else category
        self.runtime_ctx.set_progress(current, total, category)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.progressed(current, total, category)

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Report measured values; `category` defaults to the current step's name.

        Raises:
            ValueError: No category was given, and no step is running.
        """
        category = self.current_step if category is None else category
        if category is None:
            raise ValueError("set_metrics outside a step needs a category")
        self.runtime_ctx.set_metrics(value, category)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.measured(value, category)


def link_run(context: BaseStepContext, run: RunLink) -> None:
    """Tie `context` to `run`.

    Raises:
        ContextError: The object is no usable context.
    """
    needed = ("step_results", "errors", "runtime_ctx")
    given = cast("object", context)
    if not isinstance(given, BaseStepContext):
        hint = f"the class {given.__name__}" if isinstance(given, type) else type(given).__name__
        raise ContextError(f"a run needs a context derived from BaseStepContext, not {hint}")
    missing = [name for name in needed if name not in context.__dict__]
    if missing:
        raise ContextError(
            f"{type(context).__qualname__} has no {missing[0]}: its __init__ does not call "
            "super().__init__(runtime_ctx)"
        )
    context.__dict__[LINK] = run


def intercept_records(context: BaseStepContext, intercept: Intercept) -> None:
    """Let each value that a step of `context` records pass through a function of yours.

    Args:
        context: The context, before it is given to a run.
        intercept: Called as `intercept(record, key, value)`, in the thread that records. It calls
            `record(key, value)` to have the value recorded; what it raises, the step gets.
    """
    recorder_of: Callable[[BaseStepContext], Recorder] = vars(BaseStepContext)["_recorder"]
    vars(context)["_recorder"] = lambda: InterceptedRecorder(recorder_of(context), intercept)


_checked: set[type] = set()


def _check_declared(cls: type) -> None:
    """Refuse a subclass that declares fields but forgot `@dataclass`, which would share them."""
    if cls in _checked:
        return
    for part in cls.__mro__[:-1]:
        if part is BaseStepContext or not issubclass(part, BaseStepContext):
            continue
        own = part.__dict__
        if "__dataclass_fields__" in own or "__init__" in own:
            continue
        declared = [name for name, value in own.items() if isinstance(value, Field)]
        declared += [
            name
            for name, kind in _annotations(part).items()
            if name not in declared and "ClassVar" not in str(kind)
        ]
        if declared:
            raise ContextError(
                f"{part.__qualname__} declares {', '.join(declared)} but is no dataclass, "
                "so it would not be a field of each context",
                ways_out=(f"put @dataclass(kw_only=True) above class {part.__name__}",),
            )
    _checked.add(cls)


def _annotations(cls: type) -> dict[str, Any]:
    try:
        return cls.__annotations__
    except Exception:  # noqa: BLE001 - from Python 3.14 on they are worked out here, and may fail
        return {}
