"""Executors by their URLs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from handrail.errors import ExecutorError, ExecutorUrlError, ExitCode
from handrail.executors import cores
from handrail.executors.opening import check_executor, check_url, open_executor
from handrail.packs.executors import InstalledExecutors
from handrail.packs.record import EntryPoint, PackRecord
from handrail_testing import ContractHost

NONE = InstalledExecutors(tuple)
GRID = PackRecord(
    id="acme-grid",
    name="acme-grid",
    entry_points=(EntryPoint(group="handrail.executors", name="grid", value="no_such_grid:make"),),
)


@pytest.mark.parametrize(("url", "slots"), [("processes:4", 4), ("threads:8", 8)])
def test_a_number_of_slots_can_be_given(url: str, slots: int) -> None:
    """Nothing is started by making one."""
    executor = open_executor(url, ContractHost(), NONE)
    assert (executor.guarantees.slots, executor.guarantees.bounded) == (slots, 2 * slots)
    executor.close()


def test_there_is_a_process_for_each_core_that_may_be_used() -> None:
    """Also if nothing is asked for."""
    for url in (None, "processes"):
        executor = open_executor(url, ContractHost(), NONE)
        assert executor.guarantees.slots == cores.usable_cores()
        executor.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("processes:0", "the number of its slots is from 1 to 1024"),
        ("threads:many", "the number of its slots is from 1 to 1024"),
        ("threads:", "the number of its slots is from 1 to 1024"),
        ("process:4", "did you mean processes?"),
        ("grd", "did you mean grid?"),
        ("ray", "pip install handrail-ray"),
        ("ray://head:10001", "pip install handrail-ray"),
        ("grid://user:secret@head", "has a password in it"),
    ],
)
def test_a_url_is_refused_before_anything_begins(url: str, says: str) -> None:
    """With the way out, and without importing a pack or showing a password."""
    with pytest.raises(ExecutorUrlError) as refused:
        check_url(url, InstalledExecutors(lambda: [GRID]))
    text = "\n".join((refused.value.message, *refused.value.ways_out))
    assert says in text
    assert "secret" not in text
    assert refused.value.exit_code == ExitCode.USAGE


def test_the_executor_of_a_pack_is_found_without_importing_it() -> None:
    assert check_url("grid:anything", InstalledExecutors(lambda: [GRID])) == "grid"


class Grid:
    """The pack of an executor whose workers are on other machines."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str | None, int | None]] = []

    def names(self) -> list[str]:
        return ["grid"]

    def find(self, name: str) -> Any:
        return self.make

    def make(self, url: str, host: Any) -> Any:
        self.asked.append((url, host.journal, host.run))
        if host.journal is None:
            raise ExecutorError("workers write to the journal", ways_out=("name another",))
        return object()  # Nobody opens it.


def test_an_executor_is_asked_before_a_run_begins() -> None:
    """It is made for the journal of the run, which has no number yet, and never opened."""
    grid = Grid()
    check_executor("grid:3", "postgresql://db/runs", grid)
    assert grid.asked == [("grid:3", "postgresql://db/runs", None)]


def test_one_that_cannot_work_is_a_mistake_of_the_call() -> None:
    """As without a journal, or with one that only this machine reaches."""
    with pytest.raises(ExecutorError, match="workers write to the journal") as refused:
        check_executor("grid", None, Grid())
    assert refused.value.exit_code == ExitCode.USAGE
    assert refused.value.ways_out == ("name another",)


def test_those_of_this_machine_work_for_any_run() -> None:
    """So they are not even made."""
    check_executor("threads:2", None, Grid())


@pytest.mark.parametrize(
    ("files", "allowed"),
    [
        ({"cpu.max": "150000 100000\n"}, [1.5]),
        ({"cpu.max": "max 100000\n"}, []),
        ({"cpu.cfs_quota_us": "200000\n", "cpu.cfs_period_us": "100000\n"}, [2.0]),
        ({"cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n"}, []),
        ({}, []),
    ],
)
def test_limits_of_a_container_count(
    files: dict[str, str], allowed: list[float], tmp_path: Path
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert cores._quota_of(tmp_path) == allowed  # pyright: ignore[reportPrivateUsage]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert cores.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)
