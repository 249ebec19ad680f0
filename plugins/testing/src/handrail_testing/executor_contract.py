"""ExecutorContract: the promises of every executor, as tests to subclass."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from handrail.errors import RecordError
from handrail_testing.item_functions import told
from handrail_workers import (
    AttemptId,
    Cancelled,
    ChunkCall,
    CodeRef,
    Done,
    Executor,
    Failed,
    Full,
    Lost,
    Note,
    Outcome,
    environment_digest,
)

_FUNCTIONS = "handrail_testing.item_functions"
_STEP = "contract"


class ContractHost:
    """A run that only exists for its executor; see `handrail_workers.Host`.

    Attributes:
        journal: The URL of the journal; None.
        run: The number of the run; None.
        inherited: Descriptors for workers; none.
        secrets: The variables of the environment that have secrets; none.
        uid: The UUID of the run.
        notes: What was recorded, with the attempt.
        written: What workers have printed, by stream.
        refuses: What `record` raises, if anything.
    """

    journal: str | None = None
    run: int | None = None
    inherited: tuple[int, ...] = ()
    secrets: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.uid = str(uuid.uuid4())
        self.notes: list[tuple[AttemptId, Note]] = []
        self.written: list[tuple[str, str]] = []
        self.refuses: Exception | None = None
        self._lock = threading.Lock()

    def record(self, attempt: AttemptId, notes: Sequence[Note]) -> None:
        """Keep notes."""
        if self.refuses is not None:
            raise self.refuses
        with self._lock:
            self.notes += [(attempt, note) for note in notes]

    def recorded(self, attempt: AttemptId) -> list[Note]:
        """Return what is recorded of an attempt; for executors that write elsewhere, from there."""
        with self._lock:
            return [note for each, note in self.notes if each == attempt]

    def heard(self, attempt: AttemptId, tried: int, failed: int) -> None:
        """Take note of progress."""

    def wrote(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        """Keep what a worker has printed."""
        with self._lock:
            self.written.append((stream, text))

    def begins(self, call: ChunkCall) -> None:
        """Take note of a call before it is submitted, as a run writes it to its journal."""

    def close(self) -> None:
        """End the run."""


class ExecutorContract:
    """The promises of an executor; subclass it in a test file, and pytest runs them.

        class TestContract(ExecutorContract):
            factory = "acme_grid:make_executor"
            url = "grid:2"

    A test of something that the executor does not promise is skipped. Each test that kills or stops
    something does so from inside a chunk, so that it always hits one.

    Attributes:
        factory: The factory, as `module:name`.
        url: The URL that it is given; there should be two slots.
        host: Makes the host, as `module:name`; a class derived from `ContractHost` for an executor
            that needs a journal.
        through_host: Whether workers record through `Host.record`.
        patience: Seconds after which something that must happen has not.
    """

    factory: ClassVar[str] = ""
    url: ClassVar[str] = ""
    host: ClassVar[str] = "handrail_testing.executor_contract:ContractHost"
    through_host: ClassVar[bool] = True
    patience: ClassVar[float] = 120.0

    def test_each_item_is_tried_once(self) -> None:
        """Many chunks: each item once, each outcome once, and results in the order of the items."""
        with self._trying("doubles") as trial:
            chunks = 6 * trial.executor.guarantees.slots
            calls = [trial.call(*range(10 * n, 10 * n + 10), n=n) for n in range(chunks)]
            outcomes = trial.play(calls)
            for call in calls:
                outcome = outcomes[call.attempt]
                assert isinstance(outcome, Done), outcome
                assert list(outcome.results) == [2 * item for item in call.items]
                assert outcome.errors == ()
            tried = sorted(position for position, _ in trial.told("tried"))
            assert tried == list(range(10 * chunks))
            assert trial.executor.wait(0) == []

    def test_functions_may_be_async(self) -> None:
        """A coroutine is run to its end."""
        with self._trying("doubles_later") as trial:
            outcome = trial.one(trial.call(1, 2))
            assert isinstance(outcome, Done), outcome
            assert list(outcome.results) == [2, 4]

    def test_it_takes_so_many_calls_and_no_more(self) -> None:
        """At the bound it raises Full; once the outcome of one was returned, it takes another."""
        with self._trying("waits") as trial:
            bound = trial.executor.guarantees.bounded
            calls = [trial.call("a", n=n) for n in range(bound + 1)]
            for call in calls[:-1]:
                trial.submit(call)
            assert _raises(Full, trial.submit, calls[-1])
            trial.go()
            outcomes = trial.outcomes(1)
            trial.submit(calls[-1])
            outcomes += trial.outcomes(bound + 1 - len(outcomes))
            assert {each.attempt for each in outcomes} == {each.attempt for each in calls}

    def test_calls_end_in_any_order(self) -> None:
        """A call that waits holds up no other slot."""
        with self._trying("waits") as trial:
            if trial.executor.guarantees.slots < 2:
                raise unittest.SkipTest("it has one slot")
            slow = trial.call("a", n=0)
            trial.submit(slow)
            trial.until(lambda: trial.told("began"))
            quick = trial.call(n=1)  # It has no items.
            trial.submit(quick)
            assert [each.attempt for each in trial.outcomes(1)] == [quick.attempt]
            trial.go()
            assert [each.attempt for each in trial.outcomes(1)] == [slow.attempt]

    def test_an_item_that_fails_is_told_of(self) -> None:
        """Its position, its error and its traceback; the others are done."""
        with self._trying("doubles") as trial:
            outcome = trial.one(trial.call(1, -1, 3))
            assert isinstance(outcome, Done), outcome
            assert list(outcome.results) == [2, None, 6]
            [error] = outcome.errors
            assert (error.item, error.error) == (1, "ValueError: -1 is negative")
            assert "in doubles" in error.trace

    def test_only_chosen_items_are_tried(self) -> None:
        """Of a chunk some items may have been done before."""
        with self._trying("doubles") as trial:
            outcome = trial.one(trial.call(1, 2, 3, chosen=(2,)))
            assert isinstance(outcome, Done), outcome
            assert list(outcome.results) == [None, None, 6]

    def test_code_that_is_not_there_fails_the_chunk(self) -> None:
        """No item is tried, and the error says what is missing."""
        with self._trying("no_such_function") as trial:
            outcome = trial.one(trial.call(1))
            assert isinstance(outcome, Failed), outcome
            assert "no_such_function" in outcome.error

    def test_notes_are_durable_when_they_are_recorded(self) -> None:
        """The run has a note before the function that recorded it goes on."""
        with self._trying("records") as trial:
            call = trial.call("a", "b")
            trial.submit(call)
            trial.until(lambda: trial.told("recorded"))
            first = trial.host.recorded(call.attempt)
            assert first == [Note(0, "made", ["a"])]
            trial.go()
            trial.outcomes(1)
            assert trial.host.recorded(call.attempt) == [*first, Note(1, "made", ["b"])]

    def test_a_note_that_is_refused_fails_its_item(self) -> None:
        """What could not be recorded must not be made."""
        if not self.through_host:
            raise unittest.SkipTest("its workers record elsewhere")
        with self._trying("records") as trial:
            trial.host.refuses = RecordError("the attempt has ended")
            outcome = trial.one(trial.call("a"))
            assert isinstance(outcome, Done), outcome
            assert [each.error for each in outcome.errors] == ["RecordError: the attempt has ended"]
            assert trial.told("recorded") == []

    def test_an_undo_goes_back(self) -> None:
        """Items in reverse order, each with what it had recorded; one that fails stops no other."""
        with self._trying("doubles") as trial:
            notes = (Note(0, "made", ["a"]), Note(2, "made", ["b"]), Note(2, "made", ["c"]))
            outcome = trial.one(trial.call("x", "stuck", "z", undo=True, notes=notes))
            assert isinstance(outcome, Done), outcome
            assert trial.told("undone") == [
                [2, "z", {"made": ["b", "c"]}],
                [1, "stuck", {}],
                [0, "x", {"made": ["a"]}],
            ]
            assert [each.item for each in outcome.errors] == [1]

    def test_a_call_that_waits_can_be_cancelled(self) -> None:
        """It never begins."""
        with self._trying("waits") as trial:
            promised = trial.executor.guarantees
            if promised.bounded == promised.slots:
                raise unittest.SkipTest("no call waits for a slot")
            calls = [trial.call("a", n=n) for n in range(promised.bounded)]
            for call in calls:
                trial.submit(call)
            trial.executor.cancel(calls[-1].attempt)
            trial.go()
            outcomes = {each.attempt: each for each in trial.outcomes(len(calls))}
            assert isinstance(outcomes[calls[-1].attempt], Cancelled)
            assert trial.executor.confirm_dead(calls[-1].attempt, self.patience) != "unknown"

    def test_a_call_that_works_can_be_cancelled(self) -> None:
        """It ends with what it has started, as far as that is promised; the next call is done."""
        with self._trying("clings") as trial:
            call = trial.call("a", "b")
            trial.submit(call)
            _, process, child = trial.until(lambda: trial.told("began"))[0]
            trial.executor.cancel(call.attempt)
            [outcome] = trial.outcomes(1)
            assert isinstance(outcome, Cancelled), outcome
            self._check_dead(trial, call.attempt, process, child)
            assert len(trial.told("began")) == 1
            trial.executor.cancel(call.attempt)  # It has ended, which is no error.
            assert isinstance(trial.one(trial.call(n=1)), Done)

    def test_an_attempt_is_not_called_dead_before_it_is(self) -> None:
        """While its function works, nothing is certain."""
        with self._trying("waits") as trial:
            call = trial.call("a")
            trial.submit(call)
            trial.until(lambda: trial.told("began"))
            assert trial.executor.confirm_dead(call.attempt, 0.05) == "unknown"
            trial.go()
            trial.outcomes(1)

    def test_a_worker_that_is_killed_loses_its_attempt_only(self) -> None:
        """It is told with a reason, what it had recorded is kept, and another one takes over."""
        self._lose("SIGKILL")

    def test_a_worker_that_is_stopped_loses_its_attempt_only(self) -> None:
        """It does not answer; once it is called dead or fenced, it can do nothing more."""
        if not hasattr(signal, "SIGSTOP"):
            raise unittest.SkipTest("no process can be stopped here")
        self._lose("SIGSTOP")

    def _lose(self, how: str) -> None:
        with self._trying("hurts") as trial:
            if not trial.executor.guarantees.hard_cancel:
                raise unittest.SkipTest("its workers are threads of the driver")
            call, beside = trial.call("a", how, "b"), trial.call("c", "d", n=1)
            outcomes = trial.play([call, beside])
            lost = outcomes[call.attempt]
            assert isinstance(lost, Lost), lost
            assert lost.reason
            assert isinstance(outcomes[beside.attempt], Done)
            [[_, process, _]] = trial.told("began")
            self._check_dead(trial, call.attempt, process)
            assert trial.host.recorded(call.attempt) == [Note(1, "made", [how])]
            assert trial.told("late") == []
            again = trial.one(trial.call("a", "b", attempt=2))
            assert isinstance(again, Done), again

    def test_closing_ends_everything(self) -> None:
        """Calls that work, what they have started, and calls that wait; it can be done twice."""
        with self._trying("clings") as trial:
            promised = trial.executor.guarantees
            for n in range(promised.bounded):
                trial.submit(trial.call("a", n=n))
            trial.until(lambda: len(trial.told("began")) == promised.slots)
            trial.executor.close()
            trial.executor.close()
            for _, process, child in trial.told("began"):
                self._check_gone(process, child if promised.descendants else 0)
            assert len(trial.told("began")) == promised.slots

    def test_workers_end_with_a_driver_that_is_killed(self) -> None:
        """Or they go on, if that is said; then the next driver can be sure of their end."""
        with tempfile.TemporaryDirectory() as name, self._driver(Path(name)) as driver:
            folder = Path(name)
            began = _until(lambda: told(folder, "began"), self.patience)
            driver.kill()
            driver.wait()
            with self._trying("clings") as trial:
                [[run]] = told(folder, "run")
                attempt = AttemptId(run, _STEP, 1, 0, 1)
                survives = trial.executor.guarantees.survives_driver
                death = trial.executor.confirm_dead(attempt, self.patience)
                assert death != "unknown"
                left = [pid for _, process, child in began for pid in (process, child) if pid]
                if survives:
                    left = []
                elif not trial.executor.guarantees.descendants:
                    left = [process for _, process, _ in began]
                _until(lambda: not any(map(_lives, left)), self.patience)

    @contextlib.contextmanager
    def _driver(self, folder: Path) -> Generator[subprocess.Popen[bytes]]:
        code = f"from {__name__} import drive; import sys; drive(*sys.argv[1:])"
        words = [sys.executable, "-c", code, self.factory, self.url, self.host, str(folder)]
        path = os.pathsep.join(each for each in sys.path if each)
        driver = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": path})
        try:
            yield driver
        finally:
            driver.kill()
            driver.wait()
            for _, process, child in told(folder, "began"):
                for each in (process, child):
                    if each and each != driver.pid:
                        with contextlib.suppress(ProcessLookupError):
                            os.kill(each, signal.SIGKILL)

    @contextlib.contextmanager
    def _trying(self, function: str) -> Generator[_Trial]:
        with tempfile.TemporaryDirectory() as folder:
            host = _named(self.host)()
            executor = _named(self.factory)(self.url, host)
            trial = _Trial(host, executor, Path(folder), self.patience)
            try:
                code = code_of_contract(function)
                executor.open(environment_digest(code), code)
                yield trial
            finally:
                trial.go()
                executor.close()
                host.close()

    def _check_dead(self, trial: _Trial, attempt: AttemptId, process: int, child: int = 0) -> None:
        promised = trial.executor.guarantees
        death = trial.executor.confirm_dead(attempt, self.patience)
        assert death != "unknown", f"it is not certain: {promised.death}"
        if death == "dead" and promised.hard_cancel:
            self._check_gone(process, child if promised.descendants else 0)

    def _check_gone(self, process: int, child: int) -> None:
        for each in (process, child):
            assert each in (0, os.getpid()) or not _lives(each), f"the process {each} lives"


class _Trial:
    """An executor that is tried, with its host, and a folder that its functions see."""

    def __init__(
        self, host: ContractHost, executor: Executor, folder: Path, patience: float
    ) -> None:
        self.host = host
        self.executor = executor
        self._folder = folder
        self._patience = patience
        self._shared = {"folder": str(folder), "driver": os.getpid()}

    def call(
        self, *items: Any, n: int = 0, attempt: int = 1, undo: bool = False, **more: Any
    ) -> ChunkCall:
        """Return a call for the chunk `n`."""
        name = AttemptId(self.host.uid, _STEP, 1, n, attempt, undo)
        first = n * len(items)
        return ChunkCall(
            attempt=name, first=first, items=items, shared=self._shared, name=_STEP, **more
        )

    def submit(self, call: ChunkCall) -> None:
        """Submit a call."""
        self.host.begins(call)
        self.executor.submit(call)

    def play(self, calls: Iterable[ChunkCall]) -> dict[AttemptId, Outcome]:
        """Submit all calls as there is room for them; return their outcomes, each of which once."""
        outcomes: list[Outcome] = []
        expected = 0
        for call in calls:
            while _raises(Full, self.submit, call):
                outcomes += self.outcomes(1)
            expected += 1
        outcomes += self.outcomes(expected - len(outcomes))
        found = {each.attempt: each for each in outcomes}
        assert len(found) == len(outcomes) == expected
        return found

    def one(self, call: ChunkCall) -> Outcome:
        """Submit a call, and return its outcome."""
        return self.play([call])[call.attempt]

    def outcomes(self, count: int) -> list[Outcome]:
        """Wait for at least so many outcomes, and return them."""
        found: list[Outcome] = []

        def enough() -> bool:
            found.extend(self.executor.wait(0.1))
            return len(found) >= count

        if count > 0:
            self.until(enough)
        return found

    def go(self) -> None:
        """Let functions that wait go on."""
        if self._folder.exists():
            (self._folder / "go").touch()

    def told(self, name: str) -> list[list[Any]]:
        """Return what functions have told so far."""
        return told(self._folder, name)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until a condition is true, and return it."""
        return _until(condition, self._patience)


def code_of_contract(function: str) -> CodeRef:
    """Return where workers find a function of the contract."""
    return CodeRef(
        function=f"{_FUNCTIONS}:{function}",
        rollback=f"{_FUNCTIONS}:undoes",
        files={},
        folder=os.getcwd(),
    )


def drive(factory: str, url: str, host: str, folder: str) -> None:
    """Work on two chunks that never end, in a process of its own, until it is killed."""
    made = _named(host)()
    executor: Executor = _named(factory)(url, made)
    trial = _Trial(made, executor, Path(folder), 0.0)
    code = code_of_contract("clings")
    executor.open(environment_digest(code), code)
    (Path(folder) / "run").write_text(f'["{made.uid}"]\n')
    trial.submit(trial.call("a"))
    while True:
        executor.wait(1.0)


def _named(name: str) -> Any:
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _raises(error: type[Exception], function: Callable[..., Any], *arguments: Any) -> bool:
    try:
        function(*arguments)
    except error:
        return True
    return False


def _until(condition: Callable[[], Any], patience: float) -> Any:
    over = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < over, f"it has not come in {patience:g} s"
        time.sleep(0.01)
    return found


def _lives(process: int) -> bool:
    """Return whether a process exists that somebody could wait for, and is not only unreaped."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    try:
        state = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()[0]
    except (OSError, IndexError):
        return not os.path.exists("/proc/self/stat")  # Nobody knows more.
    return state not in (b"Z", b"X")
