"""The progress of a run at a terminal: lines at its foot tell what runs, below all others."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import partial
from itertools import islice
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TextIO, cast

from rich.cells import cell_len
from rich.console import Console as Terminal
from rich.console import ConsoleOptions, RenderResult
from rich.control import Control
from rich.live import Live
from rich.segment import ControlType, Segment, Segments

from handrail.amounts import seconds
from handrail.builtin.cli.view.console import hand_over, shown_line, terminal_size
from handrail.builtin.cli.view.progress import CTRL_C, StepView
from handrail.builtin.cli.view.text import columns, folded, shorten

if sys.platform != "win32":
    import termios
if TYPE_CHECKING:
    from handrail import events
    from handrail.builtin.cli.view.console import Console
    from handrail.builtin.cli.view.progress import Figure, Working

_REFRESH = 0.1  # Seconds between two drawings of the moving lines for events.
_TICK = 1.0  # Seconds between two drawings without one.
_MOST_ROWS = 8  # Lanes that are drawn at once; of the others, how many they are.
_NARROW = 40  # Columns below which names are not aligned, so that figures have room.
_LONGEST = 8192  # Letters that are kept of a line without an end.
_READS = frozenset({"fileno", "read", "readline", "readlines", "buffer"})
# These go to the next line only with the letter after the one in the last column. With a letter
# there, what is written past this process, as by a child, begins on a line of its own.
_WRAP_LATE = ("xterm", "screen", "tmux", "rxvt", "linux", "vt", "alacritty", "foot", "st-")
# Each is set by terminals that break the lines that they have when they become narrower.
_BREAK_LINES = (
    *("TERM_PROGRAM", "TMUX", "VTE_VERSION", "KONSOLE_VERSION", "WT_SESSION"),
    *("KITTY_WINDOW_ID", "ALACRITTY_WINDOW_ID"),
)


class LiveView(StepView):
    """Writes a line for each step that ends; below all lines stand some that tell what runs."""

    _block: LiveBlock | None = None
    _drawn = 0.0
    _rows: list[str] | None = None

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._late: deque[events.Event] = deque()

    def __call__(self, event: events.Event) -> None:
        """Show `event`; if a signal came upon what a step writes, after that."""
        with self._alone():
            self._late.append(event)
            while self._late and not (self._block is not None and self._block.busy):
                super().__call__(self._late.popleft())

    def close(self) -> None:
        """Wipe the lines that move, and give the terminal back."""
        super().close()
        with self._alone():
            if self._block is not None:
                self._block.close()
                self._block = None

    def tick(self) -> float:
        """Draw the lines that move."""
        with self._alone():
            self._rows = None
            self._refresh()
        return _TICK

    def _run_started(self, event: events.RunStarted) -> None:
        super()._run_started(event)
        if self._block is None:
            self._block = LiveBlock(self._console, self._moving_lines, self._alone)
            self._tick_after(_TICK)

    def _begin(self, working: Working) -> None:
        super()._begin(working)
        self._rows = None

    def _over(self, lane: str, mark: str, step: str, took: str, text: str) -> None:
        self._rows = None
        super()._over(lane, mark, step, took, text)

    def _line(self, text: str) -> None:
        if self._block is None:
            super()._line(text)
        else:
            self._block.note(folded(text, self._console.err))

    def _refresh(self) -> None:
        now = self._clock()
        if self._block is not None and (self._rows is None or now - self._drawn >= _REFRESH):
            self._drawn, self._rows = now, self._made_rows()
            self._block.refresh()

    def _moving_lines(self) -> list[str]:
        if self._rows is None:
            self._rows = self._made_rows()
        return self._rows

    def _made_rows(self) -> list[str]:
        """Return the lines that move."""
        if not self._working:
            return []
        wide, high = terminal_size(self._console.err)
        working = sorted(self._working.values(), key=lambda each: each.lane or 0)
        if self._group is None or working[0].lane is None:
            return [self._row(working[0], wide - 1, self._overall(working[0]))]
        rows = [self._row(each, wide - 1) for each in working]
        for lane, name in islice(self._waiting.items(), _MOST_ROWS):
            mark = self._mark(lane)
            rows.append(f" {mark}  {self._name(name, mark)} {'':>7}  waiting")
        most = max(min(_MOST_ROWS, high - 3), 1)
        more = len(working) + len(self._waiting) - most
        if more > 0:
            rows = [*rows[:most], f" │ … and {more} more running or waiting"]
        done = f"{self._percent} %  {self._ended} of {len(self._steps)} done"
        took = seconds(self._clock() - self._began)
        ways = CTRL_C[self._execution.keeps]
        return [*rows, f" {done}, {len(working)} running · {took} · {ways}"]

    def _row(self, working: Working, room: int, overall: Sequence[Figure] = ()) -> str:
        """Return the line of a running step: whole figures, or none, where there is no room."""
        lane, mark = self._mark(working.lane), "◂" if working.back else "▸"
        name, took = working.name, seconds(self._clock() - working.began)
        if room < _NARROW:
            row = f" {lane}{mark} {shorten(name, max(room - 15, 4))} {took}"
        else:
            row = f" {lane}{mark} {self._name(name, lane)} {took:>7}"
        if working.status is not None:
            row += f"  {shorten(working.status, max(room - columns(row) - 2, 1))}"
        figures = working.figures(self._clock())
        if figures and working.status is None:
            filled = int(working.amounts.share * 16)
            figures.insert(0, (2, "█" * filled + "░" * (16 - filled)))
        if working.timeout is not None:
            figures.append((3, f"(limit {seconds(working.timeout)})"))
        figures += overall
        while figures and sum(columns(text) + 2 for _, text in figures) > room - columns(row):
            figures.remove(min(reversed(figures), key=lambda figure: figure[0]))
        return row + "".join(f"  {text}" for _, text in figures)

    def _overall(self, working: Working) -> list[Figure]:
        """Return the figures of the whole run."""
        if working.back:
            return [(4, f"·  {self._back} of {len(self._to_undo)} undone")]
        part = self._part_of(working.name)
        done = f"{self._percent} %  {self._ended} of {len(self._steps)}"
        if part is not None:
            done = f"{part.done} of {part.total}"
        return [(4, f"·  {done}"), (0, CTRL_C[self._execution.keeps])]


class LiveBlock:
    """Keeps lines below what this process writes to its terminal, until it is closed.

    It stands in for the standard streams that are terminals. A child process writes past it. What
    has no end yet, such as a bar that a step draws, and what waits for somebody to type has the
    terminal for itself.

    Args:
        console: The output, on whose standard error the block is.
        lines: Returns the lines of the block.
        alone: Returns the lock of all that is written.

    Attributes:
        busy: Whether what a step writes is being written, by whoever has the lock.
    """

    busy = False

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
        self._drawn: list[int] = []  # The columns of each line.
        self._width = 0
        self._begin()
        self._keyboard = Keyboard(console.err)
        self._streams = [self._replaced(name) for name in ("stdout", "stderr", "stdin")]
        self._start()

    def _begin(self) -> None:
        """Begin with nothing drawn."""
        self._drawn, self._within_line = [], False
        console = self._console
        out = SimpleNamespace(write=console.write_err, flush=console.err.flush)
        self._terminal = Terminal(
            file=cast("TextIO", out), force_terminal=True, color_system=None, legacy_windows=False
        )
        self._make = partial(
            Live,
            self,
            console=self._terminal,
            auto_refresh=False,
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._live = self._make()

    def __rich_console__(self, console: Terminal, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of the block, for rich."""
        lines, self._width = [*map(shown_line, self._lines())], options.max_width
        self._drawn = [*map(cell_len, lines)]
        yield Segment("\n".join(lines))
        if lines and os.environ.get("TERM", "").startswith(_WRAP_LATE):
            yield Control.move_to_column(998).segment  # Or the last one.
            yield Segment(" ")
            self._drawn[-1] = self._width

    def refresh(self) -> None:
        """Draw the block anew, unless something else is going on at the terminal."""
        if self._live.is_started and not self._in_child and self._keyboard.ours():
            self._mend()
            self._live.refresh()

    def note(self, lines: Sequence[str]) -> None:
        """Write lines of the run, but not within one that a step has begun."""
        self._flush()
        if self._within_line:
            self._console.note()
        self._above("".join(f"{shown_line(line)}\n" for line in lines))

    def close(self) -> None:
        """Wipe the block, and put the streams back where nobody has replaced them since."""
        self._flush()
        for name, stream, shared in self._streams:
            if getattr(sys, name) is shared:
                setattr(sys, name, stream)
            hand_over(cast("TextIO", shared), stream)
        self._stop()
        self._keyboard.close()

    def write(self, stream: TextIO, text: str) -> None:
        """Write what a step has written to a stream."""
        with self._alone():
            self.busy = True
            try:
                self._write(stream, text)
            except BaseException:
                self._begin()  # An interrupt leaves what rich knows half way.
                self._console.write_err("\r\x1b[J")
                raise
            finally:
                self.busy = False

    def _write(self, stream: TextIO, text: str) -> None:
        if text.endswith("\n") and not (self._within_line or self._in_child):
            self._above(text)
            return
        if not self._within_line:
            self._stop()
        stream.write(text)  # Whose descriptor may lead elsewhere in a child.
        stream.flush()
        self._within_line = not text.endswith("\n")
        if not self._within_line:
            self._start()

    def hold(self) -> None:
        """Draw nothing until the run has news: something reads from the terminal."""
        with self._alone():
            self._stop()
            self._within_line = False

    def _flush(self) -> None:
        for _, _, shared in self._streams:
            if isinstance(shared, _Written):
                shared.flush()

    def _above(self, text: str) -> None:
        """Write whole lines above the block, with it in one write."""
        self._within_line = False
        if self._in_child or not self._keyboard.ours():
            self._stop()
            self._console.write_err(f"\r\x1b[J{text}")
            self._start()  # To be drawn once the terminal is ours again.
            return
        self._start()
        self._mend()
        self._terminal.print(Segments([Segment(text)]), end="", crop=False)

    def _mend(self) -> None:
        """Go up as far as the block is longer since the terminal has become narrower."""
        width = self._terminal.width
        if width < self._width and any(name in os.environ for name in _BREAK_LINES):
            more = sum((columns - 1) // width for columns in self._drawn if columns)
            up = ((ControlType.ERASE_IN_LINE, 2), (ControlType.CURSOR_UP, 1))
            self._terminal.control(Control(*up * more))

    def _start(self) -> None:
        if not (self._live.is_started or self._in_child):
            self._live = self._make()  # One that was stopped goes over what was written since.
            # A cursor would stay hidden after a kill -9.
            self._in_one_write(self._live.start, self._terminal.show_cursor)

    def _stop(self) -> None:
        if self._in_child:
            self._console.write_err("\r\x1b[J")  # Where its parent was when it forked.
        elif self._live.is_started:
            self._in_one_write(self._mend, self._live.stop)
            self._drawn = []

    def _in_one_write(self, *changes: Callable[[], object]) -> None:
        """Let rich change what it shows: all of it, or nothing where an interrupt comes between."""
        with self._terminal.capture() as drawn:
            for change in changes:
                change()
        self._console.write_err(drawn.get())

    @property
    def _in_child(self) -> bool:
        """Whether this is a process that a step has forked."""
        return self._process != os.getpid()

    def _replaced(self, name: str) -> tuple[str, TextIO, object]:
        """Put something in place of a standard stream, if that is a terminal; return both."""
        stream: TextIO = getattr(sys, name)
        shared: object = stream
        with suppress(AttributeError, ValueError):
            if name == "stdin" and stream.isatty():
                shared = _Read(stream, self.hold)
            elif stream is self._console.err or stream.isatty():
                shared = _Written(stream, partial(self.write, stream), self._alone)
        setattr(sys, name, shared)
        hand_over(stream, cast("TextIO", shared))
        return name, stream, shared


class _Written:
    """A stream whose lines go above the block; what has no end goes there when it is flushed.

    Args:
        stream: The stream.
        write: Writes a text to it.
        alone: Returns the lock of all that is written.
    """

    def __init__(
        self,
        stream: TextIO,
        write: Callable[[str], None],
        alone: Callable[[], AbstractContextManager[object]],
    ) -> None:
        self._stream = stream
        self._write = write
        self._alone = alone
        self._open = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the lines that have an end, and keep the rest until then."""
        with self._alone():
            whole, end, self._open = (self._open + text).rpartition("\n")
            if end:
                self._write(whole + end)
            # As at a terminal: a line that is written again and again, or a long one.
            if "\r" in self._open or len(self._open) > _LONGEST:
                self.flush()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Write what was kept, and what is in the buffer of the stream."""
        with self._alone():
            text, self._open = self._open, ""
            if text:
                self._write(text)
            self._stream.flush()


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
    """The keyboard of a terminal, which shows no `^C` in what is drawn until this is closed.

    Args:
        stream: The stream of the terminal.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._former = self._modes()
        if self._former is not None and self._in_front():
            self._set_modes(self._former & ~termios.ECHOCTL)

    def ours(self) -> bool:
        """Return whether the terminal is ours to draw on.

        It is not while the process is in the background, or while something reads without an echo,
        such as a password, an editor or a debugger.
        """
        modes, former = self._modes(), self._former
        echoes = modes is None or former is None or not (modes ^ former) & termios.ECHO
        return self._in_front() and echoes

    def close(self) -> None:
        """Let it show what it showed before."""
        if self._former is not None and self._in_front():
            self._set_modes(self._former)

    def _in_front(self) -> bool:
        try:
            return os.tcgetpgrp(self._stream.fileno()) == os.getpgrp()
        except (OSError, AttributeError, ValueError):
            return True  # It is not the terminal that controls this process.

    def _modes(self) -> int | None:
        """Return the local modes of the terminal, or None where there are none."""
        if sys.platform == "win32":
            return None
        with suppress(OSError, ValueError, termios.error):
            return int(termios.tcgetattr(self._stream.fileno())[3])
        return None

    def _set_modes(self, local: int) -> None:
        modes = termios.tcgetattr(self._stream.fileno())
        modes[3] = local
        termios.tcsetattr(self._stream.fileno(), termios.TCSANOW, modes)
