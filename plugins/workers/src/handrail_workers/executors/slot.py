"""Slot: the process of a local slot, as the driver reaches it; see `slot_process`."""

from __future__ import annotations

import codecs
import os
import signal
import socket
import sys
import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, Literal

from handrail.errors import describe
from handrail.frozen import from_json, values_of
from handrail.journal import AttemptId, Note
from handrail_workers.executors.protocol import ChunkCall, Host, Outcome, outcome_from
from handrail_workers.processes.connection import Connection
from handrail_workers.processes.failures import told
from handrail_workers.processes.groups import is_gone, signal_group
from handrail_workers.processes.helper import Conversation, Helper, ending

if TYPE_CHECKING:
    from handrail_workers.executors.processes import ProcessExecutor

_TICK = 1.0  # Seconds between looks at the clock.
_SILENT = 30  # Ticks without a sign of life and without work after which a process is frozen.
_STARTING = 120  # The same for a process that is not ready yet: a busy machine starts it slowly.
_SENT = 60.0  # Seconds for a process to take what it is sent.
_GRACE = 5.0  # Seconds between an interrupt and a kill.
_KILLED = 5.0  # Seconds for a killed process to end.
_CHUNK = 1 << 18
_LINE = 1 << 16  # Characters of a line that are shown at once.


class Slot(threading.Thread):
    """Starts a process, and serves it to its end, in a thread of its own.

    Attributes:
        attempt: What its process works on, or None; it is up to the executor.
        cancelled: Whether the end of that was asked for; its process gets no other call.
        outcome: The outcome of a call that was cancelled, which is told once the process has ended.
        process: The id of its process, which is that of its group; 0 until it is ready.
        frozen: Why it was killed, or nothing.
    """

    def __init__(self, owner: ProcessExecutor, helper: Helper) -> None:
        super().__init__(name="handrail-slot", daemon=True)
        self.attempt: AttemptId | None = None
        self.cancelled = False
        self.outcome: Outcome | None = None
        self.process = 0
        self.frozen = ""
        self._owner = owner
        self._helper = helper
        self._number: int | None = None
        self._kill_at: float | None = None
        self._stuck_at: float | None = None
        self._ticked = time.monotonic()
        self._silent = 0
        self._worked = 0.0

    # In the thread of the step

    def give(self, call: ChunkCall) -> None:
        """Send a call to the process, which has nothing to do."""
        self._send(["call", values_of(call)])

    def cancel(self) -> None:
        """Interrupt the processes, and kill them some seconds later; at once if asked again."""
        if self.cancelled:
            self._kill_at = 0.0
            self.kill()
        else:
            self.cancelled = True
            self._kill_at = time.monotonic() + _GRACE
            self._signal(signal.SIGINT)

    def kill(self) -> None:
        """Kill the processes."""
        if self._stuck_at is None:
            self._stuck_at = time.monotonic() + _KILLED
        self._signal(signal.SIGKILL)

    # In its own

    def run(self) -> None:
        """Start the process, serve it to its end, and tell how it ended."""
        ended: int | None = None
        problem = ""
        try:
            with ExitStack() as files:
                self._begin(files)
                ended = self._serve()
        except Exception as error:  # noqa: BLE001 - too many open files, for example
            problem = f"could not be {'served' if self.process else 'started'}: {describe(error)}"
            self._signal(signal.SIGKILL)
        if ended is None and self.process:  # Its helper is gone, too.
            signal_group(self.process, signal.SIGKILL)
        started = not problem and (ended is None or ended >= 0)
        self._owner.is_gone(self, problem or ending(ended), started=started)

    def _begin(self, files: ExitStack) -> None:
        self._conversation = Conversation(self._helper, files, self._take)
        self._number = self._conversation.number
        # Another object, because this one may wait.
        sender = files.enter_context(self._conversation.end.dup())
        sender.settimeout(_SENT)
        self._connection = Connection(sender)
        self._lines: dict[int, _Lines] = {}
        with ExitStack() as others:
            outputs: list[int] = []
            for stream in ("stdout", "stderr"):
                mine, other = self._conversation.pipe(files, others)
                self._lines[mine] = _Lines(mine, self._owner.host, stream)
                outputs.append(other)
            with suppress(OSError):  # It is gone already, which the status tells.
                socket.send_fds(sender, [b"!"], outputs)
        self._send(["code", values_of(self._owner.code)])

    def _serve(self) -> int | None:
        """Serve the process until it has ended; return its status, or None if nobody knows it."""
        selector = self._conversation.selector

        def wait() -> set[int]:
            return {key.fd for key, _ in selector.select(_TICK)}

        def between(ready: set[int], heard: bool) -> None:
            for pipe in ready & self._lines.keys():
                if self._lines[pipe].read() is False:
                    selector.unregister(pipe)
            self._look_at_the_clock(heard=heard)

        ended = self._conversation.serve(wait, between)
        self._show_all()
        return ended

    def _take(self, message: list[Any]) -> None:
        kind, *rest = message
        call: ChunkCall | None = None
        if kind == "ready":
            (self.process,) = rest
            call = self._owner.is_ready(self)
        elif kind == "record":
            self._send(self._recorded(*rest))
        elif kind == "heard":
            attempt, tried, failed = rest
            self._owner.host.heard(AttemptId(*attempt), tried, failed)
        elif kind == "outcome":
            self._show_all()
            call = self._owner.has_ended(self, outcome_from(*rest))
        if call is not None:
            self.give(call)

    def _recorded(self, number: int, attempt: list[Any], notes: list[Any]) -> list[Any]:
        """Record notes; return the answer. They are durable by then."""
        try:
            self._owner.host.record(AttemptId(*attempt), from_json(tuple[Note, ...], notes))
        except BaseException as error:  # noqa: BLE001 - raised in the function for the item
            return ["raised", number, told(error, {})]
        return ["done", number, None]

    def _show_all(self) -> None:
        """Show what was printed so far, also a line that has no end."""
        for lines in self._lines.values():
            while lines.read():
                pass
            lines.end()

    def _send(self, message: list[Any]) -> None:
        try:
            self._connection.send(message)
        except TimeoutError:
            self._freeze(_SENT)
        except OSError:
            pass  # It is gone, which its status tells.

    def _signal(self, number: signal.Signals) -> None:
        if self._number is not None:
            self._helper.signal(self._number, number)

    # Its time

    def _look_at_the_clock(self, *, heard: bool) -> None:
        now = time.monotonic()
        if heard:
            self._silent = 0
        elif now - self._ticked >= _TICK:
            # Counted, and not measured: this process may have been stopped, too.
            self._ticked, self._silent = now, self._silent + 1
            self._look_for_work(_SILENT if self.process else _STARTING)
        if self._kill_at is not None and now >= self._kill_at:
            self._kill_at = None
            self.kill()
        if self._stuck_at is not None and now >= self._stuck_at:
            self._stuck_at = float("inf")
            self._force()

    def _look_for_work(self, most: int) -> None:
        """Kill the process if it was silent too long, and has not used a core either."""
        if self._silent not in (1, most):
            return
        worked, self._worked = self._worked, _seconds_of_work(self.process)
        if self._silent < most:
            return
        if self.process and self._worked > worked:
            self._silent = 0  # In code that lets no other thread run.
        else:
            self._freeze(most * _TICK)

    def _force(self) -> None:
        """Kill the processes without the helper, which may be stopped; and then the helper, too."""
        if self.process:
            signal_group(self.process, signal.SIGKILL)
        if not self.process or is_gone(self.process, time.monotonic() + _TICK):
            self._helper.kill()
        else:
            self._owner.is_stuck(self)

    def _freeze(self, seconds: float) -> None:
        """Kill a process that does not answer."""
        self.frozen = f"gave no sign of life for {seconds:g} s, and was killed"
        self.kill()


class _Lines:
    """What comes through a pipe, shown line by line."""

    def __init__(self, pipe: int, host: Host, stream: str) -> None:
        os.set_blocking(pipe, False)
        self.pipe = pipe
        self._host = host
        self._stream: Literal["stdout", "stderr"] = "stdout" if stream == "stdout" else "stderr"
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def read(self) -> bool | None:
        """Show the lines that can be read; return whether there may be more, None if not yet."""
        try:
            data = os.read(self.pipe, _CHUNK)
        except BlockingIOError:
            return None
        self._rest += self._decode(data)
        lines, newline, self._rest = self._rest.rpartition("\n")
        if newline:
            self._host.wrote(self._stream, lines + newline)
        if len(self._rest) > _LINE:
            self.end()
        return bool(data)

    def end(self) -> None:
        """Show what is left of a line."""
        if self._rest:
            self._host.wrote(self._stream, self._rest + "\n")
            self._rest = ""


def _seconds_of_work(process: int) -> float:
    """Return how long a process has used a core so far, as far as that is known."""
    if sys.platform != "linux":
        return 0.0
    try:
        return time.clock_gettime((~process << 3) | 2)  # clock_getcpuclockid(3)
    except OSError:
        return 0.0
