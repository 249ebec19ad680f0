"""The way forward of the items of a step: chunk by chunk through an executor."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from handrail.errors import ExecutorLostError, HandrailError, ItemsFailedError, RollbackDataError
from handrail.frozen import frozen, record, values_of
from handrail.journal import ChunkChange, ChunkRow, encode, errors_of_chunk, results_of_chunk
from handrail_workers.executors.protocol import Done, Failed, Full, ItemError, Lost
from handrail_workers.items.calls import Calls, Clock
from handrail_workers.items.cutting import Chunk, Size, Source, stored_text
from handrail_workers.items.results import Items
from handrail_workers.items.step import call_of, undo_call

if TYPE_CHECKING:
    from handrail.journal import AttemptId, Change
    from handrail_workers.executors.protocol import CodeRef, Outcome
    from handrail_workers.items.step import StepOfItems

ATTEMPTS = 3
"""How often a chunk is tried whose worker is lost."""

_TOLD = 3  # How many errors the message of a step has.
_TRACES = 3  # How many tracebacks are kept of a chunk.
_TRACE = 4000  # Characters of each, its end.


@frozen
class MapOptions:
    """How items are worked on; see `context.map_items`.

    Attributes:
        shared: What all items are given.
        max_failed: How many may fail, or such a share of them as `2%`.
        chunk: The number of items of a chunk, if it is fixed.
        takes_up: Whether the function takes up by itself what an earlier attempt has left. Then an
            item is undone only with its step.
    """

    shared: Any = None
    max_failed: int | str = 0
    chunk: int | None = None
    takes_up: bool = False


@record
class _Work:
    """What an executor is asked to do with a chunk.

    Attributes:
        chunk: The chunk.
        undo: Whether it is undone.
        done: How the attempt ended whose failed items are undone.
        lost: How many attempts to undo it were lost.
    """

    chunk: Chunk
    undo: bool = False
    done: Done | None = None
    lost: int = 0


class Forward:
    """One call of `map_items`.

    Args:
        step: The step.
        source: The items.
        code: Where workers find the functions.
        options: How they are worked on.
        calls: The calls of the executor.
        confirm: Returns whether an attempt of an earlier process is certainly over.
        part: The number of the first chunk.
        head: What is stored with it.
        tell: Told how many items are done, have failed, and are worked on.

    Attributes:
        items: What came of them.
        last: The number of the chunk after the last one, and the position of its first item.
    """

    def __init__(
        self,
        step: StepOfItems,
        source: Source,
        code: CodeRef,
        options: MapOptions,
        calls: Calls[Any],
        *,
        confirm: Callable[[AttemptId], bool],
        part: int,
        head: str,
        items: Items,
        tell: Callable[[int, int, int], None],
    ) -> None:
        self.items = items
        self._step = step
        self._source = source
        self._options = options
        self._calls = calls
        self._confirm = confirm
        self._part = self._number = part
        self._head = head
        self._tell = tell
        self._clock = Clock(0.1)
        self._size = Size(options.chunk, calls.slots)
        self._most, self._share = _most(options.max_failed)
        self._known: Iterator[ChunkRow] | None = step.ledger.chunks(first=part)
        self._undoes = code.rollback is not None and not options.takes_up
        self._stores = code.rollback is not None
        # What cannot be read again, nor is stored for an undo, is stored with the results.
        self._with_results = not (source.again or self._stores)
        self._ready: deque[_Work] = deque()
        # What is written as begun, and waits for room. So chunks that take less time than a commit
        # share one; if this process is killed, they count as begun, and are undone for nothing.
        self._stock: deque[_Work] = deque()
        self._written = Clock(0.1)
        self._changes: list[Change] = []
        self._errors: list[str] = []
        self._failure: BaseException | None = None
        self._exhausted = False

    @property
    def last(self) -> int:
        """The number of the chunk after the last one."""
        return self._number

    def play(self) -> Items:
        """Work on all items; return what came of them.

        Raises:
            ItemsFailedError: More items failed than may.
            SourceChangedError: The items of a resumed run are others.
            Exception: What the iterable raised.
        """
        calls, stop = self._calls, self._calls.stop
        while self._waiting or not (self._exhausted or self._ends):
            self._guarded(self._fill)
            self._submit()
            for outcome, work in calls.wait():
                self._took(outcome, work)
            if self._clock.due():
                self._guarded(self._say)
        self._write()
        if stop.error is not None:
            raise stop.error
        self._check_share()
        if self._failure is not None:
            raise self._failure
        self._say()
        return self.items

    @property
    def _waiting(self) -> bool:
        return bool(self._calls.running or self._ready or self._stock)

    @property
    def _ends(self) -> bool:
        """Whether no more chunks are begun."""
        return self._failure is not None or self._calls.stop.error is not None

    def _guarded(self, function: Callable[[], None]) -> None:
        try:
            function()
        except Exception as error:  # noqa: BLE001 - what runs has to end first
            self._fail(error)
        except BaseException as error:  # noqa: BLE001 - likewise
            self._calls.stop(error)

    def _fail(self, error: BaseException) -> None:
        self._failure = self._failure or error

    def _say(self) -> None:
        tried, failed = self._step.host.tried
        running = sum(work.chunk.tried for work in self._calls.running.values())
        done = self.items.count + tried - failed
        self._tell(done, self.items.failed + failed, running - tried)

    # What comes next

    def _fill(self) -> None:
        if len(self._stock) + len(self._ready) >= self._calls.room:
            return
        wanted = self._calls.room + self._size.ahead - len(self._stock)
        while len(self._ready) < wanted and not (self._exhausted or self._ends):
            row = self._next_known()
            if row is not None:
                self._take_up(row)
                continue
            chunk = self._source.cut(self._number, self._size.next(self._source.left))
            if chunk is None:
                self._exhausted = True
                return
            self._number += 1
            self._ready.append(_Work(chunk))

    def _next_known(self) -> ChunkRow | None:
        """Return the next chunk that the ledger has of an earlier process."""
        row = None if self._known is None else next(self._known, None)
        if row is None or row.part != self._part:
            self._known = None
            return None
        self._number = row.number + 1
        return row

    def _take_up(self, row: ChunkRow) -> None:
        """Take a chunk of an earlier process: it is done, or has to be tried again."""
        chunk = self._source.recut(row)
        if row.state == "done":
            places = tuple(place for place, *_ in errors_of_chunk(self._step.number, row))
            if not places or not self._step.retries:
                self._count(len(chunk.items), [(at, error) for at, error, _ in self._told(row)])
                return
            chunk.chosen = places
            self._again(chunk)
            return
        # It may have been the second try of those that failed.
        chunk.chosen = tuple(place for place, *_ in errors_of_chunk(self._step.number, row)) or None
        if row.state == "undone":
            chunk.chosen = None
            self._again(chunk)
            return
        attempt = self._step.id_of(row.number, row.attempt)
        if not (self._confirm(attempt) and self._confirm(attempt._replace(undo=True))):
            self._unknown(chunk, "it may still run, begun by a process that is gone")
        elif self._undoes:
            self._ready.append(_Work(chunk, undo=True))
        else:
            self._again(chunk)

    def _told(self, row: ChunkRow) -> list[tuple[int, str, str]]:
        return errors_of_chunk(self._step.number, row)

    def _again(self, chunk: Chunk) -> None:
        chunk.attempt += 1
        self._ready.append(_Work(chunk))

    def _submit(self) -> None:
        """Write what has changed, and that chunks begin, in one commit; then hand them over."""
        if self._calls.stop.error is not None:
            self._ready.clear()
            self._stock.clear()
        elif self._failure is not None:
            self._stock = deque(work for work in self._stock if work.undo)
        self._changes += [
            self._change(work.chunk, "started") for work in self._ready if not work.undo
        ]
        if self._ready or not self._stock or self._written.due():
            self._write()
        for work in self._ready:
            # An undo comes first: it is what an item waits for that has failed.
            (self._stock.appendleft if work.undo else self._stock.append)(work)
        self._ready.clear()
        step, shared = self._step, self._options.shared
        while self._stock and self._calls.room > 0:
            work = self._stock[0]
            chunk = work.chunk
            if work.undo:
                done = work.done
                chosen = chunk.chosen if done is None else tuple(x.item for x in done.errors)
                call = undo_call(
                    step, chunk.number, chunk.first, chunk.attempt, chunk.items, shared, chosen
                )
            else:
                call = call_of(step, chunk, shared)
            try:
                self._calls.submit(call, work)
            except Full:
                return
            except ExecutorLostError:
                raise
            except HandrailError as error:
                self._fail(error)
                self._stock.clear()
                return
            self._stock.popleft()

    def _write(self) -> None:
        changes, self._changes = self._changes, []
        if changes:
            self._step.ledger.write(changes)

    def _change(self, chunk: Chunk, state: Any, **more: Any) -> ChunkChange:
        new = not chunk.known
        chunk.known = True
        stores = new and self._stores
        return ChunkChange(
            step=self._step.name,
            n=self._step.n,
            number=chunk.number,
            part=self._part,
            first=chunk.first,
            size=len(chunk.items),
            attempt=chunk.attempt,
            state=state,
            digest=chunk.digest,
            head=self._head if new and chunk.number == self._part else None,
            items=stored_text(chunk, self._step.ledger, self._step.name) if stores else None,
            **more,
        )

    # How it went

    def _took(self, outcome: Outcome, work: _Work) -> None:
        chunk = work.chunk
        if isinstance(outcome, Done):
            self._step.keep_lines(outcome, chunk.first)
            if work.undo:
                self._was_undone(outcome, work)
            elif outcome.errors and self._undoes and not self._calls.stop.error:
                self._size.took(chunk.tried, outcome.seconds)
                self._ready.append(_Work(chunk, undo=True, done=outcome))
            else:
                self._size.took(chunk.tried, outcome.seconds)
                self._done(chunk, outcome)
        elif isinstance(outcome, Failed):
            state = "undo_failed" if work.undo else "failed"
            self._changes.append(self._change(chunk, state, error=self._masked(outcome.error)))
            self._fail(_failed(f"{_named(chunk)} of the items: {outcome.error}", outcome.trace))
        elif not self._ends:
            self._lost(outcome, work)

    def _was_undone(self, outcome: Done, work: _Work) -> None:
        chunk = work.chunk
        if outcome.errors:
            first = outcome.errors[0]
            text = self._masked(f"item {chunk.first + first.item}: {first.error}")
            self._changes.append(self._change(chunk, "undo_failed", error=text))
            self._fail(_failed(f"{_named(chunk)} could not be undone: {text}", first.trace))
        elif work.done is not None:
            self._done(chunk, work.done)
        elif not self._ends:
            self._again(chunk)

    def _lost(self, outcome: Outcome, work: _Work) -> None:
        reason = outcome.reason if isinstance(outcome, Lost) else "it was cancelled"
        chunk = work.chunk
        if self._calls.confirm_dead(outcome.attempt) == "unknown":
            self._unknown(chunk, reason)
            return
        if work.undo:
            work.lost += 1
        else:
            chunk.lost += 1
        if max(work.lost, chunk.lost) >= ATTEMPTS:
            text = f"the worker was lost {ATTEMPTS} times: {reason}"
            self._changes.append(self._change(chunk, "failed", error=self._masked(text)))
            self._fail(_failed(f"{_named(chunk)}: {text}"))
        elif work.undo:
            self._ready.append(work)
        elif self._undoes:
            self._ready.append(_Work(chunk, undo=True))
        else:
            self._again(chunk)

    def _unknown(self, chunk: Chunk, reason: str) -> None:
        text = f"its worker may still be working on it: {reason}"
        self._changes.append(self._change(chunk, "failed", error=self._masked(text)))
        self._fail(_failed(f"{_named(chunk)}: {text}"))

    def _done(self, chunk: Chunk, outcome: Done) -> None:
        results, errors = list(outcome.results), list(outcome.errors)
        if chunk.chosen is not None:
            results, errors = self._joined(chunk, results, errors)
        ledger = self._step.ledger
        text = None
        if self._with_results:
            pairs = {"items": chunk.items, "results": results}
            text = ledger.mask(self._encoded(chunk, results, pairs))
        elif results.count(None) < len(results):
            text = ledger.mask(self._encoded(chunk, results, results))
        told = None
        if errors:
            lines = [
                [each.item, each.error, each.trace[-_TRACE:] if number < _TRACES else ""]
                for number, each in enumerate(errors)
            ]
            told = ledger.mask(encode(lines, "errors of items", passwords=True))
        self._changes.append(
            self._change(chunk, "done", failed=len(errors), results=text, errors=told)
        )
        self._count(len(chunk.items), [(each.item, each.error) for each in errors], chunk.first)

    def _joined(
        self, chunk: Chunk, results: list[Any], errors: Sequence[ItemError]
    ) -> tuple[list[Any], list[ItemError]]:
        """Join what came of chosen items with what is known of the others."""
        row = next(self._step.ledger.chunks(first=chunk.number))
        before = results_of_chunk(self._step.number, row)
        for place in chunk.chosen or ():
            before[place] = results[place]
        return before, list(errors)

    def _encoded(self, chunk: Chunk, results: list[Any], whole: Any) -> str:
        try:
            return encode(whole, "results", passwords=True)
        except RollbackDataError:
            for position, each in enumerate(results, chunk.first):
                encode(each, f"the result of item {position}", passwords=True)
            raise

    def _count(self, count: int, errors: Sequence[tuple[int, str]], first: int = 0) -> None:
        self.items.count += count - len(errors)
        self.items.failed += len(errors)
        for place, error in errors[: _TOLD - len(self._errors)]:
            self._errors.append(f"item {first + place}: {error}")
        most = self._most
        if self._share is not None and self._source.total is not None:
            most = int(self._source.total * self._share)
        if most is not None and self.items.failed > most:
            self._fail(self._too_many(most))

    def _check_share(self) -> None:
        """Check the share of failed items, where their number was not known before."""
        if self._share is None or self._failure is not None:
            return
        most = int((self.items.count + self.items.failed) * self._share)
        if self.items.failed > most:
            self._fail(self._too_many(most))

    def _too_many(self, most: int) -> ItemsFailedError:
        return ItemsFailedError(self.items.failed, most, tuple(self._errors))

    def _masked(self, text: str) -> str:
        found: str = json.loads(self._step.ledger.mask(json.dumps(text)))
        return found


def head_of(code: CodeRef, options: MapOptions, executor: str | None, step: StepOfItems) -> str:
    """Return what is stored of a call, for an undo in another process.

    Raises:
        RollbackDataError: What the items share has no JSON form, or a secret in it.
    """
    about = f"what the items of step '{step.name}' share"
    text = encode(options.shared, about, passwords=True)
    if code.rollback is not None:
        step.ledger.refuse(text, about)
    head = {"executor": executor, "takes_up": options.takes_up, "code": values_of(code)}
    shared = options.shared if code.rollback is not None else None
    return encode({**head, "shared": shared}, "the functions of the items", passwords=True)


def _most(max_failed: int | str) -> tuple[int | None, float | None]:
    """Return how many items may fail, or which share of them."""
    if type(max_failed) is int and max_failed >= 0:
        return max_failed, None
    number, percent, rest = str(max_failed).strip().partition("%")
    with suppress(ValueError):
        if percent and not rest and 0 <= float(number) <= 100:
            return None, float(number) / 100
    raise ValueError(f"max_failed is a number or a share such as '2%', not {max_failed!r}")


def checked_options(options: MapOptions) -> MapOptions:
    """Return the options.

    Raises:
        ValueError: One of them is not valid.
    """
    _most(options.max_failed)
    if options.chunk is not None and (type(options.chunk) is not int or options.chunk < 1):
        raise ValueError(f"chunk is a number of items, 1 or more, not {options.chunk!r}")
    return options


def _named(chunk: Chunk) -> str:
    last = chunk.first + len(chunk.items) - 1
    return f"items {chunk.first} to {last}" if last > chunk.first else f"item {last}"


def _failed(text: str, trace: str = "") -> HandrailError:
    error = HandrailError(text)
    if trace:
        error.add_note(trace)
    return error
