"""A separate process with an open journal, which takes commands line by line."""

from __future__ import annotations

import ctypes
import dataclasses
import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parents[1]


class Process:
    """A process that opens the journal at `place` and executes commands.

    Args:
        place: Path or URL.
        lease: Length of its leases, in seconds.
        locks: Whether its file system supports locks.
        within: A command under which to start it, for example in a namespace.
    """

    def __init__(
        self, place: str, *, lease: float = 20.0, locks: bool = True, within: Sequence[str] = ()
    ) -> None:
        words = [place, str(lease), "locks" if locks else "no-locks"]
        self._process = subprocess.Popen(
            [*within, sys.executable, "-W", "ignore", "-m", "journals.process", *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(HERE)},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, what: str, *words: object) -> None:
        """Send a command without waiting for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([what, *words]) + "\n")
        self._process.stdin.flush()

    def answer(self) -> Any:
        """Wait for the answer and return it; for an error, the name of its class."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the process has ended"
        return json.loads(line)

    def ask(self, what: str, *words: object) -> Any:
        self.send(what, *words)
        return self.answer()

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(timeout=60)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class Servant:
    """The process's side: executes the commands."""

    def __init__(self, place: str, lease: float) -> None:
        from journals.places import open_place

        self.journal = open_place(place, lease)
        self.run: Any = None

    def open(self) -> int:
        from journals.places import new_run

        self.run = self.journal.open_run(new_run())
        return int(self.run.number)

    def claim(self, number: int, take_over: bool = False) -> int:
        self.run = self.journal.claim(number, take_over=take_over)
        return int(self.run.number)

    def claim_all(self, numbers: list[int]) -> list[int]:
        """Claim all runs that can be claimed, and keep them."""
        from handrail.errors import RunHeldError

        self.run = []
        for number in numbers:
            try:
                self.run.append(self.journal.claim(number))
            except RunHeldError:
                continue
        return [each.number for each in self.run]

    def note(self, seq: int) -> str:
        from handrail.journal import NoteRow

        self.run.write([NoteRow(step="scan", n=1, seq=seq, key="made", values="[1]")])
        return "written"

    def note_but_never_commit(self) -> str:
        """Write a note, and wait to be killed just before its commit."""
        from handrail.builtin.sqlite.database import Database

        def wait(_database: object) -> None:
            print(json.dumps("written"), flush=True)
            signal.pause()

        Database._check_place = wait  # type: ignore[method-assign]
        return self.note(1)

    def release(self) -> str:
        self.run.release()
        return "released"

    def fork(self) -> int:
        """Fork a child that does nothing until it is killed; return its process id."""
        child = os.fork()
        if child == 0:
            signal.pause()
        return child

    def fork_in_c(self) -> int:
        """Fork a child in C, without Python's knowledge, as a library may do; return its id."""
        c = ctypes.PyDLL(None)
        child = int(c.fork())
        if child == 0:
            c.pause()
        return child

    def holder(self, number: int) -> dict[str, Any] | None:
        found = self.journal.holder(number)
        return None if found is None else dataclasses.asdict(found)

    def die(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def note_in_child(self, seq: int) -> object:
        """Return the errors that a forked child gets when it writes to the run and then reads."""
        reading, writing = os.pipe()
        if os.fork() == 0:
            told = [answer_of(self.note, seq), answer_of(self.journal.read, self.run.number)]
            os.write(writing, json.dumps(told).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading, encoding="utf-8") as pipe:
            told = json.loads(pipe.read())
        os.wait()
        return told


def answer_of(function: Any, *words: object) -> object:
    from handrail.errors import HandrailError

    try:
        return function(*words)
    except HandrailError as error:
        return type(error).__name__


def without_locks(*_arguments: object) -> None:
    """Fail as flock does on a file system without locks."""
    raise OSError(errno.ENOLCK, "No locks available")


if __name__ == "__main__":
    if sys.argv[3] == "no-locks":
        fcntl.flock = without_locks  # type: ignore[assignment]
    servant = Servant(sys.argv[1], float(sys.argv[2]))
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        print(json.dumps(answer_of(getattr(servant, name), *arguments)), flush=True)
