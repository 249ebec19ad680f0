"""What a rollback does."""

from __future__ import annotations

from typing import NamedTuple

from claims_model import requests as send
from claims_model.program import Next, Program, Status
from claims_model.run import Others, RunPrograms
from claims_model.scenario import Rule
from claims_model.target import FinalList, Object, State, Word


class Reliance(NamedTuple):
    """What the other claims rely on.

    Attributes:
        pairs: The keys and digests.
        runs: Which runs rely on anything; copies of others aside are left over.
        lists: The final lists that are referred to.
    """

    pairs: frozenset[tuple[int, int]] = frozenset()
    runs: frozenset[int] = frozenset()
    lists: frozenset[FinalList] = frozenset()


class Undone(NamedTuple):
    """A rollback that has begun."""

    run: int
    state: State
    reliance: Reliance


class UndoPrograms(RunPrograms):
    """The programs of a rollback too."""

    def undo(self, run: int) -> Program:
        state: State | None = yield send.GetState(run)
        if state is None:
            return Next("leave", (run, Status.UNDONE))
        if state.word is Word.UNDOING:
            return Next("again", (run, state))
        if state.word is Word.PRUNED:
            return Status.PRUNING
        return Next("want", (run, state._replace(wants_undo=False)))

    def want(self, run: int, state: State) -> Program:
        """Announce the rollback, and refuse it beside those that it could harm."""
        if self.scenario.keeps(Rule.WANT_UNDO):
            yield send.PutState(run, state._replace(wants_undo=True))
        kept: frozenset[FinalList] = frozenset()
        if not self.scenario.keeps(Rule.KEPT_LAST):
            kept = yield send.GetKept()
        others = yield from self.others(run)
        barred = yield from self.barred(run, state, others, self.scenario.bars_undo)
        if barred is None:
            return Next("want", (run, state))
        if barred:
            return Next("refuse", (run, state))
        return Next("rely", (run, state._replace(word=Word.UNDOING), others, kept))

    def refuse(self, run: int, state: State) -> Program:
        yield send.PutState(run, state)
        return Status.COMPLETED if state.word is Word.HOLDS else Status.INTERRUPTED

    def again(self, run: int, state: State) -> Program:
        """Go on with a rollback that was killed."""
        kept: frozenset[FinalList] = frozenset()
        if not self.scenario.keeps(Rule.KEPT_LAST):
            kept = yield send.GetKept()
        others = yield from self.others(run)
        return Next("rely", (run, state, others, kept))

    def rely(self, run: int, state: State, others: Others, kept: frozenset[FinalList]) -> Program:
        """Read what the others rely on; `kept` last, as pruned runs go there."""
        relying = [(other, found) for other, found in others if self._relies(found)]
        pairs: set[tuple[int, int]] = set()
        for other, found in relying:
            if self.scenario.shares(run, state, other, found):
                if found.final:
                    yield send.HasList(found.final, needed=True)
                pairs |= set(found.final)
        if self.scenario.keeps(Rule.KEPT_LAST):
            kept = yield send.GetKept()
        pairs |= {pair for final in kept for pair in final}
        lists = {final for _, found in others for final in found.lists}
        if self.scenario.keeps(Rule.KEEP_LISTS_OF_KEPT):
            lists |= kept
        reliance = Reliance(
            frozenset(pairs if self.scenario.keeps(Rule.RELIANCE) else ()),
            frozenset(other for other, _ in relying),
            frozenset(lists if self.scenario.keeps(Rule.KEEP_LISTS) else ()),
        )
        return Next("undoing", (Undone(run, state, reliance),))

    def _relies(self, state: State) -> bool:
        if state.wants_undo and not self.scenario.keeps(Rule.STILL_RELIES):
            return False
        return state.word in (Word.WORKING, Word.HOLDS, Word.PRUNED)

    def undoing(self, undone: Undone) -> Program:
        yield send.PutState(undone.run, undone.state)
        if not self.scenario.keeps(Rule.LIST_LAST):
            for final in self._own_lists(undone):
                yield send.DeleteList(final)
        return Next("read_own", (undone,))

    def _own_lists(self, undone: Undone) -> list[FinalList]:
        """Return the final lists that nobody else refers to, the one that is read last."""
        final = undone.state.final
        lists = [*sorted(undone.state.earlier), *([final] if final or undone.state.held else [])]
        return [each for each in lists if each not in undone.reliance.lists]

    def read_own(self, undone: Undone) -> Program:
        """Read the own final list; where it is missing, all keys were done before."""
        state = undone.state
        if state.held and state.final:
            there = yield send.HasList(
                state.final, needed=not self.scenario.keeps(Rule.MISSING_LIST)
            )
            if not there:
                return Next("finish", (undone,))
        return Next("undo_key", (undone, 0))

    def undo_key(self, undone: Undone, key: int) -> Program:
        run = undone.run
        if key == len(self.scenario.keys):
            return Next("finish", (undone,))
        if key not in self.scenario.keys_of(run, undone.state):
            return Next("undo_key", (undone, key + 1))
        asides: tuple[Object | None, ...] = yield send.ListAsides(key)
        found: Object | None = yield send.Look(run, key)
        top = found
        if found is not None and self._takes_away(undone, key, found):
            top = self._below(undone, key, found, asides)
            if not (yield send.PutBack(run, key, found, top)):
                return Next("undo_key", (undone, key))
        return Next("drop", (undone, key, self._unreached(undone, top, asides)))

    def drop(self, undone: Undone, key: int, owners: tuple[int, ...]) -> Program:
        """Delete copies aside that nobody can come back to."""
        for owner in owners:
            yield send.DeleteAside(owner, key)
        return Next("undo_key", (undone, key + 1))

    def _takes_away(self, undone: Undone, key: int, found: Object) -> bool:
        state = undone.state
        if found.mark is None or found.mark.epoch != state.epoch:
            return False
        if (key, found.digest) in undone.reliance.pairs:
            return False
        digest = self.scenario.wants[undone.run][key]
        if self.scenario.unknown[undone.run]:
            digest = dict(state.final).get(key) if state.held else None
        if digest is None:
            return found.mark.run == undone.run
        return found.digest == digest

    def _stays(self, undone: Undone, key: int, found: Object) -> bool:
        foreign = found.mark is None or found.mark.epoch != undone.state.epoch
        return foreign or (key, found.digest) in undone.reliance.pairs

    def _below(
        self, undone: Undone, key: int, found: Object, asides: tuple[Object | None, ...]
    ) -> Object | None:
        """Return what should be there instead: the first below that stays."""
        if not self.scenario.keeps(Rule.CHAIN):
            copy = asides[undone.run]
            return copy if copy is not None and self._stays(undone, key, copy) else None
        below: Object | None = found
        for _ in self.scenario.runs:
            below = asides[below.mark.run] if below is not None and below.mark else None
            if below is None or self._stays(undone, key, below):
                return below
        return None

    def _unreached(
        self, undone: Undone, top: Object | None, asides: tuple[Object | None, ...]
    ) -> tuple[int, ...]:
        """Return whose copies aside nobody comes to from what is there now."""
        if not self.scenario.keeps(Rule.CHAIN):
            return (undone.run,) if asides[undone.run] is not None else ()
        reached: set[int] = set()
        while top is not None and top.mark is not None and top.mark.run not in reached:
            reached.add(top.mark.run)
            top = asides[top.mark.run]
        left = {owner for owner, copy in enumerate(asides) if copy is not None} - reached
        return tuple(sorted(left - (undone.reliance.runs - {undone.run})))

    def finish(self, undone: Undone) -> Program:
        """Release the claim."""
        run = undone.run
        if self.scenario.keeps(Rule.LIST_LAST):
            for final in self._own_lists(undone):
                yield send.DeleteList(final)
        if self.scenario.keeps(Rule.ANCHOR):
            yield send.DeleteState(run, undone=True)
            return Next("leave", (run, Status.UNDONE))
        if (yield send.IsAlone()):
            yield send.DeleteEpoch()
        yield send.DeleteState(run, undone=True)
        yield send.DeleteWanted(run)
        return Status.UNDONE
