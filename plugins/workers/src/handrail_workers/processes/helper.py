"""Helper: the process of a run that starts others; Conversation: what one of them says."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from handrail_workers.processes.connection import FORK, REQUEST, SIGNAL, STATUS, Unframer, framed
from handrail_workers.processes.interpreter import command

_CHUNK = 1 << 18
_PATIENCE = 2.0  # Seconds for the helper to end by itself.


class Helper:
    """The helper of a run, as a process of this one; see `helper_process`.

    On Linux it ends with the thread that makes it.

    Args:
        inherited: Descriptors that its processes hold too, such as that of the run's lock.

    Raises:
        OSError: It cannot be started.
    """

    def __init__(self, inherited: Sequence[int] = ()) -> None:
        self._end, other = socket.socketpair()
        _open.add(self)
        numbers = (other.fileno(), os.getpid(), *inherited)
        try:
            self._process = subprocess.Popen(
                command("handrail_workers.processes.helper_process:main", *numbers),
                stdin=subprocess.DEVNULL,
                pass_fds=(other.fileno(), *inherited),
                start_new_session=True,
            )
        except BaseException:
            self.leave()
            raise
        finally:
            other.close()
        self._attempts = 0
        self._sending = threading.Lock()

    @property
    def lives(self) -> bool:
        """Whether it still runs."""
        return self._process.poll() is None

    def prepare(self, what: Mapping[str, Any]) -> None:
        """Let it import what its processes need, while this one goes on; called once, first.

        Args:
            what: JSON values for `warm_up` of the module under `serves`; `parcels` is a folder to
                remove in the end.
        """
        with self._sending, contextlib.suppress(OSError):
            self._end.sendall(framed(what))

    def fork(self, conversation: socket.socket, status: int) -> int:
        """Let it start a process, with these two ends; return its number here.

        Args:
            conversation: The end that the process gets.
            status: The end of a pipe to which its status is written once it has been reaped, or
                the negative number of the error if it could not be started; see `ending`.
        """
        with self._sending:
            self._attempts = number = self._attempts + 1
            request = REQUEST.pack(FORK, 0, number)
            # If it is gone, the status pipe has no writer, which tells it.
            with contextlib.suppress(OSError):
                socket.send_fds(self._end, [request], [conversation.fileno(), status])
            return number

    def signal(self, attempt: int, number: signal.Signals) -> None:
        """Send a signal to the group of a process, if it has not ended."""
        with self._sending, contextlib.suppress(OSError):
            self._end.sendall(REQUEST.pack(SIGNAL, number, attempt))

    def kill(self) -> None:
        """Kill it, and with it all its processes, because it does not react."""
        self._process.kill()

    def close(self) -> None:
        """Let it end, and wait for that."""
        if not self._attempts:
            self._process.kill()  # It may still import what nobody needs any more.
        # Its end of the socket is closed when it ends: a timed wait for a process would sleep.
        with contextlib.suppress(OSError):
            self._end.settimeout(_PATIENCE)
            self._end.shutdown(socket.SHUT_WR)
            self._end.recv(1)
        self.leave()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def leave(self) -> None:
        """Close this end of its socket."""
        _open.discard(self)
        self._end.close()


_open: set[Helper] = set()


def _leave_in_child() -> None:
    # A forked process that kept the socket would keep the helper alive.
    for helper in list(_open):
        helper.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_in_child)


class Conversation:
    """Starts a process, and serves it until it has ended.

    Args:
        helper: Starts the process.
        files: Closes what this opens.
        take: Takes each message of the process.

    Attributes:
        number: The number of the process at the helper.
        end: The end of the run, which does not block.
        talks: Whether the process has not closed its end.
        selector: Tells what is ready; more may be registered.
    """

    def __init__(
        self, helper: Helper, files: ExitStack, take: Callable[[list[Any]], object]
    ) -> None:
        self._take = take
        self._unframer = Unframer()
        self.selector = files.enter_context(selectors.PollSelector())
        with ExitStack() as others:
            self.end, theirs = socket.socketpair()
            files.enter_context(self.end)
            others.enter_context(theirs)
            self.end.setblocking(False)
            self._status, told = self.pipe(files, others)
            self.number = helper.fork(theirs, told)
        self.selector.register(self.end, selectors.EVENT_READ)
        self.talks = True

    def pipe(self, files: ExitStack, others: ExitStack) -> tuple[int, int]:
        """Return the ends of a new pipe: one that is waited for here, and one for the process."""
        mine, other = os.pipe()
        files.callback(os.close, mine)
        others.callback(os.close, other)
        self.selector.register(mine, selectors.EVENT_READ)
        return mine, other

    def serve(
        self, wait: Callable[[], set[int]], between: Callable[[set[int], bool], object]
    ) -> int | None:
        """Serve the process until it has ended; return its status, or None if nobody knows it.

        Args:
            wait: Waits until something is ready, or for a while; returns the ready descriptors.
            between: Called after each wait with these, and whether something was received.
        """
        while True:
            ready = wait()
            heard = self.end.fileno() in ready and self._receive()
            if self._status in ready:
                ended = os.read(self._status, STATUS.size)
                while self._receive():
                    pass  # What it said before it ended.
                return STATUS.unpack(ended)[0] if len(ended) == STATUS.size else None
            between(ready, heard)

    def _receive(self) -> bool:
        """Take what has been received; return whether there was something."""
        if not self.talks:
            return False
        try:
            received = self.end.recv(_CHUNK)
        except BlockingIOError:
            return False
        except OSError:
            received = b""
        if not received:
            self.selector.unregister(self.end)
            self.talks = False
            return False
        for message in self._unframer.add(received):
            self._take(message)
        return True


def ending(status: int | None) -> str:
    """Return how a process ended, in words that follow `its process`."""
    if status is None:
        return "is gone, and how it ended is not known"
    if status < 0:
        limit = ": there are too many (ulimit -u)" if -status == errno.EAGAIN else ""
        return f"could not be started{limit or f': {os.strerror(-status)}'}"
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = f"signal {number}"
        why = " (by hand, or because the system had no memory left)"
        return f"was killed by {name}{why if number == signal.SIGKILL else ''}"
    return f"ended with exit status {os.WEXITSTATUS(status)} before it was done"
