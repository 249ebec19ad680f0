"""Applies replacements, layers and removals to placed steps, if they are permitted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any

from handrail.entry import around, chain, innermost, rewire
from handrail.errors import InvalidStepError, Problem
from handrail.frozen import record
from handrail.limits import changed_by
from handrail.plan import problems
from handrail.plan.builder import Draft, layers_of
from handrail.plan.required import demanded_by
from handrail.plan.tree import GroupNode
from handrail.user_code import calls_user_code
from handrail.wrapper import Guest, StepWrapper, changes_step, is_wrapper

if TYPE_CHECKING:
    from handrail.plan.edits import EditSet, Limiting, Removal, Replacement, Wrapping
    from handrail.plan.required import RequiredStep
    from handrail.plan.tree import AnyNode, Node
    from handrail.steps import BaseStep

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
        removed: Removed steps, by the identity of their node.
    """

    anchors: Mapping[str, AnyNode]
    skipped: set[tuple[str | None, str]]
    grants: Grants
    required: Sequence[RequiredStep]
    problems: list[Problem]
    removed: dict[int, Removal] = field(default_factory=dict[int, "Removal"])
    _replaced: dict[int, Replacement] = field(default_factory=dict[int, "Replacement"])
    _former: dict[int, BaseStep[Any]] = field(default_factory=dict[int, "BaseStep[Any]"])
    _wrapped: set[tuple[str | None, int]] = field(default_factory=set[tuple[str | None, int]])

    def apply(self, edits: Iterable[EditSet]) -> None:
        """Replace, then wrap, then remove, then limit, each in the order of `edits`."""
        edits = tuple(edits)
        for edit_set in edits:
            for replacement in edit_set.replacements:
                self._replace(replacement)
        wrappings = [each for edit_set in edits for each in edit_set.wrappings]
        self._wrapped = {(each.origin.pack, id(each.around)) for each in wrappings}
        for wrapping in wrappings:
            self._wrap(wrapping)
        for edit_set in edits:
            for removal in edit_set.removals:
                self._remove(removal)
        for edit_set in edits:
            for limiting in edit_set.limitings:
                self._limit(limiting)

    def _replace(self, edit: Replacement) -> None:
        node = self._target(edit.name, edit, "replaces")
        if node is None:
            return
        earlier = self._replaced.get(id(node))
        if earlier is not None:
            self.problems.append(problems.twice(edit, earlier, edit.name))
            return
        if not self._allowed(node, edit, "replace"):
            return
        self._replaced[id(node)] = edit
        old = node.draft
        new = edit.entry
        self._former[id(node)] = old.entry.step
        new.stand_in_for(old.entry)
        node.draft = Draft(
            entry=new,
            origin=edit.origin,
            reason=f"replaces {old.entry.name} of {old.origin}",
            layers=old.layers,
        )

    def _wrap(self, edit: Wrapping) -> None:
        node = self._target(edit.name, edit, "wraps")
        if node is None:
            return
        draft = node.draft
        if draft.entry.step.final:
            self.problems.append(problems.final(edit, draft, "wrap"))
            return
        step = innermost(draft.entry.step)
        former = self._former.get(id(node))
        inner = draft.entry.outermost
        layer = self._made(edit, inner)
        if layer is None:
            return
        wrapped = innermost(layer)
        # A layer around a replaced step is kept, and wraps the replacement.
        outlived = former is not None and wrapped is innermost(former)
        if wrapped is not (edit.around or step) and not (outlived and edit.around is None):
            self.problems.append(problems.other_step(edit, layer))
            return
        if any(layer is each for each in chain(inner)):
            self.problems.append(problems.same_layer(edit, layer))
            return
        if outlived and (edit.origin.pack, id(step)) in self._wrapped:
            return  # The pack wraps the new step itself.
        guest = edit.origin.pack != draft.origin.pack
        if guest and not self._may_wrap(node, edit, layer, inner):
            return
        rewire(layer, former if former is not None and outlived else inner, inner)
        draft.entry.layers += (layer,)
        place = edit.origin.place if edit.source is not None else ""
        for each in around(layer, inner):
            mark = Guest(origin=edit.origin, changes=changes_step(each)) if guest else None
            each.__handrail_guest__ = mark
        draft.layers = (*layers_of(layer, inner, edit.source or edit.origin, place), *draft.layers)

    def _may_wrap(
        self, node: Node, edit: Wrapping, layer: StepWrapper[Any], inner: BaseStep[Any]
    ) -> bool:
        """Return whether a layer may be put around a step of another author."""
        changing = [each for each in around(layer, inner) if changes_step(each)]
        if not changing:
            return True
        details = [problems.why_it_changes(each) for each in changing]
        if required := demanded_by(node.draft, self.required):
            self.problems.append(problems.final(edit, node.draft, "change", required, *details))
            return False
        return self._granted(node, edit, "change", *details)

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
        if edit.missing_ok and edit.name not in self.anchors:
            return
        found = self._found(edit.name, edit, "removes")
        if found is None:
            return
        replaced = [self._replaced[id(node)] for node in found.steps if id(node) in self._replaced]
        for replacement in replaced:
            self.problems.append(problems.replaced_and_removed(edit, replacement))
        if not replaced and self._allowed(found, edit, "remove"):
            self.removed.update((id(node), edit) for node in found.steps)

    def _limit(self, edit: Limiting) -> None:
        if edit.missing_ok and edit.name not in self.anchors:
            return
        node = self._target(edit.name, edit, "limits")
        if node is None:
            return
        draft = node.draft
        try:
            draft.given = changed_by(*draft.limits, edit.values)
        except InvalidStepError as error:
            self.problems.append(problems.bad_limits(edit, draft, error))

    def _target(self, name: str, edit: Any, verb: str) -> Node | None:
        found = self._found(name, edit, verb)
        if isinstance(found, GroupNode):
            self.problems.append(problems.not_a_step(edit, verb, found))
            return None
        return found

    def _found(self, name: str, edit: Any, verb: str) -> AnyNode | None:
        node = self.anchors.get(name)
        # Also ignore edits of a pack to a step of its own that was left out.
        if node is None and (edit.origin.pack, name) not in self.skipped:
            self.problems.append(problems.unknown_step(edit, verb, name, self.anchors))
        return node

    def _allowed(self, found: AnyNode, edit: Any, verb: str) -> bool:
        """Return whether `edit` may remove or replace what may belong to another pack."""
        final = [node for node in found.steps if self._is_final(node.draft, edit, verb)]
        return not final and self._granted(found, edit, verb)

    def _granted(self, found: AnyNode, edit: Any, verb: str, *details: str) -> bool:
        """Return whether the project lets a pack do this; if not, add a problem for the edit."""
        owner, target = edit.origin.pack, found.origin.pack
        if owner is None or owner == target:
            return True
        grant = f"{verb} {target or 'local'}:{found.name}"
        if grant in self.grants.get(owner, frozenset()):
            return True
        self.problems.append(problems.needs_grant(edit, verb, found, grant, *details))
        return False

    def _is_final(self, draft: Draft, edit: Any, verb: str) -> bool:
        """Return whether a step must not be changed; if so, add a problem for the edit."""
        required = demanded_by(draft, self.required)
        if required or draft.entry.step.final:
            self.problems.append(problems.final(edit, draft, verb, required))
            return True
        return False
