"""The plan says of a wrapped step whether it has a way back, as the step itself does."""

from __future__ import annotations

from typing import Any

import pytest

from handrail import BaseStep, StepRegistry, StepResult, StepWrapper
from handrail.plan.builder import plan_of_registry


class Mail(BaseStep):
    name = "mail"
    progress_weight = 0.1

    def execute(self, context: Any) -> StepResult:
        return StepResult()


class Draft(Mail):
    def rollback(self, context: Any, result: StepResult) -> None:
        """Take the draft back."""


class Calls(StepWrapper):
    def rollback(self, context: Any, result: StepResult) -> Any:
        return self.wrapped.rollback(context, result)


class CallsSuper(StepWrapper):
    async def rollback(self, context: Any, result: StepResult) -> None:  # type: ignore[override]
        print("undoing")
        undone = super().rollback(context, result)
        if undone is not None:
            await undone


class Told(StepWrapper):
    def before_rollback(self, context: Any) -> None:
        """Say so."""


class GoesOn(StepWrapper):
    def resume(self, context: Any, result: StepResult) -> Any:
        return self.wrapped.resume(context, result)


class OwnUndo(StepWrapper):
    changes = True

    def rollback(self, context: Any, result: StepResult) -> Any:
        for _ in result.rollback_data.get("backups", []):
            pass
        return self.wrapped.rollback(context, result)


class Instead(StepWrapper):
    changes = True

    def rollback(self, context: Any, result: StepResult) -> None:
        """Undo it in another way."""


@pytest.mark.parametrize("layer", [Calls, CallsSuper, Told, GoesOn])
def test_a_layer_that_does_not_change_the_step_is_no_way_back(
    layer: type[StepWrapper[Any]],
) -> None:
    [mail], [draft] = _facts(layer(Mail())), _facts(layer(layer(Draft())))
    assert (mail.undoable, mail.leaves) == (False, True)
    assert (draft.undoable, draft.leaves) == (True, False)


@pytest.mark.parametrize("layer", [Calls, CallsSuper, Told])
def test_the_layer_is_told_of_the_undo_all_the_same(layer: type[StepWrapper[Any]]) -> None:
    [mail] = _facts(layer(Mail()))
    assert mail.reverts


@pytest.mark.parametrize("layer", [OwnUndo, Instead])
def test_a_layer_with_an_undo_of_its_own_is_one(layer: type[StepWrapper[Any]]) -> None:
    [mail] = _facts(layer(Mail()))
    assert (mail.undoable, mail.leaves) == (True, False)


def _facts(step: BaseStep[Any]) -> list[Any]:
    registry: StepRegistry[Any] = StepRegistry()
    registry.register(step)
    return [planned.facts for planned in plan_of_registry(registry)]
