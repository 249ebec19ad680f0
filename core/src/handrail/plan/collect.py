"""Asks the packs what they want of an action, and writes it down as edits."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from handrail.entry import Entry, entry_for, innermost
from handrail.errors import (
    DuplicateStepError,
    HandrailError,
    InvalidStepError,
    PackError,
    Problem,
    describe,
)
from handrail.plan.edits import EditSet, Insertion, Removal, Replacement, Wrapping
from handrail.plan.problems import too_many_answers
from handrail.registry import IfMissing, StepRegistry, Wrapper
from handrail.steps import BaseStep
from handrail.wrapper import is_wrapper

if TYPE_CHECKING:
    from handrail.hookspecs import ActionInfo
    from handrail.origin import Origin
    from handrail.plan.order import Contributor


MOST_ANSWERS = 20_000  # Answers to answers of other packs, before the plan is refused.


class EditRecorder(StepRegistry[Any]):
    """The registry that a pack edits: it shows the action's steps and the pack's own edits.

    Nothing is refused here for what other packs may bring or take; that is up to the whole plan.
    """

    def __init__(self, base: StepRegistry[Any], origin: Origin) -> None:
        super().__init__()
        for step in base.get_steps():
            super().register(step)
        self._origin = origin
        self.edits = EditSet(owner=origin.pack or "project")

    def register(self, step: BaseStep[Any]) -> None:
        """Append `step`."""
        self._insert(None, step, "end", "error")
        self._show(lambda: super(EditRecorder, self).register(step))

    def insert_before(
        self, name: str, step: BaseStep[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Put `step` right before the one that answers to `name`."""
        self._insert(name, step, "before", if_missing)
        if name in self:
            self._show(lambda: super(EditRecorder, self).insert_before(name, step))

    def insert_after(
        self, name: str, step: BaseStep[Any], *, if_missing: IfMissing = "error"
    ) -> None:
        """Put `step` right after the one that answers to `name`."""
        self._insert(name, step, "after", if_missing)
        if name in self:
            self._show(lambda: super(EditRecorder, self).insert_after(name, step))

    def unregister(self, name: str, missing_ok: bool = False) -> None:
        """Remove the step that answers to `name`."""
        self.edits.removals.append(Removal(name=name, origin=self._here(), missing_ok=missing_ok))
        super().unregister(name, missing_ok=True)

    def replace(self, name: str, step: BaseStep[Any]) -> None:
        """Put `step` in the place of the one that answers to `name`."""
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
        step: BaseStep[Any],
        side: Literal["before", "after", "end"],
        if_missing: IfMissing,
    ) -> None:
        origin = self._here()
        self.edits.insertions.append(
            Insertion(
                entries=(entry_for(step),),
                anchor=anchor,
                side=side,
                origin=origin,
                if_missing=if_missing,
                causes=frozenset({self.edits.owner}),
            )
        )

    def _show(self, edit: Any) -> None:
        # The plan reports a name that is taken, with both origins.
        with suppress(DuplicateStepError):
            edit()

    def _here(self) -> Origin:
        # The way to the line of the edit.
        frame = sys._getframe(1)  # pyright: ignore[reportPrivateUsage]
        while frame.f_back is not None and frame.f_globals.get("__name__") == __name__:
            frame = frame.f_back
        module = str(frame.f_globals.get("__name__", ""))
        file = frame.f_code.co_filename.replace("\\", "/")
        package = bool(frame.f_globals.get("__path__"))
        if module and module != "__main__":
            short = module.replace(".", "/") + ("/__init__.py" if package else ".py")
        else:
            short = file.rpartition("/")[2]
        return replace(self._origin, module=module, file=short, line=frame.f_lineno)


def collect(
    action: ActionInfo,
    base: StepRegistry[Any],
    packs: Sequence[Contributor],
    project: EditSet | None = None,
) -> tuple[list[EditSet], list[Problem]]:
    """Ask every pack, in order, for its edits of `action`, until no new step comes up.

    A pack is not asked about a step that it inserted or led to, so this always ends. Returns one
    set of edits for each pack, in the same order, then that of the project, whose steps the packs
    are asked about too; and the steps that were not usable as problems.

    Raises:
        HandrailError: A hook raised; the error names its pack.
    """
    problems: list[Problem] = []
    edits = [_ask_setup(action, pack, base, problems) for pack in packs]
    waiting = _first_steps(base, packs, edits, project)
    asked = 0
    while waiting:
        entry, causes = waiting.popleft()
        asked += len(causes) > 1
        if asked > MOST_ANSWERS:
            # Packs that answer for each step of each other end, but only after every order of them.
            problems.append(too_many_answers(action.name, edits))
            break
        for pack, own in zip(packs, edits, strict=True):
            if pack.id in causes:
                continue
            for insertion in _ask_insertions(action, pack, entry, causes, problems):
                own.insertions.append(insertion)
                waiting.extend((each, insertion.causes) for each in insertion.entries)
            if pack.implements("wrap_step"):
                _ask_layer(action, pack, entry, own, problems)
    return [*edits, *([project] if project is not None else ())], problems


def _first_steps(
    base: StepRegistry[Any],
    packs: Sequence[Contributor],
    edits: Sequence[EditSet],
    project: EditSet | None,
) -> deque[tuple[Entry, frozenset[str]]]:
    """Return the steps to ask about that no answer brought, and the packs that led to each."""
    waiting: deque[tuple[Entry, frozenset[str]]] = deque(
        (entry, frozenset[str]()) for entry in base.entries()
    )
    for pack, own in zip(packs, edits, strict=True):
        causes = frozenset({pack.id})
        for insertion in own.insertions:
            waiting.extend((entry, causes) for entry in insertion.entries)
        waiting.extend((replacement.entry, causes) for replacement in own.replacements)
    if project is not None:
        nobody = frozenset[str]()
        for insertion in project.insertions:
            waiting.extend((entry, nobody) for entry in insertion.entries)
    return waiting


def _ask_setup(
    action: ActionInfo, pack: Contributor, base: StepRegistry[Any], problems: list[Problem]
) -> EditSet:
    recorder = EditRecorder(base, pack.origin)
    if pack.implements("setup_steps"):
        try:
            answer: object = pack.call("setup_steps", action=action, registry=recorder)
            if answer is not None and any(isinstance(each, BaseStep) for each in _several(answer)):
                problems.append(_unregistered(pack))
        except HandrailError as error:
            if not isinstance(error.__cause__, InvalidStepError):
                raise
            problems.append(_invalid(error.__cause__, error.origin or pack.origin))
    return recorder.edits


def _ask_insertions(
    action: ActionInfo,
    pack: Contributor,
    entry: Entry,
    causes: frozenset[str],
    problems: list[Problem],
) -> Iterable[Insertion]:
    sides: tuple[Literal["before", "after"], ...] = ("before", "after")
    for side in sides:
        hook = f"insert_{side}"
        if not pack.implements(hook):
            continue
        answer = pack.call(hook, action=action, step=innermost(entry.step))
        if answer is None:
            continue
        origin = _origin_of(pack, hook)
        try:
            entries = tuple(entry_for(cast("Any", step)) for step in _several(answer))
        except InvalidStepError as error:
            problems.append(_invalid(error, origin))
            continue
        except Exception as error:
            raise PackError(
                f"what {hook} of {pack.origin} returned raised {type(error).__name__}: "
                f"{describe(error)}",
                origin=origin,
                ways_out=(f"leave the pack out:  --no-pack {pack.id}",),
            ) from error
        if entries:
            yield Insertion(
                entries=entries,
                anchor=entry.name,
                side=side,
                origin=origin,
                causes=causes | {pack.id},
            )


def _ask_layer(
    action: ActionInfo, pack: Contributor, entry: Entry, own: EditSet, problems: list[Problem]
) -> None:
    step = innermost(entry.step)
    layer: Any = pack.call("wrap_step", action=action, step=step)
    if layer is None:
        return
    origin = _origin_of(pack, "wrap_step")
    if not is_wrapper(layer):
        problems.append(
            Problem(
                code="invalid-layer",
                message=f"wrap_step of {pack.origin} returned {layer!r} for step '{entry.name}'; "
                "it may return a StepWrapper or None",
                origins=(origin,),
                ways_out=(f"leave it out:  --no-pack {pack.id}",),
            )
        )
        return
    own.wrappings.append(Wrapping(name=entry.name, layer=layer, origin=origin, around=step))


def _several(answer: object) -> Iterable[object]:
    if isinstance(answer, Iterable) and not isinstance(answer, str | bytes | BaseStep):
        return cast("Iterable[object]", answer)
    return (answer,)


def _unregistered(pack: Contributor) -> Problem:
    origin = _origin_of(pack, "setup_steps")
    return Problem(
        code="invalid-answer",
        message=f"setup_steps of {pack.origin} returned steps, which nobody would run",
        origins=(origin,),
        details=(origin.place,) if origin.place else (),
        ways_out=("register each of them:  registry.register(step)",),
    )


def _origin_of(pack: Contributor, hook: str) -> Origin:
    locate = getattr(pack, "locate", None)
    return pack.origin if locate is None else locate(hook)


def _invalid(error: InvalidStepError, origin: Origin) -> Problem:
    return Problem(
        code="invalid-step",
        message=f"{origin} brings a step that cannot be planned: {error.message}",
        origins=(origin,),
        ways_out=(f"leave it out:  --no-pack {origin.pack}",) if origin.pack else (),
    )
