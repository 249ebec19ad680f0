"""Runs commands at a terminal, and tells what stands on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

_LONGEST = 60.0  # Seconds without a letter, after which a command hangs.
_PARTS = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|[\r\n]|[^\x1b\r\n]+")


def on_screen(text: str) -> list[str]:
    """Return the lines that a terminal has after `text`; each character takes one column.

    It has no last column, but for the one that is as far right as can be: what is written behind
    that begins on the next line.
    """
    lines = [""]
    row = column = 0
    edge = at_the_edge = False
    for part in _PARTS.findall(text):
        if part in "\r\n" or part.endswith("A"):
            if part == "\r":
                column = 0
            else:
                row += 1 if part == "\n" else -int(part[2:-1])
                lines += [""] * (row >= len(lines))
            edge = at_the_edge = False
        elif part == "\x1b[999G":
            edge = True
        elif part in ("\x1b[K", "\x1b[J"):
            lines[row] = lines[row][:column]
            del lines[row + 1 if part == "\x1b[J" else len(lines) :]
        elif not part.startswith("\x1b"):
            if edge and not at_the_edge:
                part, at_the_edge = part[1:], True
            if at_the_edge and part:
                row += 1
                lines += [""] * (row >= len(lines))
                column, edge, at_the_edge = 0, False, False
            line = lines[row].ljust(column)
            lines[row] = line[:column] + part + line[column + len(part) :]
            column += len(part)
    return [line.rstrip() for line in lines]


class AtTerminal:
    """A command at a terminal; what is left of it ends with the block.

    Args:
        command: The command.
        folder: Its working folder.
        environment: Its variables.
        out: A file for its standard output, if that is not the terminal.

    Attributes:
        shown: All that it has written to the terminal.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        *,
        out: IO[bytes] | None = None,
    ) -> None:
        self.shown = ""
        self._bytes = b""
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=theirs,
            stdout=theirs if out is None else out,
            stderr=theirs,
            start_new_session=True,
            # So that Ctrl-C, typed there, is a signal for all of its processes.
            preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def read(self) -> bool:
        """Take what is written next; return False if nothing more will be."""
        ready = select.select([self._ours], [], [], _LONGEST)[0]
        assert ready, f"nothing was written for {_LONGEST} s after {self.shown!r}"
        try:
            self._bytes += os.read(self._ours, 65536)
        except OSError:  # Its end is closed.
            return False
        self.shown = self._bytes.decode(errors="ignore")
        return True

    def wait_for(self, pattern: str) -> str:
        """Read until something matches `pattern`, and return it."""
        while (found := re.search(pattern, self.shown)) is None:
            assert self.read(), f"{pattern!r} was never shown in {self.shown!r}"
        return found[0]

    def type(self, text: str) -> None:
        """Type `text`."""
        os.write(self._ours, text.encode())

    def end(self) -> int:
        """Read to the end, and return the exit code."""
        while self.read():
            pass
        return self.process.wait()

    @property
    def screen(self) -> list[str]:
        """The lines that now stand on the screen, but for empty ones."""
        return [line for line in on_screen(self.shown) if line]
