"""A program that is interrupted in the midst of the locks of Python; see test_locks.py.

A step uses what the standard library has for threads. Of the instructions in there at which Python
looks for signals, SIGINT comes at each once. The run has to end, and each lock has to be free, so
that no other thread waits for it for ever.

    python locks.py run|preview

With `preview` it is no step of a run, but called by the command line; a fifth of them will do.
"""

from __future__ import annotations

import contextlib
import dis
import faulthandler
import io
import logging
import queue
import signal
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed, wait
from types import CodeType, FrameType
from typing import Any

from handrail import (
    BaseStep,
    BaseStepContext,
    Orchestrator,
    RuntimeContext,
    StepRegistry,
    StepResult,
)
from handrail.builtin.cli.signals import whole_locks

PATIENCE = 20.0  # Seconds for a run, and for the threads of a step, before it counts as a hang.
MODULES = ("threading", "queue", "logging", "contextlib", "concurrent")
CHECKED = ("CALL", "RESUME", "JUMP_BACKWARD")  # Where Python looks for signals.

Place = tuple[CodeType, int]


class Shared:
    """What a step shares with its threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.event = threading.Event()
        self.changed = threading.Condition()
        self.plain = threading.Condition(threading.Lock())
        self.slots = threading.Semaphore(2)
        self.line: queue.Queue[int | None] = queue.Queue(1)
        self.pool = ThreadPoolExecutor(2)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        with self.lock:
            yield

    def use(self) -> None:
        """Take each lock, and give it back."""
        with self.alone(), self.changed, self.plain, self.slots:
            self.changed.notify_all()
            self.plain.notify_all()
        self.event.set()
        logger.info("used")

    def put(self) -> None:
        for number in range(3):
            self.line.put(number)
        self.line.put(None)


class Step(BaseStep):
    name = "step"
    progress_weight = 1

    def execute(self, context: BaseStepContext) -> StepResult:
        use_all()
        return StepResult()

    def rollback(self, context: BaseStepContext, result: StepResult) -> None:
        state["undone"] += 1


def use_all() -> None:
    """Use everything, with threads."""
    shared = state["shared"]
    futures: list[Future[Any]] = [shared.pool.submit(shared.use) for _ in range(3)]
    shared.use()
    shared.event.wait()
    for future in as_completed(futures):
        future.result()
    wait(futures)
    futures[0].add_done_callback(lambda _: None)
    thread = threading.Thread(target=shared.put, daemon=True)
    thread.start()
    while shared.line.get() is not None:
        with shared.plain:
            shared.plain.wait(0.001)
    thread.join()
    shared.pool.shutdown(wait=True)


class Counted:
    """A trace function that sends SIGINT at one place, or lists all places."""

    def __init__(self, at: Place | None) -> None:
        self.at = at
        self.places: dict[Place, None] = {}
        self.fired = False

    def __call__(self, frame: FrameType, event: str, arg: object) -> Any:
        name = str(frame.f_globals.get("__name__")).partition(".")[0]
        if name not in MODULES or signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            return self if name in ("__main__", "handrail") else None
        frame.f_trace_opcodes = True
        place = frame.f_code, frame.f_lasti
        if event == "opcode":
            if self.at is None and place not in self.places:
                self.places[place] = None
            if place == self.at and not self.fired:
                self.fired = True
                sys.settrace(None)
                handler: Any = signal.getsignal(signal.SIGINT)
                handler(signal.SIGINT, frame)
        return self


def run() -> None:
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(Step())
    Orchestrator(registry, BaseStepContext(RuntimeContext())).execute()


def preview() -> None:
    with whole_locks():
        use_all()
        time.sleep(0.2)  # For an interrupt that came upon the last lock.


def run_once(at: Place | None) -> Counted:
    """Run the step, with a signal at that place."""
    state.update(shared=Shared(), undone=0)
    counted, work = Counted(at), preview if mode == "preview" else run
    sys._getframe().f_trace_opcodes = True  # Python 3.12 looks whether any frame wants them.
    sys.settrace(counted)
    try:
        work()
    except KeyboardInterrupt:
        assert at is not None
    else:
        assert not counted.fired or at is None, "the interrupt got lost"
    finally:
        sys.settrace(None)
    assert state["undone"] == (counted.fired and mode == "run"), "it was not undone"
    return counted


def check_free() -> None:
    """Let another thread use everything, and all threads end."""
    shared = state["shared"]
    other = threading.Thread(target=shared.use, daemon=True)
    other.start()
    shared.pool.shutdown(wait=False, cancel_futures=True)
    threads = [other, *(each for each in threading.enumerate() if "Pool" in each.name)]
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive(), f"{thread.name} waits for ever"


def is_checked(code: CodeType, place: int) -> bool:
    """Return whether Python looks for signals at an instruction."""
    found = (each.opname for each in dis.get_instructions(code) if each.offset == place)
    return next(found, "").startswith(CHECKED)


def main() -> None:
    fired, places = 0, [each for each in run_once(None).places if is_checked(*each)]
    places = places[:: 1 if mode == "run" else 5]
    for code, place in places:
        faulthandler.dump_traceback_later(PATIENCE * 2, exit=True)
        try:
            fired += run_once((code, place)).fired
            check_free()
        except BaseException:
            print(f"at {code.co_qualname}, line {code.co_firstlineno}, {place}", file=sys.stderr)
            faulthandler.dump_traceback(all_threads=True)
            raise
    faulthandler.cancel_dump_traceback_later()
    print(f"ok {fired} of {len(places)}")


logger = logging.getLogger("locks")
logger.addHandler(logging.StreamHandler(io.StringIO()))
logger.setLevel(logging.INFO)
state: dict[str, Any] = {}

if __name__ == "__main__":
    mode = sys.argv[1]
    main()
