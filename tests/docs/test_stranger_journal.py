"""The journal on the page about journals is one of a stranger, and keeps what it promises."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from journals.contract import FencesContract, PartsContract, RecordsContract

PAGE = Path(__file__).parents[2] / "docs/reference/journal.md"


def code() -> str:
    block = r'^```python title="lines_journal.py"\n(.*?)^```'
    (found,) = re.findall(block, PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """A function that opens the journal; one at a time, so it closes the one before."""
    module = ModuleType("lines_journal")
    exec(compile(code(), "lines_journal.py", "exec"), vars(module))
    journals: list[Any] = []

    def opener() -> Any:
        for each in journals:
            each.close()
        journals.append(module.LinesJournal(tmp_path / "runs.jsonl"))
        return journals[-1]

    yield opener
    for each in journals:
        each.close()


@pytest.fixture
def journal(opened: Callable[[], Any]) -> Any:
    return opened()


Records, Fences, Parts = RecordsContract, FencesContract, PartsContract


class TestLinesJournal:
    """What it promises of the contract."""

    test_states = Records.test_a_later_state_of_an_attempt_keeps_what_it_does_not_name
    test_order = (
        RecordsContract.test_attempts_and_notes_come_in_the_order_in_which_they_were_written
    )
    test_text = Records.test_text_that_is_no_unicode_comes_back_unchanged
    test_latest = Records.test_the_latest_runs_come_first
    test_projects = Records.test_runs_are_found_by_project
    test_fields = Records.test_the_step_of_a_field_is_kept
    test_threads = Records.test_threads_that_write_at_the_same_time_lose_nothing
    test_model = Records.test_any_changes_are_read_back_as_a_small_model_has_them
    test_ends = Fences.test_an_outcome_closes_the_run
    test_ended = Fences.test_a_closed_run_takes_no_attempts
    test_direction = Fences.test_direction_and_seal_stay_when_they_are_not_named
    test_by_hand = Fences.test_what_was_undone_by_hand_stays_when_it_is_not_named
    test_claims = Fences.test_a_claim_opens_a_closed_run_again
    test_place = Parts.test_a_part_has_an_ordinary_number_and_the_place_that_it_is_for
    test_item = Parts.test_parts_are_found_by_their_item
    test_lost = Parts.test_no_part_is_opened_for_a_run_that_is_not_ours_any_more
    test_over = Parts.test_no_part_is_opened_for_a_run_that_is_undone_or_over


def test_a_commit_that_was_torn_was_never_made(opened: Callable[[], Any], tmp_path: Path) -> None:
    """The next one follows the last whole line."""
    opened().close()
    file = tmp_path / "runs.jsonl"
    file.write_text('{"run": 1, "at"')
    with closing(opened()) as journal:
        assert journal.runs() == []
    assert file.read_text() == ""


def test_it_has_at_most_120_lines() -> None:
    assert len([line for line in code().splitlines() if line.strip()]) <= 120
