"""The order of packs, derived from their declarations: deterministic."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from handrail.errors import Problem
from handrail.suggest import near

if TYPE_CHECKING:
    from handrail.hookspecs import PackInfo
    from handrail.origin import Origin


class Contributor(Protocol):
    """One enabled pack with its hooks loaded."""

    @property
    def id(self) -> str:
        """Normalised distribution name."""
        ...

    @property
    def origin(self) -> Origin:
        """The pack and its version."""
        ...

    @property
    def info(self) -> PackInfo:
        """The declarations of the pack."""
        ...

    def implements(self, hook: str) -> bool:
        """Whether the pack has a hook of that name."""
        ...

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call the hook with those of the arguments that it takes."""
        ...


P = TypeVar("P", bound=Contributor)


def pack_order(packs: Sequence[P]) -> tuple[list[P], list[Problem]]:
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
            problems.append(_cycle([by_id[name] for name in _from_smallest(loop)]))
            for name in loop:
                waits_for[name].difference_update(loop)
    ready = sorted(sorter.get_ready())
    ordered: list[P] = []
    while ready:
        name = heappop(ready)
        ordered.append(by_id[name])
        sorter.done(name)
        for follower in sorter.get_ready():
            heappush(ready, follower)
    return ordered, problems


def _from_smallest(loop: Sequence[str]) -> Sequence[str]:
    first = loop.index(min(loop))
    return [*loop[first:], *loop[:first]]


def _missing(pack: Contributor, name: str, known: dict[str, Any]) -> Problem:
    matches = near(name, known)
    origin = said_by(pack)
    return Problem(
        code="pack-required",
        message=f"{pack.origin} requires the pack {name}, which is not installed or not on",
        origins=(origin,),
        details=(origin.place,) if origin.place else (),
        ways_out=(
            *(f"did you mean {match}?" for match in matches[:1]),
            f"install {name}, from where {pack.id} comes from",
            f"or leave it out:  --no-pack {pack.id}",
        ),
    )


def said_by(pack: Contributor, hook: str = "pack_info") -> Origin:
    """Return the source line of one of the hooks of `pack`, if known."""
    locate = getattr(pack, "locate", None)
    return pack.origin if locate is None else cast("Origin", locate(hook))


def _cycle(loop: Sequence[Contributor]) -> Problem:
    origins = tuple(map(said_by, loop))
    told = " after ".join(str(pack.origin) for pack in (*loop, loop[0]))
    return Problem(
        code="pack-cycle",
        message=f"packs want to come after each other: {told}",
        origins=origins,
        details=tuple(origin.place for origin in origins if origin.place),
        ways_out=tuple(f"leave one out:  --no-pack {name}" for name in sorted(x.id for x in loop)),
    )
