"""`handrail rollback RUN --by-hand STEP --reason TEXT`, and what says that it is needed."""

from __future__ import annotations

import pytest
from recorded_runs import Call, Journal, ended, planned

pytestmark = pytest.mark.slow  # With one Python: it is about no version of anything.

WHOLE = {"success": True, "timestamp": "2026-11-25T03:30:00+00:00", "rollback_data": {"keys": [1]}}
LEFT = "rollback incomplete, left: send, scan"


@pytest.fixture
def left(journal: Journal) -> Journal:
    """A run of which two steps could not be undone."""
    journal.add(
        [planned("scan"), planned("send"), planned("index")],
        ended("scan", "undo_failed", error="no access", **WHOLE),
        ended("send", "undo_failed", error="the bucket is locked", **WHOLE),
        ended("index", "undone", error="no room", **WHOLE),
        action="upload",
        outcome="rollback_incomplete",
    )
    return journal


@pytest.mark.usefixtures("left")
def test_what_is_left_is_listed_until_it_is_gone(call: Call) -> None:
    """In the list of runs, and by `show`, with the commands for it."""
    [row] = [line for line in call("runs").lines if line.startswith("1  ")]
    assert LEFT in row
    assert call("runs", "--json").document["runs"][0]["left"] == ["send", "scan"]
    shown = call("show").lines
    assert "  left    send, scan:  handrail show 1 --step send" in shown
    record = "  record  handrail rollback 1 --by-hand send --reason TEXT"
    assert any(line.startswith(record) for line in shown)
    assert call("doctor", "--json").document["journal"]["waiting"] == [1]

    for step in ("send", "scan"):
        call("rollback", "1", "--by-hand", step, "--reason", "did it in the console")
    assert "left" not in call("runs").out + call("show").out
    assert call("doctor", "--json").document["journal"]["waiting"] == []


def test_what_waits_for_a_step_that_is_left_is_shown(call: Call, journal: Journal) -> None:
    """With that step, until it is undone."""
    journal.add(
        [planned("send"), planned("index", undo_before=["send", "other"])],
        ended("send", "done", **WHOLE),
        ended("index", "undo_failed", error="the catalogue is down", **WHOLE),
        action="upload",
        outcome="rollback_incomplete",
    )
    assert "  waits   send, until index is undone" in call("show").lines
    call("rollback", "1", "--by-hand", "index", "--reason", "deleted the rows")
    shown = call("show").lines
    assert any(line.startswith("  left    send:") for line in shown)
    assert not any(line.startswith("  waits") for line in shown)


@pytest.mark.usefixtures("left")
def test_what_was_undone_by_hand_is_shown_for_ever(call: Call) -> None:
    """With who, when and why; the exit code says whether anything is left."""
    first = call("rollback", "1", "--by-hand", "send", "--reason", "emptied the bucket")
    assert first.code == 5
    told, state, again = first.lines
    assert told.startswith("run 1 · send was undone by hand, recorded for ")
    assert state == "run 1 rollback incomplete, 1 by hand, left: scan"
    assert again == "  again   handrail rollback 1"
    second = call("rollback", "1", "--by-hand", "scan", "--reason", "access was given", "--json")
    assert (second.code, second.document["left"]) == (0, [])
    assert [each["step"] for each in second.document["by_hand"]] == ["send", "scan"]

    assert "rolled back, 2 by hand" in call("runs").out
    shown = call("show", "--all")
    assert "rolled back, 2 by hand" in shown.lines[0]
    assert any(line.startswith("send") and "undone by hand" in line for line in shown.lines)
    assert any(line.startswith("  by hand send: emptied the bucket (") for line in shown.lines)
    document = call("show", "--json").document
    assert document["steps"][1]["by_hand"]["reason"] == "emptied the bucket"
    assert document["run"]["by_hand"][0].keys() == {"step", "by", "at", "reason"}


@pytest.mark.usefixtures("left")
@pytest.mark.parametrize(
    "words",
    [
        ("--by-hand", "send", "--reason", "x"),
        ("1", "--by-hand", "send"),
        ("1", "--by-hand", "send", "--reason", "  "),
        ("1", "--reason", "x"),
        ("--all-dead", "--by-hand", "send", "--reason", "x"),
        ("1", "--dry-run", "--by-hand", "send", "--reason", "x"),
    ],
)
def test_it_takes_the_run_the_step_and_the_reason(call: Call, words: tuple[str, ...]) -> None:
    """All three, and no other way to undo beside them; otherwise nothing is recorded."""
    refused = call("rollback", *words)
    assert refused.code == 2
    assert "handrail rollback RUN --by-hand STEP --reason TEXT" in " ".join(refused.err.split())
    assert LEFT in call("runs").out


@pytest.mark.usefixtures("left")
def test_a_step_of_which_nothing_is_left_is_refused(call: Call) -> None:
    """With the exit code of an undo that is refused, and what is left."""
    refused = call("rollback", "1", "--by-hand", "index", "--reason", "x")
    assert refused.code == 5
    assert "run 1 has nothing left of 'index'" in refused.err
    assert "left: send, scan" in refused.err


def test_text_of_others_is_shown_as_text(call: Call, left: Journal) -> None:
    """A reason may contain anything; no control character reaches the terminal."""
    call("rollback", "1", "--by-hand", "send", "--reason", "a\x1b[31mb\nc")
    assert "\x1b" not in call("show", "--all").out
