"""Follows the runs of this process in threads, which export them while they are at work.

The thread of a run reads its journal every few seconds, and sends what has ended. What is not sent
yet needs no room in memory: it is in the journal. At the end of the process there is a last export,
for which the process waits a few seconds at most.
"""

from __future__ import annotations

import atexit

# What OpenTelemetry imports of it cannot be imported any more while a process ends.
import concurrent.futures.thread  # noqa: F401
import os
import threading
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

from handrail.cli import echo
from handrail.journal import KnowsChildren
from handrail_otel.exporting import Exported, Exporter, open_journal, parent_of
from handrail_otel.ids import remote_of

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail_otel.settings import OtelSettings

_SHARE = 50  # A thread reads and sends for at most one of so many seconds.

_following: list[Follower] = []
_process = os.getpid()


def started(event: Any, settings: OtelSettings) -> None:
    """Follow a run that begins or goes on."""
    _following[:] = [each for each in _following if each.is_alive() or each.told]
    follower = Follower(event.journal, event.number, event.action, settings)
    _following.append(follower)
    follower.start()


def finished() -> None:
    """Let all threads look at their runs: one of them is over."""
    for each in _following:
        each.wake.set()


def flush(seconds: float = 30.0) -> bool:
    """Wait until the runs of this process that are over are exported; for programs that go on.

    Args:
        seconds: How long to wait at most.

    Returns:
        Whether they are.
    """
    until = time.monotonic() + seconds
    at_work = [each for each in _following if each.is_alive()]
    for each in at_work:
        each.looked.clear()
        each.wake.set()
    for each in at_work:
        # It may have ended without looking again.
        while each.is_alive() and not each.looked.wait(0.05) and time.monotonic() < until:
            pass
    in_time = time.monotonic() < until
    return in_time and not any(each.told for each in _following)


class Follower(threading.Thread):
    """Exports a run while it is at work.

    Args:
        address: Where its journal is.
        number: Its number.
        action: Its action.
        settings: The settings of the pack.

    Attributes:
        longest: How many seconds the end of the process may wait for it.
        wake: Set to let it look at the run now.
        looked: Set when it has done that.
        ends: Whether the process ends.
        told: What has to be told at the end, or nothing.
    """

    def __init__(self, address: str, number: int, action: str, settings: OtelSettings) -> None:
        super().__init__(name=f"handrail-otel run {number}", daemon=True)
        self._address = address
        self._number = number
        self._action = action
        self._settings = settings
        self._exporter = Exporter(settings)
        self._over: set[int] = set()
        self._counted = False
        self.longest = settings.wait
        self.wake = threading.Event()
        self.looked = threading.Event()
        self.ends = False
        self.told = ""

    def run(self) -> None:
        """Export until the run is over."""
        try:
            with closing(open_journal(self._address)) as journal:
                self._follow(journal)
        except Exception as error:  # noqa: BLE001 - a run goes on without its trace
            self.told = self._message(f"{type(error).__name__}: {error}")
        finally:
            self.looked.set()

    def give_up(self) -> None:
        """Stop sending: the process ends."""
        self._exporter.close()
        self.told = self._message("no answer in time")

    def _follow(self, journal: Journal) -> None:
        if _is_followed_elsewhere(journal, self._number):
            return
        parent = remote_of(os.environ.get("TRACEPARENT", "")) if self._number > 0 else None
        self._exporter.begin(journal, self._number, parent)
        delay = 0.0
        while True:
            # Nothing has ended yet, but for a run that goes on; and others are told of the start.
            if delay:
                self.wake.wait(delay)
            self.wake.clear()
            ends, began = self.ends, time.monotonic()
            is_over = journal.read(self._number, fields=False).row.outcome is not None
            is_over = is_over or journal.holder(self._number) is None
            exported = self._exporter.export(journal, self._number)
            self._export_children(journal, exported)
            if is_over or ends:
                self._end(exported)
                return
            if delay and not self._counted:
                self._counted = True
                self._exporter.active(self._action, 1)
            if not self.wake.is_set():
                self.looked.set()
            delay = max(self._settings.interval, _SHARE * (time.monotonic() - began))

    def _end(self, exported: Exported) -> None:
        if self._counted:
            self._exporter.active(self._action, -1)
        if exported.error:
            self.told = self._message(exported.error)

    def _message(self, reason: str) -> str:
        return (
            f"not all of run {self._number} was exported ({reason}); "
            f"to do that later:  handrail otel export {self._number}"
        )

    def _export_children(self, journal: Journal, exported: Exported) -> None:
        """Export the runs of a sweep that are over."""
        if self._number < 0 or not isinstance(journal, KnowsChildren):
            return
        for row in journal.children(self._number):
            if row.outcome is not None and row.number not in self._over and row.damage is None:
                child = self._exporter.export(journal, row.number)
                if child.is_over:
                    self._over.add(row.number)
                exported.error = exported.error or child.error


def _is_followed_elsewhere(journal: Journal, number: int) -> bool:
    """Return whether a run is the child of a sweep, whose process exports it."""
    parent = parent_of(number)
    return parent is not None and journal.holder(parent) is not None


@atexit.register
def _end_of_process() -> None:
    """Export what is left, and tell what could not be exported."""
    if os.getpid() != _process:
        return  # Threads are not there in a process that was forked.
    with suppress(KeyboardInterrupt):
        until = time.monotonic() + max((each.longest for each in _following), default=0.0)
        for each in _following:
            each.ends = True
            each.wake.set()
        for each in _following:
            each.join(max(0.0, until - time.monotonic()))
    for each in _following:
        if each.is_alive():
            each.give_up()
        if each.told:
            echo(each.told, err=True)
