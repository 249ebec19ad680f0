"""Works on one chunk: what every executor runs in its workers, wherever they are."""

from __future__ import annotations

import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from handrail.errors import ExecutorLostError, ResultDataError, RollbackDataError, describe
from handrail.journal import Note, encode
from handrail.places import calls_user_code
from handrail_workers.executors.code import find
from handrail_workers.executors.item_context import ItemContext
from handrail_workers.executors.protocol import (
    Cancelled,
    ChunkCall,
    CodeRef,
    Done,
    Failed,
    ItemError,
    ItemLine,
    Lost,
    Outcome,
)

if TYPE_CHECKING:
    import asyncio

Record = Callable[[Sequence[Note]], None]
"""Makes notes durable before it returns; any thread may call it."""

Heard = Callable[[int, int], None]
"""Is told now and then how many items of the chunk were tried so far, and how many failed."""

_EVERY = 0.2  # Seconds between what it tells of its progress.
_TRACE = 16_000  # Characters of a traceback that are kept, its end.
_LINES = 50  # Log lines of a chunk that are kept.
_PLAIN = (type(None), bool, int)  # The types of results that are JSON as they are.


def work(
    code: CodeRef,
    call: ChunkCall,
    *,
    record: Record,
    heard: Heard | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Work on the items of a chunk, or undo them, one after the other; return how that went.

    An interrupt (KeyboardInterrupt) that comes upon an item after `cancelled` ends the attempt.

    Args:
        code: Where the functions are found; see `prepare`.
        call: The chunk. Its items are given to the functions as they are.
        record: Makes notes durable.
        heard: Is told how far it is.
        cancelled: Returns whether the end was asked for; looked at before each item.
    """
    started = time.monotonic()
    name = code.rollback if call.attempt.undo else code.function
    try:
        if name is None:
            return Failed(attempt=call.attempt, error="there is no rollback function")
        function = find(code, name)
    except BaseException as error:  # noqa: BLE001 - modules may have any code
        if isinstance(error, KeyboardInterrupt) and cancelled():
            return Cancelled(attempt=call.attempt)
        return Failed(attempt=call.attempt, error=one_line(error), trace=_trace(error))
    chunk = _Chunk(call, function, record, heard, cancelled)
    try:
        return chunk.work(started)
    finally:
        chunk.loop.close()


class _Chunk:
    def __init__(
        self,
        call: ChunkCall,
        function: Callable[..., Any],
        record: Record,
        heard: Heard | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._call = call
        self._function = function
        self._record = record
        self._heard = heard
        self.is_cancelled = cancelled
        self._data = _by_item(call.notes)
        self._errors: list[ItemError] = []
        self._logged: list[ItemLine] = []
        self.loop = _Loop()

    def work(self, started: float) -> Outcome:
        call, told = self._call, started
        results: list[Any] = [None] * len(call.items)
        places = range(len(call.items)) if call.chosen is None else sorted(call.chosen)
        for tried, place in enumerate(reversed(places) if call.attempt.undo else places):
            if self.is_cancelled():
                return Cancelled(attempt=call.attempt)
            now = time.monotonic()
            if self._heard is not None and now - told > _EVERY:
                told = now
                self._heard(tried, len(self._errors))
            try:
                results[place] = self._one(place)
            except BaseException as error:  # noqa: BLE001 - so that one item fails, and no other
                if isinstance(error, KeyboardInterrupt) and self.is_cancelled():
                    return Cancelled(attempt=call.attempt)
                if isinstance(error, ExecutorLostError):
                    return Lost(attempt=call.attempt, reason=error.message, breaks_off=True)
                failed = ItemError(item=place, error=one_line(error), trace=_trace(error))
                self._errors.append(failed)
        errors = tuple(sorted(self._errors, key=lambda each: each.item))
        seconds = time.monotonic() - started
        return Done(
            attempt=call.attempt,
            results=results,
            errors=errors,
            seconds=seconds,
            logged=tuple(self._logged),
        )

    def _one(self, place: int) -> Any:
        call = self._call
        attempt, item = call.attempt, call.items[place]
        context = ItemContext(
            shared=call.shared,
            position=call.first + place,
            attempt=attempt.attempt,
            run=attempt.run,
            step=attempt.step,
            chunk=self,
        )
        if attempt.undo:
            context.close("was recorded while it was undone")
            self._play(item, context, self._data.get(place, {}))
            return None
        try:
            result = self._play(item, context)
        finally:
            context.close("was recorded after the item had ended")
        return result if type(result) in _PLAIN else _as_json(result, context.position)

    def write(self, position: int, key: str, values: list[Any]) -> None:
        self._record((Note(position - self._call.first, key, values),))

    def keep(self, position: int, event: str, data: dict[str, Any]) -> None:
        if len(self._logged) < _LINES:
            with suppress(Exception):  # A line that has no JSON form was printed at least.
                told = json.loads(json.dumps(data, default=str))
                self._logged.append(ItemLine(position - self._call.first, str(event), told))

    @calls_user_code
    def _play(self, *arguments: Any) -> Any:
        result = self._function(*arguments)
        if result is None or not hasattr(result, "__await__"):
            return result
        return self.loop.wait(result)


class _Loop:
    """The event loop of a chunk with async functions, which starts when it is needed."""

    def __init__(self) -> None:
        self._runner: asyncio.Runner | None = None

    @calls_user_code
    def wait(self, awaitable: Awaitable[Any]) -> Any:
        if self._runner is None:
            import asyncio  # noqa: PLC0415 - see above

            self._runner = asyncio.Runner()
        return self._runner.run(_awaited(awaitable))

    def close(self) -> None:
        if self._runner is not None:
            self._runner.close()


@calls_user_code
async def _awaited(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _by_item(notes: Sequence[Note]) -> Mapping[int, dict[str, list[Any]]]:
    data: dict[int, dict[str, list[Any]]] = {}
    for item, key, values in notes:
        data.setdefault(item, {}).setdefault(key, []).extend(values)
    return data


def _as_json(value: Any, position: int) -> Any:
    """Return the result of an item as it is after it was JSON.

    Raises:
        ResultDataError: It has no JSON form.
    """
    about = f"the result of item {position}"
    try:
        return json.loads(encode(value, about))
    except RollbackDataError as error:
        why = error.__cause__
        text = "has a URL with a password in it, which is never stored"
        raise ResultDataError(
            f"{about} {text if why is None else f'cannot be stored as JSON: {describe(why)}'}",
            ways_out=("return only text, numbers, lists, and dicts with text as keys",),
        ) from why


def one_line(error: BaseException) -> str:
    """Return the class and the message of an error in one line."""
    name, text = type(error).__qualname__, describe(error)
    return name if text == name else f"{name}: {' '.join(text.split())}"


def _trace(error: BaseException) -> str:
    import traceback  # noqa: PLC0415 - few items fail

    return "".join(traceback.format_exception(error))[-_TRACE:]
