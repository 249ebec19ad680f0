"""Follows the runs of this process in threads, which export them while they are at work.

The thread of a run reads its journal every few seconds, and sends what has ended. What is not sent
yet needs no room in memory: it is in the journal. At the end of the process there is a last export,
for which the process waits a few seconds at most.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import closing, suppress
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.journal import Journal
    from handrail_otel.exporting import Exporter
    from handrail_otel.settings import OtelSettings

# OpenTelemetry imports it, which is too late once a process ends.
import_module("concurrent.futures.thread")

_SHARE = 50  # A thread works for at most one of so many seconds.

_following: list[Follower] = []
_process = os.getpid()


def started(journal: str, number: int, settings: OtelSettings) -> None:
    """Follow a run that begins or goes on.

    Args:
        journal: Where its journal is.
        number: Its number there.
        settings: The settings of the pack.
    """
    _following[:] = [each for each in _following if each.is_alive() or each.told]
    follower = Follower(journal, number, settings)
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
        settings: The settings of the pack.

    Attributes:
        longest: How many seconds the end of the process may wait for it.
        wake: Set to let it look at the run now.
        looked: Set when it has done that.
        ends: Whether the process ends.
        told: What has to be told at the end, or nothing.
    """

    def __init__(self, address: str, number: int, settings: OtelSettings) -> None:
        super().__init__(name=f"handrail-otel run {number}", daemon=True)
        self._address = address
        self._number = number
        self._settings = settings
        self._exporter: Exporter | None = None
        self._over: set[int] = set()
        self.longest = settings.wait
        self.wake = threading.Event()
        self.looked = threading.Event()
        self.ends = False
        self.told = ""

    def run(self) -> None:
        """Export until the run is over."""
        try:
            # What it needs is imported here, beside the run.
            from handrail.journal import open_journal  # noqa: PLC0415
            from handrail_otel.exporting import Exporter  # noqa: PLC0415

            self._exporter = exporter = Exporter(self._settings)
            with closing(open_journal(self._address, create=False)) as journal:
                self._follow(journal, exporter)
        except Exception as error:  # noqa: BLE001 - a run goes on without its trace
            self.told = self._message(f"{type(error).__name__}: {error}")
        finally:
            self.looked.set()

    def give_up(self) -> None:
        """Stop sending: the process ends."""
        if self._exporter is not None:
            self._exporter.close()
        self.told = self._message("no answer in time")

    def _follow(self, journal: Journal, exporter: Exporter) -> None:
        if exporter.is_left_to_sweep(journal, self._number):
            return
        exporter.begin(journal, self._number)
        delay = 0.0
        while True:
            # Nothing has ended yet, but for a run that goes on; and others are told of the start.
            if delay:
                self.wake.wait(delay)
            self.wake.clear()
            ends, began = self.ends, time.thread_time()
            row = journal.read(self._number, fields=False)
            is_over = row.outcome is not None or journal.holder(self._number) is None
            error = self._export_below(journal, exporter, self._number)
            exported = exporter.export(journal, self._number)
            exported.error = exported.error or error
            if is_over or ends:
                if exported.error:
                    self.told = self._message(exported.error)
                return
            if not self.wake.is_set():
                self.looked.set()
            delay = max(self._settings.interval, _SHARE * (time.thread_time() - began))

    def _message(self, reason: str) -> str:
        return (
            f"not all of run {self._number} was exported ({reason}); "
            f"to do that later:  handrail otel export {self._number}"
        )

    def _export_below(self, journal: Journal, exporter: Exporter, number: int) -> str:
        """Export the parts of a run that are over, and theirs; return what failed."""
        error = ""
        for row in journal.parts(number):
            if row.damage is None and row.outcome is not None and row.number not in self._over:
                error = error or self._export_below(journal, exporter, row.number)
                child = exporter.export(journal, row.number)
                if child.is_over:
                    self._over.add(row.number)
                error = error or child.error
        return error


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
            from handrail.cli import echo  # noqa: PLC0415 - hardly ever

            echo(each.told, err=True)
