"""A journal of a stranger: it derives from the base class, and has nothing that need not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from item_runs import Maps
from item_work import WORLD

import handrail
from handrail import StepFailedError
from handrail.errors import LeaseLostError, NotFoundError, RunHeldError
from handrail.frozen import replace
from handrail.journal import (
    AttemptChange,
    AttemptRow,
    Change,
    ChunkChange,
    ChunkRow,
    FieldRow,
    Holder,
    ItemNoteRow,
    Journal,
    NewRun,
    NoteRow,
    OwnedRun,
    RunChange,
    RunRow,
)
from handrail.journal.codec import now

ME = Holder(described="this process", stale=False)


@dataclass
class Record:
    """All that is known of a run."""

    row: RunRow
    owned: MemoryRun | None = None
    attempts: dict[tuple[str, int], AttemptRow] = field(default_factory=dict)
    notes: list[NoteRow] = field(default_factory=list)
    fields: dict[tuple[int, str], FieldRow] = field(default_factory=dict)
    chunks: dict[tuple[str, int, int], ChunkRow] = field(default_factory=dict)
    item_notes: list[ItemNoteRow] = field(default_factory=list)

    def take(self, change: Change) -> None:
        if isinstance(change, AttemptChange):
            known = self.attempts.get(change[:2])
            result = change.result or (known and known.result)
            error = change.error or (known and known.error)
            version = known.data_version if known else change.data_version
            row = AttemptRow(*change[:3], version, result, error, now())
            self.attempts[change[:2]] = row
        elif isinstance(change, NoteRow):
            self.notes.append(NoteRow(*change))
        elif isinstance(change, FieldRow):
            self.fields[change[:2]] = FieldRow(*change)
        elif isinstance(change, ChunkChange):
            values = {**change._asdict(), "at": now()}
            known_chunk = self.chunks.get(change[:3])
            if known_chunk is not None:
                kept = {"head", "items", *({"failed", "results", "errors"} - _ends(change))}
                values |= {name: getattr(known_chunk, name) for name in kept}
            self.chunks[change[:3]] = ChunkRow(**values)
        elif isinstance(change, ItemNoteRow):
            self.item_notes.append(ItemNoteRow(*change))
        elif isinstance(change, RunChange):
            given = {name: getattr(change, name) for name in ("direction", "sealed", "by_hand")}
            self.row = replace(
                self.row,
                **{name: value for name, value in given.items() if value is not None},
                outcome=change.outcome,
                closed=change.outcome and now(),
            )


def _ends(change: ChunkChange) -> set[str]:
    return {"failed", "results", "errors"} if change.state == "done" else set()


class MemoryRun(OwnedRun):
    """A run that this process owns."""

    number = 0
    uid = ""
    fence = 0

    def __init__(self, record: Record) -> None:
        self.number, self.uid = record.row.number, record.row.uid
        self.fence = record.row.fence
        self.record = record
        record.owned = self

    def write(self, changes: Sequence[Change]) -> None:
        if self.record.owned is not self or self.record.row.closed is not None:
            raise LeaseLostError(f"run {self.number} is not ours")
        for change in changes:
            self.record.take(change)

    def release(self) -> None:
        self.record.owned = None


class MemoryJournal(Journal):
    """A journal that ends with its process."""

    version = 1
    shown = "memory"

    def __init__(self) -> None:
        self.records: dict[int, Record] = {}

    def open_run(self, new: NewRun, changes: Sequence[Change] = ()) -> OwnedRun:
        number = max([0, *self.records]) + 1
        about: dict[str, Any] = {name: getattr(new, name) for name in NewRun.__dataclass_fields__}
        about |= {"direction": "forward", "sealed": None, "outcome": None, "closed": None}
        row = RunRow(**about, number=number, fence=1, owner="{}", claimed=new.opened)
        self.records[number] = Record(row)
        owned = MemoryRun(self.records[number])
        owned.write(changes)
        return owned

    def claim(self, number: int, *, take_over: bool = False) -> OwnedRun:
        if self.holder(number) is not None:
            raise RunHeldError(f"run {number} is held")
        record = self.records[number]
        record.row = replace(record.row, fence=record.row.fence + 1, outcome=None, closed=None)
        return MemoryRun(record)

    def holder(self, number: int) -> Holder | None:
        if number not in self.records:
            raise NotFoundError(f"there is no run {number}")
        return None if self.records[number].owned is None else ME

    def prune(
        self, older_than: timedelta, release: Callable[[int], bool] | None = None
    ) -> list[int]:
        return []

    def close(self) -> None:
        for record in self.records.values():
            record.owned = None

    def runs(self, *, limit: int | None = None, **which: Any) -> list[RunRow]:
        parts = which.pop("parts", False)
        which = {name: value for name, value in which.items() if name != "plans" and value}
        every = [record.row for record in self.records.values()]
        rows = [row for row in every if parts or row.parent is None]
        fits = [row for row in rows if all(getattr(row, name) == which[name] for name in which)]
        return fits[::-1][:limit]

    def parts(self, number: int, *, item: int | None = None) -> list[RunRow]:
        rows = [each.row for each in self.records.values() if each.row.parent == number]
        return [row for row in rows if item in (None, row.parent_item)]

    def read(self, number: int, *, fields: bool = True) -> RunRow:
        self.holder(number)
        record = self.records[number]
        return replace(
            record.row,
            attempts=tuple(record.attempts.values()),
            notes=tuple(record.notes),
            fields=tuple(sorted(record.fields.values())) if fields else (),
        )

    def chunks(self, number: int, step: str, n: int, **how: Any) -> Iterator[ChunkRow]:
        rows = [row for row in self.records[number].chunks.values() if row[:2] == (step, n)]
        rows.sort(key=lambda row: row.number, reverse=how.get("back", False))
        return iter([row for row in rows if row.number >= how.get("first", 0)])

    def item_notes(self, number: int, step: str, n: int, chunk: int) -> list[ItemNoteRow]:
        return [row for row in self.records[number].item_notes if row[:3] == (step, n, chunk)]


class Fails(handrail.BaseStep[Any]):
    """Fails as long as it is told to."""

    name = "fails"
    progress_weight = 1.0

    def execute(self, context: Any) -> handrail.StepResult:
        if broken:
            raise ValueError("no luck")
        return handrail.StepResult()


class Flow(handrail.BaseAction[Any]):
    """A step with items in threads, and one that may fail."""

    action_name = "flow"

    def setup_steps(self, registry: Any) -> None:
        registry.register(Maps([1, 2, 3], executor="threads:2"))
        registry.register(Fails())


broken: list[str] = []


@pytest.fixture
def journal() -> MemoryJournal:
    WORLD.clear()
    broken.clear()
    return MemoryJournal()


def test_a_kept_run_is_resumed(journal: MemoryJournal) -> None:
    """What was done is not done again."""
    broken.append("yes")
    with pytest.raises(StepFailedError):
        Flow(None, packs=()).run(journal=journal, on_failure="keep")
    assert (journal.read(1).outcome, WORLD.undone) == ("failed", [])
    broken.clear()
    assert handrail.resume(Flow, 1, journal=journal, packs=())["success"]
    assert [row.outcome for row in journal.runs()] == ["completed"]
    assert WORLD.calls == {1: 1, 2: 1, 3: 1}


def test_a_completed_run_is_rolled_back(journal: MemoryJournal) -> None:
    """Its items, too."""
    Flow(None, packs=()).run(journal=journal)
    handrail.rollback(Flow, 1, journal=journal, packs=())
    assert journal.read(1).outcome == "rolled_back"
    assert (sorted(WORLD.undone), +WORLD.made) == ([1, 2, 3], {})


def test_what_is_not_kept_is_in_nobodys_way(journal: MemoryJournal) -> None:
    """Whoever looks is told of nothing."""
    Flow(None, packs=()).run(journal=journal)
    assert journal.find_runs(text="FLO", limit=9).rows == journal.runs()
    assert [(each.state, each.items) for each in journal.chunk_counts(1)] == [("done", 3)]
    assert journal.check_run(1).sound == journal.read(1)
    assert (dict(journal.reliance([1])), journal.stamp(), journal.check()) == ({}, None, [])


def test_a_chain_is_rolled_back(journal: MemoryJournal) -> None:
    both = handrail.chain("both", {"one": Flow, "two": Flow})
    both.run(journal=journal, packs=())
    assert ([row.number for row in journal.runs()], len(journal.parts(1))) == ([1], 2)
    handrail.rollback(both, 1, journal=journal, packs=())
    assert {row.outcome for row in journal.parts(1)} == {"rolled_back"}
    assert +WORLD.made == {}
