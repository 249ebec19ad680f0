"""Real signals to real processes, and storms of them at random instants.

The storms are short here; `HANDRAIL_STORM=20000 pytest -m slow` makes them long.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import cast

import pytest

from handrail.calls import guarded
from handrail.engine.machine import play
from handrail.orchestrator import interrupts

STORM = Path(__file__).with_name("storm.py")
TRIALS = os.environ.get("HANDRAIL_STORM", "10000")

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")

PRELUDE = """
import asyncio, os, signal, sys, threading, time
from handrail import *

def say(text):
    os.write(1, f"{text}\\n".encode())

def rest(seconds):
    if seconds is None:
        sys.stdin.readline()  # Until the test says so.
    else:
        time.sleep(seconds)

class S(BaseStep):
    progress_weight = 0.1
    def __init__(self, name, seconds=0, undo=0):
        self.name, self.seconds, self.undo = name, seconds, undo
    def execute(self, context):
        say(f"run {self.name}")
        rest(self.seconds)
        return StepResult()
    def rollback(self, context, result):
        say(f"undo {self.name}")
        rest(self.undo)
        say(f"undone {self.name}")

class A(S):
    async def execute(self, context):
        say(f"run {self.name}")
        await asyncio.sleep(self.seconds)
        return StepResult()

class Fails(S):
    def execute(self, context):
        say(f"run {self.name}")
        return StepResult(success=False, error="planned")

class Pause(StepWrapper):
    def around(self, context):
        say("pausing")
        yield Sleep(30)
        return (yield Run())

def make(*steps, **more):
    registry = StepRegistry()
    for step in steps:
        registry.register(step)
    return Orchestrator(registry, BaseStepContext(RuntimeContext()), **more)

def execute(made):
    try:
        made.execute()
    except BaseException as error:
        say(f"raised {type(error).__name__} from {type(error.__cause__).__name__}")
        for note in getattr(error, "__notes__", ()):
            say(note)
    default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    say(f"{made.context.outcome} {'default' if default else 'other'}")
"""


WARNING = "SIGINT: undoing what was done; again to stop and leave things behind\n"


class Program:
    """A process that says what it does, line by line."""

    def __init__(self, code: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []

    def interrupt_and_be_warned(self) -> None:
        """Interrupt an undo, and wait until it is said that another one stops it."""
        self.interrupt()
        assert self.process.stderr is not None
        assert self.process.stderr.readline() == WARNING

    def go_on(self) -> None:
        """End what waits for the test."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def until(self, line: str) -> None:
        assert self.process.stdout is not None
        while not self.lines or self.lines[-1] != line:
            read = self.process.stdout.readline()
            if not read:
                pytest.fail(f"{line!r} did not come: {self.lines} {self.process.communicate()[1]}")
            self.lines.append(read.rstrip("\n"))

    def interrupt(self, after: float = 0.05) -> None:
        time.sleep(after)
        self.process.send_signal(signal.SIGINT)

    def end(self) -> list[str]:
        try:
            out, self.err = self.process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return [*self.lines, *out.splitlines()]


@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        ("S('a'), S('b', 30)", "run b"),
        ("S('a'), Pause(S('b'))", "pausing"),
        ("S('a'), A('b', 30)", "run b"),
    ],
    ids=["sleeping", "pausing", "awaiting"],
)
def test_an_interrupt_reaches_what_a_step_waits_for(steps: str, seen: str) -> None:
    """In time.sleep, in a layer's Sleep, in an await: it undoes and is raised, at once."""
    program = Program(f"execute(make({steps}))")
    program.until(seen)
    began = time.monotonic()
    program.interrupt()
    said = program.end()
    assert time.monotonic() - began < 25
    assert said[-6:-2] == ["undo b", "undone b", "undo a", "undone a"]
    assert said[-2:] == ["raised KeyboardInterrupt from NoneType", "rolled_back default"]
    assert program.err == ""


@pytest.mark.parametrize(
    "code",
    [
        "execute(make(S('a'), S('b'), progress_callback=lambda now, total: time.sleep(30)))",
        "execute(make(S('a'), StepWrapper(SlowUndo('b')), Fails('c')))",
        "execute(make(S('a'), Slow('b')))",
    ],
    ids=["callback", "undo", "log"],
)
def test_an_interrupt_reaches_user_code_behind_the_engine(code: str) -> None:
    """A callback, an undo behind a wrapper and a runtime context are user code as well."""
    program = Program(
        f"""
        class Sleepy:
            def log(self, *given): time.sleep(30)
        class Slow(S):
            def execute(self, context):
                context.runtime_ctx = Sleepy()
                say("run b")
                context.log("x", {{}})
        class SlowUndo(S):
            def rollback(self, context, result):
                say("undo b")
                os.kill(os.getpid(), signal.SIGINT)  # The first one only warns.
                time.sleep(0.6)
                say("run b")
                time.sleep(30)
        {code}
        """
    )
    program.until("run a" if "callback" in code else "run b")
    if "SlowUndo" in code:
        program.until("undo b")
        program.until("run b")
    program.interrupt()
    assert program.end()[-1].endswith("default")


def test_two_signals_at_once_count_as_one() -> None:
    """A second one within half a second neither warns nor stops the undo."""
    program = Program(
        """
        from handrail.orchestrator import interrupts
        interrupts.ONE_SIGNAL = 60  # However long this machine takes from one to the other.
        execute(make(S('a'), S('b', 30, undo=None)))
        """
    )
    program.until("run b")
    program.interrupt()
    program.until("undo b")
    program.interrupt()
    program.interrupt()
    program.go_on()
    said = program.end()
    assert said[2:] == [
        "undo b",
        "undone b",
        "undo a",
        "undone a",
        "raised KeyboardInterrupt from NoneType",
        "rolled_back default",
    ]
    assert program.err == ""


def test_a_signal_that_comes_upon_the_handler_of_another_spares_the_engine() -> None:
    """Before the first one is noted both may be taken for the first, wherever they came."""
    code = guarded.__code__
    name = {"__name__": guarded.__module__}
    engine = SimpleNamespace(f_globals=name, f_code=code, f_back=None, f_lasti=0)
    handler = SimpleNamespace(
        f_globals={"__name__": interrupts.__name__}, f_code=code, f_back=engine
    )
    told = interrupts.Interrupts(lambda name, warns: None)
    run = object()
    told.enter(run)
    told.handle(signal.SIGINT, cast("FrameType", handler))
    told.leave(run)
    assert isinstance(told.take_late(), KeyboardInterrupt)


def test_an_interrupt_that_lands_in_the_engine_reaches_a_step_that_sleeps_from_then_on() -> None:
    """It is sent again, and wakes whoever waits in a system call, as a real one does."""
    name = {"__name__": play.__module__}
    engine = SimpleNamespace(f_globals=name, f_code=play.__code__, f_back=None, f_lasti=0)
    told = interrupts.Interrupts(lambda name, warns: None)
    run = object()
    told.enter(run)
    began = time.monotonic()
    try:
        told.handle(signal.SIGINT, cast("FrameType", engine))
        with pytest.raises(KeyboardInterrupt):
            time.sleep(60)
    finally:
        told.leave(run)
    assert time.monotonic() - began < 50


def test_during_an_undo_the_first_warns_and_the_next_stops() -> None:
    """The warning is one line; what is left is named; the failure is the cause."""
    program = Program("execute(make(S('a'), S('b', undo=30), Fails('c')))")
    program.until("undo b")
    program.interrupt_and_be_warned()
    program.interrupt(0.6)  # Half a second later it is another one.
    said = program.end()
    assert said[-3:] == [
        "raised KeyboardInterrupt from StepFailedError",
        "the undo was stopped; not undone: b, a",
        "interrupted default",
    ]
    assert program.err == ""


def test_an_interrupt_that_only_warned_is_raised_after_the_undo() -> None:
    """A Ctrl-C during an undo is not lost: it comes with the failure as its cause."""
    program = Program("execute(make(S('a', undo=None), Fails('b')))")
    program.until("undo a")
    program.interrupt_and_be_warned()
    program.go_on()
    said = program.end()
    assert said[-3:] == [
        "undone a",
        "raised KeyboardInterrupt from StepFailedError",
        "rolled_back default",
    ]


def test_an_interrupt_in_asyncio_run_undoes() -> None:
    """asyncio's own handler cancels; the undo runs; the program ends with KeyboardInterrupt."""
    program = Program(
        """
        made = make(A('a'), A('b', 30), S('c'))
        try:
            asyncio.run(made.execute_async())
        except KeyboardInterrupt:
            say(f"interrupted, {made.context.outcome}")
        """
    )
    program.until("run b")
    program.interrupt()
    said = program.end()
    assert said[-5:] == ["undo b", "undone b", "undo a", "undone a", "interrupted, rolled_back"]


def test_no_handler_is_installed_outside_the_main_thread() -> None:
    """There the run goes on, and the main thread gets the interrupt."""
    program = Program(
        """
        thread = threading.Thread(target=lambda: execute(make(S('a', None), S('b'))))
        thread.start()
        try:
            time.sleep(30)
        except KeyboardInterrupt:
            say("main")
        thread.join()
        """
    )
    program.until("run a")
    program.interrupt()
    program.until("main")
    program.go_on()
    assert program.end() == ["run a", "main", "run b", "completed default"]


def test_the_handler_of_the_program_is_left_alone() -> None:
    """A program that handles SIGINT itself keeps doing so during a run, and afterwards."""
    program = Program(
        """
        signal.signal(signal.SIGINT, lambda *given: say("mine"))
        execute(make(S('a', None), S('b')))
        """
    )
    program.until("run a")
    program.interrupt()
    program.until("mine")
    program.go_on()
    assert program.end() == ["run a", "mine", "run b", "completed other"]


def test_a_handler_that_a_step_installs_stays() -> None:
    """The run puts back its own handler only."""
    program = Program(
        """
        class Installs(S):
            def execute(self, context):
                signal.signal(signal.SIGINT, lambda *given: None)
                return StepResult()
        execute(make(Installs('a')))
        """
    )
    assert program.end() == ["completed other"]


def test_a_nested_run_is_interrupted_like_any_step() -> None:
    """The inner run is undone, then the outer one, under one handler."""
    program = Program(
        """
        class Nested(S):
            def execute(self, context):
                made = make(S('in1'), S('in2', 30, undo=0.1))
                made.execute()
        execute(make(S('out1'), Nested('out2')))
        """
    )
    program.until("run in2")
    program.interrupt()
    said = [line for line in program.end() if line.startswith(("undo ", "raised", "rolled"))]
    assert said == [
        "undo in2",
        "undo in1",
        "undo out2",
        "undo out1",
        "raised KeyboardInterrupt from NoneType",
        "rolled_back default",
    ]


def test_an_interrupt_during_an_always_run_step_keeps_the_success() -> None:
    """The other closing steps run, nothing is undone, and the interrupt is raised."""
    program = Program(
        """
        first, last = S('close', 30), S('last')
        first.always_run = last.always_run = True
        execute(make(S('a'), first, last))
        """
    )
    program.until("run close")
    program.interrupt()
    assert program.end()[1:] == [
        "run close",
        "run last",
        "raised KeyboardInterrupt from NoneType",
        "completed default",
    ]


def storm(mode: str, trials: str, seed: int) -> None:
    ran = subprocess.run(
        [sys.executable, "-W", "error", str(STORM), mode, trials, str(seed)],
        capture_output=True,
        text=True,
        timeout=60 + int(trials) / 5,  # It hangs, or all is well.
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert ran.stdout.startswith("ok")


@pytest.mark.parametrize(
    ("mode", "trials"), [("sigint", "150"), ("alarm", "150"), ("asyncio", "50"), ("twice", "50")]
)
def test_at_any_instant_everything_is_undone_or_done(mode: str, trials: str) -> None:
    """Hundreds of random instants: no effect is left, no interrupt lost, nothing hangs."""
    storm(mode, trials, 1)


def test_at_any_instant_a_durable_run_is_undone_or_done() -> None:
    """No write to the journal is interrupted, and each run is closed in there."""
    storm("durable", "25", 1)


@pytest.mark.slow
@pytest.mark.skipif("HANDRAIL_STORM" not in os.environ, reason="HANDRAIL_STORM is not set")
@pytest.mark.parametrize("mode", ["sigint", "twice", "asyncio", "durable", "alarm"])
def test_a_long_storm(mode: str) -> None:
    """The same for tens of thousands of instants."""
    storm(mode, TRIALS, int(time.time()))
