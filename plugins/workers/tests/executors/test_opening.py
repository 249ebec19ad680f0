"""Executors by their URLs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from handrail.errors import ExecutorUrlError, ExitCode
from handrail.packs import InstalledExecutors, installed_packs
from handrail_testing import ContractHost
from handrail_workers.executors import opening
from handrail_workers.executors.opening import open_executor

NONE = InstalledExecutors(tuple)


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
        assert executor.guarantees.slots == opening.usable_cores()
        executor.close()


@pytest.mark.parametrize("url", ["processes:0", "threads:many", "threads:"])
def test_a_wrong_number_of_slots_is_refused_before_anything_begins(url: str) -> None:
    with pytest.raises(
        ExecutorUrlError, match="the number of its slots is from 1 to 1024"
    ) as refused:
        installed_packs().executors.check(url, None)
    assert refused.value.exit_code == ExitCode.USAGE


def test_those_of_this_machine_are_known_by_name() -> None:
    """A typing mistake is told beside them."""
    with pytest.raises(ExecutorUrlError) as refused:
        installed_packs().executors.check("process:4", None)
    assert "did you mean processes?" in refused.value.ways_out


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
    assert opening._quota_of(tmp_path) == allowed  # pyright: ignore[reportPrivateUsage]


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no affinity")
def test_cores_that_this_process_may_not_use_do_not_count() -> None:
    mine = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(mine)})
        assert opening.usable_cores() == 1
    finally:
        os.sched_setaffinity(0, mine)
