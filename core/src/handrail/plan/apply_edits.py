"""Applies replacements, layers and removals to placed steps, if they are permitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from handrail.entry import around, chain, innermost, rewire
from handrail.errors import InvalidStepError, Problem
from handrail.frozen import record
from handrail.limits import changed_by
from handrail.plan import problems
from handrail.plan.builder import GroupDraft, layers_of
from handrail.plan.rules import demanded_by
from handrail.user_code import calls_user_code
from handrail.wrapper import Guest, StepWrapper, changes_step, is_wrapper

if TYPE_CHECKING:
    from handrail.plan.builder import AnyDraft, Draft
    from handrail.plan.edits import EditSet, Limiting, Removal, Replacement, Wrapping
    from handrail.plan.rules import RequiredStep
    from handrail.steps import BaseStep

    Edit = Replacement | Wrapping | Removal | Limiting

Grants = Mapping[str, frozenset[str]]


@record
class Changes:
    """Applies edits to steps whose place is known.

    Attributes:
        anchors: The step or group for each name.
        skipped: Pack and name of steps that were left out because their anchor is missing.
        grants: The permitted changes of each pack to steps of others.
        required: Steps that must not be changed.
        problems: The edits that could not be applied.
        removed: The identities of removed steps.
    """

    anchors: Mapping[str, AnyDraft]
    skipped: set[tuple[str | None, str]]
    grants: Grants
    required: Sequence[RequiredStep]
    problems: list[Problem]
    removed: set[int] = field(default_factory=set[int])
    _replaced: dict[int, Replacement] = field(default_factory=dict[int, "Replacement"])
    _former: dict[int, BaseStep[Any]] = field(default_factory=dict[int, "BaseStep[Any]"])
    _wrapped: set[tuple[str | None, int]] = field(default_factory=set[tuple[str | None, int]])

    def apply(self, edits: Sequence[EditSet]) -> None:
        """Replace, then wrap, then remove, then limit, each in the order of `edits`."""
        for replacement in (each for edit_set in edits for each in edit_set.replacements):
            self._replace(replacement)
        wrappings = [each for edit_set in edits for each in edit_set.wrappings]
        self._wrapped = {(each.origin.pack, id(each.around)) for each in wrappings}
        for wrapping in wrappings:
            self._wrap(wrapping)
        for removal in (each for edit_set in edits for each in edit_set.removals):
            self._remove(removal)
        for limiting in (each for edit_set in edits for each in edit_set.limitings):
            self._limit(limiting)

    def _replace(self, edit: Replacement) -> None:
        draft = self._step(edit, "replace")
        if draft is None:
            return
        earlier = self._replaced.get(id(draft))
        if earlier is not None:
            self.problems.append(problems.twice(edit, earlier))
            return
        if not self._allowed(draft, edit, "replace"):
            return
        self._replaced[id(draft)] = edit
        self._former[id(draft)] = draft.entry.step
        edit.entry.stand_in_for(draft.entry)
        draft.reason = f"replaces {draft.name} of {draft.origin}"
        draft.entry, draft.origin, draft.by_project = edit.entry, edit.origin, False

    def _wrap(self, edit: Wrapping) -> None:
        draft = self._step(edit, "wrap")
        if draft is None:
            return
        entry = draft.entry
        if entry.step.final:
            self.problems.append(problems.final(edit, draft, "wrap", ""))
            return
        step, inner = innermost(entry.step), entry.outermost
        layer = self._made(edit, inner)
        if layer is None:
            return
        # A layer around a replaced step is kept, and wraps the replacement.
        former = self._former.get(id(draft))
        outlived = former is not None and innermost(layer) is innermost(former)
        if innermost(layer) is not (edit.around or step) and not (outlived and edit.around is None):
            self.problems.append(problems.other_step(edit, layer))
            return
        if any(layer is each for each in chain(inner)):
            self.problems.append(problems.same_layer(edit, layer))
            return
        if outlived and (edit.origin.pack, id(step)) in self._wrapped:
            return  # The pack wraps the new step itself.
        guest = edit.origin.pack != draft.origin.pack
        if guest and not self._may_wrap(draft, edit, layer):
            return
        rewire(layer, former if former is not None and outlived else inner, inner)
        entry.layers += (layer,)
        place = edit.origin.place if edit.source is not None else ""
        for each in around(layer, inner):
            mark = Guest(origin=edit.origin, changes=changes_step(each)) if guest else None
            each.__handrail_guest__ = mark
        draft.layers = (*layers_of(layer, inner, edit.source or edit.origin, place), *draft.layers)

    def _may_wrap(self, draft: Draft, edit: Wrapping, layer: StepWrapper[Any]) -> bool:
        """Return whether a layer may be put around a step of another author."""
        changing = [each for each in around(layer, draft.entry.outermost) if changes_step(each)]
        if not changing:
            return True
        details = [problems.why_it_changes(each) for each in changing]
        if required := demanded_by(draft, self.required):
            self.problems.append(problems.final(edit, draft, "change", required, *details))
            return False
        return self._granted(draft, edit, "change", *details)

    @calls_user_code
    def _made(self, edit: Wrapping, inner: Any) -> StepWrapper[Any] | None:
        made: object = edit.layer
        if not isinstance(edit.layer, StepWrapper):
            try:
                made = edit.layer(inner)
            except Exception as error:  # noqa: BLE001 - a pack's own code
                made = error
        if is_wrapper(made):
            return made
        self.problems.append(problems.no_layer(edit, made))
        return None

    def _remove(self, edit: Removal) -> None:
        found = self._found(edit, "remove", missing_ok=edit.missing_ok)
        if found is None:
            return
        replaced = [self._replaced[id(each)] for each in found.steps if id(each) in self._replaced]
        self.problems += [problems.replaced_and_removed(edit, each) for each in replaced]
        if not replaced and self._allowed(found, edit, "remove"):
            self.removed.update(map(id, found.steps))

    def _limit(self, edit: Limiting) -> None:
        draft = self._step(edit, "limit", missing_ok=edit.missing_ok)
        if draft is None:
            return
        try:
            draft.given = changed_by(*draft.limits, edit.values)
        except InvalidStepError as error:
            self.problems.append(problems.bad_limits(edit, draft, error))

    def _step(self, edit: Edit, verb: str, *, missing_ok: bool = False) -> Draft | None:
        found = self._found(edit, verb, missing_ok=missing_ok)
        if isinstance(found, GroupDraft):
            self.problems.append(problems.not_a_step(edit, verb, found))
            return None
        return found

    def _found(self, edit: Edit, verb: str, *, missing_ok: bool = False) -> AnyDraft | None:
        found = self.anchors.get(edit.name)
        # Also ignore edits of a pack to a step of its own that was left out.
        if not (found or missing_ok or (edit.origin.pack, edit.name) in self.skipped):
            self.problems.append(problems.unknown_step(edit, verb, self.anchors))
        return found

    def _allowed(self, found: AnyDraft, edit: Edit, verb: str) -> bool:
        """Return whether `edit` may remove or replace what may belong to another pack."""
        allowed = True
        for draft in found.steps:
            required = demanded_by(draft, self.required)
            if required or draft.entry.step.final:
                self.problems.append(problems.final(edit, draft, verb, required))
                allowed = False
        return allowed and self._granted(found, edit, verb)

    def _granted(self, found: AnyDraft, edit: Edit, verb: str, *details: str) -> bool:
        """Return whether the project lets a pack do this; if not, add a problem for the edit."""
        owner, target = edit.origin.pack, found.origin.pack
        if owner is None or owner == target:
            return True
        grant = f"{verb} {target or 'local'}:{found.name}"
        if grant in self.grants.get(owner, frozenset()):
            return True
        self.problems.append(problems.needs_grant(edit, verb, found, grant, *details))
        return False
