"""The order of packs, derived from their declarations: deterministic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
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

    Returns the packs and the problems: required packs that are missing, and cycles. The members of
    a cycle come last in the order of their ids, with the packs that wait for them.
    """
    by_id = {pack.id: pack for pack in packs}
    waits_for: dict[str, set[str]] = {name: set() for name in by_id}
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
    followers: dict[str, list[str]] = {name: [] for name in by_id}
    for name, others in waits_for.items():
        for other in others:
            followers[other].append(name)
    ready = [name for name, others in waits_for.items() if not others]
    heapify(ready)
    ordered: list[P] = []
    while ready:
        name = heappop(ready)
        ordered.append(by_id[name])
        for follower in followers[name]:
            waits_for[follower].discard(name)
            if not waits_for[follower]:
                heappush(ready, follower)
    if len(ordered) < len(by_id):
        placed = {pack.id for pack in ordered}
        stuck = sorted(name for name in by_id if name not in placed)
        problems += [_cycle([by_id[name] for name in loop]) for loop in _loops(stuck, waits_for)]
        ordered += [by_id[name] for name in stuck]
    return ordered, problems


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


def _loops(stuck: Sequence[str], waits_for: Mapping[str, set[str]]) -> list[list[str]]:
    """Return cycles among `stuck`, which all wait for each other, each once."""
    loops: list[list[str]] = []
    seen: set[str] = set()
    for name in stuck:
        path: dict[str, None] = {}
        while name not in seen and name not in path:
            path[name] = None
            name = min(waits_for[name])
        if name in path:
            walked = list(path)
            loops.append(walked[walked.index(name) :])
        seen.update(path)
    return loops


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
