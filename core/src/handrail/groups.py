"""Groups: `parallel` declares steps that run side by side, in lanes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, cast

from handrail.errors import InvalidStepError
from handrail.origin import Origin, line_of
from handrail.steps import BaseStep

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from handrail.context import BaseStepContext

    C = TypeVar("C", bound=BaseStepContext, contravariant=True, default=BaseStepContext)
else:
    from typing import TypeVar

    C = TypeVar("C", bound="BaseStepContext", contravariant=True)


class Parallel(Generic[C]):
    """A group, as `parallel` makes it; it is registered like a step.

    Attributes:
        name: The name of the group, an anchor for what stands before or after all of it.
        lanes: The steps of each lane, in order; no lane is empty.
        concurrency: The number of lanes that run at the same time; None for all of them.
        origin: The line that declares it.
    """

    def __init__(
        self,
        name: str,
        lanes: tuple[tuple[BaseStep[C], ...], ...],
        concurrency: int | None,
        origin: Origin,
    ) -> None:
        self.name = name
        self.lanes = lanes
        self.concurrency = concurrency
        self.origin = origin

    def __repr__(self) -> str:
        return f"<group {self.name!r} with {len(self.lanes)} lanes>"


def parallel(
    name: str,
    lanes: Iterable[BaseStep[C] | Sequence[BaseStep[C]]],
    *,
    concurrency: int | None = None,
) -> Parallel[C]:
    """Return a group of lanes that run side by side; register it where a step is registered.

    The steps of one lane run one after the other. What stands after the group runs when all lanes
    have ended. Every step in a lane is an anchor, and what is inserted beside it runs in its lane;
    the name of the group is an anchor for steps before and after all of it.

    Args:
        name: The name of the group; no step and no other group of the workflow may have it.
        lanes: For each lane, a step or a sequence of steps. Empty lanes are left out.
        concurrency: How many lanes may run at the same time; by default, all of them.

    Raises:
        InvalidStepError: The name is empty; no lane has a step; a lane has something else than
            steps, another group, or a step that always runs; or `concurrency` is less than 1.
    """
    caller = sys._getframe(1)  # pyright: ignore[reportPrivateUsage] - the line of the group
    return group_at(line_of(caller), name, lanes, concurrency)


def group_at(
    origin: Origin,
    name: object,
    lanes: Iterable[BaseStep[Any] | Sequence[BaseStep[Any]]],
    concurrency: int | None,
) -> Parallel[Any]:
    """Return a group that is declared at `origin`; see `parallel`."""

    def error(message: str, *ways_out: str) -> InvalidStepError:
        return InvalidStepError(message, origin=origin, ways_out=ways_out)

    if not isinstance(name, str) or not name.strip():
        raise error(f"the name of a group must be a non-empty string, not {name!r}")
    if concurrency is not None and (type(concurrency) is not int or concurrency < 1):
        raise error(f"the concurrency of '{name}', {concurrency!r}, must be a whole number above 0")
    listed = [_steps_of(lane) for lane in lanes]
    for each in (each for lane in listed for each in lane):
        if isinstance(each, Parallel):
            raise error(
                f"group '{each.name}' stands in group '{name}'; groups do not nest",
                f"register '{each.name}' before or after '{name}'",
            )
        if isinstance(each, type) or not isinstance(each, BaseStep):
            given = f"the class {each.__name__}" if isinstance(each, type) else repr(each)
            raise error(
                f"a lane of group '{name}' has {given}, which is not a step",
                f"a lane is a step or a sequence of steps:  parallel({name!r}, [a, [b, c]])",
            )
        if each.always_run:
            raise error(
                f"step '{each.name}' of group '{name}' always runs, so that it closes the plan; "
                "it cannot stand in a group",
                f"register it after '{name}'",
            )
    filled = tuple(tuple(cast("list[BaseStep[Any]]", lane)) for lane in listed if lane)
    if not filled:
        raise error(f"group '{name}' has no steps", "give it at least one lane, or leave it out")
    return Parallel(name, filled, concurrency, origin)


def _steps_of(lane: object) -> list[object]:
    if isinstance(lane, BaseStep | Parallel | str) or not isinstance(lane, Iterable):
        return [lane]
    return list(cast("Iterable[object]", lane))
