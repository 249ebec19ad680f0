"""BaseStepContext, which the steps of a run share; RuntimeContext for their output; RunInfo."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import Field, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypedDict, TypeVar, cast

from handrail.errors import AttachmentError, ContextError, ExecutorError, RecordError
from handrail.frozen import NOTHING, frozen
from handrail.recorder import InterceptedRecorder, Recorder
from handrail.redact import KNOWN, visible
from handrail.user_code import calls_user_code

if TYPE_CHECKING:
    from typing import Self, Unpack

    from handrail.engine.line import Line
    from handrail.recorder import Intercept
    from handrail.steps import StepResult

__all__ = ["BaseStepContext", "Items", "RunInfo", "RuntimeContext", "RuntimeLogger", "link_run"]

# Attributes for values that are not fields of the context; for OPTIONS see `params.context`.
LINK = "_handrail_run"
RECORDER = "_handrail_recorder"
OPTIONS = "_handrail_options"
INTERCEPT = "_handrail_intercept"

_LONGEST_NAME = 100  # Of an attachment.

T = TypeVar("T")


class RuntimeLogger(Protocol):
    """The protocol for a receiver of log events, progress and metrics."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Receive one event with its data; `file` is the path it is about, if any."""

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Receive progress within `category`, from 0 to `total`."""

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Receive measured values of `category`."""


class ConsoleLogger:
    """Logger that writes events, metrics and completed progress to standard error, a line each."""

    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Write one event."""
        about = f" ({file})" if file else ""
        say(f"{event} {data}{about}")

    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Write a line if `current` has reached `total`."""
        if current >= total:
            say(f"{category or 'progress'} {current}/{total}")

    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Write the values."""
        say(f"{category or 'metrics'} {value}")


def say(line: str) -> None:
    """Write a line to standard error; what cannot be written there is no failure of a step."""
    with suppress(OSError):
        print(visible(KNOWN(line)), file=sys.stderr)


class RuntimeContext:
    """The client, environment and logger that a run gives to its steps.

    Any object with `log`, `set_progress` and `set_metrics` may be used in its place.

    Args:
        client: An object through which steps reach a backend; Handrail does not use it.
        env: Variables for the steps; the process environment is not copied.
        logger: The receiver of log events, progress and metrics; by default, the console.
    """

    def __init__(
        self,
        client: Any = None,
        env: Mapping[str, str] | None = None,
        logger: RuntimeLogger | None = None,
    ) -> None:
        self.client = client
        self.env: dict[str, str] = dict(env or {})
        self.logger: RuntimeLogger = ConsoleLogger() if logger is None else logger

    @calls_user_code
    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Log one event with its data; `file` is the path it is about, if any."""
        self.logger.log(event, data, file)

    @calls_user_code
    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Report progress within `category`.

        Raises:
            ValueError: `total` is not above 0, or `current` is not between 0 and `total`.
        """
        if not total > 0:
            raise ValueError(f"progress total must be above 0, not {total}")
        if not 0 <= current <= total:
            raise ValueError(f"progress must lie between 0 and {total}, not at {current}")
        self.logger.set_progress(current, total, category)

    @calls_user_code
    def set_metrics(self, value: Mapping[str, Any], category: str | None = None) -> None:
        """Report measured values of `category`."""
        self.logger.set_metrics(value, category)


class _SilentLogger:
    """Discards what it is told: observers receive it as events."""

    def log(self, *_: object, **__: object) -> None:
        """Take anything."""

    set_progress = set_metrics = log


def silent_runtime() -> RuntimeContext:
    """Return a runtime context that writes nothing itself."""
    return RuntimeContext(logger=_SilentLogger())


@frozen
class RunInfo:
    """Names a run to others, for steps that leave a note outside the journal.

    Attributes:
        uid: The UUID of the run, the same in every process that continues it.
        action: The name by which the action is found, such as `upload` or `flows.py:nightly`.
        host: Name of the machine that works on the run now.
        user: Name of the user who works on it now.
        project: The project of the run: its name, or the real path of its folder.
        number: The number of the run in its journal, or None without a journal.
        journal: The journal: the absolute path of a file, or a URL without secrets; or None.
        parent: The number of the run that it is a part of, or None.
    """

    uid: str
    action: str
    host: str
    user: str
    project: str
    number: int | None = None
    journal: str | None = None
    parent: int | None = None


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


class Attachable(Protocol):
    """What a step can attach: it has a JSON form."""

    def to_dict(self) -> Mapping[str, Any]:
        """Return the JSON form; `type` in it names what it is, such as `table`."""
        ...


class ItemOptions(TypedDict, total=False):
    """How the items of a step are worked on.

    Attributes:
        rollback: Called as `rollback(item, item_context, data)`, the last item first.
        shared: What all items are given, as `item_context.shared`.
        max_failed: How many items may fail, or which share of them, such as `2%`; by default, none.
        chunk: How many items are handed over at a time; by default, as many as take half a second,
            up to 1000.
        executor: The URL of an executor, such as `threads:8`; by default, that of the run.
    """

    rollback: Callable[..., Any] | None
    shared: Any
    max_failed: int | str
    chunk: int | None
    executor: str | None


class _FromRun(Generic[T]):
    """Descriptor for a value that comes from the run, unless the context has a field so named.

    It is a non-data descriptor, so a field of the user's class wins. It raises when read on the
    class, so that `@dataclass` does not take it for the default of such a field.
    """

    def __init__(self, without_run: T) -> None:
        self.without_run = without_run

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, context: object | None, owner: type) -> T:
        if context is None:
            raise AttributeError(f"{self.name} belongs to a context, not to its class")
        line = run_of(context)
        return self.without_run if line is None else cast("T", getattr(line, self.name))


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

    results = _FromRun[Mapping[str, "StepResult"]](NOTHING)
    """The result of each finished step, by its name, its aliases and its inner names."""
    outcome = _FromRun["str | None"](None)
    """How the run ended (`completed`, `rolled_back`, ...), for `always_run` steps."""
    failure = _FromRun["BaseException | None"](None)
    """The error that ended the run, or None; for `always_run` steps."""
    run_id = _FromRun["str | None"](None)
    """The identifier of the run, or None outside a run."""
    run_info = _FromRun["RunInfo | None"](None)
    """What names this run to others: number, journal, machine; None outside a run."""
    idempotency_key = _FromRun["str | None"](None)
    """A key that identifies this step of this run to other systems; None outside a run."""

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
        line, intercept = run_of(self), self.__dict__.get(INTERCEPT)
        if line is None:
            # A unit test may call a step outside a run; there, the values are only collected.
            recorder: Recorder = self.__dict__.setdefault(RECORDER, Recorder("(no run)"))
        else:
            recorder = line.recorder()
        return recorder if intercept is None else InterceptedRecorder(recorder, intercept)

    def map_items(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        **options: Unpack[ItemOptions],
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
            **options: Any of `rollback`, `shared`, `max_failed`, `chunk` and `executor`; see
                `ItemOptions`.

        Raises:
            ItemsFailedError: More items have failed than may.
            ExecutorError: The functions cannot be found elsewhere, or the executor cannot work.
            RollbackDataError: An item is no JSON, or has a secret that its undo would need.
            SourceChangedError: The items of a run that goes on are others.
        """
        return self._mapping().map_items(function, items, **options)

    async def amap_items(
        self,
        function: Callable[..., Any],
        items: Iterable[Any],
        **options: Unpack[ItemOptions],
    ) -> Items:
        """Like `map_items`, to be awaited in a coroutine."""
        return await self._mapping().amap_items(function, items, **options)

    def _mapping(self) -> Line:
        if (line := run_of(self)) is None:
            raise ExecutorError(
                "map_items works inside a run only",
                ways_out=("in a test, play the step with an Orchestrator",),
            )
        return line

    def seal(self, reason: str) -> None:
        """Declare that the run can no longer be rolled back.

        Call it before discarding something that an undo would need. Allowed only in an
        `always_run` step of a run that succeeded.

        Raises:
            RecordError: The run has not succeeded, or the context belongs to no run.
        """
        if (line := run_of(self)) is None:
            raise RecordError("seal() works inside a run only")
        line.seal(reason)

    def relies_on(self, uids: Iterable[str]) -> None:
        """Record that this run relies on what other runs made, for `handrail runs` and `show`.

        Only a journal keeps it; a run that is rolled back no longer counts. It changes nothing
        about what an undo does.

        Args:
            uids: The `run_info.uid` of each, in this journal or in another.
        """
        if (line := run_of(self)) is not None:
            line.relies_on(uids)

    def needs(self, step: str) -> None:
        """Check that a step on whose work the current one builds was not left out of the run.

        Reading `results` of such a step checks that too. A step that is no part of the workflow is
        not needed.

        Args:
            step: Its name, or one of its aliases.

        Raises:
            StepNeededError: It was left out, as by `run --only`.
        """
        if (line := run_of(self)) is not None:
            line.needs(step)

    @calls_user_code
    def log(self, event: str, data: Mapping[str, Any], file: str | None = None) -> None:
        """Log an event with its data through the runtime context.

        In a rollback, `log("undone", {"summary": "12 objects deleted"})` sets the text that the
        command line shows for that step.
        """
        self.runtime_ctx.log(event, data, file)
        if (line := run_of(self)) is not None:
            line.logged(event, data, file)

    @calls_user_code
    def set_progress(self, current: float, total: float, category: str | None = None) -> None:
        """Report progress within the current step; `category` defaults to the step's name.

        Progress in the category `bytes` is shown as sizes, with a rate. In `rollback`, it is the
        progress of the undo.
        """
        category = self.current_step if category is None else category
        self.runtime_ctx.set_progress(current, total, category)
        # Looked up here, since steps report often.
        if (line := self.__dict__.get(LINK)) is not None:
            line.progressed(current, total, category)

    @calls_user_code
    def set_status(self, status: str | None) -> None:
        """Say what the current step waits for or does, such as `retrying 2/8: no connection`.

        The command line shows it beside the step, in place of the time left, until the step says
        something else, reports that it has come further, or ends. Any thread may call it; in
        `rollback` it is about the undo. Unlike a message, it is not kept.

        Args:
            status: A few words, the most important first; None if there is nothing to say.
        """
        if (line := run_of(self)) is not None:
            line.has_status(status)

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
        if (line := run_of(self)) is not None:
            line.measured(value, category, higher_is_better)

    @calls_user_code
    def attach(self, name: str, value: Attachable) -> None:
        """Attach a plot, a table, a text or a picture to the current step, for people to see.

        The journal keeps it, and `handrail show`, reports and pages show it; it changes nothing
        else. One of the same name takes the place of the one before. It is there as soon as the
        step is done; any thread may call this, and the undo may, too.

        One that is too large, or one too many, is left out, and a log line says so: 350 kB of JSON
        are kept of each, and 32 attachments of an attempt.

        Args:
            name: Its name, of up to 100 characters.
            value: A value of `handrail.attachments`, or of a class of your own with `to_dict`.

        Raises:
            AttachmentError: The name is none, or the value has no such JSON form.
        """
        form = _form_of(name, value)
        if (line := run_of(self)) is not None:
            line.attached(name, form)


def _form_of(name: str, value: Attachable) -> Mapping[str, Any]:
    """Return the JSON form of what is attached, or raise AttachmentError."""
    if not isinstance(cast("object", name), str) or not 0 < len(name) <= _LONGEST_NAME:
        raise AttachmentError(
            f"the name of an attachment is a text of 1 to {_LONGEST_NAME} characters"
        )
    form = value.to_dict() if hasattr(value, "to_dict") else None
    if isinstance(form, Mapping) and isinstance(form.get("type"), str):
        return form
    raise AttachmentError(
        f"'{name}' cannot be attached: {type(value).__name__} has no to_dict() that returns a JSON "
        "form with a 'type'",
        ways_out=(f"from handrail.attachments:  context.attach({name!r}, Table(columns, rows))",),
    )


def link_run(context: BaseStepContext, run: Line) -> None:
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


def run_of(context: object) -> Line | None:
    """Return the line of a run that `context` is tied to, or None."""
    line: Line | None = getattr(context, "__dict__", {}).get(LINK)
    return line


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
