"""The order of packs, derived from their declarations: deterministic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from handrail.plan.problems import problem_of
from handrail.suggest import near

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.packs.loader import LoadedPack


def pack_order(packs: Sequence[LoadedPack]) -> tuple[list[LoadedPack], list[Problem]]:
    """Sort packs so that each comes after those that must precede it, the smallest ready id first.

    Returns the packs and the problems: required packs that are missing, and cycles, whose members
    do not wait for each other.
    """
    by_id = {pack.id: pack for pack in packs}
    waits_for: dict[str, set[str]] = {name: set() for name in sorted(by_id)}
    for pack in packs:
        earlier = (*pack.info.after, *pack.info.requires)
        waits_for[pack.id].update(name for name in earlier if name in by_id)
        for name in pack.info.before:
            if name in by_id:
                waits_for[name].add(pack.id)
    problems = [
        _missing(pack, name, by_id)
        for pack in packs
        for name in pack.info.requires
        if name not in by_id
    ]
    while True:
        sorter = TopologicalSorter({name: sorted(each) for name, each in waits_for.items()})
        try:
            sorter.prepare()
            break
        except CycleError as error:
            # Of a cycle, each comes before the next, and the first is there again at its end.
            loop: list[str] = error.args[1][:0:-1]
            first = loop.index(min(loop))
            problems.append(_cycle([by_id[name] for name in (*loop[first:], *loop[:first])]))
            for name in loop:
                waits_for[name].difference_update(loop)
    ready = sorted(sorter.get_ready())
    ordered: list[LoadedPack] = []
    while ready:
        name = heappop(ready)
        ordered.append(by_id[name])
        sorter.done(name)
        for follower in sorter.get_ready():
            heappush(ready, follower)
    return ordered, problems


def _missing(pack: LoadedPack, name: str, known: Iterable[str]) -> Problem:
    return problem_of(
        "pack-required",
        f"{pack.origin} requires the pack {name}, which is not installed or not on",
        pack.locate("pack_info"),
        ways_out=[
            *(f"did you mean {match}?" for match in near(name, known)[:1]),
            f"install {name}, from where {pack.id} comes from",
        ],
    )


def _cycle(loop: Sequence[LoadedPack]) -> Problem:
    told = " after ".join(str(pack.origin) for pack in (*loop, loop[0]))
    origins = [pack.locate("pack_info") for pack in loop]
    return problem_of("pack-cycle", f"packs want to come after each other: {told}", *origins)
