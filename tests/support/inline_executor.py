"""An executor in this process and thread, which loses and fails what a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from handrail.journal import AttemptId
from handrail_workers.executors.protocol import (
    Cancelled,
    ChunkCall,
    CodeRef,
    Death,
    Full,
    Guarantees,
    Host,
    Lost,
    Outcome,
)
from handrail_workers.executors.worker import work

Fault = Callable[[ChunkCall], str | None]
"""Returns `before` or `after` for a call that is lost then, or None."""


class InlineExecutor:
    """Works on a call when it is waited for, one at a time, in the order in which they came."""

    guarantees = Guarantees(
        bounded=8,
        slots=2,
        hard_cancel=False,
        descendants=False,
        survives_driver=False,
        death="when the call has returned",
    )

    def __init__(self, host: Host, log: Log) -> None:
        self.host = host
        self.log = log
        self._calls: deque[ChunkCall] = deque()
        self._cancelled: set[AttemptId] = set()
        self._code: CodeRef | None = None

    def open(self, env_digest: str, code: CodeRef) -> None:
        self.log.digests.append(env_digest)
        self._code = code

    def submit(self, call: ChunkCall) -> None:
        if len(self._calls) >= self.guarantees.bounded:
            raise Full
        if self.log.keeps:
            self.log.submitted.append(call)
        self._calls.append(call)
        self.log.most = max(self.log.most, len(self._calls))

    def wait(self, timeout: float) -> list[Outcome]:
        assert timeout > 0
        if not self._calls:
            return []
        assert self._code is not None
        call = self._calls.popleft()
        attempt = call.attempt
        if attempt in self._cancelled:
            return [Cancelled(attempt=attempt)]
        fault = self.log.fault(call)
        if fault == "before":
            return [Lost(attempt=attempt, reason="the worker was killed")]
        outcome = work(
            self._code,
            call,
            record=lambda notes: self.host.record(attempt, notes),
            heard=lambda tried, failed: self.host.heard(attempt, tried, failed),
            cancelled=lambda: attempt in self._cancelled,
        )
        if fault == "after":
            return [Lost(attempt=attempt, reason="the worker was killed")]
        return [outcome]

    def cancel(self, attempt: AttemptId) -> None:
        self._cancelled.add(attempt)

    def confirm_dead(self, attempt: AttemptId, timeout: float) -> Death:
        self.log.confirmed.append(attempt)
        return self.log.death(attempt)

    def close(self) -> None:
        self.log.closed += 1
        self._calls.clear()


class Log:
    """What the executors of a test were asked, and what they do wrong."""

    def __init__(self) -> None:
        self.submitted: list[ChunkCall] = []
        self.confirmed: list[AttemptId] = []
        self.urls: list[str | None] = []
        self.keeps = True
        self.closed = 0
        self.most = 0
        self.digests: list[str] = []
        self.fault: Fault = lambda call: None
        self.death: Callable[[AttemptId], Death] = lambda attempt: "dead"

    def opens(self, url: str | None, host: Any, packs: Any = None) -> InlineExecutor:
        self.urls.append(url)
        return InlineExecutor(host, self)
