"""What a step passes on, so that spans of other programs belong to its own."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from handrail.inspection import run_of
from handrail_otel.ids import Remote, attempt_id, remote_of, trace_of
from handrail_otel.sent import Sent, folder_of

if TYPE_CHECKING:
    from handrail import BaseStepContext


def traceparent(context: BaseStepContext) -> str | None:
    """Return the `traceparent` of the running step: its span, in the trace of its run.

    Pass it on as the header `traceparent` of a request, or as the variable `TRACEPARENT` of a
    program, so that the spans that are made there are below that of the step.

    Args:
        context: The context of the step.

    Returns:
        The text, by W3C Trace Context; None outside of a run, or without a journal.
    """
    run = run_of(context)
    info = context.run_info
    if run is None or info is None or info.journal is None:
        return None
    attempt = run.attempt
    if attempt is None:
        return None
    # The runs of a sweep have traces of their own; a part of a run is in that of the whole.
    whole = run
    while whole.parent is not None:
        whole = whole.parent
    above = None if whole.run_info.parent is not None else _above(whole.run_id, info.journal)
    return str(Remote(trace=trace_of(whole.run_id, above), span=attempt_id(*attempt)))


@lru_cache(maxsize=4)
def _above(run: str, journal: str) -> Remote | None:
    """Return the span of another program that a run belongs to, or None."""
    sent = Sent(folder_of(journal) / run)
    if sent.read():
        return sent.parent
    # The thread that follows the run has not noted it yet.
    return remote_of(os.environ.get("TRACEPARENT", ""))
