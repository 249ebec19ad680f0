"""Several runs side by side: the same facts in the terminal and as JSON."""

from __future__ import annotations

import json

from recorded_runs import Call, Journal, done, ended, planned, started

from handrail.builtin.records.run_record import record_of


def given(**values: object) -> str:
    """Return params in their stored form, of which all differ from their defaults."""
    return json.dumps({"values": values, "secrets": {}, "changed": [[name] for name in values]})


def add(journal: Journal, *, epochs: int = 10) -> None:
    """Add a run that failed in its second step."""
    steps = [
        planned("load", reason="base"),
        planned("fit", reason="after load", required="policy.toml:4"),
        planned("tell"),
    ]
    changes = [done("load", keys=["a", "b"]), ended("fit", "failed", error="diverged")]
    journal.add(steps, *changes, outcome="failed", action="train", params=given(epochs=epochs))


def test_runs_stand_side_by_side_with_what_differs(call: Call, journal: Journal) -> None:
    """The same in the terminal, and as JSON."""
    add(journal)
    add(journal, epochs=20)
    journal.add([planned("load"), planned("new")], done("load"), outcome="completed")
    found = call("show", "1", "2", "3", "--json").document
    assert [each["run"]["id"] for each in found["runs"]] == [1, 2, 3]
    differs = found["differs"]
    assert differs["state"] == ["failed (kept)", "failed (kept)", "completed"]
    assert differs["params"] == {"epochs": [10, 20, None]}
    assert differs["steps"]["fit"]["state"] == ["failed", "failed", None]
    assert differs["steps"]["new"]["state"] == [None, None, "not started"]
    assert "load" not in differs["steps"]
    rows = {line[:13].strip(): line.split()[2:] for line in call("show", "1", "2", "3").lines}
    assert rows["param epochs"] == ["10", "20", "default"]


def test_what_is_the_same_in_all_runs_has_no_row(call: Call, journal: Journal) -> None:
    """It stands in one line below the others, as there are values behind it."""
    add(journal)
    add(journal, epochs=20)
    rows = call("show", "1", "2").lines
    assert any(row.startswith("  same    state failed (kept)") for row in rows)
    assert not any(row.startswith("state") for row in rows)


def test_only_a_pack_that_is_there_is_said_to_write_a_comparison(
    call: Call, journal: Journal
) -> None:
    add(journal)
    add(journal, epochs=20)
    known = "--html" in call("show", "--help").out
    assert ("--html" in call("show", "1", "2").out) == known


def test_more_runs_than_fit_stand_below_each_other(call: Call, journal: Journal) -> None:
    for epochs in range(9):
        add(journal, epochs=epochs + 1)
    lines = call("show", *map(str, range(1, 10))).lines
    heads = [line.split() for line in lines if line.lstrip().startswith("RUN")]
    assert [name for head in heads for name in head if name.isdigit()] == list("123456789")
    assert all(len(line) <= 100 for line in lines)


def test_options_about_one_run_take_one(call: Call, journal: Journal) -> None:
    add(journal)
    add(journal)
    for option in (["--step", "fit"], ["--traceback"]):
        answer = call("show", "1", "2", *option)
        assert answer.code == 2
        assert f"{option[0]} takes one run" in answer.err


def test_times_of_steps_are_known_from_when_they_began_and_ended(journal: Journal) -> None:
    """An attempt that was interrupted lasts until the last sign of life; an undo has a time."""
    steps = [planned("load"), planned("send")]
    number = journal.add(steps, started("load"), done("load", took=2.0), started("send"))
    [load], [send] = (step.spans for step in record_of(journal.opened[0], number).steps)
    assert (load.direction, load.attempt) == ("forward", 1)
    assert send.ended is not None
    undone = journal.add(steps, done("load"), ended("load", "undone"), outcome="rolled_back")
    assert record_of(journal.opened[0], undone).steps[0].spans[-1].direction == "undo"
