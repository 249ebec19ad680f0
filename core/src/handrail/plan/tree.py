"""Places inserted steps: each hangs before or after its anchor, wherever that comes from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handrail.plan.edits import Replacement
from handrail.plan.misplaced import anchor_cycle, missing_anchor

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.plan.builder import Draft
    from handrail.plan.edits import Insertion


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
    anchors: Mapping[str, Node],
    action: str,
) -> tuple[list[Node], list[Problem]]:
    """Hang every block on its anchor and return the nodes in their final order.

    On one side of one anchor the later block sits closer. Blocks for the end are appended in their
    order. A block whose anchor is missing is a problem; so is one that hangs, in the end, on
    itself.
    """
    roots: list[Node] = list(base)
    for block in blocks:
        insertion = block.insertion
        anchor = anchors.get(insertion.anchor or "")
        if insertion.anchor is None:
            roots += block.nodes
        elif anchor is not None:
            (anchor.before if insertion.side == "before" else anchor.after).append(block.nodes)
    ordered = _flatten(roots)
    placed = set(map(id, ordered))
    lost = [block for block in blocks if id(block.nodes[0]) not in placed]
    return ordered, _problems(lost, anchors, action) if lost else []


def drop_skipped(
    insertions: Sequence[Insertion],
    optional: Sequence[Insertion],
    replacements: Sequence[Replacement],
    names: Collection[str],
) -> tuple[list[Insertion], list[Insertion]]:
    """Divide insertions into those that are there, and those of `optional` that miss their anchor.

    An anchor may come from another insertion or from what replaces its step, so what hangs on one
    that is left out may be left out too. `names` are those that are there in any case.
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
    return [name for entry in edit.entries for name in entry.names]


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


def _problems(lost: Sequence[Block], anchors: Mapping[str, Node], action: str) -> list[Problem]:
    """Return one problem for each missing anchor and each cycle, with all that hangs on it."""
    causes = _causes(lost, anchors)
    found: dict[int, tuple[list[Block], list[Block]]] = {}
    for block in lost:
        cause = causes[id(block)]
        _, hanging = found.setdefault(id(cause), (cause, []))
        if block not in cause:
            hanging.append(block)
    return [
        missing_anchor(cause[0], hanging, anchors, action)
        if cause[0].insertion.anchor not in anchors
        else anchor_cycle(cause, hanging)
        for cause, hanging in found.values()
    ]


def _causes(lost: Sequence[Block], anchors: Mapping[str, Node]) -> dict[int, list[Block]]:
    """Return why each block is lost: the one above it without an anchor, or the cycle above it."""
    by_node = {id(node): block for block in lost for node in block.nodes}
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
