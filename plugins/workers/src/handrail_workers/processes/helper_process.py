"""The helper of a run: it imports what others need, and forks a process for each that is asked for.

It reaps these processes, tells how they ended, and sends them signals, so that no signal reaches a
process that got a number after another one. When the process of the run is gone, it kills them: the
end of the socket tells it, also where the kernel does not.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import select
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from handrail_workers.processes.connection import FORK, REQUEST, STATUS, Connection
from handrail_workers.processes.groups import signal_group
from handrail_workers.processes.interpreter import command

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> NoReturn:
    """Serve the process that started this one, until it is gone.

    First it receives what to prepare, with the name of a module under `serves`: its `warm_up` is
    called with that, and its `main` in each process that is forked, with a `Connection`.

    Args:
        arguments: The number of the control socket, the process id of the run, and the numbers of
            the descriptors that the processes inherit.
    """
    control, parent, *inherited = (int(each) for each in arguments)
    # It has no terminal, so that a signal can only be for a process that was just forked.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    dies_with(parent)
    os.set_inheritable(control, False)
    end = socket.socket(fileno=control)
    prepare: dict[str, Any] = Connection(end).receive()
    importlib.import_module(prepare["serves"]).warm_up(prepare)
    _Helper(end, inherited, prepare["serves"], prepare.get("parcels")).serve()


def dies_with(parent: int, number: int = signal.SIGKILL) -> None:
    """Let the kernel send this process a signal once its parent is gone, where it can.

    It is the thread of the parent that counts, so it must be one that lives as long as the run.
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - only this needs it

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(0)  # It was gone before.


class _Helper:
    def __init__(
        self, control: socket.socket, inherited: Sequence[int], serves: str, parcels: str | None
    ) -> None:
        self._control = control
        self._inherited = inherited
        self._serves = serves
        self._parcels = parcels
        self._attempts: dict[int, tuple[int, int]] = {}  # The process and the status pipe of each.
        self._woken, waker = socket.socketpair()
        self._waker = waker
        for each in (self._woken, waker):
            each.setblocking(False)

    def serve(self) -> NoReturn:
        signal.signal(signal.SIGCHLD, self._woken_up)
        signal.signal(signal.SIGTERM, self._end)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        # From here on there may be processes to kill first.
        dies_with(os.getppid(), signal.SIGTERM)
        waiting = select.poll()
        waiting.register(self._control, select.POLLIN)
        waiting.register(self._woken, select.POLLIN)
        while True:
            ready = {number for number, _ in waiting.poll()}
            if self._woken.fileno() in ready:
                with contextlib.suppress(BlockingIOError):
                    self._woken.recv(4096)
                self._reap()
            if self._control.fileno() in ready:
                self._take()

    def _take(self) -> None:
        """Take one request."""
        try:
            data, given, _, _ = socket.recv_fds(self._control, REQUEST.size, 2)
            while data and len(data) < REQUEST.size:
                more = self._control.recv(REQUEST.size - len(data))
                data = data + more if more else b""
        except OSError:
            data, given = b"", []
        if not data:
            self._end()
        for each in given:
            os.set_inheritable(each, False)
        what, number, attempt = REQUEST.unpack(data)
        if what == FORK:
            self._fork(attempt, *given)
        elif attempt in self._attempts:
            signal_group(self._attempts[attempt][0], number)

    def _fork(self, attempt: int, conversation: int, status: int) -> None:
        try:
            process = self._started(conversation, status)
        except OSError as error:  # There are too many processes, for example.
            _tell(status, -(error.errno or 1))
        else:
            with contextlib.suppress(OSError):
                os.setpgid(process, process)  # Here too, before a signal may be sent to it.
            self._attempts[attempt] = (process, status)
        os.close(conversation)

    def _started(self, conversation: int, status: int) -> int:
        me = os.getpid()
        if threading.active_count() > 1:
            # A fork copies no threads, but the locks that they hold.
            return _spawn(conversation, self._serves, self._inherited)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # Threads of C libraries.
            process = os.fork()
        if process == 0:
            self._leave()
            os.close(status)
            os.setpgid(0, 0)
            run(conversation, self._serves, me, self._inherited)
        return process

    def _leave(self) -> None:
        """Close what is only for the helper, in a process that was forked from it."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for each in (self._control, self._woken, self._waker):
            each.close()
        for _process, status in self._attempts.values():
            os.close(status)

    def _reap(self) -> None:
        for attempt, (process, status) in list(self._attempts.items()):
            ended = _wait(process)
            if ended is not None:
                del self._attempts[attempt]
                _tell(status, ended)

    def _woken_up(self, *_: object) -> None:
        """Take a signal, which has written to the waker already."""

    def _end(self, *_: object) -> NoReturn:
        for process, _status in self._attempts.values():
            signal_group(process, signal.SIGKILL)
        for process, _status in self._attempts.values():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, 0)
        if self._parcels is not None:
            import shutil  # noqa: PLC0415 - it imports what compresses files

            shutil.rmtree(self._parcels, ignore_errors=True)
        os._exit(0)


def _tell(status: int, ended: int) -> None:
    with contextlib.suppress(OSError):
        os.write(status, STATUS.pack(ended))
    os.close(status)


def _wait(process: int) -> int | None:
    """Return the status of a process that has ended, after killing what it left; else None."""
    if hasattr(os, "waitid"):
        # While it is not reaped, its number, which is that of its group, belongs to it.
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        if os.waitid(os.P_PID, process, options) is None:
            return None
        signal_group(process, signal.SIGKILL)
        return os.waitpid(process, 0)[1]
    ended, status = os.waitpid(process, os.WNOHANG)
    if ended:
        signal_group(process, signal.SIGKILL)
    return status if ended else None


def _spawn(conversation: int, serves: str, inherited: Sequence[int]) -> int:
    """Start a process anew, with a Python of its own; return its id."""
    os.set_inheritable(conversation, True)
    main = "handrail_workers.processes.helper_process:spawned"
    words = command(main, conversation, serves, os.getpid(), *inherited)
    return os.posix_spawn(sys.executable, words, os.environ, setpgroup=0)


def spawned(arguments: list[str]) -> NoReturn:
    """Serve in a process that was not forked from the helper."""
    conversation, serves, parent, *inherited = arguments
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    run(int(conversation), serves, int(parent), [int(each) for each in inherited])


def run(conversation: int, serves: str, helper: int, inherited: Sequence[int]) -> NoReturn:
    """Serve in this process, and end it."""
    try:
        dies_with(helper)
        for each in (conversation, *inherited):
            os.set_inheritable(each, False)  # Programs that are started here must not keep it.
        module = importlib.import_module(serves)
        module.main(Connection(socket.socket(fileno=conversation)))
    except BaseException as error:  # noqa: BLE001 - it must not go on as the helper
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(1)
