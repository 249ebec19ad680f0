"""The terminal of a run, where a block of lines stays below what steps and the run write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TextIO, cast

from handrail.builtin.cli.view.console import hand_over, shown_line, terminal_columns
from handrail.builtin.cli.view.text import columns, folded

if sys.platform != "win32":
    import termios
if TYPE_CHECKING:
    from handrail.builtin.cli.view.console import Console

_READS = frozenset({"fileno", "read", "readline", "readlines", "buffer"})
# A letter in the last column, which is 999 at most. These terminals go to the next line only with
# the letter after it: so what is written past this process, as by a child, begins there.
_AT_THE_EDGE = "\x1b[999G\x1b[?7h "
_WRAP_LATE = (
    *("xterm", "screen", "tmux", "rxvt", "linux", "vt100", "vt220"),
    *("alacritty", "foot", "ghostty", "konsole", "gnome", "vte", "wezterm", "st-"),
)
# Each is set by terminals that break the lines that they have when they become narrower.
_BREAK_LINES = (
    *("TERM_PROGRAM", "TMUX", "VTE_VERSION", "KONSOLE_VERSION", "WT_SESSION"),
    *("KITTY_WINDOW_ID", "ALACRITTY_WINDOW_ID"),
)


class SharedTerminal:
    """While it is open, what is written to the standard streams stands above a block of lines.

    A text and the block below it are one write, so the block is always there. The streams of the
    process are replaced by ones that write above the block; they are the same in everything else.
    What a child process writes is not seen: where the terminal can, it begins on a line of its own.

    Args:
        console: The output, on whose standard error the block is.
        lines: Returns the lines of the block, none of them wider than the terminal.
        alone: Returns the lock of all that is written.
    """

    def __init__(
        self,
        console: Console,
        lines: Callable[[], list[str]],
        alone: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._console = console
        self._lines = lines
        self._alone = alone
        self._process = os.getpid()
        self._keyboard: Keyboard | None = None  # While it is open.
        self._drawn: list[int] = []  # The columns of each line of the block.
        self._width = 0
        self._within_line = False
        self._held = False
        self._replaced: dict[str, tuple[TextIO, TextIO]] = {}

    def open(self) -> None:
        """Replace the streams that are terminals, for handlers of `logging` too."""
        if self._keyboard is not None:
            return
        self._keyboard = Keyboard(self._console.err)
        self._keyboard.hush()
        for name in ("stdout", "stderr"):
            stream: TextIO | None = getattr(sys, name)
            if stream is not None and (stream is self._console.err or _is_terminal(stream)):
                self._replace(name, stream, cast("TextIO", _Written(stream, self.write)))
        if sys.stdin is not None and _is_terminal(sys.stdin):
            self._replace("stdin", sys.stdin, cast("TextIO", _Read(sys.stdin, self._hold)))

    def close(self) -> None:
        """Wipe the block, and put the streams back where nobody has replaced them since."""
        self._wipe()
        keyboard, self._keyboard = self._keyboard, None
        if keyboard is not None and not self._in_child:
            keyboard.close()
        replaced, self._replaced = self._replaced, {}
        for name, (stream, shared) in replaced.items():
            if getattr(sys, name) is shared:
                setattr(sys, name, stream)
            hand_over(shared, stream)

    def refresh(self) -> None:
        """Draw the block, unless something else is going on at the terminal."""
        if self._may_draw:
            self._draw()

    def note(self, text: str) -> None:
        """Write a line of the run, but not within one that a step has begun."""
        if self._within_line:
            self._console.note()
        self._within_line = self._held = False
        lines = folded(text, self._console.err)
        if self._keyboard is None:
            for line in lines:
                self._console.note(line)
        else:
            self._draw("".join(f"{shown_line(line)}\n" for line in lines))

    def write(self, stream: TextIO, text: str) -> int:
        """Write what a step has written to a stream, and return how much that was."""
        with self._alone():
            ended = text.endswith("\n")
            if ended and self._is_free and self._drawn:
                self._draw(text)
                return len(text)
            if text and not self._within_line:
                self._wipe()
                self._within_line = True
            count = stream.write(text)
            if ended:
                stream.flush()
                self._within_line = self._held = False
                self.refresh()
            return count

    def _hold(self) -> None:
        """Draw nothing until the run has news: something reads from the terminal."""
        with self._alone():
            self._wipe()
            self._held = True

    def _draw(self, above: str = "") -> None:
        """Write lines above the block, and the block anew, in one write."""
        drawn = [shown_line(line) for line in self._lines()] if self._may_draw else []
        if not (above or drawn or self._drawn):
            return
        text = self._to_the_begin() + above
        self._drawn = [columns(line) for line in drawn]
        self._width = terminal_columns(self._console.err)
        if drawn:
            late = os.environ.get("TERM", "").startswith(_WRAP_LATE)
            # Terminals differ in the width of some characters: never let one begin another line.
            text += "\x1b[?7l" + "\n".join(drawn) + (_AT_THE_EDGE if late else "\x1b[?7h")
            self._drawn[-1] = self._width if late else self._drawn[-1]
        self._console.write_err(text)

    def _wipe(self) -> None:
        """Take the block away until it is drawn again."""
        if text := self._to_the_begin():
            self._console.write_err(text)
            self._drawn = []

    def _to_the_begin(self) -> str:
        """Return what goes to the first line of the block, and clears from there."""
        # A child does not know whether its parent has drawn it since.
        if not self._drawn and (self._within_line or not self._in_child):
            return ""
        above, width = len(self._drawn) - 1, terminal_columns(self._console.err)
        if width < self._width and any(name in os.environ for name in _BREAK_LINES):
            above += sum((wide - 1) // width for wide in self._drawn if wide)
        return f"\r\x1b[{above}A\x1b[J" if above > 0 else "\r\x1b[J"

    @property
    def _may_draw(self) -> bool:
        return self._keyboard is not None and self._is_free and self._keyboard.ours()

    @property
    def _is_free(self) -> bool:
        return not (self._within_line or self._held or self._in_child)

    @property
    def _in_child(self) -> bool:
        """Whether this is a process that a step has forked."""
        return self._process != os.getpid()

    def _replace(self, name: str, stream: TextIO, shared: TextIO) -> None:
        self._replaced[name] = (stream, shared)
        setattr(sys, name, shared)
        hand_over(stream, shared)


class _Written:
    """A stream whose writes go around the block.

    Args:
        stream: The stream.
        write: Writes a text to it.
    """

    def __init__(self, stream: TextIO, write: Callable[[TextIO, str], int]) -> None:
        self._stream = stream
        self._write = write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write `text`, with the block out of its way."""
        return self._write(self._stream, text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)


class _Read:
    """Standard input: while something is read from the terminal, no block is drawn on it."""

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


class Keyboard:
    """The keyboard of a terminal, as far as it concerns what is drawn there.

    Args:
        stream: The stream of the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._former: int | None = None
        self._echo = self._echoes()

    def ours(self) -> bool:
        """Return whether the terminal is ours to draw on.

        It is not while the process is in the background, or while something reads without an echo,
        such as a password, an editor or a debugger.
        """
        return self._in_front() and self._echoes() == self._echo

    def hush(self) -> None:
        """Let Ctrl-C write no `^C` into what is drawn, when it is typed."""
        modes = self._modes()
        if sys.platform != "win32" and modes is not None and self._in_front():
            self._former = modes
            self._set_modes(modes & ~termios.ECHOCTL)

    def close(self) -> None:
        """Let it write what it wrote before."""
        if self._former is not None and self._in_front():
            self._set_modes(self._former)

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, AttributeError, ValueError):
            return True  # It is not the terminal that controls this process.

    def _echoes(self) -> bool:
        modes = self._modes()
        return sys.platform == "win32" or modes is None or bool(modes & termios.ECHO)

    def _modes(self) -> int | None:
        """Return the local modes of the terminal, or None where there are none."""
        if sys.platform == "win32":
            return None
        try:
            return int(termios.tcgetattr(self._stream.fileno())[3])
        except (OSError, ValueError, termios.error):
            return None

    def _set_modes(self, local: int) -> None:
        if sys.platform != "win32":
            modes = termios.tcgetattr(self._stream.fileno())
            modes[3] = local
            termios.tcsetattr(self._stream.fileno(), termios.TCSANOW, modes)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (AttributeError, ValueError):
        return False
