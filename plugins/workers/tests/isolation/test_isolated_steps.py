"""A step in a process of its own: what it is given, what it hands back, and how it may end."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from isolating import Params, closing, job, raises_own, retried, running, small, timed
from leftovers import descriptors

from handrail import Orchestrator, RuntimeContext, StepFailedError
from handrail.errors import IsolationError, StepProcessError
from handrail.events import Event, MessageLogged, MetricsMeasured, StatusChanged, StepProgressed
from handrail.sqlite import SqliteJournal
from handrail_workers.processes.helper import ending


def run(workflow: Any, do: str = "nothing", **options: Any) -> Any:
    """Run a workflow without packs; return its context, with the failure if it failed."""
    made = workflow({"do": do}, packs=())
    orchestrator = made.orchestrator(made.plan(), **options)
    with contextlib.suppress(StepFailedError):
        orchestrator.execute()
    return orchestrator.context


def failure(workflow: Any, do: str, **options: Any) -> StepFailedError:
    """Run a workflow that fails; return why."""
    with pytest.raises(StepFailedError) as failed:
        workflow({"do": do}, packs=()).run(**options)
    return failed.value


def test_it_runs_in_another_process_and_hands_back_its_result_and_the_context() -> None:
    """The steps before and after it run in the process of the run."""
    context = run(job)
    results = context.results
    assert results["connect"].data["pid"] == os.getpid()
    assert results["work"].data["pid"] != os.getpid()
    assert results["after"].data["seen"] == context.seen == ["connect", "work"]
    assert results["work"].data["arguments"] == sys.argv
    assert results["work"].rollback_data == {"made": ["work.txt"]}
    assert Path("work.txt").exists()


def test_finished_steps_restore_in_its_process() -> None:
    """What is transient is made again there, and what it changes of it is lost."""
    context = run(job)
    data = context.results["work"].data
    assert data["client"] == f"client of {data['pid']}"
    assert context.client == f"client of {os.getpid()}"


def test_each_attempt_has_a_process_of_its_own() -> None:
    """A layer stays in the process of the run, which undoes what an attempt has recorded."""
    context = run(retried, "sleeps")
    assert context.seen == [
        "connect",
        "work",
        f"undone in {os.getpid()}",
        f"again in {os.getpid()}",
        "work",
    ]
    pids = [line.split()[0] for line in Path("pids").read_text().splitlines()]
    assert len(set(pids)) == len(pids) == 2
    assert Path("work.txt").exists()


def test_secrets_reach_it_without_the_environment() -> None:
    """They are in neither its environment nor its command line, nor in those of the helper."""
    params = Params.model_validate(
        {"do": "looks_for_secrets", "token": "s3cret-one", "tokens": ["s3cret-two"], "key": "k3y-x"}
    )
    made = job(params, packs=())
    orchestrator = made.orchestrator(made.plan())
    orchestrator.execute()
    assert orchestrator.context.results["work"].data == {
        "known": ["s3cret-one", "s3cret-two", "k3y-x"],
        "found": [],
    }


def test_what_it_reports_is_passed_on(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages, progress, metrics, status, prints, and sentences for `errors`."""
    events: list[Event] = []
    calls: list[tuple[Any, ...]] = []

    class Logger:
        def log(self, *given: Any) -> None:
            calls.append(("log", *given))

        def set_progress(self, *given: Any) -> None:
            calls.append(("progress", *given))

        def set_metrics(self, *given: Any) -> None:
            calls.append(("metrics", *given))

    made = job({"do": "reports"}, RuntimeContext(logger=Logger()), packs=())
    orchestrator = made.orchestrator(made.plan(), observers=[events.append])
    orchestrator.execute()
    assert calls == [
        ("log", "looked", {"path": "x", "n": 1}, "x"),
        ("progress", 1, 2, "work"),
        ("metrics", {"loss": 0.5}, "work"),
    ]
    kinds = (MessageLogged, StepProgressed, MetricsMeasured, StatusChanged)
    found = [each for each in events if isinstance(each, kinds)]
    assert [type(each) for each in found] == [
        *(MessageLogged, StepProgressed, MetricsMeasured, StatusChanged)
    ]
    assert all(each.step == "work" for each in found)
    assert orchestrator.context.errors == ["something was odd"]
    told = capfd.readouterr()
    assert "printed by the step" in told.out
    assert "and as an error" in told.err


def test_an_error_comes_as_itself_with_the_traceback_of_its_process() -> None:
    """Its type, its arguments, and where it was raised; what the step changed is kept."""
    error = failure(job, "raises").__cause__
    assert type(error) is KeyError
    assert error.args == ("no such key",)
    assert "in raises" in str(error.__cause__)
    assert "raising" in run(job, "raises").seen


def test_an_error_of_an_unknown_class_is_told_in_words() -> None:
    """A class made in a function cannot be found again."""
    error = failure(job, "raises_own").__cause__
    assert isinstance(error, StepProcessError)
    assert str(error) == f"isolating.{raises_own.__name__}.<locals>.OddError: told"


def test_a_result_without_success_fails_the_step() -> None:
    assert "it said no" in str(failure(job, "fails"))


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("exits_hard", "its process ended with exit status 3 before it was done"),
        ("is_killed", "its process was killed by SIGKILL"),
        ("crashes", "its process was killed by SIGSEGV"),
    ],
)
def test_a_process_that_dies_is_a_failed_step(do: str, told: str, journal: SqliteJournal) -> None:
    """The message says how, and what it had recorded is undone."""
    error = failure(job, do, journal=journal)
    assert told in str(error)
    assert isinstance(error.__cause__, StepProcessError)
    assert not Path("work.txt").exists()
    assert journal.runs()[0].outcome == "rolled_back"


def test_sys_exit_ends_the_run_as_in_any_step() -> None:
    with pytest.raises(SystemExit) as exited:
        job({"do": "exits"}, packs=()).run()
    assert exited.value.code == 3
    assert not Path("work.txt").exists()


def test_what_it_leaves_in_its_process_group_ends_with_it() -> None:
    """The look at the processes is in the fixture."""
    run(job, "leaves_a_process")
    assert len(Path("pids").read_text().split()) == 3


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="memory is limited on Linux only")
def test_memory_is_limited() -> None:
    """More than that is a MemoryError in the step."""
    assert type(failure(small, "grows").__cause__) is MemoryError
    assert run(small).results["work"].success


@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("returns_an_object", "'lock' of step 'work' is _thread.lock, which cannot be handed from"),
        ("keeps_an_object", "Context.seen cannot be stored"),
        ("records_an_object", "rollback data 'made' of step 'work' cannot be stored as JSON"),
    ],
)
def test_what_has_no_json_form_fails_the_step(do: str, told: str) -> None:
    """It would be lost on the way; what was recorded before is undone."""
    assert told in str(failure(job, do))
    assert not Path("work.txt").exists()


def test_what_it_records_is_in_the_journal(journal: SqliteJournal) -> None:
    """Each call is durable before it returns, from all threads."""
    run(job, "records_much", journal=journal)
    notes = journal.read(1).notes
    assert [note.values for note in notes] == [
        '["work.txt"]',
        *(f'["{number}.txt"]' for number in range(20)),
    ]
    run(job, "records_in_threads", journal=journal)
    assert len(journal.read(2).notes) == 9


def test_an_async_step_runs_in_a_loop_of_its_own_process(journal: SqliteJournal) -> None:
    context = run(running, journal=journal)
    assert context.results["work"].data["pid"] != os.getpid()
    assert [note.key for note in journal.read(1).notes] == ["made", "made"]


def test_a_closing_step_knows_how_the_run_went() -> None:
    """Also in a process of its own."""
    run(closing)
    assert Path("closed.txt").read_text() == "completed"
    run(closing, "raises")
    assert Path("closed.txt").read_text() == ("rolled_back Step 'work' failed: 'no such key'")


def test_nothing_is_left_of_its_processes() -> None:
    """No process, no file that is open, no file of the helper."""
    run(job)
    before = descriptors()
    for do in ("nothing", "raises", "is_killed"):
        run(job, do)
    run(timed, "sleeps")
    assert descriptors() == before


def test_a_run_without_an_action_is_refused_before_its_first_step() -> None:
    """No other process could make its steps."""
    plan = job(packs=()).plan()
    context = job(packs=()).create_context()
    with pytest.raises(IsolationError, match="without an action"):
        Orchestrator(plan, context).execute()
    assert context.seen == []


def test_a_test_kit_runs_it_in_its_own_process() -> None:
    """The kit counts and intercepts what the step does."""
    plan, context = job(packs=()).plan(), job(packs=()).create_context()
    Orchestrator(plan, context, elsewhere=False).execute()
    assert context.results["work"].data["pid"] == os.getpid()
    Path("pids").unlink()


def test_signal_numbers_have_names() -> None:
    assert ending(signal.SIGTERM) == "was killed by SIGTERM"
