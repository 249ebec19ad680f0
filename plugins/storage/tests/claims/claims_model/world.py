"""A few runs beside each other, and what must hold."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

from claims_model import requests as send
from claims_model.ghosts import UNKNOWN, Ghosts
from claims_model.program import At, Process, Runner, Status
from claims_model.requests import Request
from claims_model.scenario import Scenario
from claims_model.target import Object, State, Target, Word, put
from claims_model.undo import UndoPrograms

FOREIGN = 9
"""The digest of what somebody else puts."""


class World(NamedTuple):
    """All that there is at one moment."""

    target: Target
    places: tuple[At, ...]
    ghosts: Ghosts
    foreign: int
    kills: int | None


Step: TypeAlias = "tuple[str, World, bool]"
"""What happens, what there is then, and whether it is a fault."""

COMMANDS = {
    Status.NEW: ("ask",),
    Status.INTERRUPTED: ("resume", "undo"),
    Status.COMPLETED: ("undo",),
    Status.UNDOING: ("undo",),
    Status.PRUNING: ("prune",),
}
ENDS = (Status.NEW, Status.UNDONE, Status.PRUNED)


class Worlds:
    """What can happen in a scenario, and what must hold."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self._runner = Runner(UndoPrograms(scenario))

    def start(self) -> World:
        count = len(self.scenario.runs)
        ghosts = Ghosts.at_first(count, self.scenario.objects)
        places = (Status.NEW,) * count
        left = (self.scenario.foreign, self.scenario.kills)
        return World(self.scenario.start(), places, ghosts, *left)

    # What can happen

    def steps(self, world: World) -> Iterator[Step]:
        """Yield all that can happen next.

        Raises:
            BrokenError: A run would send what it must never send; the message says what.
        """
        for run, at in enumerate(world.places):
            if isinstance(at, Process):
                if world.kills != 0:
                    yield f"{name(run)} is killed", self._killed(world, run, at), True
                yield from self._requested(world, run, at)
            else:
                for command in self._commands(run, at):
                    begun = self._past_private(world.target, self._runner.start(command, run))
                    if isinstance(begun, Process):
                        yield from self._requested(world, run, begun)
                    else:
                        places = put(world.places, run, begun)
                        yield f"{name(run)} {command}", world._replace(places=places), False
        if world.foreign:
            yield from self._others_act(world)

    def _commands(self, run: int, status: Status) -> tuple[str, ...]:
        more = ("prune",) if status is Status.COMPLETED and run in self.scenario.prunes else ()
        return (*COMMANDS.get(status, ()), *more)

    def _killed(self, world: World, run: int, process: Process) -> World:
        left = Status.INTERRUPTED
        if process.program in UNDO_PROGRAMS or process.arguments[1:] == (Status.UNDONE,):
            left = Status.UNDOING
        elif process.program in ("prune", "merge"):
            left = Status.PRUNING
        kills = None if world.kills is None else world.kills - 1
        return world._replace(places=put(world.places, run, left), kills=kills)

    def _requested(self, world: World, run: int, process: Process) -> Iterator[Step]:
        request = self._runner.request(process)
        outcomes = request.outcomes(world.target, conditional=self.scenario.conditional)
        for target, answer in outcomes:
            ghosts = self._haunted(world, request, answer)
            at = self._past_private(target, self._runner.answered(process, answer))
            places = put(world.places, run, at)
            after = world._replace(target=target, places=places, ghosts=ghosts)
            yield f"{name(run)} {process.program}: {request} -> {answer}", after, False

    def _past_private(self, target: Target, at: At) -> At:
        """Let a process go on while it only reads what nobody else changes."""
        while isinstance(at, Process):
            request = self._runner.request(at)
            if not request.is_private(target, at.run):
                break
            ((_, answer),) = request.outcomes(target, conditional=True)
            at = self._runner.answered(at, answer)
        return at

    def _haunted(self, world: World, request: Request, answer: object) -> Ghosts:
        ghosts = world.ghosts
        match request:
            case send.Place() if answer:
                run, key, digest = request.run, request.key, request.new.digest
                return ghosts.replaced(run, key, digest).established(run, key, digest)
            case send.Look(digest=int(digest)):
                if isinstance(answer, Object) and answer.digest == digest:
                    return ghosts.established(request.run, request.key, digest)
            case send.DeleteState(undone=True):
                return self._undone(world, request.run)
            case send.Prune() if answer:
                return ghosts._replace(pruned=put(ghosts.pruned, request.run, request.found.final))
            case _:
                pass
        return ghosts

    def _undone(self, world: World, run: int) -> Ghosts:
        target = world.target
        lying = [
            {each.digest for each in (target.objects[key], *column) if each is not None}
            for key, column in enumerate(zip(*target.asides, strict=True))
        ]

        def relies(other: int, key: int, digest: int) -> bool:
            return self._relies(world, other, key, digest)

        return world.ghosts.undone(run, lying, relies)

    def _relies(self, world: World, run: int, key: int, digest: int) -> bool:
        if (key, digest) in (world.ghosts.pruned[run] or ()):
            return True
        state = world.target.states[run]
        if state is None or state.word not in (Word.WORKING, Word.HOLDS):
            return False
        return (
            (key, digest) in state.final if state.held else world.ghosts.relied[run][key] == digest
        )

    def _others_act(self, world: World) -> Iterator[Step]:
        theirs = len(self.scenario.runs)
        for key, found in enumerate(world.target.objects):
            ghosts = world.ghosts.replaced(theirs, key, None)
            for new in (Object(FOREIGN), None):
                if new == found:
                    continue
                ours = found is not None and found.mark is not None
                wanted = UNKNOWN if new is None and ours else new
                after = world._replace(
                    target=world.target.with_object(key, new),
                    ghosts=ghosts._replace(foreign=put(ghosts.foreign, key, wanted)),
                    foreign=world.foreign - 1,
                )
                yield f"somebody else puts {new} under key {key}", after, True

    # What must hold

    def ended(self, world: World) -> bool:
        return all(at in ENDS for at in world.places)

    def broken(self, world: World) -> str | None:
        """Return what does not hold, if anything."""
        for run, state in enumerate(world.target.states):
            if problem := self._dangling(world, run, state) or self._lost(world, run, state):
                return problem
        if not world.target.kept <= world.target.lists:
            return "I4 `kept` refers to a final list that is missing"
        return self._left(world) if self.ended(world) else None

    def _dangling(self, world: World, run: int, state: State | None) -> str | None:
        if state is None or not state.held or state.word is Word.UNDOING or not state.final:
            return None
        if state.final in world.target.lists:
            return None
        return f"I4 {name(run)} refers to a final list that is missing"

    def _lost(self, world: World, run: int, state: State | None) -> str | None:
        final = world.ghosts.pruned[run] or ()
        if world.places[run] is Status.COMPLETED and state is not None and not state.wants_undo:
            final = state.final
        for key, digest in final:
            found = world.target.objects[key]
            if not world.ghosts.covered[run][key] and (found is None or found.digest != digest):
                return f"I1 {name(run)} has completed and lost key {key}"
        return None

    def _left(self, world: World) -> str | None:
        target, ghosts = world.target, world.ghosts
        if any(target.states) or any(target.wanted):
            return "I2 a claim is left"
        if not target.kept and target.epoch is not None:
            return "I2 the epoch is left"
        if target.lists - target.kept:
            return "I2 a final list is left"
        kept = {pair for final in target.kept for pair in final}
        for key, found in enumerate(target.objects):
            if any(key == each for each, _ in kept):
                continue
            if any(row[key] is not None for row in target.asides):
                return f"I2 a copy aside of key {key} is left"
            if found is not None and found.mark is not None:
                return f"I2 an object is left under key {key}"
            if ghosts.foreign[key] not in (UNKNOWN, found):
                return f"I3 what was under key {key} is not back"
        return None


UNDO_PROGRAMS = frozenset(
    {"undo", "want", "refuse", "again", "rely", "undoing", "read_own", "undo_key", "drop", "finish"}
)


def name(run: int) -> str:
    return "ABC"[run]
