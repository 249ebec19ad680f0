"""Compares two locked plans of an action."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from handrail.builtin.project.lock_file import LockedAction, LockedStep
from handrail.errors import Problem
from handrail.frozen import frozen, replace

Kind = Literal[
    "step-added",
    "step-gone",
    "step-moved",
    "step-owner",
    "step-layers",
    "step-lane",
    "pack-added",
    "pack-gone",
    "pack-version",
    "pack-files",
]

_EDITABLE = "editable"  # Instead of a digest.


@frozen
class Change:
    """One difference between two plans of an action.

    Attributes:
        kind: The kind of change.
        what: The step or pack that changed.
        how: A description in a few words.
        ways_out: What to do about it, other than locking the new plan.
    """

    kind: Kind
    what: str
    how: str
    ways_out: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """The sign for display: `+`, `-` or `~`."""
        return {"added": "+", "gone": "-"}.get(self.kind.partition("-")[2], "~")

    def __str__(self) -> str:
        return f"{self.what} {self.how}"


def changes(
    old: LockedAction, new: LockedAction, off: Mapping[str, str] | None = None
) -> list[Change]:
    """Return the changes from `old` to `new`, of steps first, then of packs.

    Compared are names, order, packs, layers and lanes of steps, and versions and files of packs.

    Args:
        old: The plan before.
        new: The plan now.
        off: The reason for each installed pack that is off, by its id; None if not known.
    """
    return [*_step_changes(old, new), *_pack_changes(old, new, off)]


def drift(
    locked: LockedAction, now: LockedAction, off: Mapping[str, str] | None = None
) -> tuple[Problem, ...]:
    """Return a problem for each difference between a locked and the current plan.

    A new pack that changes nothing is not a problem. The arguments are those of `changes`.
    """
    return tuple(
        Problem(code=change.kind, message=str(change), ways_out=change.ways_out)
        for change in changes(locked, now, off)
        if change.kind != "pack-added"
    )


def is_part(part: LockedAction, whole: LockedAction) -> bool:
    """Return whether the steps of `part` are a subsequence of those of `whole`, lane by lane.

    A part has other numbers for the lanes of a group if it lacks one of them.
    """
    rest = iter(whole.steps)
    lanes: set[tuple[str | None, int | None, int | None]] = set()
    for step in part.steps:
        found = next((each for each in rest if each == replace(step, lane=each.lane)), None)
        if found is None:
            return False
        lanes.add((step.group, step.lane, found.lane))
    return len({each[:2] for each in lanes}) == len({each[::2] for each in lanes}) == len(lanes)


def _step_changes(old: LockedAction, new: LockedAction) -> Iterator[Change]:
    was = {step.name: step for step in old.steps}
    now = {step.name: step for step in new.steps}
    owned = {pack.id: str(pack) for pack in old.packs}
    owning = {pack.id: str(pack) for pack in new.packs}
    for name, step in was.items():
        if name not in now:
            how = f"({owned.get(step.pack or '', 'own code')}) is gone"
            yield Change(kind="step-gone", what=name, how=how)
    moved = set(_moved(list(was), list(now)))
    before = _predecessors(old.steps)
    after = _predecessors(new.steps)
    for name, step in now.items():
        if name not in was:
            how = f"({owning.get(step.pack or '', 'own code')}) is new, {after[name]}"
            yield Change(kind="step-added", what=name, how=how)
            continue
        if name in moved:
            how = f"was {before[name]}, and is {after[name]}"
            yield Change(kind="step-moved", what=name, how=how)
        if was[name].pack != step.pack:
            how = f"is from {step.pack or 'own code'}, and was from {was[name].pack or 'own code'}"
            yield Change(kind="step-owner", what=name, how=how)
        if was[name].layers != step.layers:
            how = f"has the layers {_stack(step)}, and had {_stack(was[name])}"
            yield Change(kind="step-layers", what=name, how=how)
        if (was[name].group, was[name].lane) != (step.group, step.lane):
            how = f"is {_lane(step)}, and was {_lane(was[name])}"
            yield Change(kind="step-lane", what=name, how=how)


def _stack(step: LockedStep) -> str:
    return "(".join([*step.layers, "·"]) + ")" * len(step.layers)


def _lane(step: LockedStep) -> str:
    return "in no group" if step.lane is None else f"in lane {step.lane + 1} of {step.group}"


def _predecessors(steps: Sequence[LockedStep]) -> dict[str, str]:
    """Return each step's position in words: the step that it follows."""
    places: dict[str, str] = {}
    place = "first"
    for step in steps:
        places[step.name] = place
        place = f"after {step.name}"
    return places


def _moved(old: list[str], new: list[str]) -> Iterator[str]:
    """Yield the smallest set of names whose moves explain the new order."""
    position = {name: place for place, name in enumerate(old)}
    common = [name for name in new if name in position]
    # The names in the longest increasing subsequence stayed; the others moved.
    tails: list[int] = []
    lengths: list[int] = []
    for name in common:
        length = bisect_left(tails, position[name])
        tails[length : length + 1] = [position[name]]
        lengths.append(length)
    wanted = len(tails) - 1
    stayed: set[str] = set()
    for name, length in zip(reversed(common), reversed(lengths), strict=True):
        # Of equal lengths, the last one precedes the chosen name of the next length.
        if length == wanted:
            stayed.add(name)
            wanted -= 1
    yield from (name for name in common if name not in stayed)


def _pack_changes(
    old: LockedAction, new: LockedAction, off: Mapping[str, str] | None
) -> Iterator[Change]:
    was = {pack.id: pack for pack in old.packs}
    now = {pack.id: pack for pack in new.packs}
    for name, pack in was.items():
        back = (f"pip install '{name}=={pack.version}'",) if pack.version else ()
        if name not in now and off and name in off:
            yield Change(kind="pack-gone", what=str(pack), how=f"is off: {off[name]}")
        elif name not in now:
            how = "is not installed or not on" if off is None else "is not installed"
            yield Change(kind="pack-gone", what=str(pack), how=how, ways_out=back)
        elif now[name].version != pack.version:
            how = f"is {now[name].version or '?'}, and was {pack.version or '?'}"
            # The author of a pack does not install an older one over the sources.
            ways_out = () if now[name].record == _EDITABLE else back
            yield Change(kind="pack-version", what=name, how=how, ways_out=ways_out)
        elif now[name].record != pack.record:
            how = _files(pack.record, now[name].record)
            yield Change(kind="pack-files", what=str(pack), how=how)
    for name, pack in now.items():
        if name not in was:
            yield Change(kind="pack-added", what=str(pack), how="is new")


def _files(old: str, new: str) -> str:
    if old.startswith("sha256:") and new.startswith("sha256:"):
        return "has other files under the same version: its RECORD differs"
    words = {_EDITABLE: "an editable install", "missing": "without a RECORD"}
    return (
        f"is {words.get(new, 'an installed wheel')}, and was {words.get(old, 'an installed wheel')}"
    )
