"""ItemContext: what a function for the items of a step is given beside the item."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from handrail.engine.user_code import calls_user_code
from handrail.errors import RecordError
from handrail.journal.codec import encode
from handrail.runtime import ConsoleLogger


class ItemContext:
    """The context of one attempt at one item; a worker makes it.

    A unit test may make one of its own, which then keeps what is recorded in `recorded` only.

    Args:
        shared: What the step gave to all its items.
        position: The place of the item among all items of the step, from 0.
        attempt: The number of the attempt: 1, 2, 3, ...
        run: The UUID of the run, or nothing outside a run.
        step: The name of the step.
        write: Makes values durable, called as `write(key, values)` from any thread; None keeps
            them in memory only.
        is_cancelled: Returns whether the end of the attempt was asked for.
        keep: Keeps a log line, called as `keep(event, data)` from any thread.

    Attributes:
        shared: What the step gave to all its items; not to be changed.
        position: The place of the item among all items of the step, from 0.
        attempt: The number of the attempt: 1, 2, 3, ...
        recorded: What this attempt has recorded so far, by key.
    """

    def __init__(
        self,
        *,
        shared: Any = None,
        position: int = 0,
        attempt: int = 1,
        run: str = "",
        step: str = "",
        write: Callable[[str, list[Any]], None] | None = None,
        is_cancelled: Callable[[], bool] | None = None,
        keep: Callable[[str, dict[str, Any]], None] | None = None,
    ) -> None:
        self.shared = shared
        self.position = position
        self.attempt = attempt
        self.recorded: dict[str, list[Any]] = {}
        self._name = f"{run}/{step}/{position}"
        self._write = write
        self._is_cancelled = is_cancelled
        self._keep = keep
        self._closed = ""

    @property
    def idempotency_key(self) -> str:
        """`run/step/position`, stable for all attempts at the item in this run."""
        return self._name

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should end soon, for functions that work in threads."""
        return self._is_cancelled is not None and self._is_cancelled()

    def record_rollback(self, key: str, value: Any) -> None:
        """Append `value` to the data that the rollback of this item is given under `key`.

        It is durable when this returns: call it before each effect that needs an undo. Any thread
        may.

        Raises:
            RollbackDataError: The value has no JSON form.
            RecordError: The attempt has ended, or is an undo.
            JournalError: It could not be written.
        """
        self.record_rollback_many(key, (value,))

    @calls_user_code
    def record_rollback_many(self, key: str, values: Iterable[Any]) -> None:
        """Like `record_rollback`, for several values in one write."""
        batch = list(values)
        if self._closed:
            raise RecordError(
                f"rollback data '{key}' of item {self.position} {self._closed}",
                ways_out=("record from inside the function, before each effect",),
            )
        about = f"rollback data '{key}' of item {self.position}"
        stored: list[Any] = json.loads(encode(batch, about))
        if self._write is not None and stored:
            self._write(str(key), stored)
        self.recorded.setdefault(str(key), []).extend(stored)

    async def arecord_rollback(self, key: str, value: Any) -> None:
        """Like `record_rollback`, to be awaited in a coroutine."""
        import asyncio  # noqa: PLC0415 - only async functions need it

        await asyncio.to_thread(self.record_rollback, key, value)

    def log(self, event: str, data: Mapping[str, Any] | None = None) -> None:
        """Write one line to standard error, which is that of the run wherever the worker is.

        The journal of the run keeps it among those of the step, once the items that were handed
        over together are done; of these, the first 50 lines.
        """
        given = dict(data or {})
        ConsoleLogger().log(f"item {self.position}: {event}", given)
        if self._keep is not None:
            self._keep(event, given)

    def close(self, why: str) -> None:
        """Refuse further records; `why` follows the words `rollback data ... of item ...`."""
        self._closed = why


ItemFunction = Callable[[Any, ItemContext], Any | Awaitable[Any]]
"""A function for an item: `function(item, item_context)`; what it returns has a JSON form."""

RollbackFunction = Callable[[Any, ItemContext, Mapping[str, Sequence[Any]]], Any | Awaitable[Any]]
"""Undoes an item: `rollback(item, item_context, data)`, with the lists that it had recorded."""
