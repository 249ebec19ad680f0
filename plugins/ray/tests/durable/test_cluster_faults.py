"""What dies or stops on a cluster of two nodes, and what is accounted for after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.postgres import PostgresServer
from servers.ray_cluster import RayCluster, running_ray

pytestmark = pytest.mark.skipif("HANDRAIL_FAULTS" not in os.environ, reason="takes minutes")

ITEMS = 400
MINUTES = 300


@pytest.fixture(scope="module")
def two_nodes() -> Iterator[RayCluster]:
    with running_ray(nodes=2) as cluster:
        yield cluster


class Project:
    """A folder with the workflow, a journal, and a cluster."""

    def __init__(self, folder: Path, journal: str, cluster: RayCluster) -> None:
        self.folder = folder
        self._journal = journal
        self._cluster = cluster
        shutil.copy(Path(__file__).parents[1] / "copies.py", folder)

    def start(self, *words: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "handrail", *words, "--journal", self._journal],
            cwd=self.folder,
            env={
                **os.environ,
                **self._cluster.environment,
                **variables,
                "HANDRAIL_EXECUTOR": "ray",
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def handrail(self, *words: str, code: int = 0, **variables: str) -> str:
        process = self.start(*words, **variables)
        try:
            said = process.communicate(timeout=MINUTES)[0]
        finally:
            process.kill()
            process.wait()
        assert process.returncode == code, said
        return said

    def made(self) -> list[int]:
        return sorted(int(each.name) for each in (self.folder / "made").iterdir())

    def check_and_undo(self) -> None:
        """Check that each item was done, and none twice; then that an undo leaves nothing."""
        assert self.made() == list(range(ITEMS))
        assert '"outcome": "completed"' in self.handrail("show", "1", "--json")
        self.handrail("rollback", "1", "--yes")
        assert self.made() == []


def until_there(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait for a file that an item makes."""
    deadline = time.monotonic() + MINUTES
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_workers_are_killed_from_inside_chunks(
    tmp_path: Path, postgres_url: str, two_nodes: RayCluster
) -> None:
    """Sixteen times, each in another chunk: nothing is doubled, nothing is lost."""
    project = Project(tmp_path, postgres_url, two_nodes)
    kills = " ".join(str(25 * n + 4) for n in range(16))
    project.handrail("run", "copies.py:copies", KILL_WORKER_AT=kills)
    assert len(list(tmp_path.glob("worker-*"))) == 16
    project.check_and_undo()


def test_the_node_of_the_run_is_lost(tmp_path: Path, postgres_url: str) -> None:
    """Ray would end the process without a word; the run is left as it is, and nothing is undone."""
    with running_ray(nodes=0) as cluster:
        node = cluster.start_node(cpus=2)
        project = Project(tmp_path, postgres_url, cluster)
        process = project.start("run", "copies.py:copies", WAIT_AT="150")
        try:
            until_there(tmp_path / "wait-150", process)
            cluster.kill_only(node, "raylet/raylet")
            said = process.communicate(timeout=MINUTES)[0]
            assert process.returncode == 7, said
            assert "handrail resume 1" in said
        finally:
            process.kill()
            process.communicate()
    assert len(project.made()) >= 100
    with running_ray() as cluster:
        project = Project(tmp_path, postgres_url, cluster)
        assert '"outcome": null' in project.handrail("show", "1", "--json")
        project.handrail("resume", "1")
        project.check_and_undo()


def test_a_node_is_lost(tmp_path: Path, postgres_url: str, two_nodes: RayCluster) -> None:
    """Ray calls it dead when its raylet is killed, while its worker is still at work."""
    project = Project(tmp_path, postgres_url, two_nodes)
    more = two_nodes.start_node()
    process = project.start("run", "copies.py:copies", WAIT_AT="150")
    try:
        until_there(tmp_path / "wait-150", process)
        two_nodes.kill_only(more, "raylet/raylet")
        (tmp_path / "go").touch()
        said = process.communicate(timeout=MINUTES)[0]
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()
        two_nodes.kill_node(more)
    project.check_and_undo()


def test_a_stopped_worker_does_no_more_when_it_goes_on(
    tmp_path: Path, postgres_url: str, two_nodes: RayCluster
) -> None:
    """It is killed, or cut off, before its chunk is undone."""
    project = Project(tmp_path, postgres_url, two_nodes)
    process = project.start("run", "copies.py:copies", STOP_AT="120", SILENT_AFTER="20")
    try:
        until_there(tmp_path / "stop-120", process)
        said = process.communicate(timeout=MINUTES)[0]
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()
        with contextlib.suppress(ProcessLookupError):
            os.kill(int((tmp_path / "stopped").read_text()), signal.SIGCONT)
    project.check_and_undo()


def test_the_database_is_restarted(
    tmp_path: Path, own_postgres: PostgresServer, two_nodes: RayCluster
) -> None:
    """Its workers stop; the run goes on with others when it is back."""
    project = Project(tmp_path, own_postgres.database(), two_nodes)
    process = project.start("run", "copies.py:copies", WAIT_AT="150")
    try:
        until_there(tmp_path / "wait-150", process)
        own_postgres.process.stop()
        own_postgres.process.start()
        (tmp_path / "go").touch()
        said = process.communicate(timeout=MINUTES)[0]
        assert process.returncode == 0, said
    finally:
        process.kill()
        process.communicate()
    project.check_and_undo()


def test_a_node_with_other_versions_is_refused(
    tmp_path: Path, postgres_url: str, two_nodes: RayCluster
) -> None:
    """By name, before anything is done."""
    project = Project(tmp_path, postgres_url, two_nodes)
    other = tmp_path / "other"
    (other / "acme_parts-2.1.dist-info").mkdir(parents=True)
    (other / "acme_parts-2.1.dist-info/METADATA").write_text("Name: acme-parts\nVersion: 2.1\n")
    node = two_nodes.start_node(environment={"PYTHONPATH": str(other)})
    try:
        said = project.handrail("run", "copies.py:copies", code=1)
    finally:
        two_nodes.kill_node(node)
    assert "acme-parts is 2.1 there and missing here" in " ".join(said.split())
    assert not (tmp_path / "made").exists() or project.made() == []


def test_an_interrupt_undoes_what_has_begun(
    tmp_path: Path, postgres_url: str, two_nodes: RayCluster
) -> None:
    """A worker in the middle of an item is ended first. Interrupts of the undo leave the rest."""
    project = Project(tmp_path, postgres_url, two_nodes)
    process = project.start("run", "copies.py:copies", WAIT_AT="150", HOLD_UNDO_AT="40")
    try:
        until_there(tmp_path / "wait-150", process)
        process.terminate()
        until_there(tmp_path / "undo-40", process)
        deadline = time.monotonic() + MINUTES
        while process.poll() is None:
            assert time.monotonic() < deadline
            process.terminate()  # Signals that follow each other at once count as one.
            time.sleep(0.6)
        said = process.communicate(timeout=MINUTES)[0]
    finally:
        process.kill()
        process.communicate()
    # The last signal may have come when the run was over, and Ray was about to be.
    assert process.returncode in (130, -signal.SIGTERM), said
    assert "stopping the undo" in said
    assert project.made(), said
    project.handrail("rollback", "1", "--yes")
    assert project.made() == []


def test_memory_of_the_driver_does_not_grow_with_the_items(
    tmp_path: Path, postgres_url: str, two_nodes: RayCluster
) -> None:
    """From ten thousand to a million."""
    project = Project(tmp_path, postgres_url, two_nodes)
    peaks: list[int] = []
    for count in (10_000, 1_000_000):
        said = project.handrail("run", "copies.py:counted", "--count", str(count))
        assert f"done={count}" in said
        peaks.append(int((tmp_path / "peak").read_text()))
    assert peaks[1] - peaks[0] < 5_000_000, peaks
