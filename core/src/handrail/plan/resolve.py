"""Base steps and edits -> a frozen Plan, or every problem at once. A pure function."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from handrail.entry import Entry, chain, innermost, rewire
from handrail.errors import PlanError, Problem
from handrail.origin import UNKNOWN, Origin
from handrail.plan import problems
from handrail.plan.edits import History
from handrail.plan.plan import Draft, Layer, Plan, freeze, layer_name
from handrail.plan.tree import Block, Node, drop_skipped, place
from handrail.wrapper import StepWrapper, is_wrapper

if TYPE_CHECKING:
    from handrail.plan.edits import EditSet, Insertion, Removal, Replacement, Wrapping

Grants = Mapping[str, frozenset[str]]


def resolve(
    action: str,
    base: Sequence[Draft],
    edits: Sequence[EditSet],
    *,
    grants: Grants | None = None,
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
        origin: Where the action came from.
        known: Problems that were found before; they are reported together with the rest.

    Raises:
        PlanError: There are problems; it lists all of them.
    """
    work = _Resolution(base, edits, grants or {}, list(known))
    drafts = work.run()
    if work.problems:
        raise PlanError(action, work.problems)
    history = History(base=tuple(base), edits=tuple(edits), grants=work.grants)
    return replace(freeze(action, drafts, origin), history=history)


@dataclass(slots=True)
class _Resolution:
    base: Sequence[Draft]
    edits: Sequence[EditSet]
    grants: Grants
    problems: list[Problem]
    anchors: dict[str, Node] = field(default_factory=dict[str, Node])
    replaced: dict[int, Replacement] = field(default_factory=dict[int, "Replacement"])
    removed: dict[int, Removal] = field(default_factory=dict[int, "Removal"])
    skipped: set[tuple[str | None, str]] = field(default_factory=set[tuple[str | None, str]])

    def run(self) -> list[Draft]:
        # An ordinary step that hangs on a closing one goes right before all of them.
        first = [draft for draft in self.base if not draft.always_run]
        roots = [Node(draft) for draft in first]
        closing = [Node(draft) for draft in self.base if draft.always_run]
        for node in roots + closing:
            self._claim(node, node.draft.entry)
        blocks = [self._block(insertion) for insertion in self._present()]
        for edit_set in self.edits:
            for replacement in edit_set.replacements:
                self._name_replacement(replacement)
        ends = [block for block in blocks if block.insertion.anchor is None]
        hanging = [block for block in blocks if block.insertion.anchor is not None]
        appended = [node for block in ends for node in block.nodes]
        roots += [node for node in appended if not node.draft.always_run]
        closing += [node for node in appended if node.draft.always_run]
        ordered, misplaced = place(roots + closing, hanging, self.anchors)
        self.problems += misplaced
        for edit_set in self.edits:
            for replacement in edit_set.replacements:
                self._replace(replacement)
        for edit_set in self.edits:
            for wrapping in edit_set.wrappings:
                self._wrap(wrapping)
        for edit_set in self.edits:
            for removal in edit_set.removals:
                self._remove(removal)
        kept = [node.draft for node in ordered if id(node) not in self.removed]
        return _closed(kept)

    def _present(self) -> list[Insertion]:
        """Return the insertions but for those that allow a missing anchor, and miss it."""
        listed = [insertion for edit_set in self.edits for insertion in edit_set.insertions]
        renamed = {
            name
            for edit_set in self.edits
            for replacement in edit_set.replacements
            for name in replacement.entry.names
        }
        present, left_out = drop_skipped(listed, {*self.anchors, *renamed})
        for insertion in left_out:
            self.skipped.update(
                (insertion.origin.pack, name) for entry in insertion.entries for name in entry.names
            )
        return present

    def _block(self, insertion: Insertion) -> Block:
        where = "at the end" if insertion.anchor is None else f"{insertion.side} {insertion.anchor}"
        nodes = [
            Node(Draft(entry=entry, origin=insertion.origin, reason=where), insertion)
            for entry in insertion.entries
        ]
        for node in nodes:
            self._claim(node, node.draft.entry)
        return Block(insertion, nodes)

    def _claim(self, node: Node, entry: Entry) -> None:
        for name in entry.names:
            holder = self.anchors.setdefault(name, node)
            if holder is not node:
                self._duplicate(name, node.draft.origin, holder)
                return

    def _duplicate(self, name: str, origin: Origin, holder: Node) -> None:
        removed = any(
            self.anchors.get(removal.name) is holder
            for edit_set in self.edits
            for removal in edit_set.removals
        )
        self.problems.append(problems.duplicate(name, origin, holder.draft, removed=removed))

    def _name_replacement(self, replacement: Replacement) -> None:
        """Make the names of a replacement known before anything is placed."""
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
        if draft.entry.step.final:
            self.problems.append(problems.final(edit, draft, "wrap"))
            return
        step = innermost(draft.entry.step)
        around = edit.around
        if around is None and is_wrapper(edit.layer):
            around = innermost(edit.layer)
        if id(node) in self.replaced and around not in (None, step):
            return  # A layer around a step that is not in the plan any more.
        inner = draft.entry.outermost
        layer = self._made(edit, inner)
        if layer is None:
            return
        if innermost(layer) is not (step if edit.around is None else edit.around):
            self.problems.append(problems.other_step(edit, layer))
            return
        if any(layer is each for each in chain(inner)):
            self.problems.append(problems.same_layer(edit, layer))
            return
        rewire(layer, inner, inner)
        draft.entry.layers.append(layer)
        draft.layers.insert(0, Layer(name=layer_name(layer), origin=edit.origin, wrapper=layer))

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
        if draft.entry.step.final:
            self.problems.append(problems.final(edit, draft, verb))
            return False
        owner, target = edit.origin.pack, draft.origin.pack
        if owner is None or owner == target:
            return True
        grant = f"{verb} {target or 'local'}:{draft.entry.name}"
        if grant in self.grants.get(owner, frozenset()):
            return True
        self.problems.append(problems.needs_grant(edit, verb, draft, grant))
        return False


def _closed(drafts: list[Draft]) -> list[Draft]:
    """Move `always_run` steps to the end, and say so where that changes who stands next to whom."""
    ordinary = [draft for draft in drafts if not draft.always_run]
    closing = [draft for draft in drafts if draft.always_run]
    names = {name for draft in closing for name in draft.entry.names}
    for draft in ordinary:
        side, _, anchor = draft.reason.partition(" ")
        if side in ("before", "after") and anchor in names:
            draft.reason += ", moved before the steps that always run"
    return ordinary + closing
