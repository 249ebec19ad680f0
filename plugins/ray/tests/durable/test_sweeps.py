"""Sweeps on a cluster: their runs are what they are on one machine, wherever they are."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from servers.ray_cluster import RayCluster, running_ray
from sweeping import PROJECT

MINUTES = 300
WIDE = "HANDRAIL_FAULTS" in os.environ

# A node that has not the folder of the project: what it is asked of that is not there.
WITHOUT = """
import os, pathlib

hidden = os.environ["ACME_HIDDEN"]
read_bytes, is_dir = pathlib.Path.read_bytes, os.path.isdir

def reads(path):
    if str(path).startswith(hidden):
        raise FileNotFoundError(str(path))
    return read_bytes(path)

pathlib.Path.read_bytes = reads
os.path.isdir = lambda path: not os.fspath(path).startswith(hidden) and is_dir(path)
"""


class Project:
    """A folder with the action, one that the runs make files in, and a journal."""

    def __init__(self, folder: Path, journal: str, variables: Mapping[str, str]) -> None:
        self.folder, self.target = folder / "project", folder / "target"
        for each in (self.folder, self.target):
            each.mkdir()
        shutil.copy(Path(__file__).parents[1] / "sweeping.py", self.folder / "flows.py")
        (self.folder / "handrail.toml").write_text(PROJECT)
        self._variables = {
            **os.environ,
            **variables,
            "HANDRAIL_JOURNAL": journal,
            "HANDRAIL_EXECUTOR": "ray",
            "NO_COLOR": "1",
        }

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "handrail", *words],
            cwd=self.folder,
            env=self._variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def handrail(self, *words: str, code: int = 0) -> str:
        process = self.start(*words)
        try:
            said = process.communicate(timeout=MINUTES)[0]
        finally:
            process.kill()
            process.wait()
        assert process.returncode == code, said
        return said

    def sweep(self, names: str, *more: str) -> tuple[str, ...]:
        return ("run", "maker", "--target", str(self.target), "--over", f"name={names}", *more)

    def made(self) -> list[str]:
        """Return the names of the files that runs have made."""
        return sorted(each.name for each in self.target.iterdir() if len(each.name) == 1)

    def told(self) -> list[str]:
        """Return for which of them the step of the project's settings was there."""
        return sorted(each.name[-1] for each in self.target.glob("told-*"))

    def states(self) -> list[str]:
        shown = json.loads(self.handrail("runs", "--of", "1", "--json"))
        return [each["state"] for each in shown["runs"]]


def until_there(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait for a file that a run makes."""
    deadline = time.monotonic() + MINUTES
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
def test_a_sweep_is_run_by_a_cluster(
    tmp_path: Path, postgres_url: str, cluster: RayCluster
) -> None:
    """With the settings of the project; and so are the items of its runs."""
    project = Project(tmp_path, postgres_url, cluster.environment)
    project.handrail(*project.sweep("a,b"))
    assert project.made() == project.told() == ["a", "b"]
    assert project.states() == ["completed", "completed"]
    shown = json.loads(project.handrail("show", "3", "--step", "make", "--json"))
    assert shown["step"]["data"]["in_ray"]["value"] is True


@pytest.mark.skipif(not WIDE, reason="takes a minute")
def test_a_sweep_on_a_cluster_survives_kills_and_is_undone(
    tmp_path: Path, postgres_url: str, cluster: RayCluster
) -> None:
    """The process of a run is killed, then that of the sweep; each run is taken up where it was."""
    project = Project(tmp_path, postgres_url, cluster.environment)
    process = project.start(*project.sweep("a,b,c", "--kill", "a", "--wait", "c"))
    try:
        until_there(project.target / "waits", process)
        process.send_signal(signal.SIGKILL)
    finally:
        process.kill()
        process.communicate()
    assert (project.target / "killed").exists()
    project.handrail("resume", "1")
    assert project.made() == project.told() == ["a", "b", "c"]
    # Ray ends the process that waits, which may have had the time to undo its run.
    states = project.states()
    assert states.count("completed") == 3
    assert set(states) <= {"completed", "rolled back"}
    project.handrail("rollback", "1", "--yes")
    assert project.made() == project.told() == []


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[RayCluster]:
    with running_ray(nodes=2) as started:
        yield started


@pytest.mark.skipif(not WIDE, reason="takes minutes")
def test_nodes_without_the_project_have_its_code_and_settings(
    tmp_path: Path, postgres_url: str, two_nodes: RayCluster
) -> None:
    """There a run has the plan that it has here, from the files that were sent along."""
    project = Project(tmp_path, postgres_url, two_nodes.environment)
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITHOUT)
    hidden = {"PYTHONPATH": str(site), "ACME_HIDDEN": str(project.folder)}
    node = two_nodes.start_node(cpus=2, environment=hidden)
    try:
        project.handrail(*project.sweep("a,b,c,d,e,f,g,h"))
        names = list("abcdefgh")
        assert project.made() == project.told() == names
        where = [(project.target / name).read_text().split(" ", 1) for name in names]
        there = {file for on, file in where if on == node}
        assert there
        assert not any(file.startswith(str(project.folder)) for file in there)
        assert {file for on, file in where if on != node} == {str(project.folder / "flows.py")}
        project.handrail("rollback", "1", "--yes")
    finally:
        two_nodes.kill_node(node)
    assert project.made() == project.told() == []
