"""A Ray cluster on this machine, of nodes that can be killed one by one."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from servers.process import StartError, after_the_end, free_port, let_go

_MARK, _NODE = "HANDRAIL_RAY_CLUSTER", "HANDRAIL_RAY_NODE"
_STARTED, _FAILED = "handrail started: ", "handrail failed: "
_PORTS = ("metrics_agent", "metrics_export", "dashboard_agent_listen", "runtime_env_agent")
_TRIES = 3  # Ray gives up a node whose processes need 30 s to start, as they may on a busy machine.
_MEMORY = 100_000_000

# Kills whatever belongs to the cluster, also when the test process was killed.
CARETAKER = f"""
trap '' HUP INT TERM
read _
for round in 1 2 3; do
    for file in $(grep -lsz "^{_MARK}=$1$" /proc/[0-9]*/environ); do
        pid=${{file#/proc/}}
        [ "${{pid%/environ}}" = $$ ] || kill -s KILL "${{pid%/environ}}" 2>/dev/null
    done
    sleep 0.2
done
rm -rf -- "$2"
"""


def processes_with(variable: str, value: str) -> list[int]:
    """Return the processes in whose environment a variable has a value."""
    found: list[int] = []
    wanted = f"{variable}={value}".encode()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit() and int(folder.name) != os.getpid():
            with contextlib.suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.append(int(folder.name))
    return found


def variables_of(name: str, folder: Path) -> dict[str, str]:
    """Return the variables that all processes of a cluster of this name need."""
    return {
        _MARK: name,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": name * 4,
        "RAY_TMPDIR": str(folder),
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # On the loopback interface only.
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_agent_register_timeout_ms": "120000",
        "SPT_NOENV": "1",  # Or workers overwrite their environment with their title.
    }


@contextmanager
def place_for_ray() -> Iterator[tuple[str, Path]]:
    """Yield a name and a folder for a cluster; at the end, kill whatever has its variables.

    The folder has a short name, as sockets are in it.
    """
    name = secrets.token_hex(8)
    folder = Path(tempfile.mkdtemp(prefix="hr-"))
    caretaker = after_the_end(CARETAKER, name, folder)
    try:
        yield name, folder
    finally:
        let_go(caretaker)
        deadline = time.monotonic() + 60
        while processes_with(_MARK, name):
            assert time.monotonic() < deadline, "a process of Ray is left"
            time.sleep(0.05)


class RayCluster:
    """Nodes of one slot each, unless asked for others; the first is the head.

    A process holds them, so that what starts a cluster for a test is no driver of it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.folder = folder
        self.address = ""
        self._count = itertools.count(1)
        self._holder = subprocess.Popen(
            [sys.executable, __file__],
            env={**os.environ, **self.secrets},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    @property
    def secrets(self) -> dict[str, str]:
        """The variables that all processes of the cluster need."""
        return variables_of(self.name, self.folder)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which a process joins the cluster."""
        return {**self.secrets, "RAY_ADDRESS": self.address}

    def start_node(self, *, cpus: int = 1, environment: Mapping[str, str] | None = None) -> str:
        """Start a node; return its name, for `kill_node`.

        Args:
            cpus: The number of its slots.
            environment: Further variables of its processes.
        """
        said = ""
        for _ in range(_TRIES):
            node = f"{self.name}-{next(self._count)}"
            said = self._ask({"cpus": cpus, "environment": {_NODE: node, **(environment or {})}})
            if said.startswith(_STARTED):
                self.address = said.removeprefix(_STARTED)
                return node
            self.kill_node(node)
        raise StartError(f"a node of Ray did not start: {said}")

    def _ask(self, wish: object) -> str:
        assert self._holder.stdin is not None
        assert self._holder.stdout is not None
        print(json.dumps(wish), file=self._holder.stdin, flush=True)
        # Ray prints there as well.
        for line in self._holder.stdout:
            if line.startswith((_STARTED, _FAILED)):
                return line.rstrip()
        return "its process ended"

    def kill_node(self, node: str) -> None:
        """Kill all processes of a node at once."""
        self.kill_only(node, "")

    def kill_only(self, node: str, program: str) -> None:
        """Kill those processes of a node in whose command line is `program`."""
        for pid in processes_with(_NODE, node):
            with contextlib.suppress(OSError):
                if program.encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    os.kill(pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process that holds the nodes."""
        self._holder.kill()
        self._holder.communicate()


@contextmanager
def running_ray(*, nodes: int = 1, cpus: int = 1) -> Iterator[RayCluster]:
    """Run a cluster until the block ends."""
    with place_for_ray() as (name, folder):
        cluster = RayCluster(name, folder)
        try:
            for _ in range(nodes):
                cluster.start_node(cpus=cpus)
            yield cluster
        finally:
            cluster.close()


def hold() -> None:
    """Start the nodes that are asked for, until this process is killed."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(shutdown_at_exit=False)
    plain = {"node_ip_address": "127.0.0.1", "object_store_memory": _MEMORY}
    plain |= {"include_dashboard": False, "include_log_monitor": False, "no_monitor": True}
    for line in sys.stdin:
        wish = json.loads(line)
        before = dict(os.environ)
        os.environ.update(wish["environment"])
        try:
            # Given ports, Ray does not wait for processes to tell theirs, for 15 s and no longer.
            ports = {f"{name}_port": free_port() for name in _PORTS}
            cluster.add_node(num_cpus=wish["cpus"], **ports, **plain)
            print(f"{_STARTED}{cluster.address}", flush=True)
        except Exception as error:  # noqa: BLE001 - Ray raises plain ones
            if not cluster.worker_nodes:
                cluster.head_node = None
            print(f"{_FAILED}{' '.join(str(error).split())}", flush=True)
        for key in wish["environment"]:
            del os.environ[key]
        os.environ.update(before)


if __name__ == "__main__":
    hold()
