"""One chunk in a worker: what its functions are given, and what comes of what they do."""

from __future__ import annotations

import datetime
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from handrail.errors import ExecutorError, RecordError
from handrail_workers import (
    AttemptId,
    Cancelled,
    ChunkCall,
    CodeRef,
    Done,
    Failed,
    ItemContext,
    Note,
)
from handrail_workers.executors.code import code_of
from handrail_workers.executors.worker import Record, work

ATTEMPT = AttemptId("0190", "transcode", 1, 4, 2)
kept: list[Any] = []


def ignore(_: Sequence[Note]) -> None:
    """Take notes that nobody looks at."""


def nothing(item: int, _: ItemContext) -> None:
    """Do nothing."""


def double(item: int, _: ItemContext) -> int:
    return 2 * item


async def double_later(item: int, item_context: ItemContext) -> int:
    await item_context.arecord_rollback("later", item)
    return 2 * item


def notes(item: str, item_context: ItemContext) -> None:
    item_context.record_rollback("file", item)
    item_context.record_rollback_many("part", (n for n in range(2)))


def tells(_: object, item_context: ItemContext) -> list[Any]:
    return [
        item_context.shared,
        item_context.position,
        item_context.attempt,
        item_context.idempotency_key,
        item_context.cancelled,
    ]


def fails(item: str, _: ItemContext) -> Any:
    if item == "raises":
        raise ValueError("no such\ncodec")
    if item == "ends":
        raise SystemExit(3)
    return {"date": datetime.date(2026, 1, 1), "pair": (1, 2)}.get(item)


def keeps(_: object, item_context: ItemContext) -> None:
    kept.append(item_context)


def undo(item: Any, item_context: ItemContext, data: dict[str, list[Any]]) -> None:
    kept.append((item, item_context.position, data))
    if item == "stuck":
        raise OSError("it is still open")


def chunk(*items: Any, **given: Any) -> ChunkCall:
    given = {"attempt": ATTEMPT, "first": 100, **given}
    return ChunkCall(items=items, **given)


def done(function: Any, call: ChunkCall, rollback: Any = None, record: Record = ignore) -> Done:
    outcome = work(code_of(function, rollback), call, record=record)
    assert isinstance(outcome, Done)
    assert outcome.attempt == call.attempt
    return outcome


@pytest.mark.parametrize("function", [double, double_later])
def test_each_item_is_given_to_the_function(function: Any) -> None:
    """A function may be async; the results are in the order of the items."""
    outcome = done(function, chunk(1, 2, 3))
    assert (outcome.results, outcome.errors) == ([2, 4, 6], ())


def test_only_those_chosen_are_worked_on() -> None:
    assert done(double, chunk(1, 2, 3, chosen=(2, 0))).results == [2, None, 6]


def test_an_item_knows_its_place() -> None:
    """Its key for other systems is that of the run, the step and its place, whatever attempt."""
    (told,) = done(tells, chunk("a", shared={"to": "x"})).results
    assert told == [{"to": "x"}, 100, 2, "0190/transcode/100", False]


def test_notes_are_handed_over_before_the_call_returns() -> None:
    """They name the item by its place in the chunk."""
    recorded: list[Note] = []

    def record(batch: Sequence[Note]) -> None:
        recorded.extend(batch)

    done(notes, chunk("a", "b"), record=record)
    assert recorded == [
        (place, key, values)
        for place, item in enumerate("ab")
        for key, values in (("file", [item]), ("part", [0, 1]))
    ]


def test_an_item_costs_few_calls() -> None:
    """Of Python's functions, its own among them: items may take less time than what is around."""

    def calls(items: int) -> int:
        counted = Counter[str]()
        call, code = chunk(*range(items)), code_of(nothing)
        before = sys.getprofile()
        sys.setprofile(lambda _, event, __: counted.update([event]))
        try:
            work(code, call, record=ignore, heard=lambda tried, failed: None)
        finally:
            sys.setprofile(before)
        return counted["call"]

    assert calls(300) - calls(100) <= 200 * 6


def test_an_item_that_fails_leaves_the_others_alone() -> None:
    """Also one that ends the program, and one whose result has no JSON form."""
    outcome = done(fails, chunk("raises", "pair", "ends", "date"))
    assert outcome.results == [None, [1, 2], None, None]
    assert [(each.item, each.error) for each in outcome.errors] == [
        (0, "ValueError: no such codec"),
        (2, "SystemExit: sys.exit(3)"),
        (3, "ResultDataError: the result of item 103 cannot be stored as JSON: a value is date"),
    ]
    assert 'raise ValueError("no such' in outcome.errors[0].trace


def test_an_item_that_has_ended_records_nothing() -> None:
    """A thread that it left behind cannot write what nobody would undo."""
    kept.clear()
    done(keeps, chunk("a"))
    with pytest.raises(RecordError, match="of item 100 was recorded after the item had ended"):
        kept[0].record_rollback("file", "a")


def test_an_undo_goes_back_with_what_was_recorded() -> None:
    """Each item in reverse, with nothing where nothing was recorded; one that fails stops none."""
    kept.clear()
    before = (Note(0, "file", ["a"]), Note(2, "file", ["c"]), Note(2, "file", ["d"]))
    call = chunk("x", "stuck", "z", attempt=ATTEMPT._replace(undo=True), notes=before)
    outcome = done(double, call, undo)
    assert kept == [
        ("z", 102, {"file": ["c", "d"]}),
        ("stuck", 101, {}),
        ("x", 100, {"file": ["a"]}),
    ]
    assert [(each.item, each.error) for each in outcome.errors] == [
        (1, "OSError: it is still open")
    ]
    assert outcome.results == [None, None, None]


def test_a_cancelled_chunk_goes_no_further() -> None:
    kept.clear()
    call = chunk(1, 2, 3)
    outcome = work(code_of(keeps), call, record=ignore, cancelled=lambda: len(kept) == 2)
    assert outcome == Cancelled(attempt=ATTEMPT)
    assert len(kept) == 2


def test_a_function_that_is_not_there_fails_the_chunk() -> None:
    """The worker may have other code than the driver."""
    for name, why in (("no_such_module:f", "ModuleNotFoundError"), ("json:f", "ExecutorError")):
        code = CodeRef(function=name, files={}, folder=".")
        outcome = work(code, chunk(1), record=ignore)
        assert isinstance(outcome, Failed)
        assert outcome.error.startswith(why)


def test_only_functions_that_have_a_name_are_taken() -> None:
    def inner(_: Any) -> None:
        """Do nothing."""

    refused: list[tuple[Callable[..., Any], str]] = [
        (lambda: None, "<lambda>"),
        (inner, "<locals>.inner"),
        (kept.append, "list.append"),
    ]
    for function, why in refused:
        with pytest.raises(ExecutorError, match=why):
            code_of(function)
