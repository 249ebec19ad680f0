"""BaseStepContext: the state that the steps of a run share, and their link to the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import Field, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from handrail.attachments import Attachable, check_attachment
from handrail.errors import ContextError, ExecutorError, RecordError
from handrail.recorder import InterceptedRecorder, Recorder
from handrail.runtime import RunInfo, RuntimeContext, RuntimeLogger
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from typing import Self

    from handrail.recorder import Intercept
    from handrail.steps import StepResult

__all__ = ["BaseStepContext", "Items", "RunInfo", "RuntimeContext", "RuntimeLogger", "link_run"]

# Attributes for values that are not fields of the context; for OPTIONS see `params.context`.
LINK = "_handrail_run"
RECORDER = "_handrail_recorder"
OPTIONS = "_handrail_options"
INTERCEPT = "_handrail_intercept"

_NO_RESULTS: Mapping[str, StepResult] = {}


class Items(Protocol):
    """What came of the items of a step.

    Iterating yields `(item, result)` for each item that is done, in the order of the items. They
    are read from the journal, and never held all at once.

    Attributes:
        count: How many items are done.
        failed: How many failed.
    """

    count: int
    failed: int

    def __iter__(self) -> Iterator[tuple[Any, Any]]: ...

    def errors(self) -> Iterator[tuple[int, Any, str]]:
        """Yield `(position, item, error)` for each item that failed, in the order of the items.

        The position counts from 0.
        """
        ...


class RunLink(Protocol):
    """The interface through which a context reaches its run."""

    results: Mapping[str, StepResult]

    @property
    def outcome(self) -> str | None:
        """The outcome of the run, or None while it is not known."""
        ...

    @property
    def failure(self) -> BaseException | None:
        """The error that ended the run, or None."""
        ...

    @property
    def run_id(self) -> str:
        """The identifier of the run."""
        ...

    @property
    def run_info(self) -> RunInfo:
        """The names of the run."""
        ...

    @property
    def idempotency_key(self) -> str | None:
        """The idempotency key of the running step."""
        ...

    @property
    def position(self) -> int:
        """The place of the running step in the plan, from 0."""
        ...

    @property
    def parent(self) -> RunLink | None:
        """The step of another run that the run is a part of, as it runs; otherwise None."""
        ...

    @property
    def attempt(self) -> tuple[str, str, int] | None:
        """The running attempt in the journal: UUID of the run, name of the step, and number."""
        ...

    def recorder(self) -> Recorder:
        """Return the recorder of the running attempt."""
        ...

    @property
    def elsewhere(self) -> Callable[[StepResult | None], Any] | None:
        """Runs the running step elsewhere, given what to resume; None: do it here."""
        ...

    def end_attempt(self, outcome: StepResult) -> StepResult:
        """End the running attempt; return its result including the recorded data."""
        ...

    def leave_behind(self, attempt: StepResult) -> None:
        """Keep an attempt that could not be undone."""

    def needs(self, step: str) -> None:
        """Raise StepNeededError if `step` was left out of the run."""

    def progressed(self, current: float, total: float, category: str | None) -> None:
        """Receive progress within the running step."""

    def has_status(self, status: str | None) -> None:
        """Receive what the running step waits for or does."""

    def measured(
        self, value: Mapping[str, Any], category: str, higher_is_better: bool | None
    ) -> None:
        """Receive measured values."""

    def relies_on(self, uids: Iterable[str]) -> None:
        """Record runs on which this run relies."""

    def logged(self, event: str, data: Mapping[str, Any], file: str | None) -> None:
        """Receive an event."""

    def attached(self, name: str, value: Attachable) -> None:
        """Receive what the running step attaches."""

    def map_items(self, *args: Any, **options: Any) -> Items:
        """Work on the items of the running step."""
        ...

    async def amap_items(self, *args: Any, **options: Any) -> Items:
        """Like `map_items`, for a coroutine."""
        ...

    def seal(self, reason: str) -> None:
        """Mark the run as one that can no longer be rolled back."""


class _FromRun:
    """Descriptor for a value that comes from the run, unless the context has a field so named.

    It is a non-data descriptor, so a field of the user's class wins. It raises when read on the
    class, so that `@dataclass` does not take it for the default of such a field.
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

    Decorate subclasses with `@dataclass(kw_only=True)`; a plain `@dataclass` works if each field
    that it adds has a default.

    Attributes:
        runtime_ctx: The runtime context that receives `log`, `set_progress` and `set_metrics`.
        step_results: One result for each finished step, in order, including one that failed.
        errors: One sentence for each step that could not be undone; steps may append their own.
        current_step: Name of the step that is being run or undone, or None between steps.
    """

    runtime_ctx: RuntimeContext
    step_results: list[StepResult] = field(default_factory=list["StepResult"])
    errors: list[str] = field(default_factory=list[str])
    current_step: str | None = field(default=None, init=False)

    if TYPE_CHECKING:

        @property
        def results(self) -> Mapping[str, StepResult]:
            """The result of each finished step, by its name, its aliases and its inner names."""
            ...

        @property
        def outcome(self) -> str | None:
            """How the run ended (`completed`, `rolled_back`, ...), for `always_run` steps."""
            ...

        @property
        def failure(self) -> BaseException | None:
            """The error that ended the run, or None; for `always_run` steps."""
            ...

        @property
        def run_id(self) -> str | None:
            """The identifier of the run, or None outside a run."""
            ...

        @property
        def run_info(self) -> RunInfo | None:
            """What names this run to others: number, journal, machine; None outside a run."""
            ...

        @property
        def idempotency_key(self) -> str | None:
            """A key that identifies this step of this run to other systems; None outside a run."""
            ...

    else:
        results = _FromRun(_NO_RESULTS, "The result of each finished step, by name.")
        outcome = _FromRun(None, "How the run ended, for `always_run` steps.")
        failure = _FromRun(None, "What ended the run, for `always_run` steps.")
        run_id = _FromRun(None, "Identifies the run.")
        run_info = _FromRun(None, "Names the run to others.")
        idempotency_key = _FromRun(None, "Identifies this step of this run.")

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Raise ContextError if a subclass declares fields without `@dataclass`."""
        _check_declared(cast("type", cls))
        return super().__new__(cls)

    @property
    def record_rollback(self) -> Callable[[str, Any], None]:
        """A callable that appends `value` to `rollback_data[key]`: `record_rollback(key, value)`.

        Call it before each effect that needs an undo. Recorded values survive if the step raises,
        fails or is killed. The callable belongs to the attempt that was running when it was looked
        up; pass it to threads as a value.
        """
        return self._recorder().record

    @property
    def record_rollback_many(self) -> Callable[[str, Iterable[Any]], None]:
        """Like `record_rollback`, for several values in one write: `(key, values)`."""
        return self._recorder().record_many

    @property
    def arecord_rollback(self) -> Callable[[str, Any], Awaitable[None]]:
        """Like `record_rollback`, to be awaited in a coroutine."""
        return self._recorder().arecord

    def _recorder(self) -> Recorder:
        recorder, intercept = self._own_recorder(), self.__dict__.get(INTERCEPT)
        return recorder if intercept is None else InterceptedRecorder(recorder, intercept)

    def _own_recorder(self) -> Recorder:
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            return link.recorder()
        # A unit test may call a step outside a run; there, the values are only collected.
        own: Recorder = self.__dict__.setdefault(RECORDER, Recorder("(no run)"))
        return own

    def map_items(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        *,
        rollback: Callable[..., Any] | None = None,
        shared: Any = None,
        max_failed: int | str = 0,
        chunk: int | None = None,
        executor: str | None = None,
    ) -> Items:
        """Call a function for each of many items, on the slots of an executor; wait for the end.

        Functions may be `async def`. They are found by their names in other processes, so they are
        at the top level of a module or a file. Items, `shared` and what the function returns are
        JSON. Items are read as they are needed, and handed over in chunks. In a durable run that
        goes on after a kill, items that are done are not worked on again; others that may have
        begun are undone first.

        An item that fails, and each item when the step is undone, is undone by `rollback`, with
        what the item has recorded: an empty dict if that is nothing, and perhaps twice.

        Args:
            function: Called as `function(item, item_context)`; what it returns is the result.
            items: The items; in a run that goes on, the same as before.
            rollback: Called as `rollback(item, item_context, data)`, the last item first.
            shared: What all items are given, as `item_context.shared`.
            max_failed: How many items may fail, or which share of them, such as `2%`.
            chunk: How many items are handed over at a time; by default, as many as take half a
                second, up to 1000.
            executor: The URL of an executor, such as `threads:8`; by default, that of the run.

        Raises:
            ItemsFailedError: More items have failed than may.
            ExecutorError: The functions cannot be found elsewhere, or the executor cannot work.
            RollbackDataError: An item is no JSON, or has a secret that its undo would need.
            SourceChangedError: The items of a run that goes on are others.
        """
        return self._items_link().map_items(
            function,
            items,
            rollback=rollback,
            shared=shared,
            max_failed=max_failed,
            chunk=chunk,
            executor=executor,
        )

    async def amap_items(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        *,
        rollback: Callable[..., Any] | None = None,
        shared: Any = None,
        max_failed: int | str = 0,
        chunk: int | None = None,
        executor: str | None = None,
    ) -> Items:
        """Like `map_items`, to be awaited in a coroutine."""
        return await self._items_link().amap_items(
            function,
            items,
            rollback=rollback,
            shared=shared,
            max_failed=max_failed,
            chunk=chunk,
            executor=executor,
        )

    def _items_link(self) -> RunLink:
        link: RunLink | None = self.__dict__.get(LINK)
        if link is None:
            raise ExecutorError(
                "map_items works inside a run only",
                ways_out=("in a test, play the step with an Orchestrator",),
            )
        return link

    def seal(self, reason: str) -> None:
        """Declare that the run can no longer be rolled back.

        Call it before discarding something that an undo would need. Allowed only in an
        `always_run` step of a run that succeeded.

        Raises:
            RecordError: The run has not succeeded, or the context belongs to no run.
        """
        link: RunLink | None = self.__dict__.get(LINK)
        if link is None:
            raise RecordError("seal() works inside a run only")
        link.seal(reason)

    def relies_on(self, uids: Iterable[str]) -> None:
        """Record that this run relies on what other runs made, for `handrail runs` and `show`.

        Only a journal keeps it; a run that is rolled back no longer counts. It changes nothing
        about what an undo does.

        Args:
            uids: The `run_info.uid` of each, in this journal or in another.
        """
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.relies_on(uids)

    def needs(self, step: str) -> None:
        """Check that a step on whose work the current one builds was not left out of the run.

        Reading `results` of such a step checks that too. A step that is no part of the workflow is
        not needed.

        Args:
            step: Its name, or one of its aliases.

        Raises:
            StepNeededError: It was left out, as by `run --only`.
        """
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.needs(step)

    @calls_user_code
    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Log an event with its data through the runtime context.

        In a rollback, `log("undone", {"summary": "12 objects deleted"})` sets the text that the
        command line shows for that step.
        """
        self.runtime_ctx.log(event, data, file)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.logged(event, data, file)

    @calls_user_code
    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Report progress within the current step; `category` defaults to the step's name.

        Progress in the category `bytes` is shown as sizes, with a rate. In `rollback`, it is the
        progress of the undo.
        """
        category = self.current_step if category is None else category
        self.runtime_ctx.set_progress(current, total, category)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.progressed(current, total, category)

    @calls_user_code
    def set_status(self, status: str | None) -> None:
        """Say what the current step waits for or does, such as `retrying 2/8: no connection`.

        The command line shows it beside the step, in place of the time left, until the step says
        something else, reports that it has come further, or ends. Any thread may call it; in
        `rollback` it is about the undo. Unlike a message, it is not kept.

        Args:
            status: A few words, the most important first; None if there is nothing to say.
        """
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.has_status(status)

    @calls_user_code
    def set_metrics(
        self,
        value: Mapping[str, Any],
        category: str | None = None,
        *,
        higher_is_better: bool | None = None,
    ) -> None:
        """Report measured values.

        Args:
            value: The values, by name.
            category: What they are of; by default, the name of the current step.
            higher_is_better: Whether a higher value is better, or a lower one. Only with one of
                them is one of several runs called the best.

        Raises:
            ValueError: No category was given, and no step is running.
        """
        category = self.current_step if category is None else category
        if category is None:
            raise ValueError("set_metrics outside a step needs a category")
        self.runtime_ctx.set_metrics(value, category)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.measured(value, category, higher_is_better)

    @calls_user_code
    def attach(self, name: str, value: Attachable) -> None:
        """Attach a plot, a table, a text or a picture to the current step, for people to see.

        The journal keeps it, and `handrail show`, reports and pages show it; it changes nothing
        else. One of the same name takes the place of the one before. It is there as soon as the
        step is done; any thread may call this, and the undo may, too.

        One that is too large, or one too many, is left out, and a log line says so: 64 kB of JSON
        are kept of each, 256 kB of a picture, and 32 attachments of an attempt. Of a table, the
        first rows are.

        Args:
            name: Its name, of up to 100 characters.
            value: A value of `handrail.attachments`.

        Raises:
            AttachmentError: The name or the value is of another type.
        """
        check_attachment(name, value)
        link: RunLink | None = self.__dict__.get(LINK)
        if link is not None:
            link.attached(name, value)


def link_run(context: BaseStepContext, run: RunLink) -> None:
    """Connect `context` to `run`.

    Raises:
        ContextError: The object is not a context, or its `__init__` skipped that of the base.
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


def run_of(context: object) -> RunLink | None:
    """Return the run of `context`, or None."""
    link: RunLink | None = getattr(context, "__dict__", {}).get(LINK)
    return link


def notes_without_run(context: object) -> dict[str, list[Any]]:
    """Return and clear the data recorded by a step that was called outside a run."""
    recorder: Recorder | None = getattr(context, "__dict__", {}).pop(RECORDER, None)
    return {} if recorder is None else recorder.close()


def intercept_records(context: BaseStepContext, intercept: Intercept) -> None:
    """Call a function for each value that a step of `context` records.

    Args:
        context: The context, before a run starts with it.
        intercept: Called as `intercept(record, key, value)` in the recording thread; it calls
            `record(key, value)` to record the value. Its errors are raised in the step.
    """
    context.__dict__[INTERCEPT] = intercept


@cache
def _check_declared(cls: type) -> None:
    """Raise if a subclass declares fields without `@dataclass`: all contexts would share them."""
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
                f"{part.__qualname__} declares {', '.join(declared)} but is not a dataclass, "
                "so it would not be a field of each context",
                ways_out=(f"put @dataclass(kw_only=True) above class {part.__name__}",),
            )


def _annotations(cls: type) -> dict[str, Any]:
    try:
        return cls.__annotations__
    except Exception:  # noqa: BLE001 - Python 3.14 and later evaluate annotations here, which may fail
        return {}
