"""Uploads of the same files, as the runs of one sweep."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
def test_the_runs_of_a_sweep_that_share_a_target_are_undone_one_after_the_other(
    handrail: Command, here: Path
) -> None:
    """Also by several workers: each undo waits for those of others that have the same keys."""
    (here / "many").mkdir()
    for number in range(200):
        (here / "many" / f"{number}.txt").write_text(f"{number}")
    packs = {"HANDRAIL_ONLY_PACKS": "handrail-upload,handrail-workers"}
    begun = handrail(
        *("run", "upload", "many", "swept", "--over", "transfers=1,2,3,4"),
        *("--executor", "threads:1"),
        **packs,
    )
    assert begun.returncode == 0, begun.stderr
    assert len(list((here / "swept").glob("*.txt"))) == 200
    undone = handrail("rollback", "1", "--yes", "--executor", "threads:4", **packs)
    assert undone.returncode == 0, undone.stderr
    assert not (here / "swept").exists()
