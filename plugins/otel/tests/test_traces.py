"""What the trace of a run looks like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import flows
import pytest
from receiver import SERVER, Receiver, check_trace

import handrail
import handrail_otel
from handrail import StepFailedError, Workflow
from handrail.sqlite import SqliteJournal
from handrail_workers import sweep as run_sweep


def run(flow: Workflow, journal: SqliteJournal, **given: Any) -> None:
    """Run a workflow, and wait until it is exported."""
    try:
        flow.run(journal=journal, **given)
    finally:
        handrail_otel.flush(60)


def test_a_run_is_a_span_that_holds_those_of_its_steps(
    traced: Receiver, journal: SqliteJournal
) -> None:
    """Names, kinds and attributes are those of the semantic conventions for CI/CD."""
    run(flows.plain, journal)
    check_trace(traced.spans)
    root = traced.one("RUN plain")
    row = journal.runs()[0]
    assert root.kind == SERVER
    assert root.parent == ""
    assert root.attributes["cicd.pipeline.action.name"] == "RUN"
    assert root.attributes["cicd.pipeline.name"] == row.action
    assert root.attributes["cicd.pipeline.run.id"] == row.uid
    assert root.attributes["cicd.pipeline.result"] == "success"
    assert "error.type" not in root.attributes
    assert root.resource["service.name"] == "handrail"
    assert root.resource["service.version"] == handrail.__version__
    steps = [span for span in traced.spans if span is not root]
    assert [span.name for span in steps] == ["one", "two", "tell"]
    for span in steps:
        assert span.parent == root.id
        assert span.attributes["cicd.pipeline.task.name"] == span.name
        assert span.attributes["cicd.pipeline.task.run.id"] == f"{row.uid}/{span.name}/1"
        assert span.attributes["cicd.pipeline.task.run.result"] == "success"


def test_a_step_passes_its_span_on(traced: Receiver, journal: SqliteJournal) -> None:
    """The `traceparent` that a step reads names the span that is exported for it later."""
    run(flows.plain, journal)
    span = traced.one("tell")
    assert Path("traceparent").read_text() == f"00-{span.trace}-{span.id}-01"


def test_a_step_of_a_chain_passes_its_span_on(traced: Receiver, journal: SqliteJournal) -> None:
    """The same in a chain, where each action has a span that holds those of its steps."""
    run(flows.both, journal)
    check_trace(traced.spans)
    span, action = traced.one("tell"), traced.one("RUN plain")
    assert Path("traceparent").read_text() == f"00-{span.trace}-{span.id}-01"
    assert span.parent == action.id
    assert action.parent == traced.one("plain").id
    assert traced.one("plain").parent == traced.one("RUN both").id
    assert traced.one("last").parent == traced.one("RUN after").id


def test_a_failure_and_its_undo(traced: Receiver, journal: SqliteJournal) -> None:
    """The step says why it failed; each undo is a span that is linked to what it undoes."""
    with pytest.raises(StepFailedError):
        run(flows.fails, journal)
    check_trace(traced.spans)
    root, failed = traced.one("RUN fails"), traced.one("two")
    assert root.attributes["cicd.pipeline.result"] == "failure"
    assert root.attributes["error.type"] == "ValueError"
    assert root.attributes["handrail.outcome"] == "rolled_back"
    assert root.attributes["handrail.undo"] is True
    assert "handrail.left" not in root.attributes
    assert failed.status == 2
    assert failed.message == "no room"
    assert failed.attributes["cicd.pipeline.task.run.result"] == "failure"
    assert failed.events[0]["exception.type"] == "ValueError"
    assert "Traceback" in failed.events[0]["exception.stacktrace"]
    for name in ("one", "two"):
        undo = traced.one(f"undo {name}")
        assert undo.attributes["handrail.undo"] is True
        assert undo.attributes["cicd.pipeline.task.run.result"] == "success"
        assert undo.links == [(undo.trace, traced.one(name).id, "undoes")]
        assert undo.start >= traced.one(name).end
    assert traced.one("undo one").start >= traced.one("undo two").start


def test_what_an_undo_has_left_is_said(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The span of the run names the steps whose undo has failed, and these say why."""

    def refuse(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(flows.Make, "rollback", refuse)
    with pytest.raises(StepFailedError):
        run(flows.fails, journal)
    check_trace(traced.spans)
    root = traced.one("RUN fails")
    assert root.attributes["handrail.left"] == ["two", "one"]
    assert root.attributes["cicd.pipeline.result"] == "failure"
    assert "the disk is gone" in traced.one("undo one").message


def test_lanes_are_named(traced: Receiver, journal: SqliteJournal) -> None:
    """A step of a group says in which group and lane it stands."""
    run(flows.lanes, journal)
    check_trace(traced.spans)
    places = {
        name: (
            traced.one(name).attributes["handrail.group"],
            traced.one(name).attributes["handrail.lane"],
        )
        for name in ("left", "right")
    }
    assert places == {"left": ("beside", 0), "right": ("beside", 1)}


def test_items_are_counted_and_chunks_have_spans(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """40 items in chunks of 10 are 4 spans below that of their step, and two numbers."""
    run(flows.items, journal)
    check_trace(traced.spans)
    step = traced.one("many")
    assert step.attributes["handrail.items.done"] == 39
    assert step.attributes["handrail.items.failed"] == 1
    chunks = traced.named("many chunk")
    assert [each.attributes["handrail.chunk.items"] for each in chunks] == [10] * 4
    assert sum(each.attributes["handrail.chunk.items.failed"] for each in chunks) == 1
    assert {each.parent for each in chunks} == {step.id}


def test_secrets_are_masked(traced: Receiver, journal: SqliteJournal) -> None:
    """Nothing that is exported has a known secret in it, not even the stack trace of an error."""
    with pytest.raises(StepFailedError):
        run(flows.leaks, journal, params={"token": "hunter2-hunter2"})
    assert "no access with" in traced.one("leak").message
    assert "no access with" in traced.one("leak").events[0]["exception.stacktrace"]
    assert "hunter2" not in repr(traced)


def test_a_run_belongs_to_the_span_that_started_it(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With TRACEPARENT the run is in that trace, below that span; so is what its steps pass on."""
    trace, span = "1" * 32, "2" * 16
    monkeypatch.setenv("TRACEPARENT", f"00-{trace}-{span}-01")
    run(flows.plain, journal)
    assert {each.trace for each in traced.spans} == {trace}
    assert traced.one("RUN plain").parent == span
    assert Path("traceparent").read_text() == f"00-{trace}-{traced.one('tell').id}-01"


@pytest.mark.parametrize("sampled", [True, False])
def test_a_run_is_sampled_whole(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, sampled: bool
) -> None:
    """The sampler of OpenTelemetry decides for a trace, not for a span: by what started the run."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_on")
    monkeypatch.setenv("TRACEPARENT", f"00-{'1' * 32}-{'2' * 16}-0{int(sampled)}")
    run(flows.plain, journal)
    assert len(traced.spans) == (4 if sampled else 0)


def test_the_variables_and_headers_of_opentelemetry_hold(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name of the service, headers and compression are set as for any other program."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "acme-nightly")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-acme=yes")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    run(flows.plain, journal)
    assert traced.one("RUN plain").resource["service.name"] == "acme-nightly"
    assert {each["x-acme"] for each in traced.headers} == {"yes"}
    assert {each["Content-Encoding"] for each in traced.headers} == {"gzip"}


@pytest.mark.parametrize("name", ["OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"])
def test_it_can_be_turned_off(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """With the variables that turn OpenTelemetry off, there are no spans."""
    monkeypatch.setenv(name, "true" if name == "OTEL_SDK_DISABLED" else "none")
    run(flows.plain, journal)
    assert traced.spans == []
    assert os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] == traced.url


def test_the_runs_of_a_sweep_are_linked_to_it(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a trace of its own, with a link to the span of the sweep that began it."""
    monkeypatch.setenv("TRACEPARENT", f"00-{'1' * 32}-{'2' * 16}-01")
    run_sweep(flows.measures, over={"size": [1, 2, 3]}, journal=journal, executor="threads:2")
    assert handrail_otel.flush(60)
    sweep = next(
        span
        for span in traced.spans
        if "handrail.sweep" not in span.attributes and span.kind == SERVER
    )
    children = [span for span in traced.spans if "handrail.sweep" in span.attributes]
    assert len(children) == 3
    assert len({span.trace for span in (sweep, *children)}) == 4
    for child in children:
        assert child.links == [(sweep.trace, sweep.id, "sweep")]
        check_trace([span for span in traced.spans if span.trace == child.trace])
    assert sweep.trace == "1" * 32
    told = {Path(f"traceparent-{size}").read_text() for size in (1, 2, 3)}
    assert told == {f"00-{span.trace}-{span.id}-01" for span in traced.named("measure")}
