"""Makes the spans of a run from its journal, by the conventions of OpenTelemetry for CI/CD.

Nothing here is of OpenTelemetry: spans are values, which `otlp` sends. A span is made when it can
no longer change, so that it is sent once: that of an attempt of a step when it has ended, that of
an undo when it was undone, and those that hold others when the run is over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from handrail.frozen import frozen, record, replace
from handrail.journal import AttemptRow, ChunkRow, RunRow
from handrail_otel.ids import attempt_id, root_id, span_id

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]

DEAD = "interrupted"
"""The outcome of a run whose process is gone, and the type of error of what it was at."""

# What is recorded of a step that a killed process was at, and that was rolled back since.
_UNSAID = "it was interrupted"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MESSAGE, _TRACEBACK = 4_000, 16_000  # So many characters of them are kept.
_RAISED = re.compile(r"([A-Za-z_][\w.]*)(?::|$)")


@frozen
class Link:
    """What a span follows from.

    Attributes:
        span: The id of that span.
        relation: In which way: `retries`, `undoes`, `continues` or `sweep`.
        trace: The id of its trace, if that is another one.
    """

    span: int
    relation: str
    trace: int | None = None


@frozen
class Raised:
    """An exception, as an event of a span."""

    type: str
    message: str
    stacktrace: str


@frozen
class Span:
    """One span.

    Attributes:
        id: Its id.
        parent: The id of the span that holds it; None for the one that holds all others.
        name: Its name.
        start: When it began, in nanoseconds since 1970.
        end: When it ended; not before it began.
        attributes: Its attributes.
        links: What it follows from.
        error: Why it failed; None if it did not.
        raised: The exception with which it ended.
        server: Whether its kind is SERVER; otherwise it is INTERNAL.
    """

    id: int
    parent: int | None
    name: str
    start: int
    end: int
    attributes: Attributes
    links: tuple[Link, ...] = ()
    error: str | None = None
    raised: Raised | None = None
    server: bool = False


@frozen
class Counted:
    """How many items of an attempt of a step are done, and how many have failed."""

    done: int = 0
    failed: int = 0


@frozen
class TracedRun:
    """A run, with what its spans say of it.

    Attributes:
        recorded: What its journal has.
        fence: Its fence when an earlier span of it had ended; 0 if none has.
        began: When this span of it began, as its journal writes times.
        ended: When that was over, or None if it is not.
        outcome: How it ended, or DEAD.
        left: The steps that its undo has left.
        counts: The items of its steps, by step and attempt.
        chunks: Returns the chunks of an attempt of a step.
        sweep: The run of the sweep whose child it is.
        sweep_trace: The id of the trace of that.
    """

    recorded: RunRow
    began: str
    fence: int = 0
    ended: str | None = None
    outcome: str | None = None
    left: tuple[str, ...] = ()
    counts: Mapping[tuple[str, int], Counted]
    chunks: Callable[[str, int], Iterable[ChunkRow]]
    sweep: RunRow | None = None
    sweep_trace: int | None = None


@frozen
class End:
    """How an attempt or a run has ended.

    Attributes:
        result: One of the results of the semantic conventions, such as `success`.
        type: The class of the error; None if there was none.
        message: Why it failed.
        raised: The exception, if its traceback is known.
    """

    result: str
    type: str | None = None
    message: str | None = None
    raised: Raised | None = None

    @property
    def attributes(self) -> dict[str, str]:
        """The attribute that says of which class an error is."""
        return {} if self.type is None else {"error.type": self.type}


def spans_of(run: TracedRun, wanted: Callable[[int], bool]) -> Iterator[Span]:
    """Yield the spans of a run that can no longer change; those that hold others come last.

    Args:
        run: The run.
        wanted: Whether the span with an id is still to be made.
    """
    made = _Spans(run, wanted)
    yield from made.of_attempts()
    if run.ended is not None:
        yield from made.of_run()


def nanoseconds(at: str) -> int:
    """Return a time of a journal in nanoseconds since 1970."""
    return (datetime.fromisoformat(at) - _EPOCH) // timedelta(milliseconds=1) * 1_000_000


class _Spans:
    """Makes the spans of one run."""

    def __init__(self, run: TracedRun, wanted: Callable[[int], bool]) -> None:
        self._run = run
        self._row = run.recorded
        self._wanted = wanted
        self._root = root_id(self._row.uid, run.fence)
        self._plan = _planned(self._row.plan)
        self._times = times_of(run.recorded)
        self._latest: dict[str, int] = {}
        for row in run.recorded.attempts:
            self._latest[row.step] = max(row.n, self._latest.get(row.step, 0))
        # How far what the run holds reaches.
        self._reach: _Reach | None = None

    def of_attempts(self) -> Iterator[Span]:
        """Yield the spans of attempts, of their chunks, and of undos."""
        uid = self._row.uid
        for row, times in zip(self._run.recorded.attempts, self._times, strict=True):
            id_ = attempt_id(uid, row.step, row.n)
            if self._is_over(row):
                if row.state == "started" and self._run.ended is not None:
                    times = replace(times, end=max(times.end, nanoseconds(self._run.ended)))
                self._reaches(times.start, times.end)
                if self._wanted(id_):
                    yield from self._of_chunks(row, id_, times)
                    yield self._of_attempt(row, id_, times)
            if times.undo is not None:
                self._reaches(*times.undo)
                undo = span_id(uid, "undo", row.step, row.n, row.at)
                if self._wanted(undo):
                    yield self._of_undo(row, undo, id_, times.undo)

    def of_run(self) -> Iterator[Span]:
        """Yield the span of the run."""
        if self._wanted(self._root):
            yield self._of_root()

    # Which span holds which

    def _is_over(self, row: AttemptRow) -> bool:
        """Return whether an attempt goes on no more on its way forward."""
        over = row.state != "started" or row.n < self._latest[row.step]
        return over or self._run.ended is not None

    def _reaches(self, start: int, end: int) -> None:
        if self._reach is None:
            self._reach = _Reach(start, end)
        self._reach.take(start, end)

    # Spans

    def _of_attempt(self, row: AttemptRow, id_: int, times: Times) -> Span:
        end = end_of(row)
        before = attempt_id(self._row.uid, row.step, row.n - 1)
        counted = self._run.counts.get((row.step, row.n))
        items: dict[str, int] = {}
        if counted is not None:
            items["handrail.items.done"] = counted.done
            items["handrail.items.failed"] = counted.failed
        return Span(
            id=id_,
            parent=self._root,
            name=row.step,
            start=times.start,
            end=times.end,
            attributes={**self._task(row, end), **items},
            links=(Link(span=before, relation="retries"),) if row.n > 1 else (),
            error=end.message if end.type is not None else None,
            raised=end.raised,
        )

    def _of_undo(self, row: AttemptRow, id_: int, undone: int, times: tuple[int, int]) -> Span:
        end = End(result="success")
        if row.state == "undo_failed":
            message = _cut(row.message or "it could not be undone")
            end = End(result="failure", type=_type_in(message), message=message)
        return Span(
            id=id_,
            parent=self._root,
            name=f"undo {row.step}",
            start=times[0],
            end=times[1],
            attributes={**self._task(row, end, "undo"), "handrail.undo": True},
            links=(Link(span=undone, relation="undoes"),),
            error=end.message,
        )

    def _task(self, row: AttemptRow, end: End, *more: str) -> dict[str, Any]:
        return {
            "cicd.pipeline.task.name": row.step,
            "cicd.pipeline.task.run.id": "/".join((self._row.uid, row.step, str(row.n), *more)),
            "cicd.pipeline.task.run.result": end.result,
            **end.attributes,
            "handrail.attempt": row.n,
            **self._plan.of_step(row.step),
        }

    def _of_chunks(self, row: AttemptRow, id_: int, within: Times) -> Iterator[Span]:
        if (row.step, row.n) not in self._run.counts:
            return
        for chunk in self._run.chunks(row.step, row.n):
            end = nanoseconds(chunk.at)
            start = nanoseconds(chunk.began) if chunk.began is not None else end
            failed = chunk.error is not None or chunk.state in ("started", "failed")
            yield Span(
                id=span_id(self._row.uid, "chunk", row.step, row.n, chunk.number),
                parent=id_,
                name=f"{row.step} chunk",
                start=max(within.start, min(start, end, within.end)),
                end=max(within.start, min(end, within.end)),
                attributes={
                    "handrail.chunk": chunk.number,
                    "handrail.chunk.attempt": chunk.attempt,
                    "handrail.chunk.state": chunk.state,
                    "handrail.chunk.items": chunk.size,
                    "handrail.chunk.items.failed": chunk.failed,
                },
                error=_cut(chunk.error or "it did not end") if failed else None,
            )

    def _of_root(self) -> Span:
        run, row = self._run, self._row
        assert run.ended is not None
        reach = self._reach or _Reach(nanoseconds(run.began), nanoseconds(run.ended))
        if run.fence:
            # What earlier spans of the run hold is not reached for.
            reach = _Reach(nanoseconds(run.began), nanoseconds(run.ended))
        else:
            reach.take(nanoseconds(run.began), nanoseconds(run.ended))
        end = end_of_run(run)
        links: list[Link] = []
        if run.fence:
            links.append(Link(span=root_id(row.uid), relation="continues"))
        if run.sweep is not None:
            above = root_id(run.sweep.uid)
            links.append(Link(span=above, relation="sweep", trace=run.sweep_trace))
        kind = "RUN" if not run.fence else ("UNDO" if row.direction == "undo" else "RESUME")
        return Span(
            id=self._root,
            parent=root_id(row.uid) if run.fence else None,
            name=f"{kind} {row.action}",
            start=reach.start,
            end=max(reach.start, reach.end),
            attributes={
                "cicd.pipeline.action.name": kind,
                "cicd.pipeline.name": row.action,
                "cicd.pipeline.run.id": row.uid,
                "cicd.pipeline.result": end.result,
                **end.attributes,
                "handrail.run.number": str(row.number),
                "handrail.outcome": run.outcome or DEAD,
                "handrail.project": row.project,
                **({"handrail.sweep": str(run.sweep.number)} if run.sweep is not None else {}),
                **({"handrail.undo": True} if row.direction == "undo" else {}),
                **({"handrail.left": run.left} if run.left else {}),
                **({"handrail.sealed": row.sealed} if row.sealed else {}),
            },
            links=tuple(links),
            error=end.message if end.type is not None else None,
            server=True,
        )


def end_of_run(run: TracedRun) -> End:
    """Return how a run has ended, or what was done with it after it had ended before."""
    outcome = run.outcome or DEAD
    if outcome == DEAD:
        return End(result="error", type=DEAD, message="its process is gone")
    asked = run.fence and run.recorded.direction == "undo"
    if outcome == "completed" or (asked and outcome == "rolled_back"):
        return End(result="success")
    if outcome == "rollback_incomplete":
        failed = [each for each in run.recorded.attempts if each.state == "undo_failed"]
        message = _cut((failed[-1].message if failed else None) or "an undo failed")
        return End(result="failure", type=_type_in(message), message=message)
    failures = failures_of(run.recorded)
    if failures:
        last = failures[-1]
        kept = "timeout" if last.result == "timeout" else "failure"
        return replace(last, result=kept, raised=None)
    if outcome == "rolled_back":
        return End(result="cancellation")
    return End(result="failure", type="_OTHER", message="it failed")


def failures_of(recorded: RunRow) -> list[End]:
    """Return how the last attempts of steps ended that have failed."""
    latest = {row.step: row for row in sorted(recorded.attempts, key=lambda row: row.n)}
    found = (
        end_of(row)
        for row in recorded.attempts
        if row is latest[row.step] and row.result and '"success":false' in row.result
    )
    return [end for end in found if end.type not in (None, DEAD)]


@record
class _Reach:
    """From when until when the spans reach that another one holds."""

    start: int
    end: int

    def take(self, start: int, end: int) -> None:
        """Reach from `start` until `end`, too."""
        self.start, self.end = min(self.start, start), max(self.end, end)


# Times


@frozen
class Times:
    """When an attempt began and ended, and when it was undone, in nanoseconds since 1970."""

    start: int
    end: int
    undo: tuple[int, int] | None = None


def times_of(recorded: RunRow) -> list[Times]:
    """Return when each attempt of a run was at work and was undone; none takes less than nothing.

    Attempts that an older version has written, and that were undone since, have no times: they are
    put behind those before them, as long as they took.
    """
    before = nanoseconds(recorded.opened)
    undos = sorted(each.at for each in recorded.attempts if each.state in _UNDONE)
    found: list[Times] = []
    for each in recorded.attempts:
        at, took = nanoseconds(each.at), _took(each)
        is_undone = each.state in _UNDONE
        if each.ended is not None:
            end = nanoseconds(each.ended)
        else:
            end = before + took if is_undone else at
        start = nanoseconds(each.began) if each.began is not None else max(before, end - took)
        if each.state == "skipped":
            start = end
        times = Times(start=min(start, end), end=max(start, end))
        if is_undone:
            # It began when the one before had ended, in the process that undoes.
            marks = [
                recorded.opened,
                recorded.turned,
                recorded.claimed,
                *(mark for mark in undos if mark < each.at),
            ]
            last = max(mark for mark in marks if mark is not None and mark <= each.at)
            begun = min(at, max(nanoseconds(last), times.end))
            if each.ended is None and each.began is not None:
                times = replace(times, end=begun)  # Nobody knows when its process has ended.
            times = replace(times, undo=(begun, at))
        found.append(times)
        before = times.end
    return found


_UNDONE = ("undone", "undo_failed")


def _took(row: AttemptRow) -> int:
    if row.began is not None or not row.result:
        return 0
    return int(float(json.loads(row.result).get("took") or 0) * 1e9)


# Ends


def end_of(row: AttemptRow) -> End:
    """Return how an attempt of a step ended on its way forward."""
    if row.state == "skipped":
        return End(result="skip")
    if row.result is None:
        return End(result="error", type=DEAD, message="its process has ended before it")
    result = json.loads(row.result)
    if result.get("success"):
        return End(result="success")
    message = _cut(str(result.get("error") or row.message or "it failed"))
    if message == _UNSAID and "traceback" not in result:
        return End(result="error", type=DEAD, message="its process has ended before it")
    if "KeyboardInterrupt" in (message, row.error):
        return End(result="cancellation")
    trace = str(result.get("traceback") or "")[-_TRACEBACK:]
    kind = _type_in(trace.rstrip().rpartition("\n")[2]) if trace else "_OTHER"
    name = kind.rpartition(".")[2]
    if name == "StepCancelled":
        return End(result="cancellation")
    raised = Raised(type=kind, message=message, stacktrace=trace) if trace else None
    timed_out = name in ("StepTimedOut", "StepTimeoutError")
    return End(
        result="timeout" if timed_out else "failure", type=kind, message=message, raised=raised
    )


def _type_in(line: str) -> str:
    found = _RAISED.match(line)
    return found[1] if found is not None and found[1][:1].isalpha() else "_OTHER"


def _cut(text: str) -> str:
    return text if len(text) <= _MESSAGE else f"{text[:_MESSAGE]}…"


# The plan


@frozen
class _Plan:
    """What the recorded plan of a run says of its steps.

    Attributes:
        steps: The attributes of each step, by its name.
    """

    steps: Mapping[str, Mapping[str, Any]]

    def of_step(self, name: str) -> Mapping[str, Any]:
        """Return the attributes that spans of a step have; none if it was added later."""
        return self.steps.get(name, {})


@lru_cache(maxsize=2)
def _planned(text: str) -> _Plan:
    # Cached, because the plan of a long run has megabytes.
    plan: dict[str, Any] = json.loads(text or "{}")
    return _Plan(
        steps={step["name"]: _facts(step) for step in plan.get("steps", ())},
    )


def _facts(step: Mapping[str, Any]) -> dict[str, Any]:
    origin: Mapping[str, Any] = step.get("origin") or {}
    facts: dict[str, Any] = {
        "handrail.group": step.get("group"),
        "handrail.lane": step.get("lane"),
        "handrail.pack": origin.get("pack"),
        "handrail.pack.version": origin.get("version") if origin.get("pack") else None,
        "handrail.always_run": True if step.get("always_run") else None,
    }
    return {name: value for name, value in facts.items() if value is not None}
