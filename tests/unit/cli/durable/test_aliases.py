"""A journal that is reached by other names, or copied, while a run of it goes on."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from durable_runs import Run, Start, runs
from journals.places import until

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

# Each step tells when it begins and ends; the second one waits until the gate is open.
WORK = """
import os, time
from pathlib import Path
from handrail import action, step

def log(what):
    with open("log", "a") as stream:
        stream.write(f"{what} {os.getpid()}\\n")

@step
def first(context):
    log("first begins")
    log("first ends")

@first.rollback
def undo_first(context, result):
    log("undo of first")

@step
def second(context):
    log("second begins")
    while not Path("open").exists():
        time.sleep(0.01)
    log("second ends")

@second.rollback
def undo_second(context, result):
    log("undo of second")

work = action("work", [first, second])
"""


def by_link(folder: Path) -> str:
    (folder / "alias.db").symlink_to(".handrail/runs.db")
    return "alias.db"


def by_hard_link(folder: Path) -> str:
    (folder / "alias.db").hardlink_to(folder / ".handrail" / "runs.db")
    return "alias.db"


def by_folder(folder: Path) -> str:
    (folder / "alias").symlink_to(".")
    return "alias/.handrail/runs.db"


def by_copy(folder: Path) -> str:
    shutil.copytree(folder / ".handrail", folder / "copy")
    return "copy/runs.db"


def by_itself(folder: Path) -> str:
    shutil.rmtree(folder / ".handrail" / "owners")
    return ".handrail/runs.db"


@pytest.mark.parametrize("go_on", ["resume", "rollback"])
@pytest.mark.parametrize(
    ("reach", "code", "why"),
    [
        (by_link, 3, "run 1 is held by pid"),
        (by_folder, 3, "run 1 is held by pid"),
        (by_itself, 3, "run 1 is held by pid"),
        (by_copy, 3, "this journal is a copy"),
        (by_hard_link, 7, "has 2 hard links"),
    ],
)
def test_no_step_is_done_by_two_at_once(
    handrail: Run,
    folder: Path,
    start: Start,
    reach: Callable[[Path], str],
    code: int,
    why: str,
    go_on: str,
) -> None:
    """While a run goes on, all others are refused; what its steps tell is of one process."""
    (folder / "flows.py").write_text(WORK)
    log = folder / "log"
    owner = start("-m", "handrail", "run", "flows.py:work")
    until(lambda: log.exists() and "second begins" in log.read_text())
    alias = reach(folder)
    for words in ((), ("--take-over",)):
        refused = handrail(go_on, "1", "--journal", alias, *words)
        assert refused.returncode == code, refused.stderr
        assert why in refused.stderr
    (folder / "open").touch()
    if code == 7:
        (folder / alias).unlink()
    out, error = owner.communicate()
    assert owner.returncode == 0, out + error
    each = ("first begins", "first ends", "second begins", "second ends")
    assert log.read_text().splitlines() == [f"{line} {owner.pid}" for line in each]
    assert runs(handrail) == {1: "completed"}


def test_a_copy_tells_where_its_runs_go_on(
    handrail: Run, folder: Path, killed: Callable[..., None]
) -> None:
    """`runs`, `show` and `resume` agree; a boot script leaves it alone."""
    killed()
    shutil.copytree(folder / ".handrail", folder / "copy")
    here, there = folder / ".handrail" / "runs.db", "copy/runs.db"
    assert "interrupted (its original)" in handrail("runs", "--journal", there).stdout
    shown = handrail("show", "1", "--journal", there).stdout
    assert f"its original, {here}" in shown
    refused = handrail("resume", "1", "--journal", there)
    assert refused.returncode == 3
    assert f"this journal is a copy; run 1 belongs to the journal at {here}" in refused.stderr
    assert f"continue there: handrail resume 1 --journal {shlex.quote(str(here))}" in refused.stderr
    assert handrail("resume", "--all-dead", "--journal", there).returncode == 0
    (folder / "open").touch()
    assert handrail("resume", "1").returncode == 0
