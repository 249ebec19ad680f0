"""What is kept of what steps say: bounds, order, and what a failure does."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handrail.attachments import Picture, attachment_from
from handrail.builtin.records.said import (
    FIRST_LINES,
    LARGEST,
    LAST_LINES,
    MOST_ATTACHMENTS,
    MOST_METRICS,
    MOST_POINTS,
    log_lines,
    metric_points,
)
from handrail.errors import JournalDamagedError, JournalError, LeaseLostError
from handrail.events import Attached, MessageLogged, MetricsMeasured, StepProgressed
from handrail.journal import KeptRow
from handrail.journal.kept_rows import KeptRows
from handrail.redact import Mask


class Table:
    """A journal and a run in it, in memory."""

    number = 1

    def __init__(self) -> None:
        self.rows: dict[tuple[Any, ...], KeptRow] = {}
        self.writes: list[int] = []
        self.calls: list[Callable[[], None]] = []
        self.error: Exception | None = None

    def kept(
        self,
        number: int,
        kinds: Sequence[str] = (),
        *,
        damage: Callable[[JournalDamagedError], None] | None = None,
        step: str | None = None,
        texts: bool = True,
    ) -> Sequence[KeptRow]:
        rows = self.rows.values()
        return [row for row in rows if step in (None, row.step)]

    def keep(self, changes: Sequence[KeptRow]) -> None:
        if self.error is not None:
            raise self.error
        self.writes.append(len(changes))
        for change in changes:
            self.rows[change[:5]] = KeptRow(*change)

    def call_later(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds == 1.0
        self.calls.append(call)


def log_of(table: Table, mask: Callable[[str], str] = str, *, new: bool = True) -> KeptRows:
    return KeptRows(table, table, mask, new=new)  # type: ignore[arg-type]


def say(
    log: KeptRows, event: str, step: str = "scan", /, file: str | None = None, **data: Any
) -> str:
    return log.said(step, 1, MessageLogged(step=step, name=event, data=data, file=file))


def measure(log: KeptRows, **values: Any) -> None:
    log.said("fit", 1, MetricsMeasured(step="fit", category="fit", value=values))


def progress(log: KeptRows, current: float, total: float, category: str, detail: str = "") -> None:
    event = StepProgressed(
        step="copy", current=current, total=total, category=category, detail=detail
    )
    log.said("copy", 1, event)


def attach(log: KeptRows, name: str, text: Any) -> str:
    value = {"type": "markdown", "text": text}
    return log.said("fit", 1, Attached(step="fit", name=name, kind="markdown", value=value))


def numbers(table: Table, step: str = "scan") -> list[int]:
    """The numbers of the lines that are kept; each says which it is."""
    found = log_lines([row for row in table.rows.values() if row.step == step])
    assert [line[1] for _, line in found] == [f"line {number}" for number, _ in found]
    return [number for number, _ in found]


def kept(count: int) -> list[int]:
    return [
        each for each in range(1, count + 1) if each <= FIRST_LINES or each > count - LAST_LINES
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 1_300), max_size=4), st.booleans())
def test_the_first_and_the_last_lines_are_kept(counts: list[int], again: bool) -> None:
    """However they are spread over writes, and over processes that go on with the attempt."""
    table = Table()
    log, said = log_of(table), 0
    for count in counts:
        for _ in range(count):
            said += 1
            say(log, f"line {said}")
        log.flush()
        if again:
            log = log_of(table, new=False)
    assert numbers(table) == kept(said)
    assert len(table.rows) <= (FIRST_LINES + LAST_LINES) // 50 + 1


def test_what_waits_to_be_written_is_bounded_too() -> None:
    """A step may say more in a second than is ever kept."""
    table = Table()
    log = log_of(table)
    for number in range(20_000):
        say(log, f"line {number + 1}")
        measure(log, loss=number)
    said = [attempt.says for attempt in log._held.values()]
    assert sum(len(lines) for _, lines in said[0]._blocks.values()) <= 1_050  # type: ignore[attr-defined]
    assert len(said[1]._metrics["loss"].points) < MOST_POINTS  # type: ignore[attr-defined]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 2_600), max_size=3), st.booleans())
def test_metrics_are_thinned_evenly_and_end_with_the_last_value(
    counts: list[int], again: bool
) -> None:
    """However many there are, and whoever goes on with them."""
    table, said = Table(), 0
    log = log_of(table)
    for count in counts:
        for _ in range(count):
            said += 1
            measure(log, loss=said)
        log.flush()
        if again:
            log = log_of(table, new=False)
    if not said:
        assert metric_points(table.rows.values()) == {}
        return
    points = [each for each, _, _ in metric_points(table.rows.values())["loss"].all]
    assert (points[0], points[-1]) == (1, said)
    assert len(points) <= MOST_POINTS
    steps = {b - a for a, b in itertools.pairwise(points[:-1])}
    assert len(steps) <= 1
    if said >= MOST_POINTS:
        assert len(points) >= MOST_POINTS // 2
    assert [value for _, _, value in metric_points(table.rows.values())["loss"].all] == points


def test_metrics_that_are_no_finite_numbers() -> None:
    """NaN is a gap; of a text, only the last one is kept."""
    table = Table()
    log = log_of(table)
    for loss, state in ((1.5, "warm"), (float("nan"), "hot"), (True, "cold")):
        measure(log, loss=loss, state=state)
    log.flush()
    found = metric_points(table.rows.values())
    assert [value for _, _, value in found["loss"].all] == [1.5, None, 1]
    assert [value for _, _, value in found["state"].all] == ["cold"]


def test_the_number_of_metrics_is_bounded() -> None:
    table = Table()
    log = log_of(table)
    measure(log, **{f"m{number}": number for number in range(MOST_METRICS + 20)})
    log.flush()
    assert len(table.rows) == MOST_METRICS


def test_only_the_last_progress_is_kept() -> None:
    table = Table()
    log = log_of(table)
    for current in range(1_000):
        progress(log, current, 1_000, "bytes")
    log.flush()
    assert table.writes == [1]
    (row,) = table.rows.values()
    assert json.loads(row.text)[:3] == [999, 1_000, "bytes"]


def test_attachments_are_bounded_and_one_of_the_same_name_is_replaced() -> None:
    table = Table()
    log = log_of(table)
    for number in range(MOST_ATTACHMENTS):
        assert attach(log, f"a{number}", "x") == ""
    assert attach(log, "a0", "another") == ""
    answer = attach(log, "more", "x")
    assert answer == "'more' is not attached: 32 attachments of an attempt are kept"
    assert "350 kB are kept" in attach(log, "a1", "x" * LARGEST)
    assert "it has no JSON form" in attach(log, "a1", {1, 2})
    assert "it has no JSON form" in attach(log, "a1", float("nan"))
    log.flush()
    assert len(table.rows) == MOST_ATTACHMENTS
    first = next(iter(table.rows.values()))
    assert json.loads(first.text)["text"] == "another"


def test_a_write_is_asked_for_once_until_it_was_made() -> None:
    """A thousand lines are one write; nothing is written if nothing was said."""
    table = Table()
    log = log_of(table)
    for number in range(1_000):
        say(log, f"line {number + 1}")
    assert len(table.calls) == 1
    table.calls[0]()
    log.flush()
    assert table.writes == [20]
    say(log, "line 1001")
    assert len(table.calls) == 2
    table.calls[1]()
    assert table.writes == [20, 1]


def test_what_is_long_is_cut_and_what_has_no_json_form_is_text() -> None:
    table = Table()
    log = log_of(table)
    say(log, "failed", trace="begin" + "x" * 10_000 + "end", cause=ValueError("no"))
    data: Any = {1: {2}, (3,): None}
    log.said("scan", 1, MessageLogged(step="scan", name="odd", data=data, file=None))
    say(log, "many", **{f"k{number}": "x" * 400 for number in range(100)})
    log.flush()
    lines = [line for _, line in log_lines(table.rows.values())]
    assert len(lines[0][2]["trace"]) < 600
    assert (lines[0][2]["trace"][:5], lines[0][2]["trace"][-3:]) == ("begin", "end")
    assert lines[0][2]["cause"] == "no"
    assert lines[1][2] == {"data": "{1: {2}, (3,): None}"}
    assert len(json.dumps(lines[2])) < 5_000


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_does_no_harm() -> None:
    table = Table()
    log = log_of(table)
    say(log, "odd", value=Unprintable())
    log.flush()
    assert log_lines(table.rows.values())[0][1][2] == {"value": "<Unprintable>"}


def mask(text: str) -> str:
    return text.replace("hunter2", "***")


def test_secrets_are_hidden_in_all_that_is_kept() -> None:
    """Also in what was cut, so that none of it is left half."""
    table = Table()
    log = log_of(table, mask)
    long = "x" * 245 + "hunter2" + "x" * 5_000
    say(log, "hunter2", file="/hunter2", hunter2="hunter2", long=long)
    measure(log, **{"hunter2": "hunter2", "hunter2/a": 1})
    progress(log, 1, 2, "hunter2", "hunter2")
    attach(log, "hunter2", "is hunter2")
    log.flush()
    assert len(table.rows) == 5
    assert not [row for row in table.rows.values() if "hunter" in repr(row)]


def test_secrets_are_hidden_in_a_picture_that_is_a_text_and_no_other_is_changed() -> None:
    """In JSON a picture is base64, and there secrets are found, too."""
    secret = "hunter2-hunter2-hunter2"
    table = Table()
    log = log_of(table, Mask([secret]))
    png = b"\x89PNG\r\n\x1a\n" + secret.encode()
    pictures = {"svg": f"<svg>{secret}</svg>".encode(), "png": png}
    for name, data in pictures.items():
        value = Picture(data).to_dict()
        log.said("fit", 1, Attached(step="fit", name=name, kind="picture", value=value))
    log.flush()
    kept = {row.name: attachment_from(json.loads(row.text)) for row in table.rows.values()}
    assert kept == {"svg": Picture(b"<svg>**********</svg>"), "png": Picture(png)}


def test_after_a_failed_write_nothing_is_kept_and_that_is_said_once() -> None:
    """The run goes on; nobody waits for a write that fails each time."""
    table = Table()
    log = log_of(table)
    say(log, "line 1")
    table.error = JournalError("no room on the disk")
    log.flush()
    assert say(log, "line 2") == "what steps say is no longer kept: no room on the disk"
    assert say(log, "line 3") == ""
    table.error = None
    log.flush()
    assert table.writes == []


def test_a_run_that_was_lost_is_not_told_twice() -> None:
    """Its next write says so."""
    table = Table()
    log = log_of(table)
    say(log, "line 1")
    table.error = LeaseLostError("taken over")
    log.flush()
    assert say(log, "line 2") == ""


def test_steps_that_are_over_are_not_held() -> None:
    """What one of them says later, as in its undo, follows what it has said."""
    table = Table()
    log = log_of(table)
    for step in range(100):
        say(log, "line 1", f"step{step}")
        log.flush()
    assert len(log._held) <= 16
    for step in (0, 99):
        say(log, "line 2", f"step{step}")
    log.flush()
    assert [numbers(table, f"step{step}") for step in (0, 50, 99)] == [[1, 2], [1], [1, 2]]


@pytest.mark.parametrize("value", ["", "{", "[]", '{"first":1}', '{"first":"a","lines":[[]]}'])
def test_a_row_that_cannot_be_decoded_is_left_out(value: str) -> None:
    """It is told, and the others are read."""
    table = Table()
    log = log_of(table)
    for number in range(1, 61):
        say(log, f"line {number}")
    log.flush()
    first, *rest = table.rows.values()
    told: list[KeptRow] = []
    found = log_lines([first._replace(text=value), *rest], lambda row, _: told.append(row))
    assert [number for number, _ in found] == list(range(51, 61))
    assert len(told) == 1
