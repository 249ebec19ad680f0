"""The command line, called as a process of its own: to ask it something, or to let it work.

What imports packs and code of the project is always another process: it is the code of now, and
nothing that it does harms the page.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from handrail.frozen import frozen

_MOST_SECONDS = 120.0
_AT_ONCE = 2  # Questions; each is a process that uses a core.
_SHOWN_BYTES = 8_000


@frozen
class Answer:
    """What a call of the command line has answered.

    Attributes:
        code: Its exit code.
        documents: The JSON objects that it has written.
        notes: What it has written for people, beside them.
    """

    code: int
    documents: Sequence[Mapping[str, Any]]
    notes: str

    def document(self, event: str | None = None) -> Mapping[str, Any] | None:
        """Return the last object, or the last one of an event; None if there is none."""
        fits = (each for each in reversed(self.documents) if event in (None, each.get("event")))
        return next(fits, None)

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error that ended it, with its `message` and `ways_out`; None if none did."""
        found = (each["error"] for each in reversed(self.documents) if each.get("error"))
        return next(found, None)


class Work:
    """A process of the command line that works on a run, and goes on without this one.

    Args:
        words: The words of the command line, as a user would type them.
        process: The process.
        output: The file, without a name, to which it writes.
    """

    def __init__(self, words: Sequence[str], process: subprocess.Popen[bytes], output: IO[bytes]):
        self.shown = shlex.join(("handrail", *words))
        self._process = process
        self._output = output

    @property
    def code(self) -> int | None:
        """Its exit code; None while it works."""
        return self._process.poll()

    def output(self) -> str:
        """Return the end of what it has written so far."""
        size = os.fstat(self._output.fileno()).st_size
        start = max(0, size - _SHOWN_BYTES)
        found = os.pread(self._output.fileno(), _SHOWN_BYTES, start)
        return found.decode("utf-8", "replace")

    def close(self) -> None:
        """Forget it; the process goes on."""
        self._output.close()
        # It is adopted by another process, which is none of Python's business.
        self._process.returncode = self._process.poll() or 0


class CommandLine:
    """Calls the command line with the flags and the journal of the call that serves the page.

    Args:
        flags: The flags that every call has.
        journal: The place of the journal, from any working folder.
    """

    def __init__(self, flags: Sequence[str], journal: str) -> None:
        self._flags = tuple(flags)
        self._journal = ("--journal", journal)
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._started: dict[str, Work] = {}
        self._turn = threading.Lock()

    async def ask(self, *words: str, journal: bool = False) -> Answer:
        """Return the answer of a command with `--json`; at most two are asked at once.

        Args:
            words: The command and its arguments.
            journal: Whether the command takes a journal.

        Raises:
            TimeoutError: It took longer than two minutes, and was stopped.
        """
        more = self._journal if journal else ()
        async with self._turns:
            process = await asyncio.create_subprocess_exec(
                *self._call((*words, *more, "--json")),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
            try:
                async with asyncio.timeout(_MOST_SECONDS):
                    out, err = await process.communicate()
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
        return Answer(
            code=process.returncode or 0,
            documents=_documents(out.decode("utf-8", "replace")),
            notes=err.decode("utf-8", "replace"),
        )

    def start(self, run: str, *words: str) -> Work:
        """Start a command that works on a run, unless one that was started here still does.

        Args:
            run: The number of the run.
            words: The command and its arguments.
        """
        with self._turn:
            known = self._started.get(run)
            if known is not None and known.code is None:
                return known
            output = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the page
            process = subprocess.Popen(
                self._call((*words, *self._journal)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                # Neither Ctrl-C here nor the end of the terminal ends it.
                start_new_session=True,
            )
            self._started[run] = Work((*words, *self._journal), process, output)
            if known is not None:
                known.close()
            return self._started[run]

    def started(self, run: str) -> Work | None:
        """Return what was last started for a run, or None."""
        return self._started.get(run)

    def close(self) -> None:
        """Forget what was started; it goes on."""
        for work in self._started.values():
            work.close()

    def _call(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-P", "-m", "handrail", *words, *self._flags]


def _documents(text: str) -> list[Mapping[str, Any]]:
    """Return the JSON objects of an output: one over all lines, or one on each."""
    with suppress(ValueError):
        return [json.loads(text)]
    found: list[Mapping[str, Any]] = []
    for line in text.splitlines():
        if line.startswith("{"):
            with suppress(ValueError):
                found.append(json.loads(line))
    return found
