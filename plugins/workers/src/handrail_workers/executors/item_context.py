"""ItemContext: what a function for the items of a step is given beside the item."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from handrail.errors import RecordError
from handrail.journal import encode
from handrail.places import calls_user_code


class Chunk(Protocol):
    """The chunk of an item in its worker; any thread may call it."""

    def write(self, position: int, key: str, values: list[Any]) -> None:
        """Make rollback data of an item durable; it is when this returns."""
        ...

    def keep(self, position: int, event: str, data: dict[str, Any]) -> None:
        """Keep a log line of an item."""
        ...

    def is_cancelled(self) -> bool:
        """Return whether the end of the attempt was asked for."""
        ...


class ItemContext:
    """The context of one attempt at one item; a worker makes it.

    A unit test may make one of its own, which then keeps what is recorded in `recorded` only.

    Args:
        shared: What the step gave to all its items.
        position: The place of the item among all items of the step, from 0.
        attempt: The number of the attempt: 1, 2, 3, ...
        run: The UUID of the run, or nothing outside a run.
        step: The name of the step.
        chunk: The chunk of the item in its worker; None outside of one.

    Attributes:
        shared: What the step gave to all its items; not to be changed.
        position: The place of the item among all items of the step, from 0.
        attempt: The number of the attempt: 1, 2, 3, ...
        recorded: What this attempt has recorded so far, by key.
    """

    # One is made for each item, which may take less time than that: nothing is prepared here.
    def __init__(
        self,
        *,
        shared: Any = None,
        position: int = 0,
        attempt: int = 1,
        run: str = "",
        step: str = "",
        chunk: Chunk | None = None,
    ) -> None:
        self.shared = shared
        self.position = position
        self.attempt = attempt
        self.recorded: dict[str, list[Any]] = {}
        self._run = run
        self._step = step
        self._chunk = chunk
        self._closed = ""

    @property
    def idempotency_key(self) -> str:
        """`run/step/position`, stable for all attempts at the item in this run."""
        return f"{self._run}/{self._step}/{self.position}"

    @property
    def cancelled(self) -> bool:
        """Whether the attempt should end soon, for functions that work in threads."""
        return self._chunk is not None and self._chunk.is_cancelled()

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
        if self._chunk is not None and stored:
            self._chunk.write(self.position, str(key), stored)
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
        from handrail.places import ConsoleLogger  # noqa: PLC0415 - few items log

        given = dict(data or {})
        ConsoleLogger().log(f"item {self.position}: {event}", given)
        if self._chunk is not None:
            self._chunk.keep(self.position, event, given)

    def close(self, why: str) -> None:
        """Refuse further records; `why` follows the words `rollback data ... of item ...`."""
        self._closed = why
