"""Joins a Ray cluster, or starts one on this machine alone; quiet, and without statistics."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any, NamedTuple

from handrail.errors import ExecutorError

_ADDRESS = "RAY_ADDRESS"
_CLIENT = "ray://"

# What Ray reads when it is imported; the values of the user take precedence.
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_PROMPT_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # A machine that is busy may need a while to start the processes of a node.
    "RAY_agent_register_timeout_ms": "120000",
}
# Plain Ray listens on all addresses of the machine, also for a cluster of one machine.
_LOOPBACK = "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"
_TRIES = 3
_WRITES, _HANDLES = "print_to_stdstream", "set_sigterm_handler"  # Functions of Ray.
_ANSWER = 10.0  # Seconds for the head of a cluster to answer.
_STORE = 200_000_000  # Bytes of the object store: only chunks and their results are in it.


def ray_module() -> Any:
    """Return Ray, which takes a second to import. Its types are not complete."""
    return import_module("ray")


def address_of_cluster() -> str:
    """Return the address of the cluster to join, or nothing for one of this machine alone.

    Raises:
        ExecutorError: It is none.
    """
    address = os.environ.get(_ADDRESS, "").strip()
    refuse_client(address)
    if "://" in address:
        raise ExecutorError(
            f"{_ADDRESS}={address} is no address of a node of a Ray cluster",
            ways_out=(
                f"HOST:PORT is one, and on a node itself:  {_ADDRESS}=auto",
                "the address of a dashboard, for ray job submit, is in RAY_API_SERVER_ADDRESS",
            ),
        )
    return "" if address == "local" else address


def refuse_client(address: str) -> None:
    """Check that an address is not one of the Ray client.

    Raises:
        ExecutorError: It is.
    """
    if address.startswith(_CLIENT):
        raise ExecutorError(
            f"{address} is an address of the Ray client, which loses its tasks when it is cut off",
            ways_out=(
                "run the workflow inside the cluster: ray job submit -- handrail run ...",
                "or on one of its machines: RAY_ADDRESS=auto handrail run --executor ray ...",
            ),
        )


def connect(slots: int | None) -> int:
    """Join the cluster of `RAY_ADDRESS`, or start one here; return how many slots there are.

    A process keeps its cluster until it ends, for all that it runs.

    Args:
        slots: How many slots are asked for, or None for one a core.

    Raises:
        ExecutorError: There is no such cluster, or it does not start.
    """
    address = address_of_cluster()
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if not address:
        os.environ.setdefault(_LOOPBACK, "0")
    ray = ray_module()

    if not ray.is_initialized():
        options: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        if address:
            _check_answer(address)
            options["address"] = address
        else:
            options |= {
                "address": "local",
                "include_dashboard": False,
                "num_cpus": slots or os.cpu_count() or 1,
                "object_store_memory": _STORE,
            }
        _hush()
        with _same_handlers():
            for left in reversed(range(1 if address else _TRIES)):
                try:
                    ray.init(**options)
                    break
                except Exception as error:
                    # Ray gives up after 30 s, which a busy machine may need.
                    ray.shutdown()
                    if not left:
                        raise _unreachable(address, error) from error
                except BaseException:
                    ray.shutdown()  # What it has started so far.
                    raise
    return slots or max(1, sum(int(node.cpus) for node in nodes()))


def _hush() -> None:
    """Keep Ray from writing to standard output, where the results of a run are.

    It tells of workers that died there, whatever its options say; the run tells of them, too.
    """
    setattr(import_module("ray._private.worker"), _WRITES, _silent)


def _silent(*_: object, **__: object) -> None:
    pass


@contextmanager
def _same_handlers() -> Generator[None, None, None]:
    """Keep the handler of SIGTERM: the run undoes first what has begun.

    Those of Ray end the process: the one in Python by raising SystemExit wherever it is, so it is
    not installed, and the one below Python, which hides what was there, by an alarm three seconds
    later.
    """
    setattr(import_module("ray._private.utils"), _HANDLES, _silent)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    seconds, _ = signal.getitimer(signal.ITIMER_REAL)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if not seconds:
            signal.alarm(0)


def _check_answer(address: str) -> None:
    """Check that somebody answers at an address: Ray itself would try for many minutes.

    Raises:
        ExecutorError: Nobody does.
    """
    host, _, port = address.rpartition(":")
    if not (host and port.isdecimal()):
        return  # `auto`, or something that only Ray understands.
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> ExecutorError:
    why = " ".join(str(error).split())
    if address:
        return ExecutorError(
            f"the Ray cluster at {_ADDRESS}={address} cannot be joined: {why}",
            ways_out=(
                f"check that it is running: ray status --address {address}",
                f"or start one on this machine: unset {_ADDRESS}",
            ),
        )
    return ExecutorError(
        f"Ray does not start on this machine: {why}",
        ways_out=("stay with processes: --executor processes",),
    )


def watch_node() -> int | None:
    """Return a descriptor that can be read once the node of this process has died, or None.

    All that this process asks of Ray goes through that node. When Ray hears of its death, some ten
    seconds later, it ends the process by itself, without a word.
    """
    if not hasattr(os, "pidfd_open"):
        return None
    node: Any = import_module("ray._private.worker").global_worker.node
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.connect(node.raylet_socket_name)
        found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return os.pidfd_open(struct.unpack("3i", found)[0])
    return None


def abandon() -> None:
    """Leave a node that has died: nothing is told to it when this process ends."""
    worker: Any = import_module("ray._private.worker")
    atexit.unregister(worker.shutdown)


class Node(NamedTuple):
    """A node that works on something.

    Attributes:
        id: Its ID.
        address: Its address.
        cpus: How many tasks it works on at a time.
    """

    id: str
    address: str
    cpus: float


def nodes() -> list[Node]:
    """Return the nodes that work on something, as Ray sees them now."""
    ray = ray_module()

    known: list[dict[str, Any]] = ray.nodes()
    return [
        Node(each["NodeID"], each["NodeManagerAddress"], cpus)
        for each in known
        if each["Alive"] and (cpus := each["Resources"].get("CPU"))
    ]
