"""`handrail runs`: which runs are listed, what is said of more, and what it costs."""

from __future__ import annotations

import uuid

import pytest
from recorded_runs import Call, Journal, planned, started

from handrail.builtin.cli.view.text import columns
from handrail.journal import RelianceChange
from handrail.sqlite import SqliteJournal

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.


@pytest.fixture
def several(journal: Journal) -> Journal:
    """Return a journal with a run of each kind, oldest first."""
    steps = [planned("send")]
    for outcome in ("completed", "rolled_back", "rollback_incomplete", "failed"):
        journal.add(steps, outcome=outcome, action="upload")
    journal.add(steps, started("send"), action="upload")
    journal.add(steps, started("send"), action="flows.py:nightly", dead=False)
    return journal


def listed(call: Call, *arguments: str) -> list[int]:
    return [run["id"] for run in call("runs", "--json", *arguments).document["runs"]]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("", [6, 5, 4, 3, 2, 1]),
        ("--outcome completed", [1]),
        ("--outcome rolled_back", [2]),
        ("--outcome rollback_incomplete", [3]),
        ("--outcome failed", [4]),
        ("--outcome interrupted", [5]),
        ("--outcome running", [6]),
        ("--outcome stalled", []),
        ("--action upload --limit 2", [5, 4]),
        ("--action upload --outcome failed --limit 20", [4]),
        ("--action nightly", [6]),
        ("--action flows.py:nightly --outcome completed", []),
        ("--action load", []),
    ],
)
def test_runs_are_found(call: Call, several: Journal, words: str, numbers: list[int]) -> None:
    assert listed(call, *words.split()) == numbers


def test_an_unknown_outcome_names_those_there_are(call: Call, several: Journal) -> None:
    asked = call("runs", "--outcome", "fine")
    assert asked.code == 2
    assert "'rollback_incomplete'" in asked.err


def test_it_says_where_there_are_more(call: Call, several: Journal) -> None:
    """A list that was cut does not look like all there is."""
    assert call("runs", "--limit", "2").lines[-1] == (
        "the latest 2 runs (--all lists more) in .handrail/runs.db · one:  handrail show RUN"
    )
    assert call("runs", "--json", "--limit", "2").document["more"] is True
    for words in ("--limit", "6"), ("--all",), ("--all", "--limit", "1"):
        document = call("runs", "--json", *words).document
        assert (len(document["runs"]), document["more"]) == (6, False)
    assert call("runs").lines[-1].startswith("6 runs in ")
    assert call("runs", "--action", "none").lines == ["no such runs in .handrail/runs.db"]


def test_each_line_says_what_comes_next(call: Call, several: Journal) -> None:
    rows = [line for line in call("runs").lines[1:-1] if not line.startswith(" ")]
    nexts = {line.split()[0]: line.partition("handrail ")[2] for line in rows}
    assert nexts == {
        "1": "",
        "2": "",
        "3": "rollback 3",
        "4": "resume 4",
        "5": "resume 5",
        "6": "",
    }


def test_of_a_long_path_the_end_is_kept(call: Call, journal: Journal) -> None:
    """Many actions of a project begin with the same folders."""
    journal.add([planned("send")], outcome="rollback_incomplete", action=f"{'flows/' * 20}a.py:up")
    [line] = call("runs").lines[1:-1]
    assert "/a.py:up  " in line
    assert columns(line) <= 100
    assert line.endswith("  handrail rollback 1")


def test_a_list_asks_for_no_more_than_it_shows(
    call: Call, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither for the owners of other runs, nor for plans, which may take megabytes each."""
    for _ in range(40):
        journal.add([planned(f"step_{n}") for n in range(50)], outcome="completed")
    for _ in range(30):
        journal.add([planned("send")], started("send"))
    asked: list[int] = []
    rows: list[str] = []
    holder, runs = SqliteJournal.holder, SqliteJournal.runs

    def counted_holder(self: SqliteJournal, number: int) -> object:
        asked.append(number)
        return holder(self, number)

    def counted_runs(self: SqliteJournal, **arguments: object) -> object:
        found = runs(self, **arguments)  # type: ignore[arg-type]
        rows.extend(row.plan for row in found)
        return found

    monkeypatch.setattr(SqliteJournal, "holder", counted_holder)
    monkeypatch.setattr(SqliteJournal, "runs", counted_runs)
    call("runs", "--limit", "10")
    assert (len(asked), len(rows)) == (11, 11)
    call("runs", "--limit", "10", "--outcome", "interrupted")
    assert len(asked) == 22
    call("runs", "--limit", "10", "--outcome", "completed")
    assert len(asked) == 22
    assert set(rows) == {""}


def test_what_is_pruned_and_what_stays(call: Call, several: Journal) -> None:
    """What can still be finished or undone again stays, and so does what is held."""
    assert call("runs", "prune", "--older-than", "1h").out == "0 runs deleted\n"
    assert call("runs", "prune", "--older-than", "0s").out == "2 runs deleted\n"
    assert listed(call) == [6, 5, 4, 3]
    assert call("runs", "prune", "--older-than", "soon").code == 2


def test_a_run_on_which_others_rely_says_so(call: Call, journal: Journal) -> None:
    """With their numbers, but not those that were rolled back; for programs both directions."""
    steps = [planned("send")]
    uid = str(uuid.uuid4())
    journal.add(steps, outcome="completed", uid=uid)
    for outcome in ("completed", "rolled_back"):
        journal.add(steps, RelianceChange((uid, "elsewhere")), outcome=outcome)
    shown = call("runs").lines
    assert "completed, relied on by 2 " in shown[3]
    assert not [line for line in (*shown[1:3], shown[4]) if "relied" in line]
    document = call("runs", "--json").document["runs"]
    assert [run["relied_on_by"] for run in document] == [[], [], [2]]
    assert [run["relies_on"] for run in document] == [[], [1], []]
    for _ in range(3):
        journal.add(steps, RelianceChange((uid,)), outcome="completed")
    assert "completed, relied on by 2, 4 and 2 more " in call("runs").out
    assert listed(call, "--limit", "6") == [6, 5, 4, 3, 2, 1]
