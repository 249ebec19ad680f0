"""Base steps and edits -> a frozen Plan, or every problem at once. A pure function.

Each inserted step hangs before or after its anchor, which may be inserted too. One that cannot be
placed is a problem, with its origin and ways out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from handrail.errors import PlanError, Problem
from handrail.frozen import record, replace
from handrail.origin import UNKNOWN, Origin
from handrail.plan import problems
from handrail.plan.apply_edits import Changes, Grants
from handrail.plan.builder import AnyDraft, Block, Draft, freeze, grouped
from handrail.plan.edits import PROJECT, History, Replacement
from handrail.plan.plan import Plan
from handrail.plan.rules import demanded_by

if TYPE_CHECKING:
    from handrail.entry import Lane
    from handrail.plan.edits import EditSet, Insertion
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
        ordered, misplaced = _place(roots + closing, hanging, self.anchors, self.action)
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
        present, self.left_out = _drop_skipped(listed, optional, replacements, self.anchors)
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


def _place(
    base: Iterable[AnyDraft],
    blocks: Sequence[Block],
    anchors: Mapping[str, AnyDraft],
    action: str,
) -> tuple[list[Draft], list[Problem]]:
    """Hang every block on its anchor; return the steps in their final order, with their lanes.

    On one side of an anchor, later blocks are closer. A missing anchor is a problem; so is a block
    that hangs, directly or not, on itself, and a group that hangs on a step of another.
    """
    for block in blocks:
        anchor = anchors.get(block.insertion.anchor or "")
        if anchor is not None and block.insertion.side == "before":
            anchor.before += (block,)
        elif anchor is not None:
            anchor.after += (block,)
    ordered, nested = _flatten(base)
    lost = [block for block in blocks if not block.placed]
    return ordered, [*nested, *_problems(lost, anchors, action)]


def _drop_skipped(
    insertions: Sequence[Insertion],
    optional: Sequence[Insertion],
    replacements: Sequence[Replacement],
    names: Collection[str],
) -> tuple[list[Insertion], list[Insertion]]:
    """Divide insertions into those that remain, and those of `optional` whose anchor is missing.

    An anchor may come from another insertion or from a replacement, so leaving one out can leave
    out those that hang on it. `names` are the names that exist in any case.
    """
    offered = Counter(list(names))
    needing: dict[str, list[Insertion | Replacement]] = defaultdict(list)
    for insertion in insertions:
        offered.update(_offered_by(insertion))
    for insertion in optional:
        if insertion.anchor is not None:
            needing[insertion.anchor].append(insertion)
    for replacement in replacements:
        offered.update(_offered_by(replacement))
        needing[replacement.name].append(replacement)
    missing = [name for name in needing if not offered[name]]
    gone: set[int] = set()
    while missing:
        for edit in needing.pop(missing.pop(), ()):
            gone.add(id(edit))
            for name in _offered_by(edit):
                offered[name] -= 1
                if not offered[name] and name in needing:
                    missing.append(name)
    present = [insertion for insertion in insertions if id(insertion) not in gone]
    return present, [insertion for insertion in insertions if id(insertion) in gone]


def _offered_by(edit: Insertion | Replacement) -> list[str]:
    if isinstance(edit, Replacement):
        return [name for name in edit.entry.names if name != edit.name]
    return edit.names


def _flatten(roots: Iterable[AnyDraft]) -> tuple[list[Draft], list[Problem]]:
    """Write the trees out in order, without recursion, and the lane of each step into it."""
    ordered: list[Draft] = []
    nested: list[Problem] = []
    stack: list[tuple[AnyDraft, Lane | None, bool]] = [(draft, None, False) for draft in roots]
    stack.reverse()
    while stack:
        draft, lane, opened = stack.pop()
        if not opened and (draft.before or draft.after):
            # Pushed last to first: blocks before, the step or group itself, blocks after.
            stack += _children(draft.after, lane)
            stack.append((draft, lane, True))
            stack += _children(draft.before[::-1], lane)
        elif isinstance(draft, Draft):
            draft.lane = lane
            ordered.append(draft)
        else:
            if lane is not None:
                insertion = None if draft.block is None else draft.block.insertion
                nested.append(problems.nested_group(draft.group, insertion, lane))
            for inside, drafts in reversed(draft.lanes):
                stack.extend([(child, inside, False) for child in reversed(drafts)])
    return ordered, nested


def _children(
    blocks: Iterable[Block], lane: Lane | None
) -> Iterator[tuple[AnyDraft, Lane | None, bool]]:
    """Yield what to push for blocks on one side of a step, and mark them as placed."""
    for block in blocks:
        block.placed = True
        for child in reversed(block.drafts):
            yield child, lane, False


def _problems(
    lost: Sequence[Block], anchors: Mapping[str, AnyDraft], action: str
) -> Iterator[Problem]:
    """Yield one problem for each missing anchor and each cycle, with all that hangs on it."""
    told: set[int] = set()
    for block in lost:
        if id(block) in told:
            continue
        path: list[Block] = []
        seen: set[int] = set()
        above: Block | None = block
        while above is not None and id(above) not in seen:
            path.append(above)
            seen.add(id(above))
            anchor = anchors.get(above.insertion.anchor or "")
            above = None if anchor is None else anchor.block
        cause = path[-1:] if above is None else path[path.index(above) :]
        told.update(map(id, cause))
        hanging = list(_hanging(cause, told))
        edits = [each.insertion for each in cause]
        with_it = [each.insertion for each in hanging]
        if above is None:
            yield problems.missing_anchor(edits[0], with_it, anchors, action)
        else:
            yield problems.anchor_cycle(edits, with_it)


def _hanging(blocks: Iterable[Block], known: set[int]) -> Iterator[Block]:
    """Yield the blocks that hang on others, directly or not, except for those that are known."""
    waiting = list(blocks)
    while waiting:
        drafts = waiting.pop().drafts
        for draft in (each for top in drafts for each in (top, *top.steps)):
            for child in (*draft.before, *draft.after):
                if id(child) not in known:
                    known.add(id(child))
                    waiting.append(child)
                    yield child
