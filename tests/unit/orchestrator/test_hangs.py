"""Real hangs, in each way to run a step: the table in the docs says what stops them, and is true.

A hang that is to be stopped lasts half a minute; one that is not ends by itself, or is ended by the
test once the time of its step is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from handrail import BaseStepContext, Orchestrator, RuntimeContext, StepFailedError, StepRegistry
from handrail import step as made_step

pytestmark = [
    pytest.mark.skipif(os.name == "nt", reason="interrupts with POSIX signals"),
    pytest.mark.slow,  # With one Python: each hang takes its time.
]

fcntl = pytest.importorskip("fcntl")

PAGE = Path(__file__).parents[3] / "docs/how-to/limit-the-time-of-a-step.md"
MODES = ("main thread", "other thread", "async")
TIMEOUT = 0.05
LONG = 30.0


def table() -> dict[str, dict[str, str]]:
    """Return what the page says of each hang in each mode."""
    lines = PAGE.read_text(encoding="utf-8").split("## What stops a hang")[1].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    head = rows[0][1:4]
    assert tuple(head) == MODES
    found: dict[str, dict[str, str]] = {}
    for row in rows[2:]:
        if len(row) < 4 or not row[0] or row[0].startswith("what"):
            break
        found[row[0]] = dict(zip(head, row[1:4], strict=True))
    return {name: modes for name, modes in found.items() if modes["main thread"] in STATES}


STATES = ("stopped", "left", "late")


@contextlib.contextmanager
def later(seconds: float, function: Callable[..., object], *args: Any) -> Iterator[None]:
    """Call a function after some seconds, unless the block has ended before."""
    timer = threading.Timer(seconds, function, args)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


class Hang:
    """One kind of hang: how to get into it, blocking or async, and how a test ends it.

    Attributes:
        over: Whether it ended by itself, or was ended by the test.
    """

    def __init__(self) -> None:
        self.over = False
        self.free = threading.Event()

    def block(self, seconds: float) -> None:
        """Hang for so long, or until `release`."""
        raise NotImplementedError

    async def wait(self, seconds: float) -> None:
        """The same for a coroutine; by default, by blocking the loop."""
        self.block(seconds)

    def release(self) -> None:
        """End it."""
        self.free.set()


class Sleeping(Hang):
    def block(self, seconds: float) -> None:
        time.sleep(seconds)

    async def wait(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Locked(Hang):
    def block(self, seconds: float) -> None:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire(timeout=seconds)

    async def wait(self, seconds: float) -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        await lock.acquire()


class Receiving(Hang):
    def block(self, seconds: float) -> None:
        here, there = socket.socketpair()
        with here, there, later(seconds, there.send, b"x"):
            here.recv(1)

    async def wait(self, seconds: float) -> None:
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            await asyncio.get_running_loop().sock_recv(here, 1)


class Busy(Hang):
    def block(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            pass


class Swallowing(Hang):
    def block(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(Exception):
                time.sleep(until - time.monotonic())

    async def wait(self, seconds: float) -> None:
        while True:
            with contextlib.suppress(Exception):
                await asyncio.sleep(seconds)


class InC(Hang):
    def __init__(self) -> None:
        super().__init__()
        # How much lasts long enough, found out before the step begins, by the time of the CPU.
        for count in (10**6, 10**7):
            began = time.thread_time()
            deque(repeat(None, count), maxlen=0)
            per_item = (time.thread_time() - began) / count
        self.count = int(4 * TIMEOUT / per_item)

    def block(self, seconds: float) -> None:
        # Runs no bytecode, and asks for no signals.
        deque(repeat(None, self.count), maxlen=0)


def child(seconds: float) -> list[str]:
    return [sys.executable, "-c", f"import time; time.sleep({seconds})"]


class Child(Hang):
    """Waits for a process, which may be stopped."""

    stopped = False

    def block(self, seconds: float) -> None:
        with subprocess.Popen(child(LONG)) as process:
            self._stop(process.pid)
            try:
                with later(seconds, process.kill):
                    process.wait()
            finally:
                process.kill()

    async def wait(self, seconds: float) -> None:
        process = await asyncio.create_subprocess_exec(*child(LONG))
        self._stop(process.pid)
        try:
            await process.wait()
        finally:
            process.kill()
            await process.wait()

    def _stop(self, pid: int) -> None:
        if self.stopped:
            os.kill(pid, signal.SIGSTOP)


class StoppedChild(Child):
    stopped = True


class Joining(Hang):
    def block(self, seconds: float) -> None:
        thread = threading.Thread(target=self.free.wait, args=(seconds,), daemon=True)
        thread.start()
        thread.join()

    async def wait(self, seconds: float) -> None:
        await asyncio.to_thread(self.block, seconds)


class Getting(Hang):
    def block(self, seconds: float) -> None:
        with contextlib.suppress(queue.Empty):
            queue.Queue[int]().get(timeout=seconds)

    async def wait(self, seconds: float) -> None:
        await asyncio.Queue[int]().get()


class Selecting(Hang):
    def block(self, seconds: float) -> None:
        here, there = socket.socketpair()
        with here, there:
            select.select([here], [], [], seconds)

    async def wait(self, seconds: float) -> None:
        here, there = socket.socketpair()
        with here, there:
            readable, loop = asyncio.Event(), asyncio.get_running_loop()
            loop.add_reader(here, readable.set)
            try:
                await readable.wait()
            finally:
                loop.remove_reader(here)


class FileLocked(Hang):
    path = Path()

    def block(self, seconds: float) -> None:
        with self.path.open("w") as held, self.path.open("w") as wanted:
            fcntl.flock(held, fcntl.LOCK_EX)
            with later(seconds, fcntl.flock, held, fcntl.LOCK_UN):
                fcntl.flock(wanted, fcntl.LOCK_EX)

    async def wait(self, seconds: float) -> None:
        await asyncio.to_thread(self.block, seconds)


HANGS: dict[str, type[Hang]] = {
    "`time.sleep`, `asyncio.sleep`": Sleeping,
    "a lock that nobody releases": Locked,
    "`recv` of a socket": Receiving,
    "a busy loop in Python": Busy,
    "a loop that swallows every `Exception`": Swallowing,
    "code in C that does not return": InC,
    "waiting for a child process": Child,
    "waiting for a child process that is stopped (SIGSTOP)": StoppedChild,
    "`join` of a thread": Joining,
    "`get` of a queue": Getting,
    "`select`": Selecting,
    "the lock of a file (`flock`)": FileLocked,
}


def test_the_table_has_each_hang() -> None:
    """What is tried here is what the page lists."""
    assert list(table()) == list(HANGS)


def run_of(hang: Hang, mode: str, seconds: float) -> Callable[[], object]:
    """Return a function that runs a step with this hang in this mode."""

    def blocking(context: Any) -> None:
        context.record_rollback("made", 1)
        hang.block(seconds)
        hang.over = True

    async def awaiting(context: Any) -> None:
        context.record_rollback("made", 1)
        await hang.wait(seconds)
        hang.over = True

    work: Callable[[Any], None | Awaitable[None]] = awaiting if mode == "async" else blocking
    step = made_step(name="hangs", timeout=TIMEOUT)(work)  # type: ignore[arg-type]
    registry = StepRegistry[Any]()
    registry.register(step)
    orchestrator = Orchestrator(registry, BaseStepContext(RuntimeContext()))
    if mode == "main thread":
        return orchestrator.execute
    return lambda: asyncio.run(orchestrator.execute_async())


@pytest.fixture
def no_zombies() -> Iterator[None]:
    yield
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.usefixtures("no_zombies")
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", HANGS)
def test_a_hang_is_stopped_as_the_page_says(name: str, mode: str, tmp_path: Path) -> None:
    """The step fails in every case; how long that takes, the table says."""
    says = table()[name][mode]
    hang = HANGS[name]()
    if isinstance(hang, FileLocked):
        hang.path = tmp_path / "lock"
    # What goes on in another thread is waited for when its loop is closed.
    seconds = LONG if says == "stopped" else 6 * TIMEOUT
    run = run_of(hang, mode, seconds)
    began = time.monotonic()
    with pytest.raises(StepFailedError) as caught:
        run()
    took = time.monotonic() - began
    assert caught.value.error == f"it took longer than its timeout of {TIMEOUT}s"
    assert isinstance(caught.value.__cause__, TimeoutError)
    assert hang.over == (says == "late")
    if says == "stopped":
        assert took < LONG / 2
