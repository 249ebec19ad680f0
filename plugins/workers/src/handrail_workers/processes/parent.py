"""Parent: the run, as a process that it has started reaches it."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from itertools import count
from typing import Any, NoReturn

from handrail.errors import JournalError
from handrail_workers.processes.connection import Connection
from handrail_workers.processes.failures import rebuilt


class Parent:
    """Sends messages to the run, and waits for its answers; any thread may.

    When the run is gone, this process and those that it started end.

    Args:
        connection: Leads to the run.
        take: Called with each message that is no answer, in a thread of its own.
        every: Seconds between signs of life, or None for none.
    """

    def __init__(
        self,
        connection: Connection,
        take: Callable[[list[Any]], None] | None = None,
        every: float | None = None,
    ) -> None:
        self._connection = connection
        self._take = take
        self._every = every
        self._process = os.getpid()
        self._numbers = count(1)
        self._answers: dict[int, Any] = {}
        self._asked: dict[int, threading.Event] = {}
        threading.Thread(target=self._listen, name="handrail-run", daemon=True).start()

    def send(self, *message: Any) -> None:
        """Send a message that has no answer."""
        try:
            self._connection.send(message)
        except OSError:
            _die()

    def ask(self, what: str, *arguments: Any) -> Any:
        """Send a request, wait for the answer, and return it, or raise it.

        Raises:
            JournalError: This is a process that was forked from the one that the run has started.
        """
        if os.getpid() != self._process:
            raise JournalError(
                f"the process {os.getpid()} was forked from one of the run, and cannot write to it",
                ways_out=("record in the process that runs the step or the item",),
            )
        number, answered = next(self._numbers), threading.Event()
        self._asked[number] = answered
        self.send(what, number, *arguments)
        answered.wait()
        kind, answer = self._answers.pop(number)
        if kind == "raised":
            raise rebuilt(answer)
        return answer

    def _listen(self) -> None:
        waiting = select.poll()
        waiting.register(self._connection.fileno(), select.POLLIN)
        while True:
            if self._every is not None and not waiting.poll(self._every * 1000):
                self.send("beat")
                continue
            try:
                message = self._connection.receive()
            except EOFError:
                _die()
            if message[0] in ("done", "raised"):
                kind, number, answer = message
                self._answers[number] = (kind, answer)
                self._asked.pop(number).set()
            elif self._take is not None:
                self._take(message)


def _die() -> NoReturn:
    """End this process and those that it started: the run is gone."""
    os.killpg(0, signal.SIGKILL)
    os._exit(1)
