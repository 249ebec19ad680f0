"""Base steps and edits -> a frozen Plan, or every problem at once. A pure function."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from handrail.errors import PlanError, Problem
from handrail.frozen import record, replace
from handrail.origin import UNKNOWN, Origin
from handrail.plan import problems
from handrail.plan.apply_edits import Changes, Grants
from handrail.plan.builder import Draft, freeze
from handrail.plan.edits import PROJECT, History
from handrail.plan.plan import Plan
from handrail.plan.required import demanded_by
from handrail.plan.tree import AnyNode, Block, Node, drop_skipped, nodes_of, place

if TYPE_CHECKING:
    from handrail.plan.edits import EditSet, Insertion, Replacement
    from handrail.plan.required import RequiredStep


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
    """Resolve the plan of `action`.

    Insertions form a tree; then come replacements, layers and removals, each in the order of
    `edits`. `always_run` steps close the plan.

    Args:
        action: Its name.
        base: The steps of the action itself, in order.
        edits: One set for each pack in pack order, the project's last.
        grants: The permitted changes of each pack to steps of others, such as `replace
            acme-scan:scan_files`.
        required: Steps that this action needs: they must not be removed, replaced or wrapped.
        origin: Origin of the action.
        known: Problems found before; they are reported together with the rest.

    Raises:
        PlanError: There are problems; it lists all of them.
    """
    work = _Resolution(action, base, edits, grants or {}, list(known), required)
    drafts = work.run()
    for draft in drafts:
        draft.required = demanded_by(draft, required)
    history = History(
        base=tuple(base),
        edits=tuple(edits),
        left_out=tuple(work.left_out),
        grants=work.grants,
    )
    plan = replace(freeze(action, drafts, origin), history=history)
    if work.problems:
        raise PlanError(action, work.problems, plan=plan)
    return plan


@record
class _Resolution:
    action: str
    base: Sequence[Draft]
    edits: Sequence[EditSet]
    grants: Grants
    problems: list[Problem]
    required: Sequence[RequiredStep] = ()
    anchors: dict[str, AnyNode] = field(default_factory=dict[str, AnyNode])
    skipped: set[tuple[str | None, str]] = field(default_factory=set[tuple[str | None, str]])
    left_out: list[Insertion] = field(default_factory=list["Insertion"])

    def run(self) -> list[Draft]:
        # An ordinary step that hangs on a closing one goes right before all of them.
        roots = nodes_of(draft for draft in self.base if not draft.always_run)
        closing = nodes_of(draft for draft in self.base if draft.always_run)
        self._claim(roots + closing)
        blocks = [self._block(insertion) for insertion in self._present()]
        self._name_replacements()
        ends = [block for block in blocks if block.insertion.anchor is None]
        hanging = [block for block in blocks if block.insertion.anchor is not None]
        appended = [node for block in ends for node in block.nodes]
        roots += [node for node in appended if not _closes(node)]
        closing += [node for node in appended if _closes(node)]
        ordered, misplaced = place(roots + closing, hanging, self.anchors, self.action)
        self.problems += misplaced
        changes = Changes(
            anchors=self.anchors,
            skipped=self.skipped,
            grants=self.grants,
            required=self.required,
            problems=self.problems,
        )
        changes.apply(self.edits)
        return _closed([node for node in ordered if id(node) not in changes.removed])

    def _present(self) -> list[Insertion]:
        """Return the insertions except for optional ones whose anchor is missing.

        An insertion is optional if it says so, or if the project places its steps itself.
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
            self.skipped.update((insertion.origin.pack, name) for name in insertion.names)
        return present

    def _block(self, insertion: Insertion) -> Block:
        where = "at the end" if insertion.anchor is None else f"{insertion.side} {insertion.anchor}"
        by_project = bool(insertion.sources)
        if by_project:
            where += f", {insertion.origin.place}"
        sources = insertion.sources or (insertion.origin,) * len(insertion.entries)
        drafts = [
            Draft(entry=entry, origin=source, reason=where, by_project=by_project, lane=entry.lane)
            for entry, source in zip(insertion.entries, sources, strict=True)
        ]
        nodes = nodes_of(drafts, insertion)
        self._claim(nodes)
        return Block(insertion, nodes)

    def _claim(self, nodes: Iterable[AnyNode]) -> None:
        for node in nodes:
            if isinstance(node, Node):
                self._claim_names(node, node.draft.entry.names)
            else:
                self._claim_names(node, node.group.names)
                self._claim(node.steps)

    def _claim_names(self, node: AnyNode, names: Sequence[str]) -> None:
        # Claim the free names even so, to avoid follow-up problems for steps that hang on them.
        taken = [name for name in names if self.anchors.setdefault(name, node) is not node]
        if taken:
            insertion = node.insertion
            # Names of the action itself are unique already.
            brought = node.origin if insertion is None else insertion.origin
            self._duplicate(taken[0], brought, self.anchors[taken[0]])

    def _duplicate(self, name: str, brought: Origin, holder: AnyNode) -> None:
        removed = any(
            self.anchors.get(removal.name) is holder
            for edit_set in self.edits
            for removal in edit_set.removals
        )
        held = None if holder.insertion is None else holder.insertion.origin
        self.problems.append(problems.duplicate(name, self.action, brought, held, removed=removed))

    def _name_replacements(self) -> None:
        """Register the names of all replacements before anything is placed."""
        waiting = deque(each for edit_set in self.edits for each in edit_set.replacements)
        passed = 0
        while waiting:
            replacement = waiting.popleft()
            # A step may be replaced that a later replacement brings, in any order of packs.
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


def _closes(node: AnyNode) -> bool:
    return isinstance(node, Node) and node.draft.always_run


def _closed(nodes: list[Node]) -> list[Draft]:
    """Move `always_run` steps to the end, and add that to the reasons of steps beside them."""
    ordinary: list[Draft] = []
    closing: list[Draft] = []
    for node in nodes:
        closes = node.draft.always_run
        node.draft.lane = None if closes else node.lane
        (closing if closes else ordinary).append(node.draft)
    names = {name for draft in closing for name in draft.entry.names}
    for draft in ordinary:
        side, _, anchor = draft.reason.partition(",")[0].partition(" ")
        if side in ("before", "after") and anchor in names:
            draft.reason += ", moved before the steps that always run"
    return ordinary + closing
