"""Asks each pack for its edits to an action, and records them with their origins."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail.entry import Entry, entries_for, entry_for, innermost
from handrail.entry import chain as chain_of
from handrail.errors import (
    DuplicateStepError,
    HandrailError,
    InvalidStepError,
    PackError,
    Problem,
    describe,
)
from handrail.frozen import record
from handrail.origin import Origin, line_of
from handrail.plan.edits import PROJECT, EditSet, Insertion, Removal, Replacement, Wrapping
from handrail.plan.order import said_by
from handrail.plan.problems import too_many_answers
from handrail.plan.step_state import StepChanges, states_of
from handrail.registry import IfMissing, StepRegistry, Wrapper
from handrail.steps import BaseStep
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.groups import Parallel
    from handrail.origin import Origin
    from handrail.plan.action_info import ActionInfo
    from handrail.plan.order import Contributor

MOST_ANSWERS = 20_000  # Answers to answers of other packs, before the plan is refused.

Side = Literal["before", "after"]
Causes = frozenset[str]


def collect(
    action: ActionInfo,
    base: StepRegistry[Any],
    packs: Sequence[Contributor],
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
    steps = [each for step in base.get_steps() for each in chain_of(step)]
    brought = [] if project is None else [each.entries for each in project.insertions]
    before, changes = states_of(steps), StepChanges()
    edits: list[EditSet] = []
    for pack in packs:
        if not pack.implements("setup_steps"):
            edits.append(EditSet(owner=pack.origin.pack or PROJECT))
            continue
        edits.append(_ask_setup(action, pack, base, problems))
        changes.put_back(before, pack)
    _Inquiry(action, packs, edits, problems, changes).ask([*base.entries(), *chain(*brought)])
    problems += changes.problems()
    return [*edits, *([project] if project is not None else ())], problems


@record
class _Inquiry:
    """Asks about one step after the other; packs without a hook for it cost nothing."""

    action: ActionInfo
    packs: Sequence[Contributor]
    edits: Sequence[EditSet]
    problems: list[Problem]
    changes: StepChanges
    asked: set[str] = field(default_factory=set[str])
    answers: int = 0

    def ask(self, first: Iterable[Entry]) -> None:
        nobody: Causes = frozenset()
        waiting = deque((entry, nobody) for entry in first)
        standing_in: list[tuple[Entry, Causes]] = []
        for pack, own in zip(self.packs, self.edits, strict=True):
            causes = frozenset({pack.id})
            for insertion in own.insertions:
                waiting.extend((entry, causes) for entry in insertion.entries)
            standing_in += [(replacement.entry, causes) for replacement in own.replacements]
        askers = [
            (pack, own, hooks)
            for pack, own in zip(self.packs, self.edits, strict=True)
            if (hooks := [each for each in _HOOKS if pack.implements(each[0])])
        ]
        self._drain(waiting, askers)
        for each in standing_in:
            if self.answers > MOST_ANSWERS:
                return
            self._drain(deque([each]), askers)

    def _drain(self, waiting: deque[tuple[Entry, Causes]], askers: Sequence[_Asker]) -> None:
        while waiting:
            entry, causes = waiting.popleft()
            self.answers += len(causes) > 1
            if self.answers > MOST_ANSWERS:
                # Packs that answer for each step of each other end, but only after every order.
                self.problems.append(too_many_answers(self.action.name, self.edits))
                return
            waiting += self._ask_about(entry, causes, askers)

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
        pack: Contributor,
        hook: str,
        side: Side,
        entry: Entry,
        causes: Causes,
        answer: object,
    ) -> Insertion | None:
        origin = said_by(pack, hook)
        entries: tuple[Entry, ...] = ()
        try:
            for part in _several(answer):
                entries += entries_for(cast("Any", part))
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
        return Insertion(
            entries=entries,
            anchor=entry.name,
            side=side,
            origin=origin,
            causes=causes | {pack.id},
        )

    def _layer(
        self, pack: Contributor, entry: Entry, step: BaseStep[Any], layer: Any, own: EditSet
    ) -> None:
        origin = said_by(pack, "wrap_step")
        if is_wrapper(layer):
            own.wrappings.append(Wrapping(name=entry.name, layer=layer, origin=origin, around=step))
            return
        self.problems.append(
            Problem(
                code="invalid-layer",
                message=f"wrap_step of {pack.origin} returned {layer!r} for step '{entry.name}'; "
                "it may return a StepWrapper or None",
                origins=(origin,),
                details=(origin.place,) if origin.place else (),
                ways_out=(f"leave it out:  --no-pack {pack.id}",),
            )
        )


_HOOKS: tuple[tuple[str, Side | None], ...] = (
    ("insert_before", "before"),
    ("insert_after", "after"),
    ("wrap_step", None),
)
_Asker = tuple["Contributor", EditSet, Sequence[tuple[str, Side | None]]]


def _ask_setup(
    action: ActionInfo,
    pack: Contributor,
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


def _unregistered(pack: Contributor) -> Problem:
    origin = said_by(pack, "setup_steps")
    return Problem(
        code="invalid-answer",
        message=f"setup_steps of {pack.origin} returned steps, which nobody would run",
        origins=(origin,),
        details=(origin.place,) if origin.place else (),
        ways_out=("register each of them:  registry.register(step)",),
    )


def _invalid(error: InvalidStepError, origin: Origin) -> Problem:
    return Problem(
        code="invalid-step",
        message=f"{origin} brings a step that cannot be planned: {error.message}",
        origins=(origin,),
        ways_out=(f"leave it out:  --no-pack {origin.pack}",) if origin.pack else (),
    )


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
        self._insert(None, step, "end", "error")
        self._show(lambda: super(EditRecorder, self).register(step))

    def insert_before(
        self, name: str, step: BaseStep[Any] | Parallel[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert a step or a group directly before what answers to `name`."""
        self._insert(name, step, "before", if_missing)
        if name in self:
            self._show(lambda: super(EditRecorder, self).insert_before(name, step))

    def insert_after(
        self, name: str, step: BaseStep[Any] | Parallel[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Insert a step or a group directly after what answers to `name`."""
        self._insert(name, step, "after", if_missing)
        if name in self:
            self._show(lambda: super(EditRecorder, self).insert_after(name, step))

    def unregister(self, name: str, missing_ok: bool = False) -> None:
        """Remove the step that answers to `name`."""
        self.edits.removals.append(Removal(name=name, origin=self._here(), missing_ok=missing_ok))
        super().unregister(name, missing_ok=True)

    def replace(self, name: str, step: BaseStep[Any]) -> None:
        """Replace the step that answers to `name` by `step`."""
        entry = entry_for(step)
        self.edits.replacements.append(Replacement(name=name, entry=entry, origin=self._here()))
        if name in self:
            self._show(lambda: super(EditRecorder, self).replace(name, step))

    def wrap(self, name: str, wrapper: Wrapper) -> None:
        """Put a layer around the step that answers to `name`."""
        self.edits.wrappings.append(Wrapping(name=name, layer=wrapper, origin=self._here()))

    def _insert(
        self,
        anchor: str | None,
        step: BaseStep[Any] | Parallel[Any],
        side: Literal["before", "after", "end"],
        if_missing: IfMissing,
    ) -> None:
        origin = self._here()
        self.edits.insertions.append(
            Insertion(
                entries=entries_for(step),
                anchor=anchor,
                side=side,
                origin=origin,
                if_missing=if_missing,
                causes=frozenset({self.edits.owner}),
            )
        )

    def _show(self, edit: Callable[[], None]) -> None:
        # The plan reports a name that is taken, or a group in a group, with both origins.
        with suppress(DuplicateStepError, InvalidStepError):
            edit()

    def _here(self) -> Origin:
        # The way to the line of the edit.
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        return line_of(frame, self._origin.pack, self._origin.version)
