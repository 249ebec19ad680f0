"""A run that is killed, resumed and rolled back by several processes is one trace."""

from __future__ import annotations

from pathlib import Path

from processes import Folder
from receiver import Receiver, check_trace


def test_kill_resume_kill_and_rollback_are_one_trace(receiver: Receiver, tmp_path: Path) -> None:
    """Four processes make one trace, in which nothing is missing and nothing is doubled."""
    here = Folder(tmp_path, receiver.environ)
    here.call("run", "flows.py:three", dies_at="two")
    here.call("resume", "1", dies_at="three")
    here.call("rollback", "1", "--yes", dies_at="undo two")
    here.call("rollback", "1", "--yes")
    check_trace(receiver.spans)
    root = receiver.one("RUN flows.py:three")
    assert root.attributes["handrail.outcome"] == "rolled_back"
    assert root.attributes["cicd.pipeline.result"] == "cancellation"
    first, second = sorted(receiver.named("two"), key=lambda span: span.start)
    assert first.attributes["error.type"] == "interrupted"
    assert second.attributes["cicd.pipeline.task.run.result"] == "success"
    assert second.links == [(first.trace, first.id, "retries")]
    assert {span.name for span in receiver.spans} == {
        *("RUN flows.py:three", "one", "two", "three", "undo one", "undo two", "undo three"),
    }


def test_the_trace_of_a_dead_run_is_closed_when_asked(receiver: Receiver, tmp_path: Path) -> None:
    """A run whose process is gone has a root as soon as somebody asks, and still only one later."""
    here = Folder(tmp_path, receiver.environ)
    here.call("run", "flows.py:three", dies_at="two")
    assert not receiver.named("RUN flows.py:three")
    done = here.call("otel", "export", "--all-dead")
    assert "run 1: " in done.stdout
    check_trace(receiver.spans)
    root = receiver.one("RUN flows.py:three")
    assert root.attributes["cicd.pipeline.result"] == "error"
    assert root.attributes["error.type"] == "interrupted"
    assert here.call("otel", "export", "--all-dead").stdout == ""
    here.call("resume", "1")
    check_trace(receiver.spans)
    assert receiver.one("RESUME flows.py:three").parent == root.id


def test_a_resume_stays_in_the_trace_of_who_started_the_run(
    receiver: Receiver, tmp_path: Path
) -> None:
    """The trace of TRACEPARENT is kept for the processes that go on with the run."""
    here = Folder(tmp_path, receiver.environ)
    trace, span = "1" * 32, "2" * 16
    above = {"TRACEPARENT": f"00-{trace}-{span}-01"}
    here.call("run", "flows.py:three", dies_at="two", environ=above)
    here.call("resume", "1")
    assert {each.trace for each in receiver.spans} == {trace}
    assert receiver.one("RUN flows.py:three").parent == span


def test_a_short_run_is_exported_before_its_process_ends(
    receiver: Receiver, tmp_path: Path
) -> None:
    """A process waits for its last export, so nothing is left when it is over."""
    here = Folder(tmp_path, {**receiver.environ, "HANDRAIL_HANDRAIL_OTEL_INTERVAL": "5"})
    done = here.call("run", "flows.py:plain")
    assert "otel" not in done.stderr
    check_trace(receiver.spans)
    assert len(receiver.spans) == 4


def test_a_collector_without_an_answer_does_not_hold_a_process_up(
    receiver: Receiver, tmp_path: Path
) -> None:
    """The end of a process waits no longer than it may, and one line says what was not exported."""
    here = Folder(tmp_path, {**receiver.environ, "HANDRAIL_HANDRAIL_OTEL_WAIT": "0.5"})
    receiver.answers.clear()
    done = here.call("run", "flows.py:plain")
    assert done.returncode == 0
    lines = [line for line in done.stderr.splitlines() if "exported" in line]
    assert len(lines) == 1
    assert "handrail otel export 1" in lines[0]
