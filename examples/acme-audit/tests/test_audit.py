"""Every run leaves its record, whatever happens to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from acme_audit import hooks

from handrail import BaseStepContext, StepFailedError, StepResult, action, step


@step
def initialize(context: BaseStepContext) -> None: ...


@step(effects=False)
def scan_files(context: BaseStepContext) -> dict[str, Any]:
    return {"scanner": "ClamAV 1.4", "scanned": 3}


@step(name="scan_files", effects=False)
def find_something(context: BaseStepContext) -> StepResult:
    return StepResult(success=False, error="b.txt is infected")


@step
def upload_files(context: BaseStepContext) -> None: ...


@pytest.fixture
def entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that reads the record."""
    monkeypatch.chdir(tmp_path)

    def read() -> list[dict[str, Any]]:
        text = Path("audit.jsonl").read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]

    return read


def test_a_run_is_opened_scanned_and_closed(entries: Any) -> None:
    upload = action("upload", [initialize, scan_files, upload_files])
    plan = upload.plan(packs=[hooks])
    assert [planned.name for planned in plan] == [
        *("audit_open", "initialize", "scan_files", "upload_files", "audit_scan", "audit_close")
    ]
    upload.run(packs=[hooks])
    opened, scanned, closed = entries()
    assert [each["event"] for each in (opened, scanned, closed)] == ["opened", "scanned", "closed"]
    assert opened["run"] == scanned["run"] == closed["run"]
    assert (scanned["verdict"], scanned["scanner"]) == ("passed", "ClamAV 1.4")
    assert closed["outcome"] == "completed"


def test_without_a_scan_that_entry_is_not_in_the_plan(entries: Any) -> None:
    upload = action("upload", [initialize, upload_files])
    names = [planned.name for planned in upload.plan(packs=[hooks])]
    assert names == ["audit_open", "initialize", "upload_files", "audit_close"]


def test_a_refused_upload_is_on_record(entries: Any) -> None:
    upload = action("upload", [initialize, find_something, upload_files])
    with pytest.raises(StepFailedError):
        upload.run(packs=[hooks])
    _, scanned, closed = entries()
    assert (scanned["verdict"], scanned["error"]) == ("refused", "b.txt is infected")
    assert closed["outcome"] == "rolled_back"
    assert "b.txt is infected" in closed["failure"]


def test_a_run_whose_record_cannot_be_opened_does_not_begin(entries: Any) -> None:
    Path("audit.jsonl").mkdir()
    ran: list[str] = []

    @step(name="initialize")
    def noticed(context: BaseStepContext) -> None:
        ran.append("initialize")

    with pytest.raises(StepFailedError, match="audit_open"):
        action("upload", [noticed]).run(packs=[hooks])
    assert ran == []


def test_other_workflows_are_none_of_its_business() -> None:
    plan = action("backup", [initialize]).plan(packs=[hooks])
    assert [planned.name for planned in plan] == ["initialize"]
