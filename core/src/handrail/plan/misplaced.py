"""What keeps an inserted step out of its place, in words that name who, where and the ways out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from handrail.errors import Problem
from handrail.names import near

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from handrail.plan.tree import Block


def missing_anchor(
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
    """Return the line of the settings that puts a step where it was meant to stand."""
    insertion = block.insertion
    if not (insertion.origin.pack and matches and len(block.nodes) == 1):
        return ()
    step = f"{insertion.origin.pack}:{block.nodes[0].draft.entry.name}"
    placed = f'{{ step = "{step}", {insertion.side} = "{matches[0]}" }}'
    return (f"place it yourself  [actions.{action}]  insert = [{placed}]",)


def anchor_cycle(loop: Sequence[Block], hanging: Sequence[Block]) -> Problem:
    """The blocks of `loop` hang on each other, and those in `hanging` on them."""
    chain = "; ".join(
        f"{block.nodes[0].draft.entry.name} {block.insertion.side} {block.insertion.anchor} "
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
    return ", ".join(node.draft.entry.name for node in block.nodes)
