"""Exports what can no longer change of a run and was not sent yet, from its journal."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

from handrail.frozen import record, replace
from handrail.records import is_derived, record_of
from handrail_otel.ids import Remote, attempt_id, remote_of, root_id, trace_of
from handrail_otel.sent import sent_of
from handrail_otel.settings import exports
from handrail_otel.spans import (
    DEAD,
    Counted,
    TracedRun,
    end_of_run,
    spans_of,
)

if TYPE_CHECKING:
    from handrail.journal import ChunkRow, Journal, RunRow
    from handrail_otel.lineage import Lineage
    from handrail_otel.otlp import Sender
    from handrail_otel.sent import Sent
    from handrail_otel.settings import OtelSettings

_BATCH = 512  # Spans in one request.


@record
class Exported:
    """What came of an export.

    Attributes:
        spans: How many spans have arrived.
        left: How many have not.
        doubtful: How many were being sent when a process died, or have had no answer.
        error: Why something could not be sent.
        is_over: Whether all of the run was sent.
    """

    spans: int = 0
    left: int = 0
    doubtful: int = 0
    error: str = ""
    is_over: bool = False


class Exporter:
    """Exports runs from their journal.

    Args:
        settings: The settings of the pack.
        timeout: The longest that a request may take, in seconds; None for that of OpenTelemetry.
    """

    def __init__(self, settings: OtelSettings, timeout: float | None = None) -> None:
        self._settings = settings
        self._timeout = timeout
        self._sweeps: dict[int, tuple[RunRow | None, int | None]] = {}
        self._sender: Sender | None = None
        self._lineage: Lineage | None = None

    def begin(self, journal: Journal, number: int) -> None:
        """Note which span of another program a run belongs to, unless that is known already."""
        row = journal.read(number, fields=False)
        # The runs of a sweep have traces of their own.
        parent = None if row.parent else remote_of(os.environ.get("TRACEPARENT", ""))
        with sent_of(journal, row.uid).locked(parent):
            pass

    def is_left_to_sweep(self, journal: Journal, number: int) -> bool:
        """Return whether a run is of a sweep whose process is there, and exports it."""
        parent = journal.read(number, fields=False).parent
        return parent is not None and journal.holder(parent) is not None

    def export(
        self, journal: Journal, number: int, *, dead: bool = False, again: bool = False
    ) -> Exported:
        """Export what has not been exported of a run.

        Args:
            journal: The journal.
            number: The number of the run.
            dead: Whether its process is known to be gone, so that its trace can be closed.
            again: Whether to send again what is in doubt.

        Raises:
            JournalError: The journal cannot be read.
            OSError: What was sent cannot be noted.
        """
        recorded = journal.read(number, fields=False)
        sent, exported = sent_of(journal, recorded.uid), Exported()
        sweep, _ = self._sweep_of(journal, recorded)
        with sent.locked(_above(journal, recorded) if sweep is None else None):
            if again:
                sent.forget_doubts()
            run = self._traced(journal, recorded, sent, dead=dead)
            if exports("lineage", self._settings):
                self._send_events(run, sent, exported)
            if exports("traces", self._settings):
                self._send_spans(run, sent, exported)
            exported.doubtful = sum(not key.startswith("root@") for key in sent.doubtful)
        over = run.ended is not None and not exported.left and not exported.error
        exported.is_over = over
        return exported

    def close(self) -> None:
        """Give up what is being sent."""
        if self._sender is not None:
            self._sender.close()

    # What is exported

    def _traced(self, journal: Journal, recorded: Any, sent: Sent, *, dead: bool) -> TracedRun:
        row: RunRow = recorded
        ended = row.closed if row.outcome is not None else None
        left: tuple[str, ...] = ()
        if ended is not None or dead:
            whole = record_of(journal, row.number)
            left = whole.left
            ended = ended or max(whole.heard, row.claimed)
        sweep, trace = self._sweep_of(journal, row)
        return TracedRun(
            recorded=recorded,
            began=row.opened,
            ended=ended,
            outcome=row.outcome or (DEAD if dead else None),
            left=left,
            counts=_counts(journal, row.number),
            chunks=lambda step, n: self._chunks(journal, row.number, step, n),
            sweep=sweep,
            sweep_trace=trace,
        )

    def _chunks(self, journal: Journal, number: int, step: str, n: int) -> Iterable[ChunkRow]:
        found = journal.chunks(number, step, n, contents=False)
        return islice(found, self._settings.chunks)

    def _sweep_of(self, journal: Journal, row: RunRow) -> tuple[RunRow | None, int | None]:
        """Return the sweep of which a run is, and the id of its trace."""
        if row.parent is None:
            return None, None
        if row.parent not in self._sweeps:
            whole = journal.read(row.parent, fields=False)
            sent = sent_of(journal, whole.uid)
            sent.read()
            found = (whole, trace_of(whole.uid, sent.parent)) if is_derived(whole) else (None, None)
            self._sweeps[row.parent] = found
        return self._sweeps[row.parent]

    def _since(self, run: TracedRun, sent: Sent, ends: str) -> TracedRun:
        """Return a run as it is since an earlier span of it, or an earlier event, was its last.

        Args:
            run: The run.
            sent: What was sent of it.
            ends: What the keys of what ends it begin with; its fence follows.
        """
        row = run.recorded
        before = sorted(int(each) for each in sent.known(ends))
        before = before[: -1 if before and before[-1] >= row.fence else None]
        fence = before[-1] if before else 0
        return replace(run, fence=fence, began=row.claimed if fence else row.opened)

    def _send_spans(self, run: TracedRun, sent: Sent, exported: Exported) -> None:
        run = self._since(run, sent, _ROOT)
        row = run.recorded
        parent = sent.parent
        trace = trace_of(row.uid, parent)
        root, last = f"{root_id(row.uid, run.fence):016x}", f"{_ROOT}{row.fence}"
        spans = spans_of(run, lambda id_: not sent.knows(f"{id_:016x}"))
        while batch := list(islice(spans, _BATCH)):
            sender = self._sending()
            if not sender.samples(trace, parent, f"RUN {row.action}", server=True):
                return
            keys = [f"{span.id:016x}" for span in batch]
            sent.tries([*keys, last] if root in keys else keys)
            try:
                answer = sender.send(batch, trace, parent, sent.on_the_way)
            except Exception:
                sent.refused()
                raise
            if answer == "arrived":
                sent.arrived()
                exported.spans += len(batch)
                continue
            exported.error = sender.error
            if answer == "in doubt":
                sent.in_doubt()
            else:
                sent.refused()
                exported.left += len(batch)
            # The other ones would go the same way. What holds them comes last.
            exported.left += sum(1 for _ in spans)
            return

    def _send_events(self, run: TracedRun, sent: Sent, exported: Exported) -> None:
        from handrail_otel import lineage  # noqa: PLC0415 - only where events are sent

        run = self._since(run, sent, _END)
        start, end = f"{_START}{run.fence}", f"{_END}{run.recorded.fence}"
        if not sent.knows(start):
            self._send_event(lineage.start_of(run), start, sent, exported)
        if run.ended is not None and sent.knows(start) and not sent.knows(end):
            event = lineage.end_of(run, end_of_run(run))
            self._send_event(event, end, sent, exported)

    def _send_event(self, event: dict[str, Any], key: str, sent: Sent, exported: Exported) -> None:
        from handrail_otel.lineage import Lineage  # noqa: PLC0415 - see above

        if self._lineage is None:
            self._lineage = Lineage(self._settings, self._timeout or 5.0)
        # Noted before the answer is there: from here on the event arrives even if this process is
        # killed. So it is doubled only by a kill between two system calls.
        if self._lineage.hand_over(event):
            sent.add(key)
            if self._lineage.answered():
                return
            sent.take_back(key)
        exported.error = f"lineage: {self._lineage.error}"

    # What sends

    def _sending(self) -> Sender:
        if self._sender is None:
            # What imports OpenTelemetry, not before there is something to send.
            from handrail_otel.otlp import Sender  # noqa: PLC0415

            self._sender = Sender(self._settings, self._timeout)
        return self._sender


# What the keys begin with under which it is noted that something was sent. The fence of the run
# follows: it grows with each process that goes on with the run.
_ROOT, _START, _END = "root@", "START@", "END@"


def _counts(journal: Journal, number: int) -> dict[tuple[str, int], Counted]:
    done: dict[tuple[str, int], int] = {}
    failed: dict[tuple[str, int], int] = {}
    for each in journal.chunk_counts(number):
        place = each.step, each.n
        ended = each.state in ("done", "undone", "undo_failed")
        done[place] = done.get(place, 0) + (each.items - each.failed if ended else 0)
        failed[place] = failed.get(place, 0) + (each.failed if ended else 0)
    return {place: Counted(done=done[place], failed=failed[place]) for place in done}


def _above(journal: Journal, row: RunRow) -> Remote | None:
    """Return the span of the step that a run is a part of, if it is one."""
    if row.parent is None:
        return None
    whole = journal.read(row.parent, fields=False)
    sent = sent_of(journal, whole.uid)
    sent.read()
    span = attempt_id(whole.uid, row.parent_step or "", row.parent_attempt or 1)
    return Remote(trace=trace_of(whole.uid, sent.parent), span=span)
