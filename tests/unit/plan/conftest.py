"""Packs and steps made on the spot, for planning without anything installed."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from handrail import BaseStep, Origin, PackInfo, Parallel, StepRegistry, StepResult
from handrail.context import BaseStepContext
from handrail.errors import PackError
from handrail.hookspecs import ActionInfo
from handrail.plan.builder import base_drafts
from handrail.plan.checks import unfit
from handrail.plan.collect import collect
from handrail.plan.edits import EditSet
from handrail.plan.order import pack_order
from handrail.plan.plan import Plan
from handrail.plan.resolve import resolve


class Named(BaseStep):
    """A step with nothing but a name."""

    progress_weight = 0.1

    def __init__(self, name: str, **attributes: Any) -> None:
        self.name = name
        self.__dict__.update(attributes)

    def execute(self, context: BaseStepContext) -> StepResult:
        """Succeed."""
        return StepResult()


class FakePack:
    """A pack whose hooks are given as functions."""

    def __init__(
        self, name: str, info: PackInfo | None = None, **hooks: Callable[..., Any]
    ) -> None:
        self.id = name
        self.origin = Origin(pack=name, version="1.0")
        self.info = info or PackInfo()
        self.hooks = hooks

    def implements(self, hook: str) -> bool:
        """Tell whether the hook was given."""
        return hook in self.hooks

    def locate(self, hook: str) -> Origin:
        """Return the origin of the pack."""
        return self.origin

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call it with what it takes, and name the pack when it raises."""
        function = self.hooks[hook]
        taken = inspect.signature(function).parameters
        try:
            return function(**{name: arguments[name] for name in taken if name in arguments})
        except Exception as error:
            raise PackError(f"{self.origin} raised in {hook}", origin=self.origin) from error


def make_plan(
    base: list[BaseStep | Parallel],
    packs: list[Any],
    grants: dict[str, frozenset[str]] | None = None,
    project: EditSet | None = None,
) -> Plan:
    """Plan `base` with `packs`, and with what the project wants, as an action would."""
    registry: StepRegistry = StepRegistry()
    for step in base:
        registry.register(step)
    info = ActionInfo(
        name="upload", lineage=("upload",), context_type=BaseStepContext, origin=Origin(pack="host")
    )
    ordered, problems = pack_order(packs)
    edits, unusable = collect(info, registry, ordered, project)
    return resolve(
        "upload",
        base_drafts(registry, Origin(pack="host", version="2.0")),
        edits,
        grants=grants,
        known=[*problems, *unusable, *unfit(info, edits)],
    )


@pytest.fixture
def named() -> type[Named]:
    """Return a class of steps that have only a name."""
    return Named


@pytest.fixture
def pack() -> type[FakePack]:
    """Return a class of packs made from functions."""
    return FakePack


@pytest.fixture
def plan() -> Callable[..., Plan]:
    """Return a function that plans base steps with packs."""
    return make_plan


@pytest.fixture(scope="session")
def made_here() -> tuple[type[Named], type[FakePack], Callable[..., Plan]]:
    """Return all three, for property tests, which cannot take fixtures of a single test."""
    return Named, FakePack, make_plan
