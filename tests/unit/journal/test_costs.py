"""What the file of a journal is asked for: no more than has to be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from journals.places import new_run

from handrail.errors import LeaseLostError
from handrail.frozen import replace
from handrail.journal import (
    AttemptChange,
    FieldRow,
    NoteRow,
    RelianceChange,
    RunChange,
    RunRow,
)
from handrail.sqlite import SqliteJournal

STARTED = AttemptChange(step="scan", n=1, state="started")
DONE = AttemptChange(step="scan", n=1, state="done")
NEXT = AttemptChange(step="copy", n=1, state="started")


class Traced(SqliteJournal):
    """A journal that keeps what its file was asked for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: list[str] = []
        self._database._connection.set_trace_callback(self.asked.append)

    def count(self, words: str) -> int:
        """Return how many statements have those words in them."""
        return sum(words in " ".join(statement.split()) for statement in self.asked)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Traced]:
    journal = Traced(tmp_path / "runs.db")
    yield journal
    journal.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[SqliteJournal]:
    """Another connection to the same file."""
    (tmp_path / "runs.db").touch()
    journal = SqliteJournal(tmp_path / "runs.db")
    yield journal
    journal.close()


@pytest.mark.parametrize("changes", [[STARTED], [DONE, NEXT]])
def test_an_ordinary_boundary_is_one_statement(
    journal: Traced, changes: list[AttemptChange]
) -> None:
    """It looks for its run, writes its rows and commits them."""
    owned = journal.open_run(new_run())
    journal.asked.clear()
    owned.write(changes)
    assert len(journal.asked) == 1
    assert len(journal.read(1).attempts) == len(changes)


def test_one_statement_writes_nothing_to_a_run_that_was_lost(
    journal: Traced, other: SqliteJournal
) -> None:
    """Neither row, and it says who has it now."""
    owned = journal.open_run(new_run(), [STARTED])
    other._database.write(lambda connection: connection.execute("UPDATE run SET fence = 2"))
    with pytest.raises(LeaseLostError, match="was taken over by pid"):
        owned.write([DONE, NEXT])
    assert [(row.step, row.state) for row in other.read(1).attempts] == [("scan", "started")]


def test_one_statement_renews_a_lease_that_is_due(
    journal: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is a transaction of several."""
    owned = journal.open_run(new_run())
    monkeypatch.setattr(owned, "_renew_at", 0.0)
    journal.asked.clear()
    owned.write([STARTED])
    assert journal.count("SET lease_until") == 1
    journal.asked.clear()
    owned.write([DONE, NEXT])
    assert len(journal.asked) == 1


def reread(journal: Traced, first: RunRow) -> bool:
    """Whether a run is read again from its tables, and not only its own row."""
    journal.asked.clear()
    found = journal.read(first.number)
    assert found.plan == first.plan
    return journal.count("FROM attempt WHERE") > 0


def test_a_run_that_nobody_wrote_to_is_read_once_for_a_claim(
    journal: Traced, other: SqliteJournal
) -> None:
    """Before, to see whether it can go on; after, only its row has changed."""
    owned = other.open_run(new_run(plan="p"), [STARTED, FieldRow(boundary=0, name="a", value="1")])
    owned.release()
    before = journal.read(1)
    journal.claim(1)
    assert not reread(journal, before)
    after = journal.read(1)
    [attempt] = before.attempts
    assert after.attempts == (attempt._replace(ended=before.heard),)
    assert after.attempts == other.read(1).attempts
    assert (after.fence, after.fields) == (2, before.fields)


def test_a_run_is_read_again_whoever_wrote_to_the_file(
    journal: Traced, other: SqliteJournal
) -> None:
    """Another process, this one, or both; also where it was another run: nobody looks closer."""
    theirs = other.open_run(new_run(), [STARTED])
    before = journal.read(1)
    theirs.write([DONE])
    assert reread(journal, before)
    theirs.release()
    owned = journal.claim(1)
    before = journal.read(1)
    owned.write([NoteRow(step="scan", n=1, seq=1, key="made", values="[]")])
    assert reread(journal, before)
    before = journal.read(1)
    owned.write([RunChange(sealed="for ever")])
    assert reread(journal, before)
    before = journal.read(1)
    other.open_run(new_run()).release()
    assert reread(journal, before)


def test_what_was_read_is_not_kept_for_nobody(journal: Traced) -> None:
    """It may be large."""
    journal.open_run(new_run()).release()
    first = journal.read(1)
    same = replace(first)
    del first
    journal.asked.clear()
    assert journal.read(1) == same
    assert journal.count("FROM attempt WHERE") == 1


def test_the_reliance_of_some_runs_scans_no_table(journal: Traced) -> None:
    """However many runs there are, only those that are asked for are looked up, by index."""
    for number in range(30):
        journal.open_run(new_run(), [RelianceChange((f"other {number}",))]).release()
    journal.asked.clear()
    journal.reliance(range(1, 21))
    asked = [statement for statement in journal.asked if "reliance" in statement]
    assert len(asked) == 2
    with journal._database.reading() as connection:
        plans = [
            row[-1] for each in asked for row in connection.execute(f"EXPLAIN QUERY PLAN {each}")
        ]
    assert plans
    # `found` is what the statement has found already.
    assert {plan for plan in plans if plan.startswith("SCAN")} <= {"SCAN found"}
