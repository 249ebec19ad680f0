"""What is said where nobody runs steps elsewhere, or works on items."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import ExitCode, PackError, PlanError, StepFailedError, action, step
from handrail.packs import installed, installed_packs
from handrail.packs.places import check_mapping
from handrail.packs.provider import explicit_packs


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pack is installed."""
    monkeypatch.setattr(installed, "installed_packs", lambda: installed_packs(path=[]))


@step(isolated=True)
def apart(context: Any) -> None:
    raise AssertionError("it runs")


@step
def many(context: Any) -> None:
    context.map_items(print, [1, 2])


def test_a_plan_with_an_isolated_step_is_refused() -> None:
    """With the way out in the same line, and before anything runs."""
    with pytest.raises(PlanError) as caught:
        action("work", [many, apart])(packs=()).run()
    (problem,) = caught.value.problems
    assert problem.code == "no-place"
    assert problem.message == (
        "step 'apart' is isolated, which needs handrail-workers: pip install handrail-workers"
    )


def test_items_fail_their_step() -> None:
    with pytest.raises(StepFailedError) as caught:
        action("work", [many])(packs=()).run()
    cause = caught.value.__cause__
    assert isinstance(cause, PackError)
    assert cause.message == "map_items needs handrail-workers: pip install handrail-workers"


def test_a_run_that_has_items_is_not_gone_on_with() -> None:
    """That is a pack that is missing."""
    with pytest.raises(PackError) as caught:
        check_mapping(explicit_packs(()))
    assert caught.value.exit_code == ExitCode.PACK
