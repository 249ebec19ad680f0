"""RayExecutor: chunks of items as tasks of a Ray cluster, fenced by locks in the journal."""

from __future__ import annotations

import os
import re
import select
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from handrail.errors import ExecutorError, ExecutorLostError, JournalError
from handrail_ray.cluster import (
    abandon,
    address_of_cluster,
    connect,
    nodes,
    ray_module,
    refuse_client,
    watch_node,
)
from handrail_ray.shipped import ship
from handrail_ray.versions import versions
from handrail_ray.worker import Job, JobRef, kill, open_shared_journal, probe, work_on
from handrail_workers import Cancelled, Failed, Full, Guarantees, Lost

if TYPE_CHECKING:
    from handrail.journal import ChunkFences, ChunkHolder, Journal
    from handrail_ray.worker import Reply
    from handrail_workers import AttemptId, ChunkCall, CodeRef, Death, Host, Outcome

BEAT = 2.0
"""Seconds between the signs of life of a worker."""

PATIENCE = 60.0
"""Seconds after which a worker ends whose signs of life are not answered."""

SILENT = 75.0
"""Seconds without a sign of life after which a worker counts as lost: one that goes on has ended
before, with `PATIENCE`."""

_LOOK = 5.0  # Seconds between two looks at who is silent.
_PROBE = 120.0  # Seconds for the nodes to say whether they can work.
_CLOSE = 10.0  # Seconds for workers to end.
_PAUSE = 0.05

_URL = re.compile(r"ray(?::(?P<slots>[1-9][0-9]{0,4}))?")


class RayExecutor:
    """Works on a Ray cluster: that of `RAY_ADDRESS`, or one that it starts on this machine.

    Args:
        url: `ray`, or `ray:8` for 8 slots.
        host: What the run offers.

    Raises:
        ExecutorError: The URL is not valid, or the journal is not one that other machines reach.
    """

    def __init__(self, url: str, host: Host) -> None:
        refuse_client(url)
        address_of_cluster()
        match = _URL.fullmatch(url)
        if match is None:
            raise ExecutorError(
                f"'{url}' is no executor on a Ray cluster",
                ways_out=("ray, or with a number of slots: ray:8", "set RAY_ADDRESS to join one"),
            )
        if find_spec("ray") is None:
            raise ExecutorError(
                "Ray is not installed here",
                ways_out=(
                    "install it:  pip install ray",
                    "or stay on this machine: --executor processes",
                ),
            )
        if host.journal is None:
            raise ExecutorError(
                "workers on a Ray cluster record what they do in the journal of the run, which "
                "only this machine reaches",
                ways_out=(
                    "keep runs in PostgreSQL: pip install handrail-postgres, and "
                    "--journal postgresql://user@host/database",
                    "or stay on this machine: --executor processes",
                ),
            )
        self._host = host
        self._slots: int | None = int(match["slots"]) if match["slots"] else None
        self._journal: Journal | None = None
        self._job: JobRef | None = None
        self._task: Any = None
        self._most = 1  # How many calls Ray has at a time.
        self._queue: deque[ChunkCall] = deque()
        self._running: dict[Any, AttemptId] = {}
        self._asked: set[AttemptId] = set()  # Cancelled, as far as we are concerned.
        self._ended: list[Outcome] = []
        self._looked = time.monotonic()
        self._node: int | None = None

    @property
    def guarantees(self) -> Guarantees:
        """What it promises; the number of slots of a cluster that is joined only after `open`."""
        slots = self._slots or 1
        return Guarantees(
            bounded=2 * slots,
            slots=slots,
            hard_cancel=True,
            descendants=False,
            survives_driver=True,
            death="it takes the lock of the chunk in the journal",
        )

    def open(self, env_digest: str, code: CodeRef) -> None:
        """Join or start the cluster, and check what is installed on its nodes.

        Raises:
            ExecutorError: There is no cluster, or a node cannot work with this run.
            JournalError: The journal cannot be used.
        """
        url, run = self._host.journal, self._host.run
        assert url is not None
        assert run is not None, "the run has begun"
        self._journal = open_shared_journal(url)
        self._fences: ChunkFences = self._journal.chunk_fences(run)
        shipped, contents = ship(code)
        self._slots = connect(self._slots)
        self._node = watch_node()
        self._job = _put(
            contents,
            journal=url,
            secrets=self._host.secrets,
            versions=versions(),
            shipped=shipped,
            beat=BEAT,
            patience=PATIENCE,
        )
        _check_nodes(self._job, self._slots)
        self._most = self._at_a_time()
        self._task = _remote(work_on, num_cpus=1)

    def submit(self, call: ChunkCall) -> None:
        """Take a call; it does not wait for it.

        Raises:
            Full: As many calls as `guarantees.bounded` have not ended.
            ExecutorError: It is not open.
        """
        if self._task is None:
            raise ExecutorError("the executor is not open")
        self._check_node()
        if len(self._queue) + len(self._running) >= self.guarantees.bounded:
            raise Full
        self._queue.append(call)
        self._feed()

    def wait(self, timeout: float) -> list[Outcome]:
        """Return outcomes of calls, each once; none if there are none within `timeout` seconds.

        Raises:
            ExecutorLostError: The node of this process has died.
        """
        ray = ray_module()

        deadline = time.monotonic() + timeout
        while True:
            self._check_node()
            self._feed()
            left = max(0.0, deadline - time.monotonic())
            if self._running:
                # A batch: whatever has ended when the first one is seen.
                first = 0.0 if self._ended else min(left, _LOOK)
                ready, _ = ray.wait(list(self._running), timeout=first)
                self._check_node()
                if ready:
                    count = len(self._running)
                    ready, _ = ray.wait(list(self._running), num_returns=count, timeout=0)
                self._ended += [self._outcome(ref) for ref in ready]
            self._look_for_silent()
            ended, self._ended = self._ended, []
            if ended or left == 0.0 or not self._running:
                self._feed()
                return ended

    def cancel(self, attempt: AttemptId) -> None:
        """Ask for the end of an attempt: its worker is killed."""
        ray = ray_module()

        if self._dequeue(attempt):
            self._ended.append(Cancelled(attempt=attempt))
        for ref, running in self._running.items():
            if running == attempt:
                self._asked.add(attempt)
                with suppress(ray.exceptions.RayError, ValueError):
                    ray.cancel(ref, force=True)

    def confirm_dead(self, attempt: AttemptId, timeout: float) -> Death:
        """Forbid an attempt to go on; then take the lock of its chunk.

        A worker that goes on sees it with its next sign of life, and ends. One that is stopped is
        killed on its node; if that cannot be reached, its connection is ended.
        """
        deadline = time.monotonic() + timeout
        if self._dequeue(attempt):
            return "dead"
        self._fences.forbid(attempt)
        grace = time.monotonic() + 2 * BEAT
        asked: set[str] = set()
        while not self._fences.is_free(attempt):
            now = time.monotonic()
            holder = self._fences.holders([attempt]).get(attempt)
            if holder is not None and (now > grace or holder.silent > 2 * BEAT):
                if holder.label not in asked:
                    asked.add(holder.label)
                    _kill(holder)
                elif holder.silent > SILENT:
                    self._fences.expel(attempt)
            if now > deadline:
                return "unknown"
            time.sleep(_PAUSE)
        return "fenced"

    def close(self) -> None:
        """Kill the workers of what has not ended. Calling it twice is harmless."""
        if self._journal is None:
            return
        self._queue.clear()
        running = list(self._running.values())
        if self._node_has_died():
            running = []  # The next process fences them, before it does anything.
            abandon()
        for attempt in running:
            self.cancel(attempt)
        with suppress(JournalError):
            deadline = time.monotonic() + _CLOSE
            for attempt in running:
                self.confirm_dead(attempt, max(0.0, deadline - time.monotonic()))
            self._fences.close()
        if self._node is not None:
            os.close(self._node)
            self._node = None
        self._running.clear()
        self._task = self._job = None
        self._journal.close()
        self._journal = None

    def _node_has_died(self) -> bool:
        return self._node is not None and bool(select.select((self._node,), (), (), 0)[0])

    def _check_node(self) -> None:
        if self._node_has_died():
            raise ExecutorLostError(
                "the Ray node of this machine has died, through which the run works on its items"
            )

    def _feed(self) -> None:
        while self._queue and len(self._running) < self._most:
            call = self._queue.popleft()
            ref = self._task.remote(self._job, call, self._fences.token())
            self._running[ref] = call.attempt

    def _at_a_time(self) -> int:
        """Return how many calls Ray may have: all, unless it would work on more than we have slots.

        A worker that has ended one begins with the next at once, without a round trip to here.
        """
        promised = self.guarantees
        cpus = sum(int(node.cpus) for node in nodes())
        return promised.slots if cpus > promised.slots else promised.bounded

    def _dequeue(self, attempt: AttemptId) -> bool:
        for call in self._queue:
            if call.attempt == attempt:
                self._queue.remove(call)
                return True
        return False

    def _outcome(self, ref: Any) -> Outcome:
        ray = ray_module()

        attempt = self._running.pop(ref)
        try:
            reply: Reply = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            return Failed(attempt=attempt, error=_told(error), trace=str(error))
        except ray.exceptions.RayError as error:
            # What Ray knows of a worker may be wrong, and it may be early.
            asked = attempt in self._asked
            self._asked.discard(attempt)
            if asked and self.confirm_dead(attempt, 3 * BEAT) != "unknown":
                return Cancelled(attempt=attempt)
            return Lost(attempt=attempt, reason=f"Ray says: {_first_line(error)}")
        self._asked.discard(attempt)
        if reply.stdout:
            self._host.wrote("stdout", reply.stdout)
        if reply.stderr:
            self._host.wrote("stderr", reply.stderr)
        return reply.outcome

    def _look_for_silent(self) -> None:
        if time.monotonic() - self._looked < min(_LOOK, SILENT / 4) or not self._running:
            return
        self._looked = time.monotonic()
        self._most = self._at_a_time()  # Clusters grow, and shrink.
        holders = self._fences.holders(self._running.values())
        for ref, attempt in list(self._running.items()):
            holder = holders.get(attempt)
            if holder is not None and holder.silent > SILENT:
                del self._running[ref]
                reason = f"its worker has given no sign of life for {holder.silent:.0f} s"
                self._ended.append(Lost(attempt=attempt, reason=reason))


def _remote(function: Callable[..., Any], **options: Any) -> Any:
    ray = ray_module()

    return ray.remote(max_retries=0, **options)(function)


def _put(contents: Mapping[str, bytes], **about: Any) -> JobRef:
    """Put a job where workers ask for it; they do so once, as long as it is the same."""
    ray = ray_module()

    name = sha256(repr(sorted(about.items())).encode()).hexdigest()
    return JobRef(name, ray.put(Job(contents=ray.put(contents), **about)))


def _on(node: str) -> Any:
    strategies: Any = import_module("ray.util.scheduling_strategies")
    return strategies.NodeAffinitySchedulingStrategy(node_id=node, soft=False)


def _check_nodes(job: JobRef, slots: int) -> None:
    """Ask each node whether it can work; one that does not answer is asked again by each worker.

    It is asked so often that all of its workers start at the same time. Ray starts one more than
    are asked for; a worker too many would start beside the first chunks.

    Raises:
        ExecutorError: A node cannot.
    """
    ray = ray_module()

    task, known = _remote(probe, num_cpus=0), nodes()
    asked: dict[Any, str] = {}
    for node in known:
        on_node = task.options(scheduling_strategy=_on(node.id))
        workers = min(int(node.cpus), slots // len(known))
        for _ in range(max(1, workers - 1)):
            asked[on_node.remote(job)] = node.address
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=_PROBE)
    for ref in ready:
        try:
            why = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            why = _told(error)  # This pack is missing there, or another one is there.
        except ray.exceptions.RayError:
            continue  # It may be gone.
        if why:
            raise ExecutorError(
                f"the node {asked[ref]} cannot work on this run: {why}",
                ways_out=("install the same on all nodes, or build one image for all",),
            )


def _kill(holder: ChunkHolder) -> None:
    """Kill a worker on its node, if that node can be reached; do not wait for it."""
    pid, _, start = holder.label.partition(" ")
    task = _remote(kill, num_cpus=0)
    for node in nodes():
        if node.id.startswith(start):
            task.options(scheduling_strategy=_on(node.id)).remote(int(pid))


def _told(error: Any) -> str:
    """Return what a task of Ray has raised, without the traceback that Ray puts before it."""
    cause: BaseException = error.cause
    return f"{type(cause).__name__}: {_first_line(cause)}"


def _first_line(error: BaseException) -> str:
    return next((line for line in str(error).splitlines() if line), type(error).__name__)
