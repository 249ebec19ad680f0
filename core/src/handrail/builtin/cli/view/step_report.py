"""The report of one step of a recorded run: what it recorded, said, showed and attached."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from handrail.amounts import plural, seconds, share_of, size
from handrail.builtin.attachments import Markdown, Picture, Plot, Table
from handrail.builtin.cli.view.run_text import parse_time
from handrail.builtin.cli.view.text import command_line, lines_of, one_line
from handrail.frozen import frozen
from handrail.journal.records import seconds_between

if TYPE_CHECKING:
    from handrail.builtin.cli.view.table import Style
    from handrail.builtin.records.observations import Attachment, LogLine, Metric
    from handrail.records import ItemsRecord, RecordedStep, RunRecord, Span


@frozen
class StepReport:
    """The report of one step of a recorded run, with all that it recorded for its undo."""

    record: RunRecord
    step: RecordedStep

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object for programs."""
        values = {"values": self.record.values_of(self.step), "data": self.step.returned}
        return {
            "run": self.record.row.number,
            "step": {**self.step.to_dict(), **values, **self.step.observed()},
            "damaged": [each.to_dict() for each in self.record.damage],
        }

    def lines(self, style: Style) -> Iterator[str]:
        """Yield the lines for people."""
        step = self.step
        origin: Mapping[str, Any] = step.planned.get("origin") or {}
        pack = f" · {origin['pack']} {origin['version']}" if origin.get("pack") else ""
        attempt = f" · attempt {step.attempts}" if step.attempts > 1 else ""
        yield f"run {self.record.row.number} · {step.name} · {step.state}{attempt}{pack}"
        yield from self._place()
        for span in step.spans:
            yield _time_of(span)
        undo = None if step.undo_error is None else f"its undo: {step.undo_error}"
        for error in filter(None, (step.traceback or step.error, undo)):
            yield from lines_of(error.rstrip())
        values = self.record.values_of(step)
        for key, value in values.items():
            items = cast("list[object]", value) if isinstance(value, list) else [value]
            yield f"{key}: {len(items)}"
            for item in items:
                yield f"  {item if isinstance(item, str) else json.dumps(item)}"
        if step.items is not None:
            yield from _items(step.items)
        elif not values:
            yield "nothing was recorded for its undo"
        if step.returned:
            yield "it returned"
        for key, entry in step.returned.items():
            yield f"  {one_line(key)}: {_shown(entry)}"
        if step.name in step.observations.steps:
            yield from observed_lines(step, self.record.row.number)

    def _place(self) -> Iterator[str]:
        """Yield a line about why the step stands where it does, and what is around it."""
        planned = self.step.planned
        reason, required = planned.get("reason"), planned.get("required")
        parts = [str(reason)] if reason and reason != "base" else []
        parts += [f"required by {required}"] if required else []
        for layer in planned.get("layers", ()):
            parts.append(f"in {layer['name']} of {layer['origin']['pack'] or 'the project'}")
        if parts:
            yield f"  {', '.join(parts)}"


def _time_of(span: Span) -> str:
    """Return the line about a time in which a step worked, or was undone."""
    word = "undone" if span.direction == "undo" else f"attempt {span.attempt}"
    began = parse_time(span.began)
    if span.ended is None:
        return f"  {word} since {began:%H:%M:%S}"
    took = seconds(seconds_between(span.began, span.ended))
    return f"  {word} {began:%H:%M:%S} to {parse_time(span.ended):%H:%M:%S}, {took}"


def _items(items: ItemsRecord) -> Iterator[str]:
    """Yield the lines about the items of a step, with the first that failed."""
    yield items.described
    for each in items.failures:
        yield f"  item {each.item}: {one_line(each.error)}"
    if items.failed > len(items.failures):
        yield f"  ... and {items.failed - len(items.failures):,} more that failed"


def _shown(entry: Mapping[str, Any]) -> str:
    """Return an entry of the `data` of a result, such as `table 1,000 x 5 (42 kB)`."""
    if "unstorable" in entry:
        return f"{entry['unstorable']}, which could not be stored"
    if "stored" in entry:
        return ", ".join(f"{each['shown']} ({size(each['size'])})" for each in entry["stored"])
    value = entry.get("value")
    return one_line(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def observed_lines(step: RecordedStep, number: int) -> Iterator[str]:
    """Yield how far a step came, its metrics, what it has attached, and its log.

    Args:
        step: The step.
        number: The number of the run.
    """
    progress = step.progress
    if progress is not None and step.state != "done":
        unit = progress.category
        of = "" if unit in (None, "bytes", step.name) else f" {one_line(str(unit))}"
        share = share_of(progress.current, progress.total, unit)
        came = "it has come to" if step.state == "running" else "it had come to"
        yield f"{came} {share}{of} at {_clock(progress.at)}"
    metrics = step.metrics
    if metrics:
        yield "metrics"
        yield from _metrics(metrics)
    attachments = step.attachments
    if attachments:
        yield "attached"
    for each in attachments:
        yield f"  {one_line(each.name)}: {described(each)}"
    if attachments:
        shown = f"show {number} --step {step.name} --attachment NAME -o FILE"
        yield f"  {command_line(shown)}"
    log = step.log
    if log:
        said = sum({line.attempt: line.number for line in log}.values())
        kept = "" if len(log) == said else f", of which {len(log):,} are kept"
        yield f"log: {plural(said, 'line')}{kept}"
        yield from _log(log)
    yield from (f"not shown: {each}" for each in step.observations.damage)


def described(attached: Attachment) -> str:
    """Return what is attached in a few words."""
    value = attached.value
    if isinstance(value, Plot):
        return f"{value.kind} plot of {', '.join(map(one_line, value.series))}"
    if isinstance(value, Table):
        cut = f" of {value.total:,}" if value.total > len(value.rows) else ""
        return f"table, {len(value.rows):,}{cut} x {len(value.columns)}"
    if isinstance(value, Markdown):
        return f"text, {plural(len(value.text.splitlines()), 'line')}"
    if isinstance(value, Picture):
        return f"{value.media_type}, {size(len(value.data))}"
    return f"{one_line(attached.kind)}, {size(len(json.dumps(attached.form)))} of JSON"


def content_of(attached: Attachment) -> str | bytes:
    """Return what a file has: of a table CSV, of texts and pictures these, of others JSON."""
    value = attached.value
    if isinstance(value, Picture):
        return value.data
    if isinstance(value, Markdown):
        return value.text
    if isinstance(value, Table):
        written = io.StringIO()
        rows = csv.writer(written, lineterminator="\n")
        rows.writerow(value.columns)
        rows.writerows(value.rows)
        return written.getvalue()
    return json.dumps(attached.form, indent=2) + "\n"


def _metrics(metrics: Mapping[str, Metric]) -> Iterator[str]:
    longest = min(max(len(name) for name in metrics), 40)
    for name, metric in metrics.items():
        value = metric.last.value
        text = f"{value:.6g}" if isinstance(value, float) else one_line(str(value))
        count = metric.last.number
        values = f"  (the last of {count:,})" if count > 1 else ""
        yield f"  {one_line(name):{longest}}  {text}{values}"


def _log(log: Sequence[LogLine]) -> Iterator[str]:
    before, attempt = 0, 1
    for line in log:
        if line.attempt != attempt:
            before, attempt = 0, line.attempt
            yield f"  attempt {attempt}"
        if line.number > before + 1:
            yield f"  ... {line.number - before - 1:,} lines that are not kept"
        before = line.number
        about = f" ({one_line(line.file)})" if line.file else ""
        yield f"  {_clock(line.at)} {one_line(line.event)}{_data(line.data)}{about}"


def _data(data: Mapping[str, Any]) -> str:
    if not data:
        return ""
    if set(data) in ({"summary"}, {"message"}):
        (text,) = data.values()
        return f"  {one_line(str(text))}"
    return f"  {one_line(json.dumps(data, ensure_ascii=False))}"


def _clock(at: str) -> str:
    return f"{parse_time(at):%H:%M:%S}"
