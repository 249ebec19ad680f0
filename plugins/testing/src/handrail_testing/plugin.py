"""Fixtures for pytest. It imports this module in every session; Handrail is imported on use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from handrail import BaseAction, BaseStep, RuntimeContext, Workflow
    from handrail_testing import FakePacks, Outcome
    from handrail_testing.harness import Settings


class RunStep(Protocol):
    """The type of the fixture `run_step`."""

    def __call__(self, step: BaseStep[Any], context: Any = None) -> Outcome:
        """Run one step as a workflow would."""
        ...


class RunAction(Protocol):
    """The type of the fixture `run_action`."""

    def __call__(
        self,
        action: type[BaseAction[Any]] | BaseAction[Any] | Workflow,
        params: Any = None,
        *,
        packs: Any = (),
        ctx: RuntimeContext | None = None,
        settings: Settings | None = None,
    ) -> Outcome:
        """Plan and run an action; with no packs unless some are given."""
        ...


@pytest.fixture
def run_step() -> RunStep:
    """Run one step, and return its outcome: `handrail_testing.run_step`."""
    import handrail_testing  # noqa: PLC0415 - see above

    return handrail_testing.run_step


@pytest.fixture
def run_action(request: pytest.FixtureRequest) -> RunAction:
    """Plan and run an action, and return its outcome: `handrail_testing.run_action`.

    In a test that uses `fake_packs` too, those are its packs unless others are given.
    """
    import handrail_testing  # noqa: PLC0415 - see above

    def run(
        action: type[BaseAction[Any]] | BaseAction[Any] | Workflow,
        params: Any = None,
        *,
        packs: Any = None,
        ctx: RuntimeContext | None = None,
        settings: Settings | None = None,
    ) -> Outcome:
        if packs is None:
            fakes = "fake_packs" in request.fixturenames
            packs = request.getfixturevalue("fake_packs").provider if fakes else ()
        return handrail_testing.run_action(action, params, packs=packs, ctx=ctx, settings=settings)

    return run


@pytest.fixture
def fake_packs() -> Iterator[FakePacks]:
    """Create fake distributions on disk, and remove them after the test: `FakePacks`."""
    from handrail_testing import FakePacks  # noqa: PLC0415 - see above

    with FakePacks() as packs:
        yield packs
