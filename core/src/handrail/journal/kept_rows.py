"""KeptRows: what is kept beside one run for people to look at, until it is written.

It is written within a second by the thread that renews the lease, in commits of its own, so that it
neither delays nor endangers what the run needs; attachments are before their step is done. What is
kept of what steps say is decided by what core registers as `handrail.kept`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from handrail.errors import LeaseLostError, describe
from handrail.events import Attached
from handrail.journal.codec import now
from handrail.journal.records import KINDS_OF_STEPS, KeptRow
from handrail.journal.this_process import process
from handrail.own_points import own_point

if TYPE_CHECKING:
    from handrail.events import Event
    from handrail.journal.protocol import Journal, OwnedRun

GROUP = "handrail.kept"
MOST = 1_000  # Rows of observers, of an attempt.
LONGEST = 64_000  # Characters of such a row.
EVERY = 1.0  # Seconds from when something is kept until it is written.

_HELD = 16  # Attempts in memory.

Masking = Callable[[str], str]
Place = tuple[str, str, int]
"""The kind, the name and the `seq` of a row."""


class KeptRows:
    """What is kept beside one run; any thread may call it.

    Each method that takes something returns why it is not kept, or nothing. If nothing can be
    written any more, that is returned once.

    Args:
        journal: The journal.
        owned: The run in it.
        mask: Hides secrets.
        new: Whether this process has opened it, so that nothing was kept before.
    """

    def __init__(self, journal: Journal, owned: OwnedRun, mask: Masking, *, new: bool) -> None:
        self._journal = journal
        self._owned = owned
        self._mask = mask
        self._new = new
        self._process = process()
        self._keeper: Any = None
        with suppress(ImportError):  # A run needs nothing of it.
            self._keeper = own_point(GROUP, "steps")
        self._held: dict[tuple[str, int], _Attempt] = {}
        self._written: set[tuple[str, int]] = set()  # Those that are not held any more.
        # One that its thread may take again: what is garbage collected meanwhile may log, too.
        self._lock = threading.RLock()
        self._writing = threading.Lock()
        self._waits = False
        self._is_over = False
        self._problem = ""
        self.urgent = False
        """Whether an attachment waits, which is written before its step is done."""

    def said(self, step: str, n: int, event: Event) -> str:
        """Keep what an attempt of a step says."""
        if self._keeper is None:
            return ""
        refused = self._take(step, n, lambda attempt: attempt.says(event))
        self.urgent = self.urgent or (not refused and event.__class__ is Attached)
        return refused

    def keep(self, step: str, n: int, kind: str, name: str, seq: int, text: str) -> str:
        """Keep a text of an observer, in place of one of this kind, name and `seq`."""
        if kind in KINDS_OF_STEPS:
            return f"it is not kept: '{kind}' is a kind of steps"
        if len(text) > LONGEST:
            return f"it is not kept: it has more than {LONGEST:,} characters"
        place, masked = (kind, self._mask(name), seq), self._mask(text)
        return self._take(step, n, lambda attempt: attempt.observed(place, masked))

    def _take(self, step: str, n: int, keep: Callable[[_Attempt], str]) -> str:
        # Before taking the lock: in a forked child it may be locked forever, by a parent's thread.
        if process() != self._process:
            return ""
        if self._is_over:
            problem, self._problem = self._problem, ""
            return problem
        with self._lock:
            refused = keep(self._held.get((step, n)) or self._attempt(step, n))
            waited, self._waits = self._waits, True
        if not waited:
            self._owned.call_later(EVERY, self.flush)
        return refused

    def _attempt(self, step: str, n: int) -> _Attempt:
        rows: Sequence[KeptRow] = ()
        if not self._new or (step, n) in self._written:
            # It goes on, or is undone: what is kept now follows what was kept then.
            number = self._owned.number
            with suppress(Exception):
                rows = self._journal.kept(number, damage=lambda _: None, step=step)
        rows = [row for row in rows if row.n == n]
        attempt = self._held[step, n] = _Attempt(step, n, self._keeper, self._mask, rows)
        return attempt

    def flush(self) -> None:
        """Write what is to be kept. It never raises: if that fails, nothing more is kept."""
        if process() != self._process:
            return
        with self._writing:
            try:
                self._write()
            except LeaseLostError:
                self._end("")  # The next write of the run says so.
            except Exception as error:  # noqa: BLE001 - the thread of the lease must go on
                self._end(f"what steps say is no longer kept: {describe(error)}")

    def _write(self) -> None:
        with self._lock:
            self._waits = self.urgent = False
            rows = [row for attempt in self._held.values() for row in attempt.taken()]
        if not rows or self._is_over:
            return
        self._owned.keep(rows)
        with self._lock:
            for place in list(self._held)[:-_HELD]:
                if not self._held[place].waiting:
                    del self._held[place]
                    self._written.add(place)

    def _end(self, problem: str) -> None:
        with self._lock:
            self._is_over, self._problem = True, problem
            self._held.clear()


class _Attempt:
    """What is kept of an attempt of a step, as far as it was not written.

    Attributes:
        says: Takes what the step says; returns why it is not kept, or nothing.
        waiting: The rows to be written; a text may be made when it is.
    """

    def __init__(
        self, step: str, n: int, keeper: Any, mask: Masking, rows: Sequence[KeptRow]
    ) -> None:
        self._step = step
        self._n = n
        self.waiting: dict[Place, tuple[str | Callable[[], str], str]] = {}
        self.says: Callable[[Event], str] = keeper and keeper(self._keep, mask, rows)
        places = {(row.kind, row.name, row.seq) for row in rows}
        self._places = {each for each in places if each[0] not in KINDS_OF_STEPS}

    def _keep(self, kind: str, name: str, seq: int, text: str | Callable[[], str]) -> None:
        self.waiting[kind, name, seq] = text, now()

    def observed(self, place: Place, text: str) -> str:
        """Keep a text of an observer."""
        if place not in self._places and len(self._places) >= MOST:
            return f"it is not kept: {MOST:,} texts of an attempt are"
        self._places.add(place)
        self._keep(*place, text)
        return ""

    def taken(self) -> list[KeptRow]:
        """Return and forget the rows that are to be written."""
        rows = [
            KeptRow(self._step, self._n, *place, text if isinstance(text, str) else text(), at)
            for place, (text, at) in self.waiting.items()
        ]
        self.waiting.clear()
        return rows
