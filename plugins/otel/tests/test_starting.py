"""What the pack costs: nothing where nobody listens, and next to nothing on a step's own thread."""

from __future__ import annotations

import json
import os
import shutil
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
from handrail.journal import SqliteJournal
from handrail_otel import hooks
from handrail_otel.settings import OtelSettings

IMPORTED = """
import json, sys
from handrail.cli import main
assert main(["run", "flows.py:plain", "-q"]) == 0
print(json.dumps(sorted(sys.modules)))
"""


def modules(folder: Path, **environ: str) -> set[str]:
    shutil.copy(HERE / "flows.py", folder / "flows.py")
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


@pytest.mark.parametrize("off", [{}, {"OTEL_SDK_DISABLED": "true"}])
def test_nothing_is_imported_without_an_endpoint(off: dict[str, str], tmp_path: Path) -> None:
    """Of the pack only its hooks and settings are, and nothing of OpenTelemetry."""
    if off:
        off["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1"
    text = (HERE / "flows.py").read_text()
    assert "from handrail_otel import traceparent" in text
    found = modules(tmp_path, **off)
    strangers = {name.partition(".")[0] for name in found}
    assert not strangers & {"opentelemetry", "requests", "google"}
    ours = {name for name in found if name.startswith("handrail_otel.")}
    # `flows.py` reads its own `traceparent`.
    assert ours <= {
        *("handrail_otel.hooks", "handrail_otel.settings"),
        *("handrail_otel.context", "handrail_otel.ids", "handrail_otel.sent"),
    }


def test_lineage_needs_nothing_of_opentelemetry(receiver: Receiver, tmp_path: Path) -> None:
    """Events are JSON over HTTP: their client is the standard library's."""
    found = modules(tmp_path, OPENLINEAGE_URL=receiver.url)
    assert not {name.partition(".")[0] for name in found} & {"opentelemetry", "requests"}
    assert [event["eventType"] for event in receiver.events] == ["START", "COMPLETE"]


def calls_of_a_run(steps: int, journal: SqliteJournal) -> int:
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
