"""Slots that are processes, beside what the contract of executors says of all."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from leftovers import children, descriptors, has_ended

from handrail.errors import ExecutorError
from handrail_testing import ContractHost
from handrail_workers import (
    AttemptId,
    Cancelled,
    ChunkCall,
    CodeRef,
    Done,
    Failed,
    Lost,
)
from handrail_workers.executors import processes, slot
from handrail_workers.executors.processes import ProcessExecutor
from handrail_workers.executors.slot import _seconds_of_work  # pyright: ignore[reportPrivateUsage]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
HERE = Path(__file__).parent
PATIENCE = 60.0


class Recorded(ContractHost):
    """A run that is recorded, in a journal that offers no lock to inherit."""

    run = 7

    def __init__(self, journal: str = "") -> None:
        super().__init__()
        self.journal = journal or None


def code(function: str) -> CodeRef:
    return CodeRef(function=f"processes_items:{function}", files={}, path=(str(HERE),), folder=".")


def call(*items: Any, chunk: int = 0) -> ChunkCall:
    return ChunkCall(attempt=AttemptId("u", "s", 1, chunk, 1), first=0, items=items)


@pytest.fixture
def host() -> ContractHost:
    return ContractHost()


@pytest.fixture
def executor(host: ContractHost) -> Iterator[ProcessExecutor]:
    """An executor with one slot; in the end neither a process nor a file is left."""
    before, files = children(), descriptors()
    made = ProcessExecutor(1, host)
    yield made
    made.close()
    assert children() == before
    assert descriptors() == files


def outcome(executor: ProcessExecutor) -> Any:
    over = time.monotonic() + PATIENCE
    while time.monotonic() < over:
        for each in executor.wait(1.0):
            return each
    raise AssertionError("nothing has come")


def at_work(folder: Path) -> tuple[int, int]:
    """Wait for an item that stays; return the worker and the helper, which has started it."""
    over = time.monotonic() + PATIENCE
    while not (told := list(folder.glob("worker-*"))):
        assert time.monotonic() < over, "no item has begun"
        time.sleep(0.01)
    _, worker, helper = told[0].name.split("-")
    return int(worker), int(helper)


def test_a_process_calls_in_its_main_thread(executor: ProcessExecutor) -> None:
    """Signals and timeouts work there; it has a group of its own, no input, and no terminal."""
    executor.open("", code("describes"))
    executor.submit(call(None))
    [told] = outcome(executor).results
    assert told == {"main": True, "leads": True, "input": "", "terminal": False}


def test_what_processes_import_is_imported_while_the_first_items_are_read(
    executor: ProcessExecutor,
) -> None:
    """The helper starts with the executor, and processes with calls."""
    before = children()
    executor.open("", code("describes"))
    assert len(children() - before) == 1


def test_nothing_starts_while_workers_of_an_earlier_driver_may_live(tmp_path: Path) -> None:
    """They are waited for when there is something to do."""
    before = children()
    theirs, mine = (ProcessExecutor(1, Recorded(str(tmp_path))) for _ in range(2))
    try:
        theirs.open("", code("describes"))
        mine.open("", code("describes"))
        assert len(children() - before) == 1
        theirs.close()
        mine.submit(call(None))
        assert isinstance(outcome(mine), Done)
    finally:
        theirs.close()
        mine.close()


def test_a_worker_imports_little() -> None:
    """What a run needs besides is left out: neither steps nor rows of a journal."""
    modules = "handrail_workers.processes.helper_process, handrail_workers.executors.slot_process"
    code = f"import sys, {modules}; print(*sorted(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = {*told.stdout.split()}
    assert "handrail_workers.executors.worker" in imported
    dear = {"asyncio", "dataclasses", "inspect", "lzma", "shutil", "subprocess", "traceback"}
    ours = {"steps", "context", "journal.protocol", "journal.records", "plan.plan", "engine.line"}
    assert not imported & (dear | {f"handrail.{each}" for each in ours})


def test_an_item_that_lost_its_journal_is_no_failure_but_breaks_the_run_off(
    executor: ProcessExecutor,
) -> None:
    executor.open("", code("loses"))
    executor.submit(call(None))
    lost = outcome(executor)
    assert isinstance(lost, Lost)
    assert (lost.reason, lost.breaks_off) == ("no one knows what is recorded", True)


def test_what_is_printed_is_shown_line_by_line(
    executor: ProcessExecutor, host: ContractHost
) -> None:
    """Also what processes of the item print, and a line without an end; before the outcome."""
    executor.open("", code("prints"))
    executor.submit(call("one"))
    outcome(executor)
    shown = {
        stream: "".join(text for name, text in host.written if name == stream)
        for stream in ("stdout", "stderr")
    }
    assert shown == {"stdout": "one\nfrom a child\nno end\n", "stderr": "item 0: logged {'a': 1}\n"}


def test_the_death_of_a_process_is_told(executor: ProcessExecutor) -> None:
    """By its signal or its exit status; another one takes the next chunk."""
    executor.open("", code("dies"))
    reasons: list[str] = []
    for chunk, how in enumerate((3, -signal.SIGTERM, 0)):
        executor.submit(call(how, chunk=chunk))
        lost = outcome(executor)
        reasons.append(lost.reason.partition(" ")[2] if isinstance(lost, Lost) else "done")
    assert [each.partition(" ")[2] for each in reasons] == [
        "ended with exit status 3 before it was done",
        "was killed by SIGTERM",
        "",
    ]


def test_processes_that_an_item_has_left_end_with_its_worker(executor: ProcessExecutor) -> None:
    executor.open("", code("leaves"))
    executor.submit(call(None))
    [left] = outcome(executor).results
    os.kill(left, 0)
    executor.close()
    assert has_ended(left)


def test_an_item_that_is_cancelled_can_tidy_up(executor: ProcessExecutor, tmp_path: Path) -> None:
    """It is interrupted first, as by Ctrl-C; no other item of its chunk begins."""
    executor.open("", code("tidies"))
    executor.submit(call(str(tmp_path), str(tmp_path / "no such folder")))
    at_work(tmp_path)
    executor.cancel(call().attempt)
    assert isinstance(outcome(executor), Cancelled)
    assert (tmp_path / "tidied").exists()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_helper_that_is_killed_or_stopped_is_replaced(
    executor: ProcessExecutor, how: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its processes worked on is lost, and certainly over."""
    monkeypatch.setattr(slot, "_SILENT", 1)
    monkeypatch.setattr(slot, "_KILLED", 0.1)
    executor.open("", code("stays"))
    executor.submit(call(str(tmp_path)))
    worker, helper = at_work(tmp_path)
    os.kill(helper, how)
    if how == signal.SIGSTOP:
        os.kill(worker, signal.SIGKILL)  # Nobody reaps it.
    assert isinstance(outcome(executor), Lost)
    assert executor.confirm_dead(call().attempt, PATIENCE) == "dead"
    assert has_ended(worker)
    monkeypatch.undo()
    executor.submit(call(chunk=1))
    assert isinstance(outcome(executor), Done)


def test_no_process_can_be_started(
    executor: ProcessExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The calls fail with the reason and the ways out, and no other call is taken."""

    def fails(*_: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(processes, "Helper", fails)
    executor.open("", code("dies"))
    executor.submit(call(0))
    failed = outcome(executor)
    assert isinstance(failed, Failed)
    assert "could not be started" in failed.error
    with pytest.raises(ExecutorError, match="processes:1"):
        executor.submit(call(0, chunk=1))


def test_too_many_processes_are_told_of(executor: ProcessExecutor) -> None:
    """The helper goes on when it cannot fork, and says why."""
    from handrail_workers.processes.helper import ending

    assert ending(-errno.EAGAIN) == "could not be started: there are too many (ulimit -u)"
    assert ending(-errno.ENOMEM) == "could not be started: Cannot allocate memory"


def test_a_process_that_computes_is_not_frozen() -> None:
    """Its time on a core grows, though no thread of it can say so."""
    before = _seconds_of_work(os.getpid())
    while _seconds_of_work(os.getpid()) == before and sys.platform == "linux":
        pass


def test_attempts_of_a_killed_driver_are_dead_once_its_processes_are(tmp_path: Path) -> None:
    """A journal that offers no lock to inherit needs no other proof."""
    driver = subprocess.Popen(
        [sys.executable, str(HERE / "processes_driver.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        worker, _ = at_work(tmp_path)
        executor = ProcessExecutor(1, Recorded(str(tmp_path)))
        try:
            executor.open("", code("dies"))
            assert executor.confirm_dead(AttemptId("u", "s", 1, 0, 1), 0.1) == "unknown"
            driver.kill()
            driver.wait()
            assert executor.confirm_dead(AttemptId("u", "s", 1, 0, 1), PATIENCE) == "dead"
            with pytest.raises(ProcessLookupError):
                os.kill(worker, 0)
        finally:
            executor.close()
    finally:
        driver.kill()
        driver.wait()
