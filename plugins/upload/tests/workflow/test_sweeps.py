"""Uploads of the same files, as the runs of one sweep."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "stored"),
    [
        (("--over", "source=a,b", "out"), 0, ["out/a.txt", "out/b.txt"]),
        (("a", "--over", "target=x,y"), 0, ["x/a.txt", "y/a.txt"]),
        (("--over", "source=a,b", "-p", "target=out"), 0, ["out/a.txt", "out/b.txt"]),
        (("a", "out", "--over", "source=a,b"), 2, []),
    ],
)
def test_words_are_the_values_of_the_arguments_that_are_not_swept(
    handrail: Command, here: Path, words: tuple[str, ...], code: int, stored: list[str]
) -> None:
    """In their order; one too many is a mistake."""
    for name in "ab":
        (here / name).mkdir()
        (here / name / f"{name}.txt").write_text(name)
    packs = {"HANDRAIL_ONLY_PACKS": "handrail-upload,handrail-workers"}
    done = handrail("run", "upload", *words, "--executor", "threads:1", **packs)
    assert done.returncode == code, done.stderr
    found = {str(path.relative_to(here)) for path in here.glob("*/*.txt")}
    assert found == {*stored, "a/a.txt", "b/b.txt"}


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
