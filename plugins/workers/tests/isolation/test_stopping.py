"""Isolated steps are stopped: at the end of their time, by Ctrl-C, by a cancellation."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from isolating import HANGS, job, running, silent, timed

from handrail import RuntimeContext, StepFailedError
from handrail.errors import StepTimeoutError
from handrail.events import StepStarted
from handrail.sqlite import SqliteJournal

# With one Python: each test starts processes.
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("hang", HANGS, ids=lambda hang: hang.__name__)
def test_every_hang_is_stopped_and_undone(hang: Callable[..., Any], journal: SqliteJournal) -> None:
    """Whatever it waits for: it is interrupted, then killed, and undone from what it recorded."""
    with pytest.raises(StepFailedError, match=r"took longer than its timeout of 1s") as failed:
        timed({"do": hang.__name__}, packs=()).run(journal=journal)
    assert isinstance(failed.value.__cause__, StepTimeoutError)
    assert not Path("work.txt").exists()
    row = journal.runs()[0]
    assert row.outcome == "rolled_back"
    assert [note.values for note in journal.read(row.number).notes] == ['["work.txt"]']


def test_the_page_says_that_every_hang_is_stopped() -> None:
    """Each row of the table is a hang that is tried here, by its place."""
    page = Path(__file__).parents[4] / "docs/how-to/limit-the-time-of-a-step.md"
    table = page.read_text().partition("| the step hangs in |")[2].partition("\n\n")[0]
    head, _line, *rows = [line.strip(" |").split(" | ") for line in table.splitlines()]
    assert head[-1] == "isolated"
    assert [row[-1] for row in rows] == ["stopped"] * (len(HANGS) - 1)


def test_a_step_that_gives_no_sign_of_life_is_stopped() -> None:
    """One that reports goes on for as long as it takes; to print is no report."""
    for do in ("sleeps", "prints"):
        with pytest.raises(StepFailedError, match=r"no sign of life for 1s"):
            silent({"do": do}, packs=()).run()
    assert silent({"do": "beats"}, packs=()).run()["success"]


def test_a_step_that_ends_in_time_is_not_stopped() -> None:
    assert timed(packs=()).run()["success"]


def once_it_waits(do: Callable[[], object]) -> threading.Thread:
    """Do something once the step waits."""

    def watch() -> None:
        ended = threading.Event()
        while not Path("waiting").exists():
            ended.wait(0.01)
        do()

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_ctrl_c_interrupts_it_as_any_step(journal: SqliteJournal) -> None:
    """The step is undone, then KeyboardInterrupt is raised."""
    thread = once_it_waits(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        job({"do": "waits"}, packs=()).run(journal=journal)
    thread.join()
    assert not Path("work.txt").exists()
    assert journal.runs()[0].outcome == "rolled_back"


def test_a_step_may_suppress_ctrl_c() -> None:
    """It then ends as it likes; the run stops after it, as with any step."""
    made = job({"do": "is_suppressed"}, packs=())
    orchestrator = made.orchestrator(made.plan())
    thread = once_it_waits(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        orchestrator.execute()
    thread.join()
    seen = orchestrator.context.seen
    assert seen == ["connect", "work", "interrupted", f"undone in {os.getpid()}"]


@pytest.mark.parametrize("workflow", [job, running], ids=["blocking", "async"])
def test_a_cancellation_stops_it(workflow: Any, journal: SqliteJournal) -> None:
    """The loop is not blocked meanwhile, and CancelledError is raised after the undo."""

    async def cancel() -> None:
        loop, made = asyncio.get_running_loop(), workflow({"do": "waits"}, packs=())
        task = asyncio.create_task(made.run_async(journal=journal))
        thread = once_it_waits(lambda: loop.call_soon_threadsafe(task.cancel))
        with pytest.raises(asyncio.CancelledError):
            await task
        thread.join()

    asyncio.run(cancel())
    assert not Path("work.txt").exists()
    assert journal.runs()[0].outcome == "rolled_back"


def test_both_drivers_give_the_same_result() -> None:
    result = asyncio.run(job(packs=()).run_async())
    assert result == job(packs=()).run()


def test_an_error_of_an_observer_does_not_leave_the_process_alone() -> None:
    """What is raised in the run while it serves the step ends the step."""

    class Logger:
        def log(self, *given: Any) -> None:
            raise OSError("the log is full")

        set_progress = set_metrics = log

    made = job({"do": "reports"}, RuntimeContext(logger=Logger()), packs=())
    with pytest.raises(StepFailedError, match="the log is full"):
        made.run()


def test_observers_see_the_step_begin_before_its_process() -> None:
    """The order of events is that of any step."""
    seen: list[str] = []

    def observe(event: object) -> None:
        if isinstance(event, StepStarted):
            seen.append(f"{event.step} {Path('pids').exists()}")

    job(packs=()).run(observers=[observe])
    assert seen == ["connect False", "work False", "after True"]


def test_a_run_that_fails_before_does_not_wait_for_the_helper(tmp_path: Path) -> None:
    """What it imports meanwhile may take long."""
    (tmp_path / "slow_to_import.py").write_text(
        "import os, threading\n"
        "from handrail import action, step\n"
        "@step\n"
        "def fails(context):\n"
        "    raise ValueError('early')\n"
        "@step(isolated=True)\n"
        "def work(context): pass\n"
        "job = action('job', [fails, work])\n"
        "if 'WAIT' in os.environ: threading.Event().wait()\n"
    )
    code = (
        "import os, slow_to_import\n"
        "os.environ['WAIT'] = '1'\n"
        "from handrail_workers.isolation import isolation\n"
        "isolation._PATIENCE = None\n"
        "slow_to_import.job.run(packs=())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    assert "Step 'fails' failed: early" in done.stderr
