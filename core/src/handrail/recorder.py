"""Recorder: the rollback data that a step records while it works."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, cast

from handrail.errors import RecordError
from handrail.user_code import calls_user_code

InThread = Callable[..., Awaitable[None]]
"""Calls a function in a thread, without blocking the loop of the caller."""

Intercept = Callable[[Callable[[str, Any], None], str, Any], None]
"""Called as `intercept(record, key, value)`; it records the value with `record(key, value)`."""


class Recorder:
    """The rollback data that one attempt of a step has recorded so far.

    Bound to its attempt: once the attempt has ended it refuses, so a thread that outlives its step
    cannot write into the next one.

    Args:
        step: Name of the step.
        write: Makes a batch durable, called as `write(key, values)` from any thread; returns the
            stored form of the values. None keeps them in memory only.
        notes: Earlier data of the attempt, if it continues; values other than lists were returned.
        in_thread: Calls a blocking function for a coroutine, without blocking its loop.
        beat: Called before each batch, as a sign of life; it may raise.
    """

    __slots__ = ("_in_thread", "_lock", "_write", "_writing", "beat", "closed", "notes", "step")

    def __init__(
        self,
        step: str,
        write: Callable[[str, list[Any]], list[Any]] | None = None,
        notes: Mapping[str, Any] | None = None,
        in_thread: InThread | None = None,
        beat: Callable[[], None] | None = None,
    ) -> None:
        self.step = step
        self.notes: dict[str, Any] = {
            key: list(cast("list[Any]", cast("object", each))) if isinstance(each, list) else each
            for key, each in (notes or {}).items()
        }
        self.closed = False
        self.beat = beat
        self._write = write
        self._in_thread = in_thread
        self._writing: list[threading.Lock] = []
        # Plain locks: one written in Python could stay locked if a signal handler raises while it
        # is being taken.
        self._lock = threading.Lock()

    @calls_user_code
    def record_many(self, key: str, values: Iterable[Any]) -> None:
        """Append `values`, in one write, to the list under `key`."""
        batch = list(values)
        if self.beat is not None:
            self.beat()
        with self._lock:
            if self.closed:
                raise RecordError(
                    f"rollback data '{key}' was recorded after step '{self.step}' had ended",
                    ways_out=("record from inside the step, before each effect",),
                )
            if not isinstance(self.notes.get(key, []), list):
                raise RecordError(
                    f"rollback data '{key}' of step '{self.step}' was returned as a single value "
                    "before it was interrupted",
                    ways_out=("record it under another key",),
                )
            if self._write is None:
                self.notes.setdefault(key, []).extend(batch)
                return
            writing = threading.Lock()
            writing.acquire()
            self._writing.append(writing)
        # Without the lock, so that waiting threads can share a write.
        try:
            stored = self._write(key, batch)
            with self._lock:
                self.notes.setdefault(key, []).extend(stored)
                self._writing.remove(writing)
        finally:
            writing.release()

    def record(self, key: str, value: Any) -> None:
        """Append `value` to the list under `key`."""
        self.record_many(key, (value,))

    async def arecord(self, key: str, value: Any) -> None:
        """Append `value` to the list under `key`, from a coroutine; its loop is not blocked."""
        if self._in_thread is None or self._write is None:
            self.record_many(key, (value,))
        else:
            await self._in_thread(self.record_many, key, (value,))

    def close(self) -> dict[str, Any]:
        """Accept no more data, wait for writes in progress, and return all; safe to call again."""
        with self._lock:
            self.closed = True
            writing = tuple(self._writing)
        for each in writing:
            with each:
                pass
        return self.notes


class InterceptedRecorder(Recorder):
    """A recorder that passes each value through a function."""

    __slots__ = ("_inner", "_intercept")

    def __init__(self, inner: Recorder, intercept: Intercept) -> None:
        super().__init__(inner.step)
        self._inner = inner
        self._intercept = intercept

    @calls_user_code
    def record_many(self, key: str, values: Iterable[Any]) -> None:
        """Pass on `values` one by one."""
        for value in values:
            self._intercept(self._inner.record, key, value)
