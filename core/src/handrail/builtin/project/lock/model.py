"""The contents of `handrail.lock`: actions with their steps, layers and packs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from handrail.frozen import frozen

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.plan import Plan, PlannedStep


Key = tuple[str, str | None]  # The name of an action, and its pack.


@frozen
class LockName:
    """The name of an action in a lock.

    Attributes:
        name: Such as `upload`, or `flows.py:nightly` with a path relative to the project's folder.
        pack: The pack that provides it; None for the project's own code.
        called: The name that the user gave, if different.
    """

    name: str
    pack: str | None
    called: str = ""

    @property
    def key(self) -> Key:
        """The key of the action in a lock."""
        return self.name, self.pack

    @property
    def shown(self) -> str:
        """The name for display."""
        return self.called or self.name


@frozen
class LockedStep:
    """A step of a locked plan.

    Attributes:
        name: Its name.
        pack: The pack that provides it; None for the project's own code.
        layers: The layers around it, outermost first, as `pack:layer` or `layer`.
        group: The group in which it stands, or None.
        lane: The number of its lane in that group, from 0, or None.
    """

    name: str
    pack: str | None = None
    layers: tuple[str, ...] = ()
    group: str | None = None
    lane: int | None = None


@frozen
class LockedPack:
    """A pack that contributed to a locked plan, or was consulted for it.

    Attributes:
        id: Normalised distribution name.
        version: Its version.
        record: `sha256:` and a digest of its RECORD, `editable`, or `missing` without a RECORD.
    """

    id: str
    version: str
    record: str = "missing"

    @property
    def is_pinned(self) -> bool:
        """Whether the lock detects changed files under the same version."""
        return self.record.startswith("sha256:")

    def __str__(self) -> str:
        return f"{self.id} {self.version}" if self.version else self.id


@frozen
class LockedAction:
    """The plan of one action in a lock.

    Attributes:
        name: The action's name: `upload`, or `flows.py:nightly` in the project.
        pack: The pack that provides it; None for the project's own code.
        params: The params that were given when the plan was locked, as `key=value`.
        packs: The packs involved in the plan, sorted by id.
        steps: The steps in order.
    """

    name: str
    pack: str | None = None
    params: tuple[str, ...] = ()
    packs: tuple[LockedPack, ...] = ()
    steps: tuple[LockedStep, ...] = ()

    @property
    def key(self) -> Key:
        """The key of the action in a lock."""
        return self.name, self.pack


def outline(
    plan: Plan,
    *,
    name: str,
    pack: str | None = None,
    params: Sequence[str] = (),
    consulted: Iterable[Origin] = (),
    record_of: Callable[[str], str] = lambda _pack: "missing",
) -> LockedAction:
    """Return the lock entry for `plan`.

    Args:
        plan: The plan.
        name: The name of the action.
        pack: The pack that provides the action, if any.
        params: The params that the plan was made with, as `key=value`.
        consulted: All packs whose hooks were called for the plan, with their versions.
        record_of: Returns the `record` of a LockedPack for a pack id.
    """
    origins = [plan.origin, *consulted]
    steps = list(_steps_of(plan))
    for _, planned in steps:
        origins += [planned.origin, *(layer.origin for layer in planned.layers)]
    versions = {origin.pack: origin.version for origin in origins if origin.pack is not None}
    return LockedAction(
        name=name,
        pack=pack,
        params=tuple(params),
        packs=tuple(
            LockedPack(id=each, version=versions[each], record=record_of(each))
            for each in sorted(versions)
        ),
        steps=tuple(
            LockedStep(
                name=f"{before}{planned.name}",
                pack=planned.origin.pack,
                layers=tuple(_owned(layer.title, layer.origin.pack) for layer in planned.layers),
                group=planned.group and f"{before}{planned.group}",
                lane=planned.lane,
            )
            for before, planned in steps
        ),
    )


def _steps_of(plan: Plan, before: str = "") -> Iterator[tuple[str, PlannedStep]]:
    """Yield the steps of a plan, those of runs in place of what makes these, each with a prefix."""
    for planned in plan.steps:
        if planned.inner is None:
            yield before, planned
        else:
            yield from _steps_of(planned.inner, f"{before}{planned.name}.")


def find(actions: Sequence[LockedAction], key: Key) -> LockedAction | None:
    """Return the action with `key`, or None."""
    return next((each for each in actions if each.key == key), None)


def _owned(name: str, pack: str | None) -> str:
    return name if pack is None else f"{pack}:{name}"
