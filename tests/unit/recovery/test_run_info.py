"""`context.run_info` names a run to others, in each process that works on it."""

from __future__ import annotations

import getpass
import os
import platform
from typing import Any

import pytest
from killing.told import Does, flow, flow_run, interrupted, play

from handrail import RunInfo, StepFailedError, StepResult, resume, rollback
from handrail.builtin.records.preview import preview_rollback
from handrail.recovery import prepare


class Tells(Does):
    """Keeps what names its run, whenever it is called."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.seen: dict[str, RunInfo] = {}

    def execute(self, context: Any) -> StepResult:
        self.seen["execute"] = context.run_info
        return StepResult()

    def rollback(self, context: Any, result: StepResult) -> None:
        self.seen["rollback"] = context.run_info

    def resume(self, context: Any, result: StepResult) -> StepResult:
        self.seen["resume"] = context.run_info
        return StepResult()

    def preview_rollback(self, context: Any, result: StepResult) -> str:
        self.seen["preview"] = context.run_info
        return "nothing"


def _is_here(info: RunInfo) -> None:
    assert (info.host, info.user) == (platform.node(), getpass.getuser())
    assert info.project == os.path.realpath(os.getcwd())


def test_a_run_in_memory_has_neither_a_number_nor_a_journal() -> None:
    """It has its id and its machine, the same in the undo."""
    tells, breaks = Tells("tells"), Does("breaks", lambda _: StepResult(success=False))
    with pytest.raises(StepFailedError):
        play(None, tells, breaks)
    info = tells.seen["execute"]
    _is_here(info)
    assert (info.number, info.journal) == (None, None)
    assert tells.seen["rollback"] == info


def test_a_durable_run_has_its_number_and_the_absolute_path_of_its_journal(
    writes, tmp_path, monkeypatch
):
    """Also if the journal was named relatively."""
    monkeypatch.chdir(tmp_path)
    relative, tells = type(writes)(".handrail/runs.db"), Tells("tells")
    flow_run(writes, Does("first"))
    flow_run(relative, tells)
    relative.close()
    info, row = tells.seen["execute"], writes.read(2)
    _is_here(info)
    assert (info.uid, info.number, info.action) == (row.uid, 2, row.action)
    assert info.journal == str(tmp_path / ".handrail" / "runs.db")


@pytest.mark.parametrize("way", ["resume", "rollback"])
def test_a_run_that_goes_on_in_another_process_keeps_its_names(writes, way):
    """Number, journal, id, action and project are those it began with; also in the preview."""
    first, lost = Tells("first"), Tells("lost")
    interrupted(writes, first)
    began, row, action = first.seen["execute"], writes.read(1), flow(first, lost)
    preview_rollback(prepare(action, writes.read(1), writes, "rollback", packs=()))
    assert first.seen["preview"] == lost.seen["preview"] == began
    if way == "resume":
        resume(action, 1, journal=writes, packs=())
        assert lost.seen["resume"] == began
    rollback(action, 1, journal=writes, packs=())
    assert first.seen["rollback"] == lost.seen["rollback"] == began
    assert (began.number, began.action, began.project) == (1, row.action, row.project)


def test_a_journal_without_an_address_is_named_as_it_is_shown(writes, monkeypatch):
    """Such as one in a database, whose URL has no secrets."""
    monkeypatch.delattr("handrail.sqlite.SqliteJournal.address")
    monkeypatch.setattr(writes, "_shown", "acme://host/runs")
    tells = Tells("tells")
    flow_run(writes, tells)
    assert tells.seen["execute"].journal == "acme://host/runs"
