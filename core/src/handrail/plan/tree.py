"""Places inserted steps: each hangs before or after its anchor, which may be inserted too.

A step that cannot be placed is a problem, with its origin and ways out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.plan import problems
from handrail.plan.drafts import Draft
from handrail.plan.edits import Replacement

if TYPE_CHECKING:
    from handrail.entry import Lane
    from handrail.errors import Problem
    from handrail.plan.drafts import AnyDraft, Block
    from handrail.plan.edits import Insertion


def place(
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


def drop_skipped(
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
