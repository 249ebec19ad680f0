"""Asks each pack for its edits to an action, and records them with their origins."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import field
from functools import cached_property
from operator import is_
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail.entry import Entry, chain, entries_for, entry_for, innermost
from handrail.errors import (
    DuplicateStepError,
    HandrailError,
    InvalidStepError,
    PackError,
    Problem,
    StepNotFoundError,
    describe,
)
from handrail.frozen import record
from handrail.origin import Origin, line_of
from handrail.plan.edits import PROJECT, EditSet, Insertion, Removal, Replacement, Wrapping
from handrail.plan.problems import problem_of
from handrail.registry import IfMissing, StepRegistry, Wrapper
from handrail.steps import BaseStep
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.groups import Parallel
    from handrail.packs.loader import LoadedPack
    from handrail.plan.rules import ActionInfo

MOST_ANSWERS = 20_000  # Answers to answers of other packs, before the plan is refused.
_MOST_NAMED = 12  # Steps in one message.

Side = Literal["before", "after", "end"]
Causes = frozenset[str]
States = Sequence[tuple[BaseStep[Any], Mapping[str, Any]]]


def collect(
    action: ActionInfo,
    base: StepRegistry[Any],
    packs: Sequence[LoadedPack],
    project: EditSet | None = None,
) -> tuple[list[EditSet], list[Problem]]:
    """Ask every pack, in order, for its edits of `action`, until no new step comes up.

    A pack is not asked about a step that it inserted or led to, so this always ends. Returns a set
    of edits for each pack, in the same order, then that of the project, whose steps the packs are
    asked about too; and the unusable steps as problems.

    Raises:
        HandrailError: A hook raised; the error names its pack.
    """
    problems: list[Problem] = []
    before = states_of(each for step in base.get_steps() for each in chain(step))
    changes = StepChanges()
    edits: list[EditSet] = []
    for pack in packs:
        if not pack.implements("setup_steps"):
            edits.append(EditSet(owner=pack.origin.pack or PROJECT))
            continue
        edits.append(_ask_setup(action, pack, base, problems))
        changes.put_back(before, pack)
    inquiry = _Inquiry(action, packs, edits, problems, changes)
    inquiry.ask(base.entries(), () if project is None else project.insertions)
    problems += changes.problems()
    return [*edits, *([] if project is None else [project])], problems


@record
class _Inquiry:
    """Asks about one step after the other; packs without a hook for it cost nothing."""

    action: ActionInfo
    packs: Sequence[LoadedPack]
    edits: Sequence[EditSet]
    problems: list[Problem]
    changes: StepChanges
    asked: set[str] = field(default_factory=set[str])
    answers: int = 0

    def ask(self, base: Iterable[Entry], project: Iterable[Insertion]) -> None:
        nobody: Causes = frozenset()
        waiting = deque((entry, nobody) for entry in base)
        waiting += [(entry, nobody) for insertion in project for entry in insertion.entries]
        standing_in: deque[tuple[Entry, Causes]] = deque()
        askers: list[_Asker] = []
        for pack, own in zip(self.packs, self.edits, strict=True):
            causes = frozenset({pack.id})
            waiting += [(entry, causes) for each in own.insertions for entry in each.entries]
            standing_in += [(replacement.entry, causes) for replacement in own.replacements]
            if hooks := [each for each in _HOOKS if pack.implements(each[0])]:
                askers.append((pack, own, hooks))
        for entries in (waiting, standing_in):
            while entries and self.answers <= MOST_ANSWERS:
                entry, causes = entries.popleft()
                self.answers += len(causes) > 1
                entries += self._ask_about(entry, causes, askers)
        if self.answers > MOST_ANSWERS:
            # Packs that answer for each step of each other end, but only after every order.
            self.problems.append(_too_many_answers(self.action.name, self.edits))

    def _ask_about(
        self, entry: Entry, causes: Causes, askers: Sequence[_Asker]
    ) -> list[tuple[Entry, Causes]]:
        """Ask every pack about a step, and return the steps that they insert."""
        # The loop over packs and steps: the only part whose time is their product.
        action, step = self.action, innermost(entry.step)
        before = states_of((step,))
        # A step that replaces one of the same name needs no new insertions. For another one of
        # that name they would be a mistake of the packs that are asked, who have made none.
        is_known = entry.name in self.asked
        self.asked.add(entry.name)
        brought: list[tuple[Entry, Causes]] = []
        for pack, own, hooks in askers:
            if pack.id in causes:
                continue
            for hook, side in hooks:
                if side and is_known:
                    continue
                answer = pack.call(hook, action=action, step=step)
                if answer is None:
                    continue
                if not side:
                    self._layer(pack, entry, step, answer, own)
                elif insertion := self._insertion(pack, hook, side, entry, causes, answer):
                    own.insertions.append(insertion)
                    brought += [(each, insertion.causes) for each in insertion.entries]
            self.changes.put_back(before, pack)
        return brought

    def _insertion(
        self,
        pack: LoadedPack,
        hook: str,
        side: Side,
        entry: Entry,
        causes: Causes,
        answer: object,
    ) -> Insertion | None:
        origin = pack.locate(hook)
        try:
            steps = cast("Iterable[Any]", _several(answer))
            entries = tuple(each for step in steps for each in entries_for(step))
        except InvalidStepError as error:
            self.problems.append(_invalid(error, origin))
            return None
        except Exception as error:
            raise PackError(
                f"what {hook} of {pack.origin} returned raised {type(error).__name__}: "
                f"{describe(error)}",
                origin=origin,
                ways_out=(f"leave the pack out:  --no-pack {pack.id}",),
            ) from error
        if not entries:
            return None
        causes |= {pack.id}
        return Insertion(entries, entry.name, side, origin, causes=causes)

    def _layer(
        self, pack: LoadedPack, entry: Entry, step: BaseStep[Any], layer: Any, own: EditSet
    ) -> None:
        origin = pack.locate("wrap_step")
        if is_wrapper(layer):
            own.wrappings.append(Wrapping(name=entry.name, layer=layer, origin=origin, around=step))
            return
        message = (
            f"wrap_step of {pack.origin} returned {layer!r} for step '{entry.name}'; it may return "
            "a StepWrapper or None"
        )
        self.problems.append(problem_of("invalid-layer", message, origin))


_HOOKS: tuple[tuple[str, Side | None], ...] = (
    ("insert_before", "before"),
    ("insert_after", "after"),
    ("wrap_step", None),
)
_Asker = tuple["LoadedPack", EditSet, Sequence[tuple[str, Side | None]]]


def _ask_setup(
    action: ActionInfo,
    pack: LoadedPack,
    base: StepRegistry[Any],
    problems: list[Problem],
) -> EditSet:
    recorder = EditRecorder(base, pack.origin)
    try:
        answer: object = pack.call("setup_steps", action=action, registry=recorder)
        if answer is not None and any(isinstance(each, BaseStep) for each in _several(answer)):
            problems.append(_unregistered(pack))
    except HandrailError as error:
        if not isinstance(error.__cause__, InvalidStepError):
            raise
        problems.append(_invalid(error.__cause__, error.origin or pack.origin))
    return recorder.edits


def _several(answer: object) -> Iterable[object]:
    if isinstance(answer, BaseStep | str | bytes):
        return (cast("object", answer),)
    return cast("Iterable[object]", answer) if isinstance(answer, Iterable) else (answer,)


def _unregistered(pack: LoadedPack) -> Problem:
    return problem_of(
        "invalid-answer",
        f"setup_steps of {pack.origin} returned steps, which nobody would run",
        pack.locate("setup_steps"),
        ways_out=["register each of them:  registry.register(step)"],
    )


def _invalid(error: InvalidStepError, origin: Origin) -> Problem:
    message = f"{origin} brings a step that cannot be planned: {error.message}"
    return problem_of("invalid-step", message, origin)


def _too_many_answers(action: str, edits: Sequence[EditSet]) -> Problem:
    busiest = sorted(edits, key=lambda each: len(each.insertions), reverse=True)[:5]
    return problem_of(
        "too-many-answers",
        f"packs insert steps for each other's steps in {action}, and come to no end",
        *(each.insertions[0].origin for each in busiest if each.insertions),
        ways_out=["a hook should answer for the steps that it means, by name, not for every step"],
    )


def states_of(steps: Iterable[BaseStep[Any]]) -> States:
    """Return each step with its attributes as they are now."""
    return [(step, _attributes(step)) for step in steps]


class StepChanges:
    """What packs have changed in steps that are not their own."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[LoadedPack, list[tuple[str, str]]]] = {}

    def put_back(self, states: States, pack: LoadedPack) -> None:
        """Keep what the hooks of `pack` have changed, and restore it: steps may outlive a plan.

        That a cached property was read is no change.
        """
        for step, before in states:
            now = _attributes(step)
            if [*now] == [*before] and all(map(is_, now.values(), before.values())):
                continue  # The usual case, for each step of a plan and each pack.
            for name in {**before, **now}:
                if now.get(name, before) is before.get(name, now):
                    continue
                if name in before:
                    object.__setattr__(step, name, before[name])
                elif isinstance(getattr(type(step), name, None), cached_property):
                    continue
                else:
                    object.__delattr__(step, name)
                self._found.setdefault(pack.id, (pack, []))[1].append((step.name, name))

    def problems(self) -> list[Problem]:
        """Return a problem for each pack."""
        return [_step_changed(changes, pack) for pack, changes in self._found.values()]


def _attributes(step: BaseStep[Any]) -> dict[str, Any]:
    """Return the class and the attributes of a step by name, with those in slots."""
    state: Any = object.__getstate__(step)
    own, slots = cast("Any", state) if isinstance(state, tuple) else (state, None)
    # The class first: what it has slots for is restored after it.
    return {"__class__": type(step), **(own or {}), **(slots or {})}


def _step_changed(changes: Sequence[tuple[str, str]], pack: LoadedPack) -> Problem:
    steps = list(dict.fromkeys(step for step, _ in changes))
    names = ", ".join(dict.fromkeys(name for _, name in changes))
    more = ", ..." if len(steps) > _MOST_NAMED else ""
    return problem_of(
        "step-changed",
        f"{pack.origin} changes {names} of {', '.join(steps[:_MOST_NAMED])}{more}, which a hook "
        "may not",
        pack.origin,
        ways_out=[
            "return a wrapper from wrap_step, or put another step there with registry.replace"
        ],
    )


_LATER = suppress(DuplicateStepError, InvalidStepError, StepNotFoundError)
"""The plan reports a name that is taken or missing, or a group in a group, with all origins."""


class EditRecorder(StepRegistry[Any]):
    """The registry that a pack edits: it shows the action's steps and the pack's own edits.

    Edits that may conflict with those of other packs are accepted; `resolve` checks the whole plan.
    """

    def __init__(self, base: StepRegistry[Any], origin: Origin) -> None:
        super().__init__()
        for part in base.parts():
            super().register(part)
        self._origin = origin
        self.edits = EditSet(owner=origin.pack or PROJECT)

    def register(self, step: BaseStep[Any] | Parallel[Any]) -> None:
        """Append a step or a group."""
        self._insert(None, step, "end")
        with _LATER:
            super().register(step)

    def insert_before(
        self, name: str, step: BaseStep[Any] | Parallel[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert a step or a group directly before what answers to `name`."""
        self._insert(name, step, "before", if_missing)
        with _LATER:
            super().insert_before(name, step, if_missing="skip")

    def insert_after(
        self, name: str, step: BaseStep[Any] | Parallel[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert a step or a group directly after what answers to `name`."""
        self._insert(name, step, "after", if_missing)
        with _LATER:
            super().insert_after(name, step, if_missing="skip")

    def unregister(self, name: str, missing_ok: bool = False) -> None:
        """Remove the step that answers to `name`."""
        self.edits.removals.append(Removal(name=name, origin=self._here(), missing_ok=missing_ok))
        super().unregister(name, missing_ok=True)

    def replace(self, name: str, step: BaseStep[Any]) -> None:
        """Replace the step that answers to `name` by `step`."""
        entry = entry_for(step)
        self.edits.replacements.append(Replacement(name=name, entry=entry, origin=self._here()))
        with _LATER:
            super().replace(name, step)

    def wrap(self, name: str, wrapper: Wrapper) -> None:
        """Put a layer around the step that answers to `name`."""
        self.edits.wrappings.append(Wrapping(name=name, layer=wrapper, origin=self._here()))

    def _insert(
        self,
        anchor: str | None,
        step: BaseStep[Any] | Parallel[Any],
        side: Side,
        if_missing: IfMissing = "error",
    ) -> None:
        causes = frozenset({self.edits.owner})
        entries, here = entries_for(step), self._here()
        self.edits.insertions.append(Insertion(entries, anchor, side, here, if_missing, causes))

    def _here(self) -> Origin:
        # The way to the line of the edit.
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        return line_of(frame, self._origin.pack, self._origin.version)
