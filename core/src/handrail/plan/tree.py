"""Places inserted steps: each hangs before or after its anchor, wherever that comes from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.names import near

if TYPE_CHECKING:
    from handrail.plan.edits import Insertion
    from handrail.plan.plan import Draft


@dataclass(slots=True, eq=False)
class Node:
    """A step in the tree, and the blocks that hang on it, in the order of packs and calls."""

    draft: Draft
    insertion: Insertion | None = None
    before: list[list[Node]] = field(default_factory=list["list[Node]"])
    after: list[list[Node]] = field(default_factory=list["list[Node]"])


@dataclass(slots=True, eq=False)
class Block:
    """The nodes of one insertion."""

    insertion: Insertion
    nodes: list[Node]


def place(
    base: Sequence[Node],
    blocks: Sequence[Block],
    anchors: dict[str, Node],
) -> tuple[list[Node], list[Problem]]:
    """Hang every block on its anchor and return the nodes in their final order.

    On one side of one anchor the later block sits closer. Blocks for the end are appended in their
    order. A block whose anchor is missing is a problem; so is one that hangs, in the end, on
    itself.
    """
    problems: list[Problem] = []
    roots: list[Node] = list(base)
    for block in blocks:
        insertion = block.insertion
        if insertion.anchor is None:
            roots += block.nodes
            continue
        anchor = anchors.get(insertion.anchor)
        if anchor is None:
            problems.append(_missing_anchor(block, anchors))
        elif insertion.side == "before":
            anchor.before.append(block.nodes)
        else:
            anchor.after.append(block.nodes)
    ordered = _flatten(roots)
    placed = set(map(id, ordered))
    lost = [
        block
        for block in blocks
        if block.insertion.anchor in anchors and id(block.nodes[0]) not in placed
    ]
    problems += _cycles(lost, anchors)
    return ordered, problems


def drop_skipped(
    insertions: Sequence[Insertion], names: Collection[str]
) -> tuple[list[Insertion], list[Insertion]]:
    """Divide insertions into those that are there, and those that allow a missing anchor.

    An anchor may come from another insertion, so what hangs on one that is left out may be left
    out too. `names` are those that are there in any case.
    """
    present = list(insertions)
    left_out: list[Insertion] = []
    offered = Counter(names)
    for insertion in present:
        offered.update(name for entry in insertion.entries for name in entry.names)
    while True:
        missing = [
            insertion
            for insertion in present
            if insertion.if_missing == "skip" and not offered[insertion.anchor or ""]
        ]
        if not missing:
            return present, left_out
        left_out += missing
        for insertion in missing:
            offered.subtract(name for entry in insertion.entries for name in entry.names)
        gone = set(map(id, missing))
        present = [insertion for insertion in present if id(insertion) not in gone]


def _flatten(roots: Iterable[Node]) -> list[Node]:
    """Write the trees out in order, without recursion."""
    ordered: list[Node] = []
    stack: list[tuple[Node, bool]] = [(node, False) for node in reversed(list(roots))]
    while stack:
        node, opened = stack.pop()
        if opened or not (node.before or node.after):
            ordered.append(node)
            continue
        # Pushed last to first: what hangs before, the node itself, what hangs after.
        for block in node.after:
            stack.extend((child, False) for child in reversed(block))
        stack.append((node, True))
        for block in reversed(node.before):
            stack.extend((child, False) for child in reversed(block))
    return ordered


def _missing_anchor(block: Block, anchors: dict[str, Node]) -> Problem:
    insertion = block.insertion
    names = ", ".join(node.draft.entry.name for node in block.nodes)
    matches = near(insertion.anchor or "", anchors)
    here = f"{insertion.origin.place}: " if insertion.origin.place else ""
    hint = f"did you mean {' or '.join(matches)}? " if matches else ""
    owner = insertion.origin.pack
    skip = "if_missing='skip'" if owner else 'if_missing = "skip"'
    return Problem(
        code="unknown-anchor",
        message=f"{insertion.origin} inserts {names} {insertion.side} '{insertion.anchor}', "
        "which no step answers to",
        origins=(insertion.origin,),
        details=tuple(filter(None, (f"{here}{hint}".strip().rstrip(":"),))),
        ways_out=(
            f"say {skip} where the step may be absent",
            *((f"leave it out:  --no-pack {owner}",) if owner else ()),
        ),
    )


def _cycles(lost: list[Block], anchors: dict[str, Node]) -> list[Problem]:
    problems: list[Problem] = []
    reported: set[int] = set()
    by_node = {id(node): block for block in lost for node in block.nodes}
    for block in lost:
        path: list[Block] = []
        current: Block | None = block
        while current is not None and current not in path and id(current) not in reported:
            path.append(current)
            anchor = anchors.get(current.insertion.anchor or "")
            current = None if anchor is None else by_node.get(id(anchor))
        if current is None or id(current) in reported:
            reported.update(map(id, path))
            continue
        loop = path[path.index(current) :]
        reported.update(map(id, path))
        problems.append(_anchor_cycle(loop))
    return problems


def _anchor_cycle(loop: list[Block]) -> Problem:
    chain = "; ".join(
        f"{block.nodes[0].draft.entry.name} {block.insertion.side} {block.insertion.anchor} "
        f"({block.insertion.origin})"
        for block in loop
    )
    packs = sorted({block.insertion.origin.pack or "" for block in loop} - {""})
    return Problem(
        code="anchor-cycle",
        message=f"steps hang on each other and on nothing else: {chain}",
        origins=tuple(block.insertion.origin for block in loop),
        details=tuple(filter(None, (block.insertion.origin.place for block in loop))),
        ways_out=tuple(f"leave one out:  --no-pack {pack}" for pack in packs),
    )
