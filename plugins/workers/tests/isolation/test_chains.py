"""Isolated steps of the actions of a chain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from isolating import chained

from handrail import StepFailedError
from handrail.sqlite import SqliteJournal


def test_a_step_has_the_context_and_the_inputs_of_its_action(journal: SqliteJournal) -> None:
    """In its process as in the run; the results have the names of its action."""
    result = chained(packs=()).run(journal=journal)
    assert result["second"]["seen"] == ["connect", "work"]
    assert result["second"]["do"] == "records_much"
    assert result["second"]["pid"] not in (os.getpid(), result["first"]["pid"])
    keys = [(note.step, note.key) for note in journal.read(3).notes]
    assert keys.count(("work", "made")) == 21


def test_a_chain_is_undone_from_what_isolated_steps_recorded(journal: SqliteJournal) -> None:
    with pytest.raises(StepFailedError, match="no such key"):
        chained({"first": {"do": "raises"}}, packs=()).run(journal=journal)
    assert not Path("work.txt").exists()
    assert journal.runs()[0].outcome == "rolled_back"
