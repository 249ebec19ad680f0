"""Runs commands at a terminal, and tells what stands on its screen."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import pyte
import pyte.modes

_LONGEST = 60.0  # Seconds without a letter, after which a command hangs.


class Screen:
    """What stands on the screen of a terminal.

    Args:
        columns: Its width.
        rows: Its height.
        breaks: Whether its lines are broken when it becomes narrower; otherwise they are cut.
    """

    def __init__(self, columns: int = 200, rows: int = 40, *, breaks: bool = False) -> None:
        self._breaks = breaks
        self._screen = pyte.Screen(columns, rows)
        self._screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.Stream(self._screen)

    def feed(self, text: str) -> None:
        """Take what is written to the terminal."""
        # A typed Ctrl-C that is not shown as ^C: terminals ignore it.
        self._stream.feed(text.replace("\x03", ""))

    def resize(self, columns: int) -> None:
        """Make it narrower or wider."""
        if not self._breaks:
            self._screen.resize(columns=columns)
            return
        cursor, rows = self._screen.cursor, self._screen.display
        before = [row.rstrip() for row in rows[: cursor.y]]
        self.__init__(columns, len(rows), breaks=True)  # type: ignore[misc]
        self.feed("\n".join([*before, rows[cursor.y][: cursor.x]]))

    @property
    def lines(self) -> list[str]:
        """The lines that stand there, but for empty ones."""
        return [line.rstrip() for line in self._screen.display if line.strip()]


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
        self.resize(80)
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

    @property
    def is_still(self) -> bool:
        """Whether nothing more is written for now: what was read is what a person sees."""
        return not select.select([self._ours], [], [], 0)[0]

    def wait_for(self, pattern: str) -> str:
        """Read until something matches `pattern`, and return it."""
        while (found := re.search(pattern, self.shown)) is None:
            assert self.read(), f"{pattern!r} was never shown in {self.shown!r}"
        return found[0]

    def read_for(self, seconds: float) -> str:
        """Return what is written within the next seconds."""
        before, end = len(self.shown), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and select.select([self._ours], [], [], left)[0]:
            if not self.read():
                break
        return self.shown[before:]

    def resize(self, columns: int) -> None:
        """Make the terminal narrower or wider."""
        fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("4H", 40, columns, 0, 0))

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
        screen = Screen(rows=300)
        screen.feed(self.shown)
        return screen.lines
