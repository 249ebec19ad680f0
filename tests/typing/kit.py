"""`handrail_testing` as a pack's tests use it, in the eyes of two strict checkers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_type

from handrail import BaseStep, BaseStepContext, RuntimeContext, StepResult, action
from handrail_testing import (
    FakePacks,
    Outcome,
    PackContract,
    check_undo,
    folder,
    run_action,
    run_step,
)


@dataclass(kw_only=True)
class Basket(BaseStepContext):
    """A context of its own."""

    names: list[str] = field(default_factory=list[str])


class Pick(BaseStep[Basket]):
    """A step that needs it."""

    name = "pick"
    progress_weight = 0.1

    def execute(self, context: Basket) -> StepResult:
        return StepResult(data={"names": context.names})


class Look(BaseStep[BaseStepContext]):
    """A step that fits everywhere."""

    name = "look"
    progress_weight = 0.1

    def execute(self, context: BaseStepContext) -> StepResult:
        return StepResult()


def make_basket() -> Basket:
    return Basket(runtime_ctx=RuntimeContext())


def make_context() -> BaseStepContext:
    return BaseStepContext(runtime_ctx=RuntimeContext())


assert_type(check_undo(Pick, make_basket, folder(".")), int)
check_undo(Pick(), make_basket, lambda: {"a": 1})
check_undo(Look, make_basket, folder("."))
check_undo(Pick(), make_context, folder("."))  # type: ignore[misc]  # pyright: ignore[reportArgumentType]

assert_type(run_step(Pick(), make_basket()), Outcome)
run_step(Look())
flow = action("flow", [Look()])
with FakePacks() as packs:
    packs.add("acme-scan", steps={"look": "acme_scan:Look"})
    run_action(flow, {"a": 1}, packs=packs.provider).succeeded().ran("look").undid()


class TestContract(PackContract):
    """A contract with all of its attributes."""

    distribution = "acme-scan"
    context = make_basket
    world = folder(".")
    imports = ("yaml",)
    steps = {"pick": Pick}  # noqa: RUF012 - not meant to be changed
    actions = (flow,)
    untried = ("look",)
