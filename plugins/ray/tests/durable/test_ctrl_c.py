"""Ctrl-C at a terminal while the items of a run are on Ray: what is undone, told, and left."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from servers.ray_cluster import place_for_ray, processes_with, running_ray, variables_of
from terminals import AtTerminal

pytestmark = pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="takes a minute")

MINUTES = 120
OF_RAY = re.compile(r"raylet|ray::|Traceback|\bWARNING\b|\bINFO\b|[EW] \d{4}|SIGINT")


@pytest.fixture(params=["its own cluster", "a cluster"])
def variables(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Mapping[str, str]]:
    """Those of a run that starts a cluster, or of one that joins it."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if request.param == "a cluster":
        with running_ray(cpus=2) as cluster:
            yield cluster.environment
    else:
        with place_for_ray() as (name, folder):
            yield variables_of(name, folder)


class Typed:
    """A run at a terminal, whose Ctrl-C reaches all that it has started."""

    def __init__(self, folder: Path, journal: str, variables: Mapping[str, str]) -> None:
        self.folder = folder
        self._variables = variables
        self._journal = journal
        shutil.copy(Path(__file__).parents[1] / "copies.py", folder)

    def handrail(self, *words: str, **variables: str) -> AtTerminal:
        return AtTerminal(
            [sys.executable, "-m", "handrail", *words, "--journal", self._journal],
            self.folder,
            {**os.environ, **self._variables, **variables, "NO_COLOR": "1", "TERM": "xterm"},
        )

    def made(self) -> int:
        return len(list((self.folder / "made").iterdir()))

    def titles(self) -> list[str]:
        """Return what the processes are called that have the variables of the cluster."""
        found: list[str] = []
        for pid in processes_with(*next(iter(self._variables.items()))):
            with contextlib.suppress(OSError):
                found.append(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="ignore"))
        return found

    def left(self) -> list[str]:
        """Return what is called after a run, or as what it has started."""
        if "RAY_ADDRESS" not in self._variables:
            return self.titles()
        return [each for each in self.titles() if re.match("ray::(?!.*Agent)", each)]


def until(is_so: Callable[[], bool], terminal: AtTerminal) -> None:
    """Read what is shown until something is so."""
    deadline = time.monotonic() + MINUTES
    while not is_so():
        assert terminal.read(), terminal.shown
        assert time.monotonic() < deadline, terminal.shown


def check_end(run: Typed, terminal: AtTerminal) -> None:
    """Check how a run ends that was interrupted, and that nothing of it goes on."""
    assert terminal.end() == 130, terminal.shown
    assert not OF_RAY.search(terminal.shown), terminal.shown
    deadline = time.monotonic() + MINUTES
    while left := run.left():
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def test_it_undoes_the_items_and_leaves_nothing(
    tmp_path: Path, postgres_url: str, variables: Mapping[str, str]
) -> None:
    """While a worker is in the middle of an item, which ends with it."""
    run = Typed(tmp_path, postgres_url, variables)
    words = ("run", "copies.py:copies", "--executor", "ray:2")
    with run.handrail(*words, WAIT_AT="150") as terminal:
        until((tmp_path / "wait-150").exists, terminal)
        terminal.type("\x03")
        terminal.wait_for("interrupted: undoing what was done")
        check_end(run, terminal)
    assert any("copies was interrupted, and rolled back" in each for each in terminal.screen)
    assert run.made() == 0


def test_two_more_during_the_undo_leave_the_rest(
    tmp_path: Path, postgres_url: str, variables: Mapping[str, str]
) -> None:
    """The first of them only tells so; what is left is undone when the user asks for it."""
    run = Typed(tmp_path, postgres_url, variables)
    words = ("run", "copies.py:copies", "--executor", "ray:2")
    with run.handrail(*words, WAIT_AT="150", HOLD_UNDO_AT="40") as terminal:
        until((tmp_path / "wait-150").exists, terminal)
        terminal.type("\x03")
        until((tmp_path / "undo-40").exists, terminal)
        terminal.type("\x03")
        terminal.wait_for("the undo goes on; Ctrl-C again stops it")
        time.sleep(0.6)  # Signals that follow each other at once count as one.
        terminal.type("\x03")
        terminal.wait_for("stopping the undo, which leaves the rest to")
        check_end(run, terminal)
    assert run.made() > 0
    with run.handrail("rollback", "1", "--yes") as terminal:
        assert terminal.end() == 0, terminal.shown
    assert run.made() == 0


def test_a_second_one_does_not_wait_until_ray_has_started(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has started of the cluster ends."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with place_for_ray() as (name, folder):
        run = Typed(tmp_path, postgres_url, variables_of(name, folder))
        with run.handrail("run", "copies.py:copies", "--executor", "ray:2") as terminal:
            until(lambda: any("gcs_server" in each for each in run.titles()), terminal)
            terminal.type("\x03")
            terminal.wait_for("interrupted: undoing what was done")
            time.sleep(0.6)
            terminal.type("\x03")
            check_end(run, terminal)
        assert run.made() == 0
