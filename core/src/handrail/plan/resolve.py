"""Base steps and edits -> a frozen Plan, or every problem at once. A pure function."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from handrail.entry import Entry, chain, innermost, rewire
from handrail.errors import PlanError, Problem
from handrail.origin import UNKNOWN, Origin
from handrail.plan import problems
from handrail.plan.edits import PROJECT, History
from handrail.plan.plan import Draft, Layer, Plan, freeze, layer_name
from handrail.plan.required import demanded_by
from handrail.plan.tree import Block, Node, drop_skipped, place
from handrail.wrapper import StepWrapper, is_wrapper

if TYPE_CHECKING:
    from handrail.plan.edits import EditSet, Insertion, Removal, Replacement, Wrapping
    from handrail.settings.requirements import RequiredStep
    from handrail.steps import BaseStep

Grants = Mapping[str, frozenset[str]]


def resolve(
    action: str,
    base: Sequence[Draft],
    edits: Sequence[EditSet],
    *,
    grants: Grants | None = None,
    required: Sequence[RequiredStep] = (),
    origin: Origin = UNKNOWN,
    known: Sequence[Problem] = (),
) -> Plan:
    """Work out the plan of `action`.

    Insertions form a tree; then come replacements, layers and removals, each in the order of
    `edits`. `always_run` steps close the plan.

    Args:
        action: Its name.
        base: The steps of the action itself, in order.
        edits: One set for each pack in pack order, the project's last.
        grants: What each pack may do to steps of others, such as `replace acme-scan:scan_files`.
        required: Steps that nobody may remove, replace or wrap, because this action needs them.
        origin: Where the action came from.
        known: Problems that were found before; they are reported together with the rest.

    Raises:
        PlanError: There are problems; it lists all of them.
    """
    work = _Resolution(action, base, edits, grants or {}, list(known), required)
    drafts = work.run()
    if work.problems:
        raise PlanError(action, work.problems)
    for draft in drafts:
        draft.required = demanded_by(draft, required)
    history = History(
        base=tuple(base),
        edits=tuple(edits),
        left_out=tuple(work.left_out),
        grants=work.grants,
    )
    return replace(freeze(action, drafts, origin), history=history)


@dataclass(slots=True)
class _Resolution:
    action: str
    base: Sequence[Draft]
    edits: Sequence[EditSet]
    grants: Grants
    problems: list[Problem]
    required: Sequence[RequiredStep] = ()
    anchors: dict[str, Node] = field(default_factory=dict[str, Node])
    replaced: dict[int, Replacement] = field(default_factory=dict[int, "Replacement"])
    former: dict[int, BaseStep[Any]] = field(default_factory=dict[int, "BaseStep[Any]"])
    removed: dict[int, Removal] = field(default_factory=dict[int, "Removal"])
    wrapped: set[tuple[str | None, int]] = field(default_factory=set[tuple[str | None, int]])
    skipped: set[tuple[str | None, str]] = field(default_factory=set[tuple[str | None, str]])
    left_out: list[Insertion] = field(default_factory=list["Insertion"])

    def run(self) -> list[Draft]:
        # An ordinary step that hangs on a closing one goes right before all of them.
        first = [draft for draft in self.base if not draft.always_run]
        roots = [Node(draft) for draft in first]
        closing = [Node(draft) for draft in self.base if draft.always_run]
        for node in roots + closing:
            self._claim(node, node.draft.entry)
        blocks = [self._block(insertion) for insertion in self._present()]
        self._name_replacements()
        ends = [block for block in blocks if block.insertion.anchor is None]
        hanging = [block for block in blocks if block.insertion.anchor is not None]
        appended = [node for block in ends for node in block.nodes]
        roots += [node for node in appended if not node.draft.always_run]
        closing += [node for node in appended if node.draft.always_run]
        ordered, misplaced = place(roots + closing, hanging, self.anchors, self.action)
        self.problems += misplaced
        for edit_set in self.edits:
            for replacement in edit_set.replacements:
                self._replace(replacement)
        wrappings = [each for edit_set in self.edits for each in edit_set.wrappings]
        self.wrapped = {(each.origin.pack, id(each.around)) for each in wrappings}
        for wrapping in wrappings:
            self._wrap(wrapping)
        for edit_set in self.edits:
            for removal in edit_set.removals:
                self._remove(removal)
        kept = [node.draft for node in ordered if id(node) not in self.removed]
        return _closed(kept)

    def _present(self) -> list[Insertion]:
        """Return the insertions but for those that may do without an anchor, and miss it.

        Those may that say so, and those whose steps the project puts somewhere itself.
        """
        listed = [insertion for edit_set in self.edits for insertion in edit_set.insertions]
        replacements = [each for edit_set in self.edits for each in edit_set.replacements]
        placed = {
            entry.name
            for edit_set in self.edits
            if edit_set.owner == PROJECT
            for insertion in edit_set.insertions
            for entry in insertion.entries
        }
        optional = [
            each
            for each in listed
            if each.if_missing == "skip"
            or (each.origin.pack and placed.issuperset(entry.name for entry in each.entries))
        ]
        present, self.left_out = drop_skipped(listed, optional, replacements, self.anchors)
        for insertion in self.left_out:
            self.skipped.update(
                (insertion.origin.pack, name) for entry in insertion.entries for name in entry.names
            )
        return present

    def _block(self, insertion: Insertion) -> Block:
        where = "at the end" if insertion.anchor is None else f"{insertion.side} {insertion.anchor}"
        source = insertion.source or insertion.origin
        if insertion.source is not None:
            where += f", {insertion.origin.place}"
        nodes = [
            Node(Draft(entry=entry, origin=source, reason=where), insertion)
            for entry in insertion.entries
        ]
        for node in nodes:
            self._claim(node, node.draft.entry)
        return Block(insertion, nodes)

    def _claim(self, node: Node, entry: Entry) -> None:
        # What is free is claimed all the same, so that nothing that hangs on it is blamed too.
        holders = {name: self.anchors.setdefault(name, node) for name in entry.names}
        taken = next((name for name in entry.names if holders[name] is not node), None)
        if taken is not None:
            self._duplicate(taken, node.draft.origin, holders[taken])

    def _duplicate(self, name: str, origin: Origin, holder: Node) -> None:
        removed = any(
            self.anchors.get(removal.name) is holder
            for edit_set in self.edits
            for removal in edit_set.removals
        )
        self.problems.append(problems.duplicate(name, origin, holder.draft, removed=removed))

    def _name_replacements(self) -> None:
        """Make the names of all replacements known before anything is placed."""
        waiting = deque(each for edit_set in self.edits for each in edit_set.replacements)
        passed = 0
        while waiting:
            replacement = waiting.popleft()
            # One may replace what another one brings, whichever pack comes first.
            if replacement.name in self.anchors or passed > len(waiting):
                self._name_replacement(replacement)
                passed = 0
            else:
                waiting.append(replacement)
                passed += 1

    def _name_replacement(self, replacement: Replacement) -> None:
        target = self.anchors.get(replacement.name)
        for name in replacement.entry.names:
            holder = self.anchors.get(name)
            if target is not None and holder is None:
                self.anchors[name] = target
            elif holder is not None and holder is not target:
                self._duplicate(name, replacement.origin, holder)

    def _replace(self, edit: Replacement) -> None:
        node = self._target(edit.name, edit, "replaces")
        if node is None:
            return
        earlier = self.replaced.get(id(node))
        if earlier is not None:
            self.problems.append(problems.twice(edit, earlier, edit.name))
            return
        if not self._allowed(node, edit, "replace"):
            return
        self.replaced[id(node)] = edit
        old = node.draft
        new = edit.entry
        self.former[id(node)] = old.entry.step
        new.layers = old.entry.layers
        if new.layers:
            rewire(new.layers[0], old.entry.step, new.step)
        new.names = tuple(dict.fromkeys((*new.names, *old.entry.names)))
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
        if self._is_final(draft, edit, "wrap"):
            return
        step = innermost(draft.entry.step)
        former = self.former.get(id(node))
        inner = draft.entry.outermost
        layer = self._made(edit, inner)
        if layer is None:
            return
        around = innermost(layer)
        # A layer around a step that was replaced is kept: it goes around the one in its place.
        outlived = former is not None and around is innermost(former)
        if around is not (edit.around or step) and not (outlived and edit.around is None):
            self.problems.append(problems.other_step(edit, layer))
            return
        if any(layer is each for each in chain(inner)):
            self.problems.append(problems.same_layer(edit, layer))
            return
        if outlived and (edit.origin.pack, id(step)) in self.wrapped:
            return  # Its pack has said what it wants around the new step.
        rewire(layer, former if former is not None and outlived else inner, inner)
        draft.entry.layers.append(layer)
        made = Layer(
            name=layer_name(layer),
            origin=edit.source or edit.origin,
            wrapper=layer,
            reason=edit.origin.place if edit.source is not None else "",
        )
        draft.layers.insert(0, made)

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
        node = self._target(edit.name, edit, "removes")
        if node is None:
            return
        replacement = self.replaced.get(id(node))
        if replacement is not None:
            self.problems.append(problems.replaced_and_removed(edit, replacement))
        elif self._allowed(node, edit, "remove"):
            self.removed[id(node)] = edit

    def _target(self, name: str, edit: Any, verb: str) -> Node | None:
        node = self.anchors.get(name)
        # What a pack wants of a step of its own that was left out is left out with it.
        if node is None and (edit.origin.pack, name) not in self.skipped:
            self.problems.append(problems.unknown_step(edit, verb, name, self.anchors))
        return node

    def _allowed(self, node: Node, edit: Any, verb: str) -> bool:
        """Whether `edit` may remove or replace a step that may be somebody else's."""
        draft = node.draft
        if self._is_final(draft, edit, verb):
            return False
        owner, target = edit.origin.pack, draft.origin.pack
        if owner is None or owner == target:
            return True
        grant = f"{verb} {target or 'local'}:{draft.entry.name}"
        if grant in self.grants.get(owner, frozenset()):
            return True
        self.problems.append(problems.needs_grant(edit, verb, draft, grant))
        return False

    def _is_final(self, draft: Draft, edit: Any, verb: str) -> bool:
        """Whether nobody may change a step; the edit that wants to is a problem then."""
        required = demanded_by(draft, self.required)
        if required or draft.entry.step.final:
            self.problems.append(problems.final(edit, draft, verb, required))
            return True
        return False


def _closed(drafts: list[Draft]) -> list[Draft]:
    """Move `always_run` steps to the end, and say so where that changes who stands next to whom."""
    ordinary = [draft for draft in drafts if not draft.always_run]
    closing = [draft for draft in drafts if draft.always_run]
    names = {name for draft in closing for name in draft.entry.names}
    for draft in ordinary:
        side, _, anchor = draft.reason.partition(",")[0].partition(" ")
        if side in ("before", "after") and anchor in names:
            draft.reason += ", moved before the steps that always run"
    return ordinary + closing
