"""Ctrl-C and timeouts for the blocking driver: user code is interrupted, engine code is not.

The handler is installed only in the main thread, and only over Python's default one. A signal that
lands in the engine waits for the next boundary. Should user code be entered first, a timer delivers
it there a moment later, so that no signal is lost in the gap.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol

from handrail.errors import StepTimedOut
from handrail.journal.this_process import INTERRUPTS, deliver
from handrail.orchestrator.time_limit import Alarm
from handrail.user_code import is_locking, is_user_code

if TYPE_CHECKING:
    from handrail.orchestrator.time_limit import TimeLimit

ONE_SIGNAL = 0.5  # Seconds within which signals count as one.
_REDELIVER = 0.02  # Seconds until a signal that landed in the engine is tried again.


class RunningTask(Protocol):
    """An async step that runs in the loop of a blocking run.

    Attributes:
        heard: Whether its loop has taken note of the last `cancel`.
    """

    heard: bool

    def cancel(self, because: BaseException | None = None) -> None:
        """Cancel it, from any thread; it raises `because` then."""


class Interrupts:
    """Turns SIGINT into KeyboardInterrupt in user code, and into `pending` elsewhere.

    Args:
        on_signal: Called as `on_signal(name, warns)` with each signal; during an undo the first one
            only warns.

    Attributes:
        pending: An interrupt that waits for the next boundary.
        raised: Whether it was raised in user code already, which may have suppressed it.
        undoing: Whether an undo is in progress, during which the first signal only warns.
        late: An interrupt that came too late to stop the run; it is raised after the run.
        warned: Whether a signal has come during an undo, so that the next one stops it.
        task: The async step that runs, if any.
    """

    def __init__(self, on_signal: Callable[[str, bool], None]) -> None:
        self.pending: KeyboardInterrupt | None = None
        self.raised = False
        self.undoing = False
        self.late: KeyboardInterrupt | None = None
        self.task: RunningTask | None = None
        # With whether an undo was in progress already; the outermost first.
        self._limits: list[tuple[TimeLimit, bool]] = []
        self._on_signal = on_signal
        self._telling = False
        self.warned = False
        self._last = -ONE_SIGNAL
        self._runs: list[object] = []
        self._installed = False
        self._retry: Alarm | None = None
        self._again = False
        self._signum = signal.SIGINT
        # What could not be interrupted when it was come upon, and at which instruction.
        self._spared: _Place | None = None
        self._before: Any = signal.default_int_handler

    def enter(self, run: object) -> None:
        """Begin to handle signals for `run`, if that can be done here."""
        self._runs.append(run)
        current = signal.getsignal(signal.SIGINT)
        # Where SIGINT is ignored, as in a job in the background, others may still be handed over.
        ours = current in (signal.default_int_handler, interrupt_run, signal.SIG_IGN)
        if len(self._runs) == 1 and ours and _in_main_thread():
            self._installed = True
            _active.append(self)
            if current is not signal.SIG_IGN:
                self._before = current
                signal.signal(signal.SIGINT, self.handle)

    def leave(self, run: object) -> None:
        """Remove a run, and the handler once no run is left. Calling it twice is harmless."""
        if self._runs and self._runs[-1] is run:
            self._runs.pop()
        if self._runs or not _in_main_thread():
            return
        self._installed = False  # From here on signals only wait.
        self._spared = None
        if self in _active:
            _active.remove(self)
        retry, self._retry = self._retry, None
        if retry is not None:
            # It must not interrupt code after the run.
            retry.stop()
        if signal.getsignal(signal.SIGINT) == self.handle:
            signal.signal(signal.SIGINT, self._before)

    def take(self) -> KeyboardInterrupt | None:
        """Return the waiting interrupt, once."""
        pending, self.pending = self.pending, None
        self.raised = False
        return pending

    def pass_on(self) -> None:
        """Stop the outer run, if there is one, even if its step suppresses the interrupt."""
        if self._runs:
            self.pending, self.raised = KeyboardInterrupt(), True

    def take_late(self) -> KeyboardInterrupt | None:
        """Return the interrupt to raise after the run, and clear it."""
        late = self.late or self.pending
        self.late = self.pending = None
        self.raised = False
        return late

    def begin_undo(self) -> bool:
        """Make the next signal only warn; return the former value of `undoing`."""
        before, self.undoing = self.undoing, True
        pending = self.take()
        if pending is not None:
            self.late = pending
        return before

    def warn(self, interrupt: KeyboardInterrupt) -> None:
        """Let an interrupt, which was taken, only warn: an undo has begun meanwhile."""
        self.warned, self.late = True, interrupt
        self._tell(warns=True)

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """Take a signal; `frame` is the code that it came upon."""
        if self._again:
            self._again = False
            if self.pending is not None and not self.raised:
                self._deliver(frame)
            self._stop_late(frame)
            return
        now = time.monotonic()
        if now - self._last < ONE_SIGNAL:
            return
        self._last = now
        self._signum = signal.Signals(signum)
        warns = self.undoing and not self.warned
        self._tell(warns)
        if warns:
            self.warned = True
            self.late = KeyboardInterrupt()
            return
        # For longer than signals count as one.
        stuck = self.pending is not None and not self.raised
        self.pending, self.raised = KeyboardInterrupt(), False
        self._deliver(frame, even_here=stuck)

    @contextmanager
    def within(self, limit: TimeLimit) -> Generator[None, None, None]:
        """Interrupt the step that runs once the time of `limit` is over."""
        if not self._installed:
            limit.thread = None
        undoing = self.undoing
        limit.interrupt = partial(self._time_is_over, limit, undoing)
        self._limits.append((limit, undoing))
        limit.start()
        try:
            yield
        finally:
            limit.stop()
            self._limits.pop()

    def _time_is_over(self, limit: TimeLimit, undoing: bool) -> None:
        """Interrupt what runs within `limit`; called in another thread, again while it is due."""
        if self.undoing != undoing:
            return  # The step has a run of its own, which is being undone.
        task = self.task
        if task is not None and task.heard:
            limit.due = False
            task.cancel(StepTimedOut(limit.error))
        elif self._installed:
            signum = next((each for each in INTERRUPTS if self._handles(each)), None)
            if signum is not None:
                self._send(signum)

    def _handles(self, signum: int) -> bool:
        return signal.getsignal(signum) in (self.handle, interrupt_run)

    def _stop_late(self, frame: FrameType | None) -> None:
        """Raise StepTimedOut in the code that was come upon, if the time of its step is over."""
        if not self._installed or self._in_engine(frame):
            return
        for limit, undoing in self._limits:
            if limit.due and self.undoing == undoing:
                limit.raise_it()

    def _tell(self, warns: bool) -> None:
        before, self._telling = self._telling, True
        try:
            self._on_signal(self._signum.name, warns)
        finally:
            self._telling = before

    def _deliver(self, frame: FrameType | None, *, even_here: bool = False) -> None:
        if not self._installed:
            return
        if self.task is not None:
            # As asyncio.run does: the first one cancels, the next one raises where it can.
            task, self.task = self.task, None
            task.cancel()
        elif self._in_engine(frame) and not even_here:
            self._retry = Alarm(_REDELIVER, self._try_again)
        else:
            self.raised = True
            raise KeyboardInterrupt

    def _try_again(self) -> None:
        if self.pending is not None and self._installed and not self.raised:
            self._send(self._signum)

    def _send(self, signum: signal.Signals) -> None:
        """Let `handle` be called in the main thread, as for a signal."""
        self._again = True
        deliver(signum)

    def _in_engine(self, frame: FrameType | None) -> bool:
        # It may interrupt the handler of another signal: check the frame below that handler.
        while frame is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        here = _place_of(frame)
        rests = here is not None and here == self._spared
        spared = self._telling or not is_user_code(frame, rests=rests)
        self._spared = here if spared else None
        return spared


_active: list[Interrupts] = []


def active_interrupts() -> Interrupts | None:
    """Return the Interrupts of the active run in the main thread, if any."""
    if not _active or not _in_main_thread():
        return None
    current = signal.getsignal(signal.SIGINT)
    # A step may have put a handler of its own there.
    return _active[-1] if current in (_active[-1].handle, signal.SIG_IGN) else None


class _HandedOver:
    """Passes on interrupts to what waits for others; see `RunningTask`.

    Args:
        interrupts: The interrupts of the run.
        stop: Called with each.

    Attributes:
        cancelled: Whether a signal has come.
        heard: True.
    """

    heard = True

    def __init__(self, interrupts: Interrupts, stop: Callable[[BaseException], None]) -> None:
        self.cancelled = False
        self._interrupts = interrupts
        self._stop = stop

    def cancel(self, because: BaseException | None = None) -> None:
        """Pass it on."""
        if because is None:
            self.cancelled = True
            self._interrupts.task = self  # For the next one.
        self._stop(because or KeyboardInterrupt())


@contextmanager
def handed_over(stop: Callable[[BaseException], None]) -> Generator[None, None, None]:
    """Call `stop` with an interrupt of the active run, within the block, instead of raising it.

    For code that waits for what others do, and has to end it first. In a thread that no signal
    interrupts, nothing changes.
    """
    interrupts = active_interrupts()
    if interrupts is None:
        yield
        return
    task = _HandedOver(interrupts, stop)
    outer, interrupts.task = interrupts.task, task
    if interrupts.pending is not None:
        task.cancel()
    try:
        yield
    finally:
        interrupts.task = outer
        if task.cancelled:
            interrupts.take()


_Place = tuple[FrameType, int]
_spared: _Place | None = None  # Like that of a run, where there is none.


def interrupt_run(signum: int, frame: FrameType | None) -> None:
    """Signal handler: interrupt the active run, as Ctrl-C would.

    Raises:
        KeyboardInterrupt: There is no active run. In the midst of a lock it is raised later.
    """
    global _spared  # noqa: PLW0603 - there is one main thread
    interrupts = active_interrupts()
    if interrupts is not None:
        interrupts.handle(signum, frame)
        return
    here = _place_of(frame)
    rests = here is not None and here == _spared
    _spared = here if is_locking(frame, rests=rests) else None
    if _spared is None:
        raise KeyboardInterrupt
    Alarm(_REDELIVER, partial(_interrupt_again, signum))


def _interrupt_again(signum: int) -> None:
    # A run may have begun meanwhile; or the command is over, and so is the interrupt.
    if _active or signal.getsignal(signum) is interrupt_run:
        deliver(signal.Signals(signum))


def _place_of(frame: FrameType | None) -> _Place | None:
    return None if frame is None else (frame, frame.f_lasti)


def warn_on_stderr(name: str, undoing: bool) -> None:
    """Print the effect of a signal to standard error, for a run without observers."""
    if undoing:
        text = f"{name}: undoing what was done; again to stop and leave things behind"
        # The signal may come during another print, or the reader may be gone.
        with contextlib.suppress(OSError, RuntimeError):
            print(text, file=sys.stderr)


def _in_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
