"""What the contexts of steps share that store something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from handrail import ActionContext, RuntimeContext, StepResult
from handrail_storage import ContainmentError, StorageContext
from handrail_storage.containment import key


class ShelfError(ContainmentError):
    """The error of a pack."""


@dataclass(kw_only=True)
class ShelfContext(StorageContext, ActionContext[Any]):
    """The context of a pack."""

    _containment_error = ShelfError
    _run_pattern = "[0-9]+"
    _storing_step = "put_up"

    books: int = 0


def test_the_mark_is_that_of_the_run_and_the_step() -> None:
    context = ShelfContext(RuntimeContext(), books=2)
    assert context.mark == f"{context.run}/put_up"  # Of a step that is tested by itself.
    assert context.run == context.run != ShelfContext(RuntimeContext()).run
    context.run_id, context.current_step = "17", "tidy"
    assert context.mark == "17/tidy"
    context.run_id = "../x"
    with pytest.raises(ShelfError, match="is no name of a run"):
        assert context.run


def test_a_client_is_that_of_the_runtime_context() -> None:
    with pytest.raises(RuntimeError, match="ShelfContext has no client: give one"):
        assert ShelfContext(RuntimeContext()).client

    assert ShelfContext(RuntimeContext(client="a client")).client == "a client"


def test_what_a_journal_says_is_refused_with_the_error_of_the_pack() -> None:
    context = ShelfContext(RuntimeContext(), books=2)
    assert context.checked_field("books", str) == "2"

    def none(value: object) -> str:
        raise ValueError("there are no books")

    with pytest.raises(ShelfError, match=r"names 2 \(field 'books' of the context\), but"):
        context.checked_field("books", none)
    notes = context.notes_of(StepResult(rollback_data={"keys": ["../b"]}))
    assert notes.all("keys", key) == []
    with pytest.raises(ShelfError, match="it leads out of the target"):
        notes.check()
