"""OpenLineage events: one START and one event for the end of each run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import flows
import pytest
from processes import Folder
from receiver import LONG, SERVER, Got, Receiver, check_trace

import handrail
import handrail_otel
from handrail import StepFailedError
from handrail.cli import main
from handrail.sqlite import SqliteJournal

KILLS = 200 if "HANDRAIL_FAULTS" in os.environ else 3


@pytest.fixture
def told(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A receiver of the events of the runs of this process."""
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    return receiver


def run(flow: Any, journal: SqliteJournal, **options: Any) -> None:
    try:
        flow.run(journal=journal, **options)
    finally:
        handrail_otel.flush(60)


def kinds(receiver: Receiver) -> list[str]:
    return [event["eventType"] for event in receiver.events]


def test_a_run_is_a_start_and_an_end(told: Receiver, journal: SqliteJournal) -> None:
    """Both have the fields that the specification requires, and the id of the run."""
    run(flows.plain, journal)
    row = journal.runs()[0]
    assert kinds(told) == ["START", "COMPLETE"]
    for event in told.events:
        assert event["run"]["runId"] == row.uid
        assert uuid.UUID(event["run"]["runId"])
        assert event["job"]["name"] == "plain"
        assert event["job"]["namespace"] == "handrail"
        assert event["producer"].startswith("https://")
        assert event["schemaURL"].endswith("#/$defs/RunEvent")
        for facet in (*event["run"]["facets"].values(), *event["job"]["facets"].values()):
            assert {"_producer", "_schemaURL"} <= facet.keys()
    assert [event["eventTime"] for event in told.events] == [row.opened, row.closed]
    assert told.spans == []


def test_a_failure_says_why(told: Receiver, journal: SqliteJournal) -> None:
    """A run that fails ends with FAIL and the error of its step."""
    with pytest.raises(StepFailedError):
        run(flows.fails, journal)
    assert kinds(told) == ["START", "FAIL"]
    facet = told.events[-1]["run"]["facets"]["errorMessage"]
    assert (facet["message"], facet["programmingLanguage"]) == ("no room", "PYTHON")


def test_a_rollback_of_a_run_that_was_over_is_a_run_of_its_own(
    told: Receiver, journal: SqliteJournal
) -> None:
    """The events of a run say once how it ended; its undo later names it as its parent."""
    run(flows.plain, journal)
    handrail.rollback(flows.plain, 1, journal=journal, folder=".")
    handrail_otel.flush(60)
    assert kinds(told) == ["START", "COMPLETE", "START", "COMPLETE"]
    uid = journal.runs()[0].uid
    assert [event["job"]["name"] for event in told.events[2:]] == ["plain.undo"] * 2
    for event in told.events[2:]:
        assert event["run"]["runId"] != uid
        assert event["run"]["facets"]["parent"]["run"]["runId"] == uid


def test_datasets_are_what_an_action_is_given(told: Receiver, journal: SqliteJournal) -> None:
    """Source and target are named as OpenLineage names them, without the options of a URL."""
    params = {"source": "photos", "target": "s3://bucket/raw/2026?region=north"}
    run(flows.copies, journal, params=params)
    event = told.events[-1]
    assert event["inputs"] == [{"namespace": "file", "name": str(Path("photos").resolve())}]
    assert event["outputs"] == [{"namespace": "s3://bucket", "name": "raw/2026"}]


def test_what_was_not_taken_is_sent_later(
    told: Receiver, journal: SqliteJournal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nobody listens, or takes it, nothing counts as sent."""
    told.status = 500
    run(flows.plain, journal)
    monkeypatch.setenv("OPENLINEAGE_URL", "http://127.0.0.1:1")
    assert main(["otel", "export", "1"]) == 1
    monkeypatch.setenv("OPENLINEAGE_URL", told.url)
    told.status = 200
    assert main(["otel", "export", "1"]) == 0
    assert main(["otel", "export", "1"]) == 0
    assert kinds(told) == ["START", "COMPLETE"]


def test_a_dead_run_ends_once(receiver: Receiver, tmp_path: Path) -> None:
    """A run found dead ends with FAIL; who goes on with it begins a run below it."""
    here = Folder(tmp_path, {"OPENLINEAGE_URL": receiver.url})
    here.call("run", "flows.py:three", dies_at="two")
    here.call("otel", "export", "--all-dead")
    here.call("resume", "1")
    assert sorted(kinds(receiver)) == ["COMPLETE", "FAIL", "START", "START"]
    first, second = (receiver.events[0]["run"], receiver.events[-1]["run"])
    assert second["facets"]["parent"]["run"]["runId"] == first["runId"]


def test_killed_at_any_time_a_run_starts_once_and_ends_once(
    receiver: Receiver, tmp_path: Path
) -> None:
    """Whenever a run is killed, and then finished: one START, and one event for its end.

    And one trace, in which nothing is missing, and nothing is doubled. What a process did not send
    that was killed after its run had ended is sent by the command.
    """
    here = Folder(tmp_path, {"OPENLINEAGE_URL": receiver.url, **receiver.environ})
    chance = random.Random(7)
    for number in range(1, KILLS + 1):
        if _killed(here, number, after=chance.uniform(0.0, 0.25)):
            here.call("resume", str(number))
    here.call("otel", "export", "--all")
    ends: dict[str, list[str]] = {}
    for event in receiver.events:
        ends.setdefault(event["run"]["runId"], []).append(event["eventType"])
    assert len(ends) == KILLS
    for found in ends.values():
        assert sorted(found) == ["COMPLETE", "START"]
    traces: dict[str, list[Got]] = {}
    for span in receiver.spans:
        traces.setdefault(span.trace, []).append(span)
    assert len(traces) == KILLS
    for spans in traces.values():
        check_trace(spans)
        assert len([span for span in spans if span.kind == SERVER]) == 1


def _killed(here: Folder, number: int, after: float) -> bool:
    """Start a run, and kill it some seconds after it is in the journal; False if it was over."""
    process = subprocess.Popen(
        [sys.executable, "-m", "handrail", "run", "flows.py:slow"],
        cwd=here.path,
        env={**os.environ, **here.environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + LONG
    while not (here.path / f"began-{number}").exists():
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.005)
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    return process.wait(60) == -signal.SIGKILL
