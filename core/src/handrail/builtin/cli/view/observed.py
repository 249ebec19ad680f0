"""What a step of a recorded run has said and shown, as lines for people; and its attachments."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.amounts import plural, share_of, size
from handrail.builtin.attachments import Markdown, Picture, Plot, Table
from handrail.builtin.cli.view.run_text import parse_time
from handrail.builtin.cli.view.text import command_line, one_line

if TYPE_CHECKING:
    from handrail.builtin.records.observations import Attachment, LogLine, Metric
    from handrail.builtin.records.run_record import RecordedStep


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


def file_of(attached: Attachment) -> bytes:
    """Return the content of a file: of a table CSV, of texts and pictures these, of others JSON."""
    value = attached.value
    if isinstance(value, Picture):
        return value.data
    if isinstance(value, Markdown):
        return value.text.encode()
    if isinstance(value, Table):
        written = io.StringIO()
        rows = csv.writer(written, lineterminator="\n")
        rows.writerow(value.columns)
        rows.writerows(value.rows)
        return written.getvalue().encode()
    return json.dumps(attached.form, indent=2).encode() + b"\n"


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
