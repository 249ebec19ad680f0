"""Runs isolated steps in processes of their own, and works on the items of steps."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Collection
from typing import TYPE_CHECKING, Any

from handrail.places import Performer, handed_over

if TYPE_CHECKING:
    from handrail import Plan, StepResult
    from handrail.places import Line, RunState, RunToPerform
    from handrail_workers.isolation.isolation import Isolation
    from handrail_workers.items.results import Items
    from handrail_workers.items.run import ItemsOfRun


class Workers(Performer):
    """Runs isolated steps of a run in processes of their own, and works on the items of steps.

    Args:
        run: The run.
    """

    maps_items = True

    def __init__(self, run: RunToPerform) -> None:
        self._asked = run
        self._isolation: Isolation | None = None
        self._items: ItemsOfRun | None = None
        self._making = threading.Lock()  # Lanes may have items at the same time.

    def takes(self, plan: Plan) -> Collection[int]:
        """Return the positions of the isolated steps."""
        if not plan.isolates or self._asked.action is None:
            return ()
        return [
            position
            for position, planned in enumerate(plan.steps)
            if planned.limits is not None and planned.limits.isolated
        ]

    def check(self, run: RunState) -> None:
        """Check that isolated steps can run in processes of their own."""
        if run.plan.isolates:
            self._isolating.check(run)

    def open(self, run: RunState, lock: int | None, *, early: bool) -> None:
        """Take a run that begins."""
        self._items = None
        if run.plan.isolates:
            self._isolating.open(run, lock, early=early)

    def attempt(self, line: Line, resumed: StepResult | None) -> StepResult | Awaitable[StepResult]:
        """Run an attempt of an isolated step."""
        return self._isolating.attempt(line, resumed)

    def map_items(self, line: Line, *args: Any, **options: Any) -> Items:
        """Work on the items of a step."""
        return self._items_of(line.run).map(line, *args, **options)

    async def amap_items(self, line: Line, *args: Any, **options: Any) -> Items:
        """Like `map_items`, for a coroutine."""
        return await self._items_of(line.run).amap(line, *args, **options)

    def undo_items(self, line: Line, position: int, attempt: int) -> None:
        """Undo the items of an attempt of a step."""
        self._items_of(line.run).undo(line, position, attempt)

    def close(self) -> None:
        """End the processes of isolated steps."""
        if self._isolation is not None:
            self._isolation.close()

    @property
    def _isolating(self) -> Isolation:
        if self._isolation is None:
            from handrail_workers.isolation.isolation import Isolation  # noqa: PLC0415 - few plans need it

            self._isolation = Isolation(self._asked.action, self._asked.packs)
        return self._isolation

    def _items_of(self, run: RunState) -> ItemsOfRun:
        with self._making:
            if self._items is None:
                self._items = self._new_items(run)
            return self._items

    def _new_items(self, run: RunState) -> ItemsOfRun:
        from handrail_workers.items.run import ItemsOfRun  # noqa: PLC0415 - few steps have items

        return ItemsOfRun(
            run,
            self._asked.executor,
            hands_over=handed_over,
            until_stopped=_until_stopped,
            packs=self._asked.packs.executors.with_default(self._asked.recorded),
        )


async def _until_stopped(function: Callable[[], Any], stop: Callable[[BaseException], None]) -> Any:
    from handrail.places import call_until_stopped  # noqa: PLC0415 - for async

    return await call_until_stopped(function, stop)
