"""Compares two plans of an action: with its lock, and with that of its last run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from handrail.atomic import OWN_FOLDER, own_folder, replace_file
from handrail.builtin.project.lock_file import (
    LockedAction,
    LockedStep,
    lock_text,
    parse_lock,
    read_lock,
)
from handrail.errors import HandrailError, Problem
from handrail.frozen import NOTHING, replace
from handrail.trust import read_file

if TYPE_CHECKING:
    from handrail.events import Event

_FOLDER = "plans"
_HEAD = "# The plan of the last run; made by handrail.\n"
_EDITABLE = "editable"  # Instead of a digest.


def mark_of(change: Problem) -> str:
    """Return the sign of a change for display: `+`, `-` or `~`."""
    return {"added": "+", "gone": "-"}.get(change.code.partition("-")[2], "~")


def _change(code: str, what: str, how: str, *ways_out: str) -> Problem:
    return Problem(code=code, message=f"{what} {how}", ways_out=ways_out)


def changes(
    old: LockedAction, new: LockedAction, off: Mapping[str, str] = NOTHING
) -> list[Problem]:
    """Return the changes from `old` to `new`, of steps first, then of packs.

    Compared are names, order, packs, layers and lanes of steps, and versions and files of packs.

    Args:
        old: The plan before.
        new: The plan now.
        off: The reason for each installed pack that is off, by its id.
    """
    return [*_step_changes(old, new), *_pack_changes(old, new, off)]


def drift(
    locked: LockedAction, now: LockedAction, off: Mapping[str, str] = NOTHING
) -> tuple[Problem, ...]:
    """Return a problem for each difference between a locked and the current plan.

    A new pack that changes nothing is not a problem. The arguments are those of `changes`.
    """
    return tuple(each for each in changes(locked, now, off) if each.code != "pack-added")


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


def _step_changes(old: LockedAction, new: LockedAction) -> Iterator[Problem]:
    was = {step.name: step for step in old.steps}
    now = {step.name: step for step in new.steps}
    owned = {pack.id: str(pack) for pack in old.packs}
    owning = {pack.id: str(pack) for pack in new.packs}
    for name, step in was.items():
        if name not in now:
            how = f"({owned.get(step.pack or '', 'own code')}) is gone"
            yield _change("step-gone", name, how)
    moved = _moved(list(was), list(now))
    before = _predecessors(old.steps)
    after = _predecessors(new.steps)
    for name, step in now.items():
        if name not in was:
            how = f"({owning.get(step.pack or '', 'own code')}) is new, {after[name]}"
            yield _change("step-added", name, how)
            continue
        if name in moved:
            how = f"was {before[name]}, and is {after[name]}"
            yield _change("step-moved", name, how)
        if was[name].pack != step.pack:
            how = f"is from {step.pack or 'own code'}, and was from {was[name].pack or 'own code'}"
            yield _change("step-owner", name, how)
        if was[name].layers != step.layers:
            how = f"has the layers {_stack(step)}, and had {_stack(was[name])}"
            yield _change("step-layers", name, how)
        if (was[name].group, was[name].lane) != (step.group, step.lane):
            how = f"is {_lane(step)}, and was {_lane(was[name])}"
            yield _change("step-lane", name, how)


def _stack(step: LockedStep) -> str:
    return "(".join([*step.layers, "·"]) + ")" * len(step.layers)


def _lane(step: LockedStep) -> str:
    return "in no group" if step.lane is None else f"in lane {step.lane + 1} of {step.group}"


def _predecessors(steps: Sequence[LockedStep]) -> dict[str, str]:
    """Return each step's position in words: the step that it follows."""
    names = [step.name for step in steps]
    return dict(zip(names, ["first", *(f"after {name}" for name in names)], strict=False))


def _moved(old: list[str], new: list[str]) -> set[str]:
    """Return the names that are in both lists and do not stand in the order of the first one."""
    was = [name for name in old if name in new]
    now = [name for name in new if name in old]
    blocks = SequenceMatcher(None, was, now, autojunk=False).get_matching_blocks()
    return set(now) - {name for block in blocks for name in was[block.a : block.a + block.size]}


def _pack_changes(
    old: LockedAction, new: LockedAction, off: Mapping[str, str]
) -> Iterator[Problem]:
    was = {pack.id: pack for pack in old.packs}
    now = {pack.id: pack for pack in new.packs}
    for name, pack in was.items():
        back = (f"pip install '{name}=={pack.version}'",) if pack.version else ()
        if name not in now and name in off:
            yield _change("pack-gone", str(pack), f"is off: {off[name]}")
        elif name not in now:
            yield _change("pack-gone", str(pack), "is not installed", *back)
        elif now[name].version != pack.version:
            how = f"is {now[name].version or '?'}, and was {pack.version or '?'}"
            # The author of a pack does not install an older one over the sources.
            ways_out = () if now[name].record == _EDITABLE else back
            yield _change("pack-version", name, how, *ways_out)
        elif now[name].record != pack.record:
            how = _files(pack.record, now[name].record)
            yield _change("pack-files", str(pack), how)
    for name, pack in now.items():
        if name not in was:
            yield _change("pack-added", str(pack), "is new")


def _files(old: str, new: str) -> str:
    if old.startswith("sha256:") and new.startswith("sha256:"):
        return "has other files under the same version: its RECORD differs"
    words = {_EDITABLE: "an editable install", "missing": "without a RECORD"}
    return (
        f"is {words.get(new, 'an installed wheel')}, and was {words.get(old, 'an installed wheel')}"
    )


def known_steps(project: Path, called: str) -> dict[str, str]:
    """Return the steps of an action as it was locked or run last, each with its pack.

    Args:
        project: The project's folder.
        called: The name of the action on the command line.
    """
    name = called.rpartition(":")[2]
    for action in (*_locked(project), *_remembered(project)):
        # An action of the project's code has its file in its name, which may be left out of it.
        if action.name in (called, name) or action.name.startswith(f"{called}:"):
            return {step.name: step.pack or "" for step in action.steps}
    return {}


def _locked(project: Path) -> Iterable[LockedAction]:
    try:
        return read_lock(project) or ()
    except HandrailError:
        return ()


def _remembered(project: Path) -> Iterator[LockedAction]:
    for path in sorted((project / OWN_FOLDER / _FOLDER).glob("*.toml")):
        yield from _read(path)


def _read(path: Path) -> tuple[LockedAction, ...]:
    try:
        raw, distrusted = read_file(path)
        return () if distrusted is not None else parse_lock(raw)
    except (OSError, HandrailError):
        return ()


class LastPlan:
    """The plan of an action's last run in a project.

    It is stored in a file on which nothing depends: if that is damaged or cannot be written, it is
    ignored. As an observer, it writes the file when a run starts.

    Args:
        project: The project's folder.
        now: The current plan, without digests of packs' files.
    """

    def __init__(self, project: Path, now: LockedAction) -> None:
        self._project = project
        self._now = now
        name = f"{now.pack}:{now.name}" if now.pack else now.name
        self._name = f"{quote(name, safe='')[-200:]}.toml"

    def changes(self, off: Mapping[str, str]) -> list[Problem]:
        """Return the changes since the last run; none if there was no run.

        Args:
            off: The reason for each installed pack that is off, by its id.
        """
        kept = _read(self._project / OWN_FOLDER / _FOLDER / self._name)
        return changes(kept[0], self._now, off) if len(kept) == 1 else []

    def __call__(self, event: Event) -> None:
        """Store the plan when the run starts."""
        from handrail.events import RunStarted  # noqa: PLC0415 - no plan has events

        if not isinstance(event, RunStarted):
            return
        try:
            folder = own_folder(self._project) / _FOLDER
            folder.mkdir(exist_ok=True)
            text = lock_text([self._now], head=_HEAD)
            replace_file(folder / self._name, text.encode(), mode=0o600)
        except OSError:
            return
