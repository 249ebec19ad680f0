"""Journal: the base class of all journals, which packs can derive from for further URL schemes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Protocol

from handrail.errors import JournalError, ResultDataError
from handrail.frozen import frozen
from handrail.journal.records import ChunkCount, Reliance, RunPage

if TYPE_CHECKING:
    from handrail.errors import JournalDamagedError
    from handrail.journal.codec import AttemptId, Note
    from handrail.journal.records import (
        Change,
        ChunkRow,
        ItemNoteRow,
        KeptRow,
        NewRun,
        Outcome,
        RunRow,
    )

VERSION = 1
"""The version of `Journal` in this version of Handrail."""


@frozen
class Holder:
    """The process that owns a run.

    Attributes:
        described: A description, such as `pid 4711 on build7, user team7`.
        stale: Whether its lease has expired, because the process is stopped or stuck.
        silent: Seconds since its last sign of life, or None if unknown.
        lock: Path of the lock file if the owner is gone but a process forked from it still has the
            lock; else None.
        journal: Path of the original journal, which has the run, if this journal is a copy; else
            None.
        pid: Its process id if it is proven to be a process of this machine that Ctrl-C stops; else
            None.
    """

    described: str
    stale: bool
    silent: float | None = None
    lock: str | None = None
    journal: str | None = None
    pid: int | None = None

    @property
    def owner_is_gone(self) -> bool:
        """Whether only processes that the owner had forked are left."""
        return self.lock is not None


@frozen
class RunCheck:
    """What a check of all rows of one run has found.

    Attributes:
        rows: How many rows were read.
        damage: The damaged rows.
        unseen: Damaged rows beside the run, without which it is whole.
        sound: The run without them; None if not even its own row was found.
    """

    rows: int = 0
    damage: tuple[JournalDamagedError, ...] = ()
    unseen: tuple[JournalDamagedError, ...] = ()
    sound: RunRow | None = None


class OwnedRun(ABC):
    """A run that this process owns; no other process can write to it.

    It can be used from several threads, but not from a forked child process.
    """

    @property
    @abstractmethod
    def number(self) -> int:
        """The number of the run in its journal."""

    @property
    @abstractmethod
    def uid(self) -> str:
        """The UUID of the run."""

    @property
    @abstractmethod
    def fence(self) -> int:
        """The fence of this owner, which each later claim raises."""

    @property
    def lock_descriptor(self) -> int | None:
        """The descriptor of the file or connection whose lock says that the run is owned, if any.

        A process that inherits it keeps others from claiming the run while it lives.
        """
        return None

    @abstractmethod
    def write(self, changes: Sequence[Change]) -> None:
        """Commit `changes`, all or none; they are durable when this returns.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: The changes could not be written, for example because the disk is full.
        """

    def keep(self, rows: Sequence[KeptRow]) -> None:  # noqa: B027 - a default
        """Write rows beside the run in a commit of their own, durable once another one is.

        After an error, other writes still succeed if they can. By default, nothing is kept.

        Raises:
            LeaseLostError: The run was taken over, or is closed.
            JournalError: They could not be written.
        """

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        """Call a function once, in another thread, or when the run is given up before.

        A call that waits is replaced. It must not raise. By default, it is called at once.
        """
        call()

    def store_value(
        self, stem: str, suffix: str, write: Callable[[BinaryIO], None]
    ) -> dict[str, Any]:
        """Store a value that JSON lacks; it is durable on return, and pruned with the run.

        Args:
            stem: What its name begins with, any text.
            suffix: What its name ends with, such as `.parquet`.
            write: Writes it to a file, which is empty and can be sought.

        Returns:
            Its `name` in the run, its `size` in bytes, and its `sha256` in hexadecimal digits.

        Raises:
            ValueTooLargeError: It is larger than the journal takes; the message says how large.
            ResultDataError: The journal stores no such values, as by default.
            OSError: There is no room for it.
            JournalError: It could not be written, for example because the run was taken over.
            Exception: `write` raised; nothing is left of it.
        """
        raise ResultDataError("this kind of journal stores only JSON")

    @abstractmethod
    def release(self) -> None:
        """Give up the run, so that others can claim it. Calling it twice is harmless."""


class Journal(ABC):
    """A durable record of runs.

    What is abstract here is what runs need to be resumed and undone. What has a default serves
    people, or workers on other machines: a journal may leave it, and drop each `RelianceChange` if
    it leaves `reliance`.

    Attributes:
        version: The version of this class for which a journal was written; this is 1. A journal
            that was written for another one is refused when it is opened.
    """

    version: ClassVar[int]

    @property
    @abstractmethod
    def shown(self) -> str:
        """The location of the journal for display, without secrets."""

    @property
    def address(self) -> str:
        """The location as it can be understood in any working folder."""
        return self.shown

    @property
    def format(self) -> int:
        """The version of its tables."""
        return 1

    @property
    def url(self) -> str | None:
        """The URL with which workers on other machines open it, or None if they cannot."""
        return None

    # Runs that this process owns

    @abstractmethod
    def open_run(self, new: NewRun, changes: Sequence[Change] = ()) -> OwnedRun:
        """Add a run owned by this process, with its first changes, in one commit.

        Raises:
            LeaseLostError: It has a parent, which belongs to another owner, or is over or undone.
            JournalError: The run could not be written, and was not added.
        """

    @abstractmethod
    def claim(self, number: int, *, take_over: bool = False) -> OwnedRun:
        """Make this process the owner of a run; a closed run is reopened.

        A claim is one commit. It raises the run's fence, so the writes of any earlier owner fail.

        Args:
            number: The number of the run.
            take_over: Whether to take the run from an owner whose lease has expired.

        Raises:
            NotFoundError: There is no such run.
            RunHeldError: The run belongs to another process that is, or may be, alive.
            JournalError: The claim could not be written.
        """

    @abstractmethod
    def holder(self, number: int) -> Holder | None:
        """Return the process that owns the run, or None if its owner is gone.

        Raises:
            NotFoundError: There is no such run.
        """

    def request_stop(self, number: int) -> None:
        """Ask the present owner of a run to stop it, as Ctrl-C would.

        The owner reads that when it renews its lease, and calls `handrail.journal.interrupt`. A
        request reaches no later owner. For a run without an owner, or one that is closed, it does
        nothing.

        Raises:
            JournalError: It could not be written; or this journal passes on no requests, as by
                default.
        """
        raise JournalError(
            f"{self.shown} passes on no requests to stop",
            ways_out=(f"press Ctrl-C where run {number} is at work",),
        )

    @abstractmethod
    def prune(
        self, older_than: timedelta, release: Callable[[int], bool] | None = None
    ) -> list[int]:
        """Delete closed runs that ended longer ago than `older_than`; return their numbers.

        Runs that are not closed, have an owner, or are `failed` or `rollback_incomplete` are kept,
        because they can still be finished or undone. A run goes with all its parts, or all stay.

        Args:
            older_than: The age.
            release: Called with the number of each run, which nobody can claim meanwhile; the run
                stays if it returns False. It may read the journal.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the journal and release its runs. Calling it twice is harmless."""

    # The record of runs

    @abstractmethod
    def runs(
        self,
        *,
        limit: int | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        project: str | None = None,
        parts: bool = False,
    ) -> list[RunRow]:
        """Return runs, without their plans, the latest first; also those whose row is damaged.

        Args:
            limit: The maximum number of runs; None for all.
            action: Only runs of this action: its name, or the part after the last colon.
            outcome: Only runs with this outcome; `interrupted` for runs that have not ended.
            project: Only runs of this project.
            parts: Whether also those that are parts of others.
        """

    @abstractmethod
    def parts(self, number: int, *, item: int | None = None) -> list[RunRow]:
        """Return the runs that are parts of a run, as they were opened, without their plans.

        Args:
            number: The number of the run.
            item: Only those that were opened for this item.
        """

    @abstractmethod
    def read(self, number: int, *, fields: bool = True) -> RunRow:
        """Return the complete record of one run.

        Args:
            number: The number of the run.
            fields: Whether to read the context's fields, which may be many; otherwise there are
                none.

        Raises:
            NotFoundError: There is no such run; the message lists the closest numbers.
            JournalDamagedError: A row of the run is not what was written.
        """

    @abstractmethod
    def chunks(
        self,
        number: int,
        step: str,
        n: int,
        *,
        first: int = 0,
        back: bool = False,
        contents: bool = True,
    ) -> Iterator[ChunkRow]:
        """Yield the chunks of an attempt of a step, by their numbers; only a few are held.

        A chunk that changes meanwhile is yielded once, as it was or as it is. They are no part of a
        `RunRow`, because there may be many.

        Args:
            number: The number of the run.
            step: Name of the step.
            n: Number of the attempt.
            first: The number of the first one.
            back: Whether the last one comes first, and that the last.
            contents: Whether to read items, results and errors, too; then they are checked.

        Raises:
            JournalDamagedError: A row is not what was written.
        """

    @abstractmethod
    def item_notes(self, number: int, step: str, n: int, chunk: int) -> Sequence[ItemNoteRow]:
        """Return what the items of a chunk have recorded, in order.

        Raises:
            JournalDamagedError: A row is not what was written.
        """

    def chunk_counts(self, number: int) -> Sequence[ChunkCount]:
        """Return how many chunks and items of a run are in which state."""
        counts: dict[tuple[Any, ...], list[int]] = {}
        for attempt in self.read(number, fields=False).attempts:
            for chunk in self.chunks(number, attempt.step, attempt.n):
                sums = counts.setdefault((chunk.step, chunk.n, chunk.state), [0, 0, 0, 0])
                undoable = 0 if chunk.items is None else chunk.size
                for place, count in enumerate((1, chunk.size, chunk.failed, undoable)):
                    sums[place] += count
        return [ChunkCount(*place, *sums) for place, sums in sorted(counts.items())]

    def open_value(self, number: int, name: str) -> BinaryIO:
        """Return a file from which a stored value of a run can be read; it can be sought.

        Raises:
            JournalError: There is no such value, or it cannot be read.
        """
        raise JournalError(f"{self.shown} stores no values; run {number} has none named {name}")

    # What only people look at

    def count_parts(self, number: int) -> Mapping[str, int]:
        """Return how many items of a run have which outcome, by their latest attempt.

        Those that have not ended are `interrupted`.
        """
        latest = {(row.parent_step, row.parent_item): row for row in self.parts(number)}
        return Counter(row.outcome or "interrupted" for row in latest.values())

    def reliance(self, numbers: Iterable[int]) -> Mapping[int, Reliance]:
        """Return the runs on which each of the given runs relies, and those that rely on it.

        Runs for which there are none, and unknown ones, are left out.
        """
        return {}

    def keep_result(self, number: int, text: str) -> None:  # noqa: B027 - a default
        """Keep the result of a run that has ended beside it, as the row of the kind `result`.

        It is called by the owner of the run, after that was closed. By default, nothing is kept.

        Raises:
            JournalError: It could not be written.
        """

    def kept(
        self,
        number: int,
        kinds: Collection[str] = (),
        *,
        damage: Callable[[JournalDamagedError], None] | None = None,
        step: str | None = None,
        texts: bool = True,
    ) -> Sequence[KeptRow]:
        """Return the rows beside a run, by kind as given, then in the order in which they began.

        Args:
            number: The number of the run.
            kinds: Only those of these kinds; by default, of all.
            damage: Told of each row that is not what was written, which is left out; by default,
                the first one is raised.
            step: Only those of this step.
            texts: Whether to read the texts; otherwise they are empty, and not checked.

        Raises:
            NotFoundError: There is no such run.
            JournalDamagedError: A row is not what was written.
            JournalError: They cannot be read.
        """
        return ()

    def find_runs(
        self,
        *,
        text: str | None = None,
        action: str | None = None,
        outcome: Outcome | None = None,
        before: int | None = None,
        limit: int,
    ) -> RunPage:
        """Return some of the runs that fit, the latest first, and how many fit in all.

        Args:
            text: Only runs with this text in the action, the project, the params, the UUID, or in
                why a step failed if the journal can search that; in upper or lower case. And the
                run with this number.
            action: Only runs of this action: its name, or the part after the last colon.
            outcome: Only runs with this outcome; `interrupted` for runs that have not ended.
            before: Only runs with lower numbers; they are counted all the same.
            limit: The maximum number of runs.
        """
        wanted = (text or "").lower()
        rows = [
            row
            for row in self.runs(action=action, outcome=outcome)
            if wanted in f"{row.action}\0{row.project}\0{row.params}\0{row.uid}".lower()
            or wanted == str(row.number)
        ]
        return RunPage(
            rows=[row for row in rows if before is None or row.number < before][:limit],
            count=len(rows),
            actions=sorted({row.action for row in self.runs()}),
        )

    def stamp(self) -> str | None:
        """Return a text that is another one after each commit, of whichever process.

        It may change without one, too. None if the journal cannot tell cheaply.
        """
        return None

    def check(self) -> list[str]:
        """Return what is wrong with the database as a whole, one sentence each."""
        return []

    def check_run(self, number: int) -> RunCheck:
        """Read all rows of a run; return which are damaged, and what is sound.

        Args:
            number: The number of the run.

        Raises:
            NotFoundError: There is no such run.
            JournalDamagedError: A row is damaged, and nothing is known of the others.
        """
        return RunCheck(sound=self.read(number))

    # Workers on other machines

    def chunk_session(self, label: str) -> ChunkSession:
        """Return a connection for a worker; it does not end with the journal.

        Args:
            label: What the worker is called, of up to 50 ASCII characters.

        Raises:
            JournalError: The journal cannot be used, or has no `url`.
        """
        raise JournalError(f"workers on other machines cannot write to {self.shown}")

    def chunk_fences(self, number: int) -> ChunkFences:
        """Return the fences of a run that this process owns.

        Raises:
            NotFoundError: There is no such run.
            JournalError: The journal cannot be used, or has no `url`.
        """
        raise JournalError(f"workers on other machines cannot write to {self.shown}")


class ChunkSession(Protocol):
    """The connection of a worker, on any machine, that works on chunks of items one by one.

    While it works on one, the connection has the lock of that chunk. Any thread may use it.
    """

    def begin(self, attempt: AttemptId, token: int) -> None:
        """Take the lock of a chunk; then check that nobody has forbidden the attempt.

        Args:
            attempt: The attempt; it is recorded as the current one of the chunk.
            token: What `ChunkFences.token` returned for it.

        Raises:
            LeaseLostError: It is forbidden, or not the current one. Nothing may be done for it.
            JournalError: The journal cannot be used, or another worker has the lock.
        """
        ...

    def record(self, notes: Sequence[Note]) -> None:
        """Write rollback data of items, all or none; they are durable when this returns.

        Raises:
            LeaseLostError: The attempt was forbidden meanwhile.
            JournalError: The notes could not be written.
        """
        ...

    def check(self) -> None:
        """Give a sign of life, and check that nobody has forbidden the attempt.

        Raises:
            LeaseLostError: It was forbidden.
            JournalError: The connection, and with it the lock, is lost.
        """
        ...

    def end(self) -> None:
        """Give back the lock.

        Raises:
            JournalError: The connection is lost, and so the lock is free as well.
        """
        ...

    def close(self) -> None:
        """Disconnect. Calling it twice is harmless."""
        ...


@frozen
class ChunkHolder:
    """The worker that has the lock of a chunk.

    Attributes:
        label: What it called itself when it connected.
        silent: Seconds since its last sign of life.
    """

    label: str
    silent: float


class ChunkFences(Protocol):
    """What the owner of a run keeps its workers out of chunks with."""

    def token(self) -> int:
        """Return a number that allows one attempt to begin; each is greater than all before it."""
        ...

    def forbid(self, attempt: AttemptId) -> None:
        """Let nobody begin at the chunk, or write to it, with a token that was returned so far.

        Who is at it stops with the next sign of life; its lock is free when it has ended.

        Raises:
            JournalError: The journal cannot be written.
        """
        ...

    def is_free(self, attempt: AttemptId) -> bool:
        """Return whether nobody has the lock of the chunk.

        Raises:
            JournalError: The journal cannot be read.
        """
        ...

    def holders(self, attempts: Collection[AttemptId]) -> Mapping[AttemptId, ChunkHolder]:
        """Return who has the lock of each chunk; those whose lock is free are left out.

        Raises:
            JournalError: The journal cannot be read.
        """
        ...

    def expel(self, attempt: AttemptId) -> None:
        """End the connection of who has the lock of the chunk, so that it can write no more.

        Raises:
            JournalError: The journal cannot be used, or does not let this user do so.
        """
        ...

    def close(self) -> None:
        """Disconnect. Calling it twice is harmless."""
        ...
