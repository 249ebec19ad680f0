"""The process of a local slot: it works on one chunk after the other, in its main thread."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import Any, NoReturn

from handrail.frozen import from_json
from handrail.journal import Note
from handrail.places import is_user_code
from handrail_workers.executors.code import prepare
from handrail_workers.executors.protocol import ChunkCall, CodeRef, Failed, Outcome, told
from handrail_workers.executors.worker import one_line, work
from handrail_workers.processes.connection import Connection
from handrail_workers.processes.parent import Parent

_EVERY = 1.0  # Seconds between signs of life.


def warm_up(_: Mapping[str, Any]) -> None:
    """Import what slots need, before they are forked: this module does."""


def main(connection: Connection) -> NoReturn:
    """Work on the chunks that are received, until the run is gone or kills this process."""
    _Slot(connection).serve()


class _Slot:
    def __init__(self, connection: Connection) -> None:
        signal.signal(signal.SIGINT, self._interrupt)
        self._cancelled = False
        for number, each in enumerate(connection.receive_descriptors(2), start=1):
            os.dup2(each, number)
            os.close(each)
        _write_lines()
        self._calls = queue.SimpleQueue[list[Any]]()
        self._parent = Parent(connection, self._calls.put, _EVERY)

    def serve(self) -> NoReturn:
        _, message = self._calls.get()
        code, problem = from_json(CodeRef, message), None
        try:
            prepare(code)
        except Exception as error:  # noqa: BLE001 - each call says so
            problem = one_line(error)
        self._parent.send("ready", os.getpid())
        while True:
            _, message = self._calls.get()
            outcome = self._outcome(code, from_json(ChunkCall, message), problem)
            _flush()
            self._parent.send("outcome", told(outcome))

    def _outcome(self, code: CodeRef, call: ChunkCall, problem: str | None) -> Outcome:
        if problem is not None:
            return Failed(attempt=call.attempt, error=problem)
        attempt = call.attempt

        def record(notes: Sequence[Note]) -> None:
            self._parent.ask("record", attempt, notes)
            if self._cancelled:  # It was not interrupted meanwhile.
                raise KeyboardInterrupt

        def heard(tried: int, failed: int) -> None:
            self._parent.send("heard", attempt, tried, failed)

        return work(code, call, record=record, heard=heard, cancelled=lambda: self._cancelled)

    def _interrupt(self, _: int, frame: FrameType | None) -> None:
        """Take the signal that cancels; after it there comes no other call."""
        self._cancelled = True
        if is_user_code(frame, rests=True):
            raise KeyboardInterrupt


def _write_lines() -> None:
    """Let the standard streams write each line at once, to the pipes that are theirs now."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = open(  # noqa: SIM115 - to the end
            number, "w", buffering=1, encoding="utf-8", errors="surrogateescape", closefd=False
        )
        setattr(sys, name, stream)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # Whoever closed it wants no output.
            stream.flush()
