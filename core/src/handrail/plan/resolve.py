"""Base steps and edits -> a frozen Plan, or every problem at once. A pure function."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from handrail.errors import PlanError, Problem
from handrail.frozen import record, replace
from handrail.origin import UNKNOWN, Origin
from handrail.plan import problems
from handrail.plan.apply_edits import Changes, Grants
from handrail.plan.builder import freeze
from handrail.plan.drafts import AnyDraft, Block, Draft, grouped
from handrail.plan.edits import PROJECT, History
from handrail.plan.plan import Plan
from handrail.plan.rules import demanded_by
from handrail.plan.tree import drop_skipped, place

if TYPE_CHECKING:
    from handrail.plan.edits import EditSet, Insertion, Replacement
    from handrail.plan.rules import RequiredStep


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
    own = tuple((draft.entry, draft.origin) for draft in base)
    work = _Resolution(action, base, edits, grants or {}, list(known), required)
    drafts = work.run()
    for draft in drafts:
        draft.required = demanded_by(draft, required)
    left_out = tuple(work.left_out)
    history = History(base=own, edits=tuple(edits), left_out=left_out, grants=work.grants)
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
    anchors: dict[str, AnyDraft] = field(default_factory=dict[str, AnyDraft])
    skipped: set[tuple[str | None, str]] = field(default_factory=set[tuple[str | None, str]])
    left_out: list[Insertion] = field(default_factory=list["Insertion"])

    def run(self) -> list[Draft]:
        # An ordinary step that hangs on a closing one goes right before all of them.
        roots = grouped(draft for draft in self.base if not draft.always_run)
        closing = grouped(draft for draft in self.base if draft.always_run)
        self._claim(roots + closing)
        blocks = [self._block(insertion) for insertion in self._present()]
        self._name_replacements()
        hanging: list[Block] = []
        for block in blocks:
            if block.insertion.anchor is not None:
                hanging.append(block)
                continue
            block.placed = True
            for draft in block.drafts:
                closes = isinstance(draft, Draft) and draft.always_run
                (closing if closes else roots).append(draft)
        ordered, misplaced = place(roots + closing, hanging, self.anchors, self.action)
        self.problems += misplaced
        changes = Changes(self.anchors, self.skipped, self.grants, self.required, self.problems)
        changes.apply(self.edits)
        return _closed([draft for draft in ordered if id(draft) not in changes.removed])

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
        block = Block(insertion, [])
        block.drafts += grouped(drafts, block)
        self._claim(block.drafts)
        return block

    def _claim(self, drafts: Iterable[AnyDraft]) -> None:
        for draft in drafts:
            # Claim the free names even so, to avoid follow-up problems for steps that hang on them.
            names = draft.names
            taken = [name for name in names if self.anchors.setdefault(name, draft) is not draft]
            if taken:
                # Names of the action itself are unique already.
                brought = draft.origin if draft.block is None else draft.block.insertion.origin
                self._duplicate(taken[0], brought, self.anchors[taken[0]])
            if not isinstance(draft, Draft):
                self._claim(draft.steps)

    def _duplicate(self, name: str, brought: Origin, holder: AnyDraft) -> None:
        removed = any(
            self.anchors.get(removal.name) is holder
            for edit_set in self.edits
            for removal in edit_set.removals
        )
        held = None if holder.block is None else holder.block.insertion.origin
        self.problems.append(problems.duplicate(name, self.action, brought, held, removed=removed))

    def _name_replacements(self) -> None:
        """Register the names of all replacements before anything is placed."""
        waiting = [each for edit_set in self.edits for each in edit_set.replacements]
        while waiting:
            # A step may be replaced that another replacement brings, in any order of packs.
            known = [each for each in waiting if each.name in self.anchors] or waiting
            for replacement in known:
                self._name_replacement(replacement)
            waiting = [each for each in waiting if each not in known]

    def _name_replacement(self, replacement: Replacement) -> None:
        target = self.anchors.get(replacement.name)
        for name in replacement.entry.names:
            holder = self.anchors.get(name)
            if target is not None and holder is None:
                self.anchors[name] = target
            elif holder is not None and holder is not target:
                self._duplicate(name, replacement.origin, holder)


def _closed(drafts: Sequence[Draft]) -> list[Draft]:
    """Move `always_run` steps to the end, and add that to the reasons of steps beside them."""
    ordinary = [draft for draft in drafts if not draft.always_run]
    closing = [draft for draft in drafts if draft.always_run]
    names = {name for draft in closing for name in draft.names}
    for draft in closing:
        draft.lane = None
    for draft in ordinary:
        side, _, anchor = draft.reason.partition(",")[0].partition(" ")
        if side in ("before", "after") and anchor in names:
            draft.reason += ", moved before the steps that always run"
    return ordinary + closing
