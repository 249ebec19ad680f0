"""Places inserted steps: each hangs before or after its anchor, which may be inserted too.

A step that cannot be placed is a problem, with its origin and ways out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.frozen import record
from handrail.plan.edits import Replacement
from handrail.plan.problems import nested_group
from handrail.suggest import near

if TYPE_CHECKING:
    from handrail.entry import EntryGroup, Lane
    from handrail.origin import Origin
    from handrail.plan.builder import Draft
    from handrail.plan.edits import Insertion


@record
class Node:
    """A step in the tree, and the blocks that hang on it, in the order of packs and calls.

    Attributes:
        draft: The step.
        insertion: The edit that brings it; None for a step of the action itself.
        lane: The lane in which it stands, once it is placed.
        before: The blocks before it.
        after: The blocks after it.
    """

    draft: Draft
    insertion: Insertion | None = None
    lane: Lane | None = None
    before: list[Block] = field(default_factory=list["Block"])
    after: list[Block] = field(default_factory=list["Block"])

    @property
    def name(self) -> str:
        """Name of the step."""
        return self.draft.entry.name

    @property
    def origin(self) -> Origin:
        """Origin of the step."""
        return self.draft.origin

    @property
    def steps(self) -> tuple[Node, ...]:
        """Itself."""
        return (self,)


@record
class GroupNode:
    """A group in the tree; what hangs on it stands outside its lanes.

    Attributes:
        group: The group.
        lanes: The steps of each lane, and the lane.
        insertion: The edit that brings it; None for a group of the action itself.
        before: The blocks before it.
        after: The blocks after it.
    """

    group: EntryGroup
    lanes: list[tuple[Lane, list[Node]]]
    insertion: Insertion | None = None
    before: list[Block] = field(default_factory=list["Block"])
    after: list[Block] = field(default_factory=list["Block"])

    @property
    def name(self) -> str:
        """Name of the group."""
        return self.group.name

    @property
    def origin(self) -> Origin:
        """Origin of the group: that of its steps."""
        return self.steps[0].origin

    @property
    def steps(self) -> tuple[Node, ...]:
        """The steps that it was declared with."""
        return tuple(node for _, lane in self.lanes for node in lane)


AnyNode = Node | GroupNode


@record
class Block:
    """The nodes of one insertion.

    Attributes:
        insertion: The edit.
        nodes: Its steps and groups.
        placed: Whether it has its place in the plan.
    """

    insertion: Insertion
    nodes: list[AnyNode]
    placed: bool = False


def nodes_of(drafts: Iterable[Draft], insertion: Insertion | None = None) -> list[AnyNode]:
    """Return a node for each step and each group of `drafts`, in order."""
    found: list[AnyNode] = []
    group: GroupNode | None = None
    for draft in drafts:
        node, lane = Node(draft, insertion), draft.lane
        if lane is None:
            found.append(node)
            continue
        if group is None or group.group is not lane.group:
            group = GroupNode(lane.group, [], insertion)
            found.append(group)
        if not group.lanes or group.lanes[-1][0] is not lane:
            group.lanes.append((lane, []))
        group.lanes[-1][1].append(node)
    return found


def place(
    base: Sequence[AnyNode],
    blocks: Sequence[Block],
    anchors: Mapping[str, AnyNode],
    action: str,
) -> tuple[list[Node], list[Problem]]:
    """Hang every block on its anchor; return the steps in their final order, with their lanes.

    On one side of an anchor, later blocks are closer. Blocks for the end are appended in their
    order. A missing anchor is a problem; so is a block that hangs, directly or not, on itself, and
    a group that hangs on a step of another.
    """
    roots: list[AnyNode] = list(base)
    for block in blocks:
        insertion = block.insertion
        anchor = anchors.get(insertion.anchor or "")
        if insertion.anchor is None:
            roots += block.nodes
            block.placed = True
        elif anchor is not None:
            (anchor.before if insertion.side == "before" else anchor.after).append(block)
    ordered, nested = _flatten(roots)
    lost = [block for block in blocks if not block.placed]
    return ordered, [*nested, *(_problems(lost, anchors, action) if lost else ())]


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


def _flatten(roots: Iterable[AnyNode]) -> tuple[list[Node], list[Problem]]:
    """Write the trees out in order, without recursion, and the lane of each step into its node."""
    ordered: list[Node] = []
    nested: list[Problem] = []
    stack: list[tuple[AnyNode, Lane | None, bool]] = [(node, None, False) for node in roots]
    stack.reverse()
    while stack:
        node, lane, opened = stack.pop()
        if not opened and (node.before or node.after):
            # Pushed last to first: blocks before, the node itself, blocks after.
            for block in node.after:
                block.placed = True
                stack.extend([(child, lane, False) for child in reversed(block.nodes)])
            stack.append((node, lane, True))
            for block in reversed(node.before):
                block.placed = True
                stack.extend([(child, lane, False) for child in reversed(block.nodes)])
        elif isinstance(node, Node):
            node.lane = lane
            ordered.append(node)
        else:
            if lane is not None:
                nested.append(nested_group(node.group, node.insertion, lane))
            for inside, nodes in reversed(node.lanes):
                stack.extend([(child, inside, False) for child in reversed(nodes)])
    return ordered, nested


def _problems(lost: Sequence[Block], anchors: Mapping[str, AnyNode], action: str) -> list[Problem]:
    """Return one problem for each missing anchor and each cycle, with all that hangs on it."""
    causes = _causes(lost, anchors)
    found: dict[int, tuple[list[Block], list[Block]]] = {}
    for block in lost:
        cause = causes[id(block)]
        _, hanging = found.setdefault(id(cause), (cause, []))
        if block not in cause:
            hanging.append(block)
    return [
        _missing_anchor(cause[0], hanging, anchors, action)
        if cause[0].insertion.anchor not in anchors
        else _anchor_cycle(cause, hanging)
        for cause, hanging in found.values()
    ]


def _causes(lost: Sequence[Block], anchors: Mapping[str, AnyNode]) -> dict[int, list[Block]]:
    """Return why each block is lost: the one above it without an anchor, or the cycle above it."""
    by_node = {
        id(each): block for block in lost for node in block.nodes for each in (node, *node.steps)
    }
    causes: dict[int, list[Block]] = {}
    for block in lost:
        path: dict[int, Block] = {}
        current = block
        while id(current) not in causes:
            anchor = anchors.get(current.insertion.anchor or "")
            if anchor is None:
                causes[id(current)] = [current]
            elif id(current) in path:
                walked = list(path.values())
                loop = walked[walked.index(current) :]
                causes.update(dict.fromkeys(map(id, loop), loop))
            else:
                path[id(current)] = current
                current = by_node[id(anchor)]
        causes.update((each, causes[id(current)]) for each in path if each not in causes)
    return causes


def _missing_anchor(
    block: Block, hanging: Sequence[Block], anchors: Iterable[str], action: str
) -> Problem:
    """Nothing answers to the anchor of `block`; `hanging` are the blocks that hang on its steps."""
    insertion = block.insertion
    matches = near(insertion.anchor or "", anchors)
    here = f"{insertion.origin.place}: " if insertion.origin.place else ""
    hint = f"did you mean {' or '.join(matches)}? " if matches else ""
    owner = insertion.origin.pack
    skip = "if_missing='skip'" if owner else 'if_missing = "skip"'
    return Problem(
        code="unknown-anchor",
        message=f"{insertion.origin} inserts {_names(block)} {insertion.side} "
        f"'{insertion.anchor}', which no step answers to",
        origins=(insertion.origin, *(each.insertion.origin for each in hanging)),
        details=(
            *filter(None, (f"{here}{hint}".strip().rstrip(":"),)),
            *map(_hangs, hanging),
        ),
        ways_out=(
            *_own_place(block, matches, action),
            f"say {skip} where the step may be absent",
            *((f"leave it out:  --no-pack {owner}",) if owner else ()),
        ),
    )


def _own_place(block: Block, matches: Sequence[str], action: str) -> tuple[str, ...]:
    """Return the line of the settings that puts a step at its intended place."""
    insertion = block.insertion
    if not (insertion.origin.pack and matches and len(insertion.entries) == 1):
        return ()
    step = f"{insertion.origin.pack}:{insertion.titles[0]}"
    placed = f'{{ step = "{step}", {insertion.side} = "{matches[0]}" }}'
    return (f"place it yourself  [actions.{action}]  insert = [{placed}]",)


def _anchor_cycle(loop: Sequence[Block], hanging: Sequence[Block]) -> Problem:
    """The blocks of `loop` hang on each other, and those in `hanging` on them."""
    chain = "; ".join(
        f"{block.insertion.titles[0]} {block.insertion.side} {block.insertion.anchor} "
        f"({block.insertion.origin})"
        for block in loop
    )
    packs = sorted({block.insertion.origin.pack or "" for block in loop} - {""})
    return Problem(
        code="anchor-cycle",
        message=f"steps hang on each other and on nothing else: {chain}",
        origins=tuple(block.insertion.origin for block in (*loop, *hanging)),
        details=(
            *filter(None, (block.insertion.origin.place for block in loop)),
            *map(_hangs, hanging),
        ),
        ways_out=tuple(f"leave one out:  --no-pack {pack}" for pack in packs),
    )


def _hangs(block: Block) -> str:
    insertion = block.insertion
    place = f", {insertion.origin.place}" if insertion.origin.place else ""
    return (
        f"and with it {_names(block)} {insertion.side} {insertion.anchor} "
        f"({insertion.origin}{place})"
    )


def _names(block: Block) -> str:
    return ", ".join(block.insertion.titles)
