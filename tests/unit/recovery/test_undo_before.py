"""`undo_before`: what a step refers to stays until the step itself is undone."""

from __future__ import annotations

from typing import Any

import pytest
from killing.told import Does, flow, flow_run, play

from handrail import RollbackPolicy, StepFailedError, StepResult, parallel, rollback, step
from handrail.builtin.records.leftovers import record_by_hand
from handrail.builtin.records.preview import preview_rollback
from handrail.builtin.records.run_record import record_of
from handrail.errors import DriftError
from handrail.recovery import prepare
from handrail.sqlite import SqliteJournal


class Kept(Does):
    """Tells when it is undone, and cannot be while its name is in `stuck`."""

    def __init__(
        self, name: str, log: list[str], before: tuple[str, ...] = (), **more: Any
    ) -> None:
        super().__init__(name)
        self.log = log
        self.undo_before = before
        self.stuck: set[str] = more.get("stuck", set())

    def rollback(self, context: Any, result: StepResult) -> None:
        if self.name in self.stuck:
            raise OSError(f"{self.name} is down")
        self.log.append(self.name)


def failing() -> Does:
    return Does("fails", lambda context: StepResult(success=False, error="broken"))


@pytest.fixture
def log() -> list[str]:
    """The undone steps, in order."""
    return []


def upload(log: list[str], stuck: set[str]) -> list[Any]:
    """Return steps of which `rows` names `objects`, which names `folder`."""
    return [
        Kept("folder", log),
        Kept("other", log),
        Kept("objects", log, ("folder",)),
        Kept("rows", log, ("objects",), stuck=stuck),
    ]


def undone_of(journal: SqliteJournal, number: int = 1) -> dict[str, str]:
    return {each.name: each.state for each in record_of(journal, number).steps}


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("policy", [None, RollbackPolicy(retries=1, wait=0.0)])
def test_what_a_step_refers_to_stays_while_its_undo_fails(writes, log, durable, policy):
    """Also what that refers to; all else is undone. With a journal and without one."""
    steps = upload(log, {"rows"})
    if policy:
        steps[-1].rollback_policy = policy
    with pytest.raises(StepFailedError) as caught:
        play(writes if durable else None, *steps, failing())
    error = caught.value
    assert (error.outcome, log) == ("rollback_incomplete", ["other"])
    assert [problem.step for problem in error.rollback_errors] == ["rows"]
    assert error.held_back == {"objects": "rows", "folder": "rows"}
    assert error.to_dict()["held_back"] == error.held_back
    assert sum("was not undone: it waits" in note for note in error.__notes__) == 2


def test_the_next_rollback_goes_on_there(writes, log):
    """It undoes what had failed, then what waited for it, the newest first."""
    steps = upload(log, stuck := {"rows"})
    with pytest.raises(StepFailedError):
        flow_run(writes, *steps, failing())
    assert record_of(writes, 1).left == ("rows", "objects", "folder")
    with pytest.raises(StepFailedError) as caught:
        rollback(flow(*steps, failing()), 1, journal=writes, packs=())
    assert (caught.value.outcome, log) == ("rollback_incomplete", ["other"])
    stuck.clear()
    rollback(flow(*steps, failing()), 1, journal=writes, packs=())
    assert log == ["other", "rows", "objects", "folder"]
    assert writes.read(1).outcome == "rolled_back"


def test_what_waited_is_undone_once_a_person_has_undone_the_other(writes, log):
    """With --by-hand of the step that failed."""
    steps = upload(log, {"rows"})
    with pytest.raises(StepFailedError):
        flow_run(writes, *steps, failing())
    left = record_by_hand(writes, 1, "rows", by="ada", reason="deleted them")
    assert left == ("objects", "folder")
    rollback(flow(*steps, failing()), 1, journal=writes, packs=())
    assert log == ["other", "objects", "folder"]


def test_a_run_that_is_completed_waits_too(writes, log):
    """When it is rolled back later; and the preview says which step waits for which."""
    steps = upload(log, stuck := {"rows"})
    flow_run(writes, *steps)
    recovery = prepare(flow(*steps), writes.read(1), writes, "rollback", packs=())
    waits = {each.step: each.waits_for for each in preview_rollback(recovery)}
    assert waits == {"rows": (), "objects": ("rows",), "other": (), "folder": ("objects",)}
    with pytest.raises(StepFailedError):
        rollback(flow(*steps), 1, journal=writes, packs=())
    assert log == ["other"]
    assert undone_of(writes)["objects"] == "done"
    stuck.clear()
    rollback(flow(*steps), 1, journal=writes, packs=())
    assert log == ["other", "rows", "objects", "folder"]


def test_what_a_step_refers_to_stays_if_the_step_is_gone(writes, log):
    """As where its pack was uninstalled: it counts as not undone, so others wait for it."""
    steps = upload(log, set())
    flow_run(writes, *steps)
    fewer = flow(*steps[:-1])
    with pytest.raises(DriftError):
        rollback(fewer, 1, journal=writes, packs=())
    with pytest.raises(StepFailedError) as caught:
        rollback(fewer, 1, journal=writes, packs=(), accept_drift=True)
    assert (log, caught.value.held_back) == (["other"], {"objects": "rows", "folder": "rows"})
    rollback(flow(*steps), 1, journal=writes, packs=())
    assert log == ["other", "rows", "objects", "folder"]


def test_names_lead_to_replaced_and_renamed_steps(writes, log):
    """As anchors do."""
    renamed = Kept("put_objects", log)
    renamed.aliases = ("objects",)
    with pytest.raises(StepFailedError) as caught:
        play(writes, renamed, Kept("rows", log, ("objects",), stuck={"rows"}), failing())
    assert (log, caught.value.held_back) == ([], {"put_objects": "rows"})


def test_a_step_in_a_lane_lets_those_before_it_wait(writes, log):
    """Those of its own lane, and those before the group."""
    rows = Kept("rows", log, ("objects", "folder"), stuck={"rows"})
    group = parallel("both", [[Kept("objects", log), rows], [Kept("mail", log)]])
    with pytest.raises(StepFailedError) as caught:
        play(writes, Kept("folder", log), group, failing())
    assert (log, set(caught.value.held_back)) == (["mail"], {"objects", "folder"})


def test_an_interrupt_names_what_waits(log):
    """Ctrl-C in a step, and then an undo that fails."""

    def interrupt(context: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        play(None, *upload(log, {"rows"}), Does("cut", interrupt))
    assert log == ["other"]
    assert any("'objects' was not undone" in note for note in caught.value.__notes__)


def test_a_function_may_say_it(log):
    """`@step(undo_before=...)`."""

    @step(undo_before=("objects",))
    def rows(context: Any) -> None:
        """Register the objects."""

    @rows.rollback
    def unregister(context: Any, result: StepResult) -> None:
        raise OSError("down")

    with pytest.raises(StepFailedError) as caught:
        play(None, Kept("objects", log), rows, failing())
    assert (log, caught.value.held_back) == ([], {"objects": "rows"})
