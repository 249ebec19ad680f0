"""What the pack costs: nothing where nobody listens, and next to nothing on a step's own thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import flows
import pytest
from processes import HERE
from receiver import Receiver

import handrail
import handrail_otel
from handrail.sqlite import SqliteJournal
from handrail_otel import hooks
from handrail_otel.settings import OtelSettings

IMPORTED = """
import json, sys
from handrail.cli import main
assert main(["run", "flows.py:plain", "-q"]) == 0
print(json.dumps(sorted(sys.modules)))
"""
OWN = """
from handrail import action, step

@step
def nothing(context): ...

plain = action("plain", [nothing])
"""


def modules(folder: Path, flows: str = OWN, **environ: str) -> set[str]:
    """Return the modules that a process has imported which runs the action `plain`."""
    (folder / "flows.py").write_text(flows)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        cwd=folder,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def families(found: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in found}


STRANGERS = {"opentelemetry", "requests", "google"}


def test_nothing_is_imported_when_it_is_off(tmp_path: Path) -> None:
    """Not a single module, neither of the pack nor of OpenTelemetry."""
    assert not families(modules(tmp_path)) & {"handrail_otel", *STRANGERS}


def test_what_is_turned_off_again_imports_only_what_knows_that(tmp_path: Path) -> None:
    off = {"OTEL_SDK_DISABLED": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    found = modules(tmp_path, **off)
    assert not families(found) & STRANGERS
    ours = {name for name in found if name.startswith("handrail_otel.")}
    assert ours == {"handrail_otel.hooks", "handrail_otel.settings"}


def test_settings_of_the_project_turn_it_on(receiver: Receiver, tmp_path: Path) -> None:
    """Also where no variable is set; what they say of the endpoint is used."""
    toml = f'[packs.handrail-otel]\nendpoint = "{receiver.url}"\n'
    (tmp_path / "handrail.toml").write_text(toml)
    assert "handrail_otel.following" in modules(tmp_path)
    assert [span.name for span in receiver.spans if span.name.startswith("RUN")] == [
        "RUN flows.py:plain"
    ]


def test_a_step_can_ask_for_its_span_without_opentelemetry(tmp_path: Path) -> None:
    flows = (HERE / "flows.py").read_text()
    assert "from handrail_otel import traceparent" in flows
    found = modules(tmp_path, flows)
    assert not families(found) & STRANGERS
    assert "handrail_otel.hooks" not in found


def test_lineage_needs_nothing_of_opentelemetry(receiver: Receiver, tmp_path: Path) -> None:
    """Events are JSON over HTTP: their client is the standard library's."""
    found = modules(tmp_path, OPENLINEAGE_URL=receiver.url)
    assert not {name.partition(".")[0] for name in found} & {"opentelemetry", "requests"}
    assert [event["eventType"] for event in receiver.events] == ["START", "COMPLETE"]


def calls_of_a_run(steps: int, journal: SqliteJournal | None) -> int:
    """Return how many functions of the pack a run calls on its own thread."""
    count = 0
    folder = str(Path(hooks.__file__).parent)

    def called(frame: Any, event: str, _: object) -> None:
        nonlocal count
        if event == "call" and frame.f_code.co_filename.startswith(folder):
            count += 1

    flow = handrail.action("many", [flows.Make(f"step{each}") for each in range(steps)])
    made = flow()
    sys.setprofile(called)
    try:
        made.run(journal=journal)
    finally:
        sys.setprofile(None)
        handrail_otel.flush(60)
    return count


def test_a_step_calls_the_pack_once_for_each_of_its_events(
    traced: Receiver, journal: SqliteJournal
) -> None:
    """On the thread of a step there is one call for an event, which looks at its type, and no more.

    An event is its start, its end, or the progress of the run.
    """
    few, many = calls_of_a_run(10, journal), calls_of_a_run(30, journal)
    assert few > 0
    assert (many - few) / 20 <= 3


def test_a_run_that_is_not_exported_calls_the_pack_once(
    monkeypatch: pytest.MonkeyPatch, journal: SqliteJournal, traced: Receiver
) -> None:
    """At its start, where it declines: as it has no journal, or as it is turned off."""
    calls = calls_of_a_run(1, None)
    assert 0 < calls == calls_of_a_run(30, None)
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    calls = calls_of_a_run(1, journal)
    assert 0 < calls == calls_of_a_run(30, journal)


def test_an_event_of_a_step_allocates_nothing() -> None:
    """What the hook does with the events of steps leaves nothing behind."""
    import tracemalloc

    event = handrail.events.StepSkipped(step="one", position=0)
    settings = OtelSettings()
    hooks.observe(event, settings)
    tracemalloc.start()
    try:
        before = tracemalloc.take_snapshot()
        for _ in range(1000):
            hooks.observe(event, settings)
        after = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
    ours = tracemalloc.Filter(True, hooks.__file__)
    grown = after.filter_traces([ours]).compare_to(before.filter_traces([ours]), "lineno")
    assert sum(each.size_diff for each in grown) < 1000
