"""What a lock says of a plan, and what has changed since it was written."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from handrail.errors import Problem

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.plan.plan import Plan


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


Kind = Literal[
    "step-added",
    "step-gone",
    "step-moved",
    "step-owner",
    "step-layers",
    "pack-added",
    "pack-gone",
    "pack-version",
    "pack-files",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two plans of an action.

    Attributes:
        kind: What has changed.
        what: The step or pack.
        told: How, in a few words.
        ways_out: What to do about it, beside locking the plan anew.
    """

    kind: Kind
    what: str
    told: str
    ways_out: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """`+`, `-` or `~`."""
        return {"added": "+", "gone": "-"}.get(self.kind.partition("-")[2], "~")

    def __str__(self) -> str:
        return f"{self.what} {self.told}"


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


def changes(old: LockedAction, new: LockedAction) -> list[Change]:
    """Return what has changed from `old` to `new`: first the steps, then the packs.

    Names, order, packs and layers of the steps count, and version and files of the packs.
    """
    return [*_step_changes(old, new), *_pack_changes(old, new)]


def drift(locked: LockedAction, now: LockedAction) -> tuple[Problem, ...]:
    """Return a problem for each difference between a lock and the plan of now.

    A pack that is new, and changes nothing, is none.
    """
    return tuple(
        Problem(code=change.kind, message=str(change), ways_out=change.ways_out)
        for change in changes(locked, now)
        if change.kind != "pack-added"
    )


def is_part(part: LockedAction, whole: LockedAction) -> bool:
    """Return whether every step of `part` is in `whole`, in the same order and as it is there."""
    rest = iter(whole.steps)
    return all(step in rest for step in part.steps)


def _owned(name: str, pack: str | None) -> str:
    return name if pack is None else f"{pack}:{name}"


def _step_changes(old: LockedAction, new: LockedAction) -> Iterator[Change]:
    was = {step.name: step for step in old.steps}
    now = {step.name: step for step in new.steps}
    owners = {pack.id: str(pack) for pack in (*new.packs, *old.packs)}
    for name, step in was.items():
        if name not in now:
            told = f"({owners.get(step.pack or '', 'own code')}) is gone"
            yield Change(kind="step-gone", what=name, told=told)
    moved = set(_moved(list(was), list(now)))
    before = _predecessors(old.steps)
    after = _predecessors(new.steps)
    for name, step in now.items():
        if name not in was:
            told = f"({owners.get(step.pack or '', 'own code')}) is new, {after[name]}"
            yield Change(kind="step-added", what=name, told=told)
            continue
        if name in moved:
            told = f"was {before[name]}, and is {after[name]}"
            yield Change(kind="step-moved", what=name, told=told)
        if was[name].pack != step.pack:
            told = f"is from {step.pack or 'own code'}, and was from {was[name].pack or 'own code'}"
            yield Change(kind="step-owner", what=name, told=told)
        if was[name].layers != step.layers:
            told = f"has the layers {_stack(step)}, and had {_stack(was[name])}"
            yield Change(kind="step-layers", what=name, told=told)


def _stack(step: LockedStep) -> str:
    return "(".join([*step.layers, "·"]) + ")" * len(step.layers)


def _predecessors(steps: Sequence[LockedStep]) -> dict[str, str]:
    """Return after which step each one stands, in words."""
    places: dict[str, str] = {}
    place = "first"
    for step in steps:
        places[step.name] = place
        place = f"after {step.name}"
    return places


def _moved(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield the fewest of the names in both that, put elsewhere, explain the new order."""
    position = {name: place for place, name in enumerate(old)}
    common = [name for name in new if name in position]
    # The longest run of names that kept their order: they stayed, and the others moved.
    tails: list[int] = []
    lengths: list[int] = []
    for name in common:
        length = bisect_left(tails, position[name])
        tails[length : length + 1] = [position[name]]
        lengths.append(length)
    wanted = len(tails) - 1
    stayed: set[str] = set()
    for name, length in zip(reversed(common), reversed(lengths), strict=True):
        # The last one of a length always comes before the next longer one that was chosen.
        if length == wanted:
            stayed.add(name)
            wanted -= 1
    yield from (name for name in common if name not in stayed)


def _pack_changes(old: LockedAction, new: LockedAction) -> Iterator[Change]:
    was = {pack.id: pack for pack in old.packs}
    now = {pack.id: pack for pack in new.packs}
    for name, pack in was.items():
        back = (f"pip install '{name}=={pack.version}'",) if pack.version else ()
        if name not in now:
            yield Change(
                kind="pack-gone", what=str(pack), told="is not installed or not on", ways_out=back
            )
        elif now[name].version != pack.version:
            told = f"is {now[name].version or '?'}, and was {pack.version or '?'}"
            yield Change(kind="pack-version", what=name, told=told, ways_out=back)
        elif now[name].record != pack.record:
            told = _files(pack.record, now[name].record)
            yield Change(kind="pack-files", what=str(pack), told=told)
    for name, pack in now.items():
        if name not in was:
            yield Change(kind="pack-added", what=str(pack), told="is new")


def _files(old: str, new: str) -> str:
    if old.startswith("sha256:") and new.startswith("sha256:"):
        return "has other files under the same version: its RECORD differs"
    words = {"editable": "an editable install", "missing": "without a RECORD"}
    return (
        f"is {words.get(new, 'an installed wheel')}, and was {words.get(old, 'an installed wheel')}"
    )
