"""A simple model of a run's contents after a series of changes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from handrail.journal import (
    AttemptChange,
    Change,
    FieldRow,
    NoteRow,
    RunChange,
    RunRow,
)

# Any text, including invalid Unicode, and a few words that repeat.
WORDS = st.sampled_from(["scan", "copy"]) | st.text(
    st.characters(exclude_categories=()), min_size=1, max_size=8
)
JSON = st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=3).map(json.dumps)
STATES: Any = st.sampled_from(["started", "done", "skipped", "failed", "undone", "undo_failed"])
NUMBERS = st.integers(1, 2)


class Model:
    """The contents of one run."""

    def __init__(self) -> None:
        self.attempts: dict[tuple[str, int], list[Any]] = {}
        self.notes: list[tuple[Any, ...]] = []
        self.fields: dict[tuple[int, str], str] = {}
        self.direction = "forward"
        self.sealed: str | None = None

    def apply(self, batch: list[Change]) -> None:
        for change in batch:
            if isinstance(change, AttemptChange):
                was = self.attempts.get(
                    (change.step, change.n), [None, change.data_version, None, None]
                )
                result = was[2] if change.result is None else change.result
                error = was[3] if change.error is None else change.error
                self.attempts[change.step, change.n] = [change.state, was[1], result, error]
            elif isinstance(change, NoteRow):
                self.notes.append((change.step, change.n, change.seq, change.key, change.values))
            elif isinstance(change, FieldRow):
                self.fields[change.boundary, change.name] = change.value
            else:
                self.direction = change.direction or self.direction
                self.sealed = self.sealed if change.sealed is None else change.sealed

    def contents(self) -> tuple[Any, ...]:
        attempts = [(*key, *values) for key, values in self.attempts.items()]
        return attempts, self.notes, self.fields, self.direction, self.sealed


def contents(run: RunRow) -> tuple[Any, ...]:
    """Return the contents of a recorded run in the form of `Model.contents`."""
    attempts = [
        (each.step, each.n, each.state, each.data_version, each.result, each.error)
        for each in run.attempts
    ]
    notes = [(each.step, each.n, each.seq, each.key, each.values) for each in run.notes]
    fields = {(each.boundary, each.name): each.value for each in run.fields}
    boundaries = [each.boundary for each in run.fields]
    assert boundaries == sorted(boundaries)
    return attempts, notes, fields, run.direction, run.sealed


@st.composite
def batches(draw: Any) -> list[list[Change]]:
    """Batches of changes in which every note has its own number."""
    kinds: list[SearchStrategy[Any]] = [
        st.builds(
            AttemptChange,
            step=WORDS,
            n=NUMBERS,
            state=STATES,
            data_version=NUMBERS,
            result=st.none() | JSON,
            error=st.none() | WORDS,
        ),
        st.builds(
            NoteRow, step=WORDS, n=NUMBERS, seq=st.integers(0, 2**40), key=WORDS, values=JSON
        ),
        st.builds(FieldRow, boundary=st.integers(0, 2), name=WORDS, value=JSON),
        st.builds(
            RunChange,
            direction=st.none() | st.sampled_from(["forward", "undo"]),
            sealed=st.none() | WORDS,
        ),
    ]
    found: list[list[Change]] = draw(
        st.lists(st.lists(st.one_of(kinds), max_size=5), min_size=1, max_size=6)
    )
    seen: set[tuple[str, int, int]] = set()
    for batch in found:
        for change in list(batch):
            if isinstance(change, NoteRow):
                key = (change.step, change.n, change.seq)
                if key in seen:
                    batch.remove(change)
                seen.add(key)
    return found
