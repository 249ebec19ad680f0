"""ItemsOfRun: works on the items of the steps of one run, and undoes them."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from handrail.errors import ExecutorError, ExecutorLostError, ItemsUndoError
from handrail.frozen import replace
from handrail.packs import default_url, is_local
from handrail.places import calls_user_code
from handrail_workers.executors.code import code_of
from handrail_workers.executors.environment import environment_digest
from handrail_workers.executors.opening import open_executor
from handrail_workers.items import back, forward
from handrail_workers.items.back import Back, parts_back
from handrail_workers.items.calls import Calls, StepHost, Stop, of_executor
from handrail_workers.items.cutting import Source
from handrail_workers.items.forward import Forward, MapOptions, checked_options
from handrail_workers.items.ledger import ItemLog, MemoryLedger
from handrail_workers.items.results import Items
from handrail_workers.items.step import StepOfItems

if TYPE_CHECKING:
    from handrail.events import MessageLogged
    from handrail.journal import AttemptId, JournaledLog
    from handrail.packs import InstalledExecutors
    from handrail.places import Line, RunState
    from handrail_workers.executors.protocol import CodeRef, Executor
    from handrail_workers.items.ledger import Ledger

HandsOver = Callable[[Stop], AbstractContextManager[None]]
"""Lets an interrupt of the run set a `Stop`, within the block, instead of raising."""

UntilStopped = Callable[[Callable[[], Any], Callable[[BaseException], None]], Awaitable[Any]]
"""Calls a function in a thread, for a coroutine; a cancellation calls the second one."""


class ItemsOfRun:
    """The items of the steps of one run.

    Args:
        run: The run.
        url: The URL of the executor that the user has asked for, or None.
        packs: The executors of packs, with the default.
        hands_over: See `HandsOver`.
        until_stopped: See `UntilStopped`.
    """

    def __init__(
        self,
        run: RunState,
        url: str | None,
        *,
        hands_over: HandsOver,
        until_stopped: UntilStopped,
        packs: InstalledExecutors,
    ) -> None:
        self._run = run
        self._url = url
        self._packs = packs
        self._hands_over = hands_over
        self._until_stopped = until_stopped
        self._memory: dict[int, MemoryLedger] = {}
        # For each attempt with items: the number of its next chunk, and the position of its first
        # item.
        self._next: dict[tuple[int, int], tuple[int, int]] = {}
        self._busy: set[int] = set()

    def map(
        self,
        line: Line,
        function: Callable[..., Any],
        items: Iterable[Any],
        *,
        rollback: Callable[..., Any] | None = None,
        executor: str | None = None,
        stop: Stop | None = None,
        **options: Any,
    ) -> Items:
        """Work on the items of the running step; see `BaseStepContext.map_items`."""
        given = checked_options(MapOptions(**options))
        code = code_of(function, rollback)
        stop = stop or Stop()
        position = self._position(line)
        url = executor or self._url or self._default()
        step = self._step(line, position, self._run.attempts.get(position, 1), stop)
        self._busy.add(position)
        try:
            with (
                _broken_off_if_lost(line),
                self._executor(url, step.host, code) as running,
                self._stopping(line, stop),
            ):
                return self._map(line, step, items, code, given, url, running, stop)
        finally:
            self._busy.discard(position)

    async def amap(self, line: Line, *args: Any, **options: Any) -> Items:
        """Like `map`, for a coroutine."""
        stop = Stop()
        return cast(
            "Items",
            await self._until_stopped(partial(self.map, line, *args, stop=stop, **options), stop),
        )

    def _map(
        self,
        line: Line,
        step: StepOfItems,
        items: Iterable[Any],
        code: CodeRef,
        given: MapOptions,
        url: str | None,
        executor: Executor,
        stop: Stop,
    ) -> Items:
        key = line.position, step.n
        part, first = self._next.get(key, (0, 0))
        source = Source(items, step.name, first)
        found = Items(
            step.ledger,
            part,
            items if source.again and code.rollback is None else None,
            step.number,
        )
        if given.takes_up:
            given = replace(given, shared={**given.shared, **self._run.handed_down})
        head = forward.head_of(code, given, url, step)
        # From here on something may be there to undo.
        self._run.mapped.setdefault(line.position, set()).add(step.n)
        with self._confirming(step, part, url, executor) as confirm:
            playing = Forward(
                step,
                source,
                code,
                given,
                Calls(executor, step.host, stop),
                confirm=confirm,
                part=part,
                head=head,
                items=found,
                tell=partial(_tell, line, source.total, time.monotonic()),
            )
            found = playing.play()
        self._next[key] = playing.last, first + found.count + found.failed
        return found

    def undo(self, line: Line, position: int, attempt: int) -> None:
        """Undo the items of an attempt of a step, the last chunk first.

        Raises:
            ItemsUndoError: Some could not be undone.
        """
        stop = Stop()
        step = self._step(line, position, attempt, stop)
        errors: list[ItemsUndoError] = []
        total = sum(row.size for row in step.ledger.chunks(contents=False))
        before = 0
        with _broken_off_if_lost(line), self._stopping(line, stop):
            for head, rows in parts_back(step):
                if head.takes_up:  # Its functions are told how the user goes on with the run.
                    head = replace(head, shared={**head.shared, **self._run.handed_down})
                tell = partial(_tell_undo, line, total, before)
                url = self._url_back(head.executor)
                with self._executor(url, step.host, head.code) as executor:
                    playing = Back(step, head, rows, Calls(executor, step.host, stop), tell)
                    try:
                        playing.play()
                    except ItemsUndoError as error:
                        errors.append(error)
                    before += playing.undone
        if errors:
            raise back.undo_error(errors)

    def _default(self) -> str:
        """Return the URL of the executor of the settings, or of the default one."""
        return self._packs.default or default_url()

    def _url_back(self, begun: str | None) -> str | None:
        """Return the URL of the executor that undoes items.

        It is of the kind that has worked on them, since only that knows that they are over; how
        many slots it has may be asked for anew.
        """
        return self._url if self._url and _kind(self._url) == _kind(begun) else begun

    def _position(self, line: Line) -> int:
        planned = line.running()
        if planned is None or self._run.undoing or line.asking:
            raise ExecutorError(
                "map_items works only while a step executes",
                ways_out=("call it from execute or resume of the step",),
            )
        if line.position in self._busy:
            raise ExecutorError(
                f"step '{planned.name}' is working on items already",
                ways_out=("call map_items once after the other, or put all items into one call",),
            )
        return line.position

    def _step(self, line: Line, position: int, n: int, stop: Stop) -> StepOfItems:
        run = self._run
        host: StepHost
        ledger: Ledger
        keep: Callable[[MessageLogged], str] | None = None
        if line.log is None:
            ledger = self._memory.setdefault(position, MemoryLedger())
            host = StepHost(ledger, stop)
        else:
            if line.log.broken is not None:
                raise line.log.broken
            log = cast("JournaledLog", line.log)
            ledger = ItemLog(log, run.plan.steps[position].name, n)
            keep = partial(log.said, position, n)
            journal, owned = log.place
            lock = owned.lock_descriptor
            host = StepHost(
                ledger,
                stop,
                journal=journal.url,
                run=owned.number,
                inherited=() if lock is None else (lock,),
            )
        return StepOfItems(
            run=run.run_id,
            number=run.number or 0,
            action=run.plan.action,
            name=run.plan.steps[position].name,
            n=n,
            ledger=ledger,
            host=host,
            retries=position in run.retried,
            keep=keep,
        )

    @contextmanager
    def _executor(self, url: str | None, host: StepHost, code: CodeRef) -> Generator[Executor]:
        executor = open_executor(url, host, self._packs)
        try:
            # The workers of this machine have what this process has.
            digest = "" if is_local(url or default_url()) else environment_digest(code)
            with of_executor():
                executor.open(digest, code)
            yield executor
        finally:
            with of_executor():
                executor.close()

    @contextmanager
    def _stopping(self, line: Line, stop: Stop) -> Generator[None]:
        """Let interrupts, and the end of the group of a lane, stop what waits in the block."""
        before, line.interrupt = line.interrupt, stop
        try:
            with self._hands_over(stop):
                yield
        finally:
            line.interrupt = before

    @contextmanager
    def _confirming(
        self, step: StepOfItems, part: int, url: str | None, executor: Executor
    ) -> Generator[Callable[[AttemptId], bool]]:
        """Return what tells whether an attempt of an earlier process is certainly over.

        Only the kind of executor that made it knows.
        """
        first = next(step.ledger.chunks(first=part, contents=False), None)
        begun = url if first is None or first.head is None else json.loads(first.head)["executor"]
        if _kind(begun) == _kind(url):
            yield (
                lambda attempt: (
                    Calls(executor, step.host, Stop()).confirm_dead(attempt) != "unknown"
                )
            )
            return
        code = back.head_of(step, first).code if first is not None else None
        assert code is not None
        with self._executor(begun, step.host, code) as other:
            yield lambda attempt: Calls(other, step.host, Stop()).confirm_dead(attempt) != "unknown"


@contextmanager
def _broken_off_if_lost(line: Line) -> Generator[None]:
    """Leave the run to another process if the executor of a step dies in the block."""
    try:
        yield
    except ExecutorLostError as error:
        if line.log is not None:
            cast("JournaledLog", line.log).break_off(error)
        raise


def _kind(url: str | None) -> str:
    return (url or "").partition(":")[0]


def _tell(
    line: Line, total: int | None, began: float, done: int, failed: int, running: int
) -> None:
    """Report how far the items of the running step are."""
    over = done + failed
    parts = [f"{failed:,} failed"] if failed else []
    parts += [f"{running:,} running"] if running else []
    if total is not None:
        _progressed(line, over, total, ", ".join(parts))
    elif running:
        rate = over / max(time.monotonic() - began, 1e-9)
        more = [f"{rate:,.0f}/s"] if rate >= 1 else []
        line.context.set_status(", ".join([f"{over:,} items", *parts, *more]))
    else:
        line.context.set_status(None)


def _tell_undo(line: Line, total: int, before: int, undone: int, left: int) -> None:
    """Report how far the undo of the items of a step is."""
    _progressed(line, before + undone, total, f"{left:,} not undone" if left else "")


@calls_user_code
def _progressed(line: Line, current: int, total: int, detail: str) -> None:
    """Report progress in items, with what else is known of them."""
    if total:
        current = min(current, total)
        line.context.runtime_ctx.set_progress(current, total, "items")
        line.progressed(current, total, "items", detail)
