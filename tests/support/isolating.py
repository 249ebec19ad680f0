"""Actions with isolated steps, and every way to hang; processes import them from here."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import itertools
import os
import queue
import re
import resource
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypedDict

from pydantic import BaseModel, SecretStr

from handrail import (
    ActionContext,
    BaseAction,
    BaseStep,
    FromEnv,
    Limits,
    Run,
    StepResult,
    StepWrapper,
    Undo,
    action,
    chain,
    parallel,
    step,
)


class Params(BaseModel):
    """What to do, and two secrets."""

    do: str = "nothing"
    token: SecretStr | None = None
    tokens: list[SecretStr] = []
    key: Annotated[str, FromEnv("ISOLATING_KEY")] = ""


@dataclass(kw_only=True)
class Context(ActionContext[Params]):
    """Has a field of its own, and a transient one."""

    do: str = "nothing"
    seen: list[str] = field(default_factory=list[str])
    client: Any = field(default=None, metadata={"transient": True})


class Connect(BaseStep[Context]):
    """Makes a client, which is made again in each process."""

    name = "connect"
    progress_weight = 0.1

    def execute(self, context: Context) -> StepResult:
        context.client = f"client of {os.getpid()}"
        context.seen.append("connect")
        return StepResult(data={"pid": os.getpid(), "pair": (1, 2)})

    def restore(self, context: Context, result: StepResult) -> None:
        context.client = f"client of {os.getpid()}"


class Work(BaseStep[Context]):
    """Records, makes a file, and does what the params say."""

    name = "work"
    progress_weight = 0.8
    limits = Limits(isolated=True)

    def execute(self, context: Context) -> StepResult:
        begun(context)
        return WAYS[context.do](context) or StepResult(
            data={"pid": os.getpid(), "client": context.client, "arguments": sys.argv},
            rollback_data={"made": ["work.txt"]},
        )

    def rollback(self, context: Context, result: StepResult) -> None:
        context.seen.append(f"undone in {os.getpid()}")
        for name in result.rollback_data.get("made", []):
            Path(name).unlink(missing_ok=True)


class Timed(Work):
    """Has little time."""

    limits = Limits(isolated=True, timeout=1, grace=0.2)


class Silent(Work):
    """Has little time between signs of life."""

    limits = Limits(isolated=True, heartbeat_timeout=1, grace=0.2)


class Small(Work):
    """Has little memory."""

    limits = Limits(isolated=True, memory="1GB")


class Resumed(Work):
    """Goes on where it was interrupted."""

    def resume(self, context: Context, result: StepResult) -> StepResult:
        return StepResult(data={"resumed": result.rollback_data, "pid": os.getpid()})


class AsyncWork(Work):
    """The same as a coroutine."""

    async def execute(self, context: Context) -> StepResult:  # type: ignore[override]
        begun(context)
        await context.arecord_rollback("made", "more.txt")
        if context.do == "waits":
            Path("waiting").touch()  # noqa: ASYNC240 - it is quick
            await asyncio.sleep(1000)
        return WAYS[context.do](context) or StepResult(data={"pid": os.getpid()})


class Twice(StepWrapper[Context]):
    """Tries a step again, once."""

    def around(self, context: Context) -> Any:
        try:
            return (yield Run())
        except TimeoutError:
            yield Undo()
            context.seen.append(f"again in {os.getpid()}")
            context.do = "nothing"
            return (yield Run())


class Lane(BaseStep[Context]):
    """Stands in a lane, and makes a file; one of two may wait, and the other fail."""

    progress_weight = 0.4
    limits = Limits(isolated=True, grace=0.2)

    def __init__(self, name: str) -> None:
        self.name = name

    def execute(self, context: Context) -> StepResult:
        with open("pids", "a") as file:
            file.write(f"{os.getpid()}\n")
        context.record_rollback("made", f"{self.name}.txt")
        Path(f"{self.name}.txt").touch()
        if context.do == "meets_and_fails":
            if self.name == "left":
                waits(context)
            while not Path("waiting").exists():
                time.sleep(0.01)
            raise ValueError("the other one waits")
        return StepResult(data={"pid": os.getpid()})

    def rollback(self, context: Context, result: StepResult) -> None:
        for name in result.rollback_data.get("made", []):
            Path(name).unlink(missing_ok=True)


class Look(BaseStep[Context]):
    """Returns the names of the steps whose results it sees."""

    name = "look"
    progress_weight = 0.1
    limits = Limits(isolated=True)

    def execute(self, context: Context) -> StepResult:
        return StepResult(data={"results": list(context.results)})


class Close(BaseStep[Context]):
    """Comes last, isolated too."""

    name = "close"
    progress_weight = 0.1
    always_run = True
    limits = Limits(isolated=True)

    def execute(self, context: Context) -> StepResult:
        failed = "" if context.failure is None else str(context.failure)
        Path("closed.txt").write_text(f"{context.outcome} {failed}".strip())
        return StepResult(data={"pid": os.getpid()})


@step
def hold(context: Context) -> dict[str, Any]:
    """Return what no other process can be given."""
    return {"lock": threading.Lock()}


@step
def after(context: Context) -> dict[str, Any]:
    """See what the steps before have left."""
    return {"seen": list(context.seen)}


def begun(context: Context) -> None:
    """Tell who works, and make a file that was recorded before."""
    with open("pids", "a") as file:
        file.write(f"{os.getpid()} {os.getppid()}\n")
    context.record_rollback("made", "work.txt")
    Path("work.txt").touch()
    context.seen.append("work")


def started(process: int) -> None:
    with open("pids", "a") as file:
        file.write(f"{process}\n")


# Every way to end, and to hang


def nothing(context: Context) -> None:
    pass


def reports(context: Context) -> None:
    context.log("looked", {"path": Path("x"), "n": 1}, "x")
    context.set_progress(1, 2)
    context.set_metrics({"loss": 0.5})
    context.set_status("waiting")
    print("printed by the step")
    print("and as an error", file=sys.stderr)
    context.errors.append("something was odd")


def looks_for_secrets(context: Context) -> StepResult:
    params = context.options
    known = [params.token, *params.tokens]
    texts = [each.get_secret_value() for each in known if each is not None] + [params.key]
    public = "".join(
        Path(f"/proc/{process}/{file}").read_text(errors="replace")
        for process in (os.getpid(), os.getppid())
        for file in ("cmdline", "environ")
        if os.path.exists(f"/proc/{process}/{file}")
    ) + str(os.environ)
    return StepResult(data={"known": texts, "found": [each for each in texts if each in public]})


def raises(context: Context) -> None:
    context.seen.append("raising")
    raise KeyError("no such key")


def raises_own(context: Context) -> None:
    class OddError(Exception):
        pass

    raise OddError("told")


def fails(context: Context) -> StepResult:
    return StepResult(success=False, error="it said no")


def exits(context: Context) -> None:
    sys.exit(3)


def exits_hard(context: Context) -> None:
    os._exit(3)


def is_killed(context: Context) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def crashes(context: Context) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.string_at(0)


def grows(context: Context) -> None:
    bytearray(4_000_000_000)


def returns_an_object(context: Context) -> StepResult:
    return StepResult(data={"lock": threading.Lock()})


def keeps_an_object(context: Context) -> None:
    context.seen.append(threading.Lock())  # type: ignore[arg-type]


def records_an_object(context: Context) -> None:
    context.record_rollback("made", threading.Lock())


def leaves_a_process(context: Context) -> None:
    started(subprocess.Popen(["sleep", "1000"]).pid)


def records_much(context: Context) -> None:
    for number in range(20):
        context.record_rollback("made", f"{number}.txt")
        Path(f"{number}.txt").touch()


def records_in_threads(context: Context) -> None:
    record = context.record_rollback
    threads = [
        threading.Thread(target=record, args=("made", f"{number}.txt")) for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def beats(context: Context) -> None:
    for number in range(10):
        time.sleep(0.15)
        context.set_progress(number, 10)


def prints(context: Context) -> None:
    while True:
        print("working")
        time.sleep(0.05)


def is_suppressed(context: Context) -> None:
    try:
        waits(context)
    except KeyboardInterrupt:
        context.seen.append("interrupted")


def waits(context: Context) -> None:
    Path("waiting").touch()
    sleeps(context)


def meets(context: Context) -> None:
    """Wait for ever, if somebody looks whether this step has come so far."""
    if Path("waiting").exists():
        with open("waiting", "wb"):
            pass
        sleeps(context)


def records_some(context: Context) -> None:
    for number in range(2):
        context.record_rollback("made", f"{number}.txt")
        Path(f"{number}.txt").touch()


def sleeps(context: Context) -> None:
    time.sleep(1000)


def locks(context: Context) -> None:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


def listens(context: Context) -> None:
    here, _there = socket.socketpair()
    here.recv(1)


def spins(context: Context) -> None:
    while True:
        pass


def swallows(context: Context) -> None:
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(1000)


def computes(context: Context) -> None:
    sum(itertools.repeat(1, 10**15))


def waits_for_a_process(context: Context) -> None:
    process = subprocess.Popen(["sh", "-c", "trap '' INT; while :; do sleep 1000; done"])
    started(process.pid)
    process.wait()


def waits_for_a_stopped_process(context: Context) -> None:
    process = subprocess.Popen(["sleep", "1000"])
    started(process.pid)
    process.send_signal(signal.SIGSTOP)
    process.wait()


def stops(context: Context) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def joins(context: Context) -> None:
    thread = threading.Thread(target=threading.Event().wait)
    thread.start()
    thread.join()


def queues(context: Context) -> None:
    queue.Queue[int]().get()


def selects(context: Context) -> None:
    here, _there = socket.socketpair()
    select.select([here], [], [])


def locks_a_file(context: Context) -> None:
    with open("lock", "w") as one, open("lock", "w") as other:
        fcntl.flock(one, fcntl.LOCK_EX)
        fcntl.flock(other, fcntl.LOCK_EX)


# In the order of the table in the docs; the last one has stopped itself.
HANGS: tuple[Callable[[Context], None], ...] = (
    *(sleeps, locks, listens, spins, swallows, computes),
    *(waits_for_a_process, waits_for_a_stopped_process, joins, queues, selects, locks_a_file),
    stops,
)

WAYS: dict[str, Callable[[Context], Any]] = {
    name: each for name, each in list(globals().items()) if re.fullmatch("[a-z_]+", name)
}


def _action(name: str, *steps: Any) -> Any:
    return action(name, steps, params=Params, context=Context)


job = _action("job", Connect(), Work(), after)
timed = _action("timed", Connect(), Timed(), after)
silent = _action("silent", Connect(), Silent(), after)
small = _action("small", Connect(), Small(), after)
resumed = _action("resumed", Connect(), Resumed(), after)
running = _action("running", Connect(), AsyncWork(), after)
retried = _action("retried", Connect(), Twice(Timed()), after)
holding = _action("holding", hold, Work(), after)
looking = _action("looking", Connect(), parallel("both", [Lane("left"), [Timed(), Look()]]), after)
grouped = _action("grouped", Connect(), parallel("both", [Lane("left"), Lane("right")]), after)
closing = _action("closing", Connect(), Work(), Close())


class Outputs(TypedDict):
    """What an action of the chain hands on."""

    do: str
    seen: list[str]
    pid: int


class FirstAction(BaseAction[Params]):
    """An action of a chain."""

    context_class = Context
    next = "records_much"

    def setup_steps(self, registry: Any) -> None:
        registry.register(Connect())
        registry.register(Work())

    def result(self, context: Any) -> Outputs:  # type: ignore[override]
        pid = context.results["work"].data["pid"]
        return {"do": self.next, "seen": context.seen, "pid": pid}


class SecondAction(FirstAction):
    """Another one, which does what the first one says."""


chained = chain(
    "chained", {"first": FirstAction, "second": SecondAction}, inputs={"second.do": "first.do"}
)
