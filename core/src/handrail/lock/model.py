"""What `handrail.lock` has of an action: its name, its steps with their layers, and the packs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.plan import Plan


Key = tuple[str, str | None]  # The name of an action, and the pack that brings it.


@dataclass(frozen=True, slots=True, kw_only=True)
class LockName:
    """The name that a lock has for an action.

    Attributes:
        name: Such as `upload`; for one in a file the path from the project's folder.
        pack: The pack that brings it; None for the project's own code.
        called: What a person calls it, where that is something else.
    """

    name: str
    pack: str | None
    called: str = ""

    @property
    def key(self) -> Key:
        """What finds the action in a lock."""
        return self.name, self.pack

    @property
    def shown(self) -> str:
        """What a person calls it."""
        return self.called or self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class LockUse:
    """How the lock counts for a run.

    Attributes:
        name: The action as the command line knows it; None for a program, which knows its class.
        no_lock: Whether to leave the lock aside, as `--no-lock` says.
        left_aside: Whether it was left aside when a run that goes on began.
    """

    name: LockName | None = None
    no_lock: bool = False
    left_aside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedStep:
    """One step of a locked plan.

    Attributes:
        name: Its name.
        pack: The pack that it is from; None for the project's own code.
        layers: The layers around it, outermost first, each as `pack:layer` or `layer`.
    """

    name: str
    pack: str | None = None
    layers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPack:
    """A pack that has a say in a locked plan.

    Attributes:
        id: Its normalised distribution name.
        version: Its version.
        record: What is known of its files: `sha256:` and a digest of its RECORD, `editable`, or
            `missing` where it has no RECORD.
    """

    id: str
    version: str
    record: str = "missing"

    @property
    def is_pinned(self) -> bool:
        """Whether other files under the same version would be noticed."""
        return self.record.startswith("sha256:")

    def __str__(self) -> str:
        return f"{self.id} {self.version}" if self.version else self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedAction:
    """The plan of one action, as far as a lock holds it.

    Attributes:
        name: What the action is called: `upload`, or `flows.py:nightly` in the project.
        pack: The pack that brings it; None for the project's own code.
        params: Params that its steps depend on, as they were given when it was locked.
        packs: The packs that have a say in the plan, sorted by id.
        steps: The steps in order.
    """

    name: str
    pack: str | None = None
    params: tuple[str, ...] = ()
    packs: tuple[LockedPack, ...] = ()
    steps: tuple[LockedStep, ...] = ()

    @property
    def key(self) -> Key:
        """What finds it in a lock."""
        return self.name, self.pack


def outline(
    plan: Plan,
    *,
    name: str,
    pack: str | None = None,
    params: Sequence[str] = (),
    asked: Iterable[Origin] = (),
    record_of: Callable[[str], str] = lambda _pack: "missing",
) -> LockedAction:
    """Return what a lock holds of `plan`.

    Args:
        plan: The plan.
        name: What to call the action.
        pack: The pack that brings the action, if any.
        params: Params that were given for it, as `key=value`.
        asked: The packs that were asked for edits and checks, with their versions.
        record_of: Returns what is known of the files of a pack; see `LockedPack`.
    """
    origins = [plan.origin, *asked]
    for planned in plan.steps:
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
                name=planned.name,
                pack=planned.origin.pack,
                layers=tuple(_owned(layer.name, layer.origin.pack) for layer in planned.layers),
            )
            for planned in plan.steps
        ),
    )


def find(actions: Sequence[LockedAction], key: Key) -> LockedAction | None:
    """Return what a lock has of an action, or None."""
    return next((each for each in actions if each.key == key), None)


def _owned(name: str, pack: str | None) -> str:
    return name if pack is None else f"{pack}:{name}"
