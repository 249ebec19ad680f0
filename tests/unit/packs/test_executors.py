"""Executors that packs offer, by their URLs."""

from __future__ import annotations

import sys
import types
from typing import Any

import pytest

from handrail.errors import ExecutorError, ExecutorUrlError, ExitCode
from handrail.packs import installed_packs
from handrail.packs.catalog import Catalog, InstalledExecutors
from handrail.packs.record import EntryPoint, PackRecord

ASKED: list[tuple[str, str | None, int | None]] = []


def make(url: str, host: Any) -> object:
    """Make an executor whose workers are on other machines."""
    ASKED.append((url, host.journal, host.run))
    if host.journal is None:
        raise ExecutorError("workers write to the journal", ways_out=("name another",))
    return object()  # Nobody opens it.


@pytest.fixture
def grid(monkeypatch: pytest.MonkeyPatch) -> InstalledExecutors:
    """The pack of such an executor."""
    module = types.ModuleType("acme_grid")
    vars(module).update(make=make)
    monkeypatch.setitem(sys.modules, "acme_grid", module)
    ASKED.clear()
    entry = EntryPoint(group="handrail.executors", name="grid", value="acme_grid:make")
    record = PackRecord(id="acme-grid", name="acme-grid", entry_points=(entry,))
    return InstalledExecutors(lambda: Catalog([record]))


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("grd", "did you mean grid?"),
        ("thread:8", "did you mean threads?"),
        ("processes:4", "pip install handrail-workers"),
        ("ray", "pip install handrail-ray"),
        ("ray://head:10001", "pip install handrail-ray"),
        ("grid://user:secret@head", "has a password in it"),
    ],
)
def test_a_url_is_refused_before_anything_begins(
    grid: InstalledExecutors, url: str, says: str
) -> None:
    """With the way out, and without showing a password."""
    with pytest.raises(ExecutorUrlError) as refused:
        grid.check(url, "postgresql://db/runs")
    text = "\n".join((refused.value.message, *refused.value.ways_out))
    assert says in text
    assert "secret" not in text
    assert refused.value.exit_code == ExitCode.USAGE
    assert ASKED == []


def test_an_executor_is_asked_before_a_run_begins(grid: InstalledExecutors) -> None:
    """It is made for the journal of the run, which has no number yet, and never opened."""
    grid.check("grid:3", "postgresql://db/runs")
    assert ASKED == [("grid:3", "postgresql://db/runs", None)]


def test_one_that_cannot_work_is_a_mistake_of_the_call(grid: InstalledExecutors) -> None:
    """As without a journal, or with one that only this machine reaches."""
    with pytest.raises(ExecutorError, match="workers write to the journal") as refused:
        grid.check("grid", None)
    assert refused.value.exit_code == ExitCode.USAGE
    assert refused.value.ways_out == ("name another",)


def test_an_undo_asks_no_executor_of_the_settings() -> None:
    """It may be gone, and only the one that has worked on items can undo them."""
    packs = installed_packs(environ={"HANDRAIL_EXECUTOR": "gone"})
    assert packs.executor == "gone"
    assert packs.for_undo(()).executor is None
