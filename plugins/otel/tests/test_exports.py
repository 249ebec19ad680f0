"""What is exported when, and that nothing is exported twice."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import flows
import pytest
from receiver import Receiver, check_trace

import handrail
import handrail_otel
from handrail.cli import main
from handrail.sqlite import SqliteJournal
from handrail_otel import following
from handrail_otel.exporting import Exporter
from handrail_otel.pruning import forget
from handrail_otel.sent import Sent
from handrail_otel.settings import OtelSettings

SETTINGS = OtelSettings()


def run(flow: Any, journal: SqliteJournal, **options: Any) -> None:
    flow.run(journal=journal, **options)
    handrail_otel.flush(60)


def test_nothing_is_sent_twice(traced: Receiver, journal: SqliteJournal) -> None:
    """Another export of a run that is exported sends no span, whoever asks for it."""
    run(flows.plain, journal)
    assert Exporter(SETTINGS).export(journal, 1).spans == 0
    assert main(["otel", "export", "1"]) == 0
    assert main(["otel", "export", "--all"]) == 0
    assert len(traced.spans) == 4


def test_a_collector_that_is_down_is_caught_up_with(
    traced: Receiver,
    journal: SqliteJournal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The run goes on and is told of at the end; a later export sends each span once."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    run(flows.plain, journal)
    assert traced.spans == []
    (told,) = {each.told for each in following._following if each.told}
    assert "Connection refused" in told
    assert "handrail otel export 1" in told
    assert main(["otel", "export", "1"]) == 1
    assert "run 1: 4 spans not sent: Connection refused" in capsys.readouterr().err
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", traced.url)
    assert main(["otel", "export", "1"]) == 0
    assert "run 1: 4 spans sent" in capsys.readouterr().out
    check_trace(traced.spans)
    assert len(traced.spans) == 4


def test_a_collector_that_refuses_is_caught_up_with(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So it is with one that answers with an error; an export asks it once, not for seconds."""
    traced.status = 503
    run(flows.plain, journal)
    asked = len(traced.headers)
    assert Exporter(SETTINGS).export(journal, 1).error == "503 Service Unavailable"
    assert len(traced.headers) == asked + 1
    traced.status = 200
    assert main(["otel", "export", "1"]) == 0
    check_trace(traced.spans)
    assert len(traced.spans) == 4


def test_what_may_have_arrived_is_not_sent_again_by_itself(
    traced: Receiver,
    journal: SqliteJournal,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A collector that takes spans and is too slow to say so gets them once, unless told to."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    traced.answers.clear()
    run(flows.plain, journal)
    traced.answers.set()
    assert len(traced.spans) == 4
    check_trace(traced.spans)
    assert main(["otel", "export", "1"]) == 0
    said = capsys.readouterr().out
    assert "4 spans may have arrived" in said
    assert "handrail otel export 1 --again" in said
    assert len(traced.spans) == 4
    assert main(["otel", "export", "1", "--again"]) == 0
    assert len(traced.spans) == 8


def test_steps_are_exported_while_the_run_goes_on(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long run is seen before its end: the steps that are over, below a span that comes last."""
    monkeypatch.setenv("HANDRAIL_HANDRAIL_OTEL_INTERVAL", "0.05")
    seen: list[str] = []

    @handrail.step
    def slow(context: Any) -> None:
        traced.wait(lambda: traced.named("one"))
        seen.extend(span.name for span in traced.spans)

    run(handrail.action("long", [flows.Make("one"), slow]), journal)
    assert seen == ["one"]
    assert [span.name for span in traced.spans] == ["one", "slow", "RUN long"]
    check_trace(traced.spans)


def test_what_is_done_after_the_end_is_a_span_of_its_own(
    traced: Receiver, journal: SqliteJournal
) -> None:
    """The span of a run is sent when it ends; a rollback of it later has one in the same trace."""
    run(flows.plain, journal)
    handrail.rollback(flows.plain, 1, journal=journal, folder=".")
    handrail_otel.flush(60)
    check_trace(traced.spans)
    root, undo = traced.one("RUN plain"), traced.one("UNDO plain")
    assert root.attributes["cicd.pipeline.result"] == "success"
    assert undo.attributes["cicd.pipeline.result"] == "success"
    assert undo.attributes["handrail.undo"] is True
    assert undo.parent == root.id
    assert undo.links == [(root.trace, root.id, "continues")]
    assert undo.start >= root.end
    for name in ("one", "two"):
        assert traced.one(f"undo {name}").parent == undo.id
    assert len(traced.spans) == 7


def test_a_kept_run_that_is_resumed_is_linked(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new attempt of the step that failed is linked to the one before."""
    with pytest.raises(handrail.StepFailedError):
        run(flows.fails, journal, on_failure="keep")
    handrail_otel.flush(60)
    failed = traced.one("two")
    monkeypatch.setattr(flows.Make, "_fails", "", raising=False)
    monkeypatch.setattr(flows.Make, "execute", lambda *_: handrail.StepResult())
    handrail.resume(flows.fails, 1, journal=journal, folder=".")
    handrail_otel.flush(60)
    check_trace(traced.spans)
    second = next(span for span in traced.named("two") if span is not failed)
    assert second.links == [(failed.trace, failed.id, "retries")]
    assert second.attributes["handrail.attempt"] == 2
    assert second.parent == traced.one("RESUME fails").id
    assert traced.one("undo two").links == [(failed.trace, failed.id, "undoes")]


def test_two_exports_at_a_time_take_turns(
    traced: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many exports of one run at the same time send each span once."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    run(flows.plain, journal)
    monkeypatch.delenv("OTEL_SDK_DISABLED")
    threads = [
        threading.Thread(target=lambda: Exporter(SETTINGS).export(journal, 1)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    check_trace(traced.spans)
    assert len(traced.spans) == 4


def test_only_what_was_on_its_way_is_in_doubt(tmp_path: Path) -> None:
    """What a process that died was about to send is sent again; what was on its way is not."""
    first = Sent(tmp_path / "run")
    with first.locked():
        first.tries(["a", "b"])
        first.on_the_way()
        first.arrived()
        first.tries(["c"])
        first.refused()
        first.tries(["d"])
        first.on_the_way()
    with first.locked():
        first.tries(["e"])
    with (tmp_path / "run").open("a") as file:
        file.write("? f g")  # It died in the middle of the line.
    second = Sent(tmp_path / "run")
    with second.locked():
        assert [key for key in "abcdefg" if second.knows(key)] == ["a", "b", "d"]
        assert second.doubtful == {"d"}
        second.forget_doubts()
        second.tries(["d"])
        second.arrived()
    third = Sent(tmp_path / "run")
    with third.locked():
        assert third.knows("d")
        assert third.doubtful == set()


def test_what_is_pruned_is_forgotten(traced: Receiver, journal: SqliteJournal) -> None:
    """The note of what was sent goes with the run."""
    run(flows.plain, journal)
    (note,) = Path(".handrail/otel").iterdir()
    row = journal.runs()[0]
    forget(
        handrail.PrunedRun(
            uid=row.uid,
            number=1,
            action=row.action,
            outcome="completed",
            project=row.project,
            folder=row.cwd,
            rollback_data={},
        )
    )
    assert not note.exists()


def test_without_an_endpoint_the_command_says_so(
    journal: SqliteJournal, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is exported to nowhere: that is a wrong call."""
    assert main(["otel", "export", "1"]) == 2
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in capsys.readouterr().err
