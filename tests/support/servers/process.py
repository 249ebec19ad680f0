"""Runs a server as a process with a free port, a folder and a log, and cleans up reliably."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

START_SECONDS = 60.0
STOP_SECONDS = 1.0

# Waits for the end of the test process, however it ends, and cleans up.
CARETAKER = """
trap '' HUP INT TERM
read _
if pid=$(cat "$1/pid" 2>/dev/null); then
    kill -s "$2" -- "-$pid" && sleep 1
    kill -s KILL -- "-$pid"
fi
rm -rf -- "$1"
"""


class StartError(AssertionError):
    """A server did not start; the message has the end of its log."""


def free_port() -> int:
    """Return a free port on the loopback interface.

    It is below the range for outgoing connections: when a killed server is started again its port
    must be free, and a client must not connect to itself meanwhile.
    """
    numbers = random.SystemRandom()  # no seed: processes side by side must not draw the same
    while True:
        port = numbers.randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def answers_http(port: int) -> bool:
    """Return whether an HTTP server answers on the port, with any status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def after_the_end(script: str, *words: object) -> subprocess.Popen[bytes]:
    """Start a shell script that first reads a line, so it continues when this process has ended."""
    return subprocess.Popen(
        ["sh", "-c", script, "sh", *map(str, words)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def let_go(script: subprocess.Popen[bytes]) -> None:
    """Let the script continue now, and wait for its end."""
    assert script.stdin is not None
    script.stdin.close()
    script.wait(timeout=300)


class ServerProcess:
    """A server that runs beside the tests.

    The process has its own session, so that Ctrl-C reaches only the tests, which then stop it. At
    the end of the `with` block, or of the tests, it is stopped and its folder removed.

    Args:
        name: Its name in messages and in the name of its folder.
        is_ready: Returns whether the server answers on a port.
        user: The system user to run it as; needs root.
        stop_signal: The signal that stops it.
        start_seconds: How long it may take to answer.
        stop_seconds: How long it may take to stop before it is killed.
    """

    def __init__(
        self,
        name: str,
        *,
        is_ready: Callable[[int], bool] = answers_http,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        start_seconds: float = START_SECONDS,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self.name = name
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"handrail-{name}-"))
        self.command: Sequence[object] = ()
        self.environment: Mapping[str, str] = os.environ
        self._is_ready = is_ready
        self._stop_signal = stop_signal
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._user = user
        if user:
            shutil.chown(self.folder, user, user)
        self._caretaker = after_the_end(CARETAKER, self.folder, stop_signal.name[3:])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()
        let_go(self._caretaker)

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} does not run"
        return self._process.pid

    def log(self) -> str:
        """Return the output of the server and its tools so far."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def run(self, *command: object, says: str | None = None) -> None:
        """Run a tool of the server to its end, as the same user and with the same log.

        Args:
            command: The program and its arguments.
            says: Text that it logs when its work is done; if it does not exit then, it is killed.
        """
        deadline = time.monotonic() + START_SECONDS
        with self._popen(command) as tool:
            while True:
                try:
                    done = tool.wait(timeout=STOP_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    late = time.monotonic() > deadline
                    if late or (says is not None and says in self.log()):
                        tool.kill()
                    if late:
                        raise self._failure(f"{command[0]} did not end") from None
        if done != 0 and (says is None or says not in self.log()):
            raise self._failure(f"{command[0]} ended with {done}")

    def start(self) -> None:
        """Start the server and wait until it answers.

        Raises:
            StartError: The server exited, or did not answer in time.
        """
        assert self._process is None, f"{self.name} runs already"
        self._process = self._popen(self.command)
        (self.folder / "pid").write_text(str(self.pid))
        deadline = time.monotonic() + self._start_seconds
        while not self._is_ready(self.port):
            if (code := self._process.poll()) is not None:
                raise self._failure(f"it ended with {code}")
            if time.monotonic() > deadline:
                raise self._failure(f"it does not answer after {self._start_seconds:.0f} s")
            time.sleep(0.02)

    def kill(self) -> None:
        """Kill the server without a chance to clean up."""
        os.kill(self.pid, signal.SIGKILL)
        self._gone()

    def pause(self) -> None:
        """Freeze the server: connections stay open without an answer."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """Stop the server, and kill it if that takes long; does nothing if it is not running."""
        if self._process is None:
            return
        self._process.send_signal(self._stop_signal)
        try:
            self._process.wait(timeout=self._stop_seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._gone()

    def _gone(self) -> None:
        assert self._process is not None
        self._process.wait(timeout=STOP_SECONDS * 30)
        self._process = None
        (self.folder / "pid").unlink(missing_ok=True)

    def _popen(self, command: Sequence[object]) -> subprocess.Popen[bytes]:
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                [str(word) for word in command],
                cwd=self.folder,
                env={**self.environment, "HOME": str(self.folder)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=self._user,
                group=self._user,
                extra_groups=[] if self._user else None,
            )

    def _failure(self, what: str) -> StartError:
        end = "\n".join(self.log().splitlines()[-40:])
        return StartError(f"{self.name} did not start: {what}\n\n{end or '(its log is empty)'}")
