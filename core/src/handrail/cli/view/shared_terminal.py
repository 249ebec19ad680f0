"""Lets steps write to the terminal on which a line moves, without tearing either of them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TextIO, cast

from handrail.cli.view.console import hand_over

_READS = frozenset({"fileno", "read", "readline", "readlines", "buffer"})


class SharedTerminal:
    """While it is shared, what is written to the standard streams goes around the moving line.

    The streams of the process are replaced by ones that clear the line, write, and let it be drawn
    again; they are the same in everything else. What a child process writes is not seen: where the
    terminal can, the console lets it begin on a line of its own.

    Args:
        err: The stream on which the line moves.
        clear: Clears the line; returns a context in which nothing else is drawn.
        written: Called after a text was written, with whether it ended a line.
        hold: Called when something reads from the terminal.
    """

    def __init__(
        self,
        err: TextIO,
        *,
        clear: Callable[[], Any],
        written: Callable[[bool], None],
        hold: Callable[[], None],
    ) -> None:
        self._err = err
        self._clear = clear
        self._written = written
        self._hold = hold
        self._replaced: dict[str, tuple[TextIO, TextIO]] = {}

    def open(self) -> None:
        """Replace the streams that are terminals, for handlers of `logging` too."""
        for name in ("stdout", "stderr"):
            stream: TextIO | None = getattr(sys, name)
            if stream is not None and (stream is self._err or _is_terminal(stream)):
                shared = _Written(stream, self._clear, self._written)
                self._replace(name, stream, cast("TextIO", shared))
        if sys.stdin is not None and _is_terminal(sys.stdin):
            self._replace("stdin", sys.stdin, cast("TextIO", _Read(sys.stdin, self._hold)))

    def close(self) -> None:
        """Put the streams back, where nobody has replaced them since. Twice is harmless."""
        replaced, self._replaced = self._replaced, {}
        for name, (stream, shared) in replaced.items():
            if getattr(sys, name) is shared:
                setattr(sys, name, stream)
            hand_over(shared, stream)

    def _replace(self, name: str, stream: TextIO, shared: TextIO) -> None:
        self._replaced[name] = (stream, shared)
        setattr(sys, name, shared)
        hand_over(stream, shared)


class _Written:
    """A stream whose writes go around the moving line."""

    def __init__(
        self, stream: TextIO, clear: Callable[[], Any], written: Callable[[bool], None]
    ) -> None:
        self._stream = stream
        self._clear = clear
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`, with the moving line out of its way."""
        with self._clear():
            count = self._stream.write(text)
            if text:
                ended = text.endswith("\n")
                if ended:
                    self._stream.flush()
                self._written(ended)
        return count

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __iter__(self) -> Iterator[str]:
        return iter(self._stream)


class _Read:
    """Standard input: while something is read from the terminal, no line moves on it."""

    def __init__(self, stream: TextIO, hold: Callable[[], None]) -> None:
        self._stream = stream
        self._hold = hold

    def __getattr__(self, name: str) -> Any:
        if name in _READS:
            self._hold()
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        self._hold()
        return iter(self._stream)

    def __next__(self) -> str:
        self._hold()
        return next(self._stream)


class Foreground:
    """Tells whether a terminal is ours to draw on.

    It is not while the process is in the background, or while something reads without an echo, such
    as a password, an editor or a debugger.
    """

    def __init__(self, stream: TextIO) -> None:
        try:
            self._number: int | None = stream.fileno()
        except (OSError, ValueError):
            self._number = None
        self._echo = self._echoes()

    def __call__(self) -> bool:
        """Return whether a line may be drawn now."""
        if self._number is None:
            return True
        try:
            ours = os.tcgetpgrp(self._number) == os.getpgrp()
        except (OSError, AttributeError):
            ours = True  # It is not the terminal that controls this process.
        return ours and self._echoes() == self._echo

    def _echoes(self) -> bool:
        if self._number is None:
            return True
        try:
            import termios  # noqa: PLC0415 - not on every system
        except ImportError:
            return True
        try:
            return bool(termios.tcgetattr(self._number)[3] & termios.ECHO)
        except (OSError, termios.error):
            return True


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False
