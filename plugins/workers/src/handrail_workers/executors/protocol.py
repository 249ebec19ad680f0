"""The Executor protocol, which packs can implement for further engines, and its values.

What crosses to a worker is JSON and names of functions, so a worker may be a thread, a process or a
process on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, Protocol

from handrail.frozen import as_json, from_json, frozen
from handrail.journal import AttemptId, Note

Death = Literal["dead", "fenced", "unknown"]
"""What is certain of an attempt: it has ended; it can write no more; neither."""


@frozen
class CodeRef:
    """Where a worker finds the functions of a call.

    Attributes:
        function: The function for an item, as `module:name`.
        rollback: The function that undoes an item, as `module:name`, or None.
        files: Python files to import modules from by path, by the name of the module: that of a
            workflow in a file, and that of a program, which is no module elsewhere.
        path: Folders for `sys.path`, before those of the worker.
        checked: Those of them whose modules are imported only if their files can be trusted.
        folder: The working folder.
        source: The folder with the code of the working folder, if a worker has that elsewhere.
        main: The name under which `__main__` of the driver is found in `files`, or None.
    """

    function: str
    rollback: str | None = None
    files: Mapping[str, str]
    path: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    folder: str
    source: str | None = None
    main: str | None = None


@frozen
class ChunkCall:
    """Some items to work on, or to undo, one after the other.

    Attributes:
        attempt: What is attempted; no two calls have the same.
        first: The position of the first item among all items of the step.
        items: The items, which are JSON.
        shared: What all items of the step are given, which is JSON.
        chosen: The positions in the chunk to work on, if not all: those that failed earlier.
        notes: What the items have recorded, if they are undone.
        name: The name of the action, for what a worker shows of itself.
    """

    attempt: AttemptId
    first: int
    items: Sequence[Any]
    shared: Any = None
    chosen: tuple[int, ...] | None = None
    notes: tuple[Note, ...] = ()
    name: str = ""


@frozen
class ItemError:
    """Why an item failed.

    Attributes:
        item: The position of the item in its chunk.
        error: One line, such as `ValueError: no such codec`.
        trace: The traceback, or nothing.
    """

    item: int
    error: str
    trace: str = ""


class ItemLine(NamedTuple):
    """A log line of an item.

    Attributes:
        item: The position of the item in its chunk.
        event: The event.
        data: Its data, which is JSON.
    """

    item: int
    event: str
    data: Mapping[str, Any]


@frozen
class Outcome:
    """How an attempt ended, as far as the executor knows.

    Attributes:
        attempt: The attempt.
    """

    attempt: AttemptId


@frozen
class Done(Outcome):
    """All items of the chunk were tried.

    Attributes:
        results: What the function returned for each item, which is JSON; None for those that
            failed, and for those not chosen.
        errors: The items that failed. Of an undo: those that could not be undone.
        seconds: How long the items took in the worker.
        logged: What the items have logged, the first 50 lines, for the journal.
    """

    results: Sequence[Any]
    errors: tuple[ItemError, ...] = ()
    seconds: float = 0.0
    logged: tuple[ItemLine, ...] = ()


@frozen
class Failed(Outcome):
    """No item was tried, or the rest could not be: the functions were not found, for example.

    Attributes:
        error: Why, in one line.
        trace: The traceback, or nothing.
    """

    error: str
    trace: str = ""


@frozen
class Lost(Outcome):
    """The worker is gone, or does not answer: the attempt may have done anything, or nothing.

    Attributes:
        reason: What is known, such as `the process 4711 was killed by SIGKILL`.
        breaks_off: Whether nobody knows what is recorded, so that the run is left to another
            process.
    """

    reason: str
    breaks_off: bool = False


@frozen
class Cancelled(Outcome):
    """It was cancelled, and has ended; some items may have been tried."""


_KINDS: Mapping[str, type[Outcome]] = {
    each.__name__: each for each in (Cancelled, Done, Failed, Lost)
}


def told(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as JSON values."""
    return {"kind": type(outcome).__name__, **as_json(outcome)}


def outcome_from(message: Mapping[str, Any]) -> Outcome:
    """Return an outcome from what `told` returned for it."""
    kind = _KINDS[message["kind"]]
    return from_json(kind, message)


@frozen
class Guarantees:
    """What an executor promises; the contract of the testing kit checks each.

    Attributes:
        bounded: How many calls it takes at a time; `submit` of one more raises `Full`.
        slots: How many of them are worked on at a time.
        hard_cancel: Whether `cancel` ends code that is running.
        descendants: Whether processes that a call has started end with it.
        survives_driver: Whether attempts may go on for a time when the driver was killed.
        death: How `confirm_dead` knows, in a few words for documentation and messages.
    """

    bounded: int
    slots: int
    hard_cancel: bool
    descendants: bool
    survives_driver: bool
    death: str


class Full(Exception):  # noqa: N818 - it is no failure, but the state of a queue, as in `queue`
    """An executor takes no more calls until one of them has ended."""


class Host(Protocol):
    """What the run offers to an executor; any thread may call it."""

    @property
    def journal(self) -> str | None:
        """The URL of the journal, with which another machine can open it, or None."""
        ...

    @property
    def run(self) -> int | None:
        """The number of the run in its journal; None before it begins, or without a journal."""
        ...

    @property
    def inherited(self) -> tuple[int, ...]:
        """Descriptors that worker processes of this machine inherit: the lock of the run."""
        ...

    @property
    def secrets(self) -> tuple[str, ...]:
        """The variables of the environment that have secrets of the run; see `masked`."""
        ...

    def record(self, attempt: AttemptId, notes: Sequence[Note]) -> None:
        """Make rollback data of a running attempt durable; it is when this returns.

        Raises:
            RecordError: The attempt has ended, as far as the run knows.
            JournalError: It could not be written.
        """
        ...

    def heard(self, attempt: AttemptId, tried: int, failed: int) -> None:
        """Receive how many items of a running attempt were tried so far, and how many failed."""
        ...

    def wrote(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Show what a worker has printed."""
        ...


class Executor(Protocol):
    """Works on chunks of items. One thread, that of the step, calls it, and no two at a time."""

    @property
    def guarantees(self) -> Guarantees:
        """What it promises; known before `open`."""
        ...

    def open(self, env_digest: str, code: CodeRef) -> None:
        """Get ready to call functions; called once, before anything else.

        Args:
            env_digest: A digest of the versions of Python, of all distributions and of the files of
                `code`; workers on other machines compare it with theirs.
            code: Where the functions are found.

        Raises:
            ExecutorError: It cannot work here; the message says why, and the way out.
        """
        ...

    def submit(self, call: ChunkCall) -> None:
        """Take a call; it does not wait for it.

        Raises:
            Full: As many calls as `guarantees.bounded` have not ended.
            ExecutorError: It can take no more calls at all.
        """
        ...

    def wait(self, timeout: float) -> list[Outcome]:
        """Return outcomes of calls, each once; none if there are none within `timeout` seconds."""
        ...

    def cancel(self, attempt: AttemptId) -> None:
        """Ask for the end of an attempt; `wait` returns its outcome, whatever it will be.

        Unknown attempts, and those that have ended, are no error.
        """
        ...

    def confirm_dead(self, attempt: AttemptId, timeout: float) -> Death:
        """Return what is certain of an attempt, within `timeout` seconds.

        Only after `dead` and `fenced` its chunk may be undone. It may be an attempt of an earlier
        process that was killed.
        """
        ...

    def close(self) -> None:
        """End all workers, and whatever they do. Calling it twice is harmless."""
        ...


class ExecutorFactory(Protocol):
    """Makes an executor, without starting anything; an entry point `handrail.executors`."""

    def __call__(self, url: str, host: Host) -> Executor:
        """Make one.

        Args:
            url: As the user gave it, such as `processes:4` or `ray`; what comes before the colon is
                the name of the entry point.
            host: What the run offers to it.

        Raises:
            ExecutorError: The URL is not valid, or the executor needs something that the run does
                not have, such as a journal that other machines reach. One is made before each run
                that names it, so that such a run is refused before it begins.
        """
        ...
