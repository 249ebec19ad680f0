"""What a run does: ask, work, hold; resume; prune."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from claims_model import requests as send
from claims_model.program import Next, Program, Status
from claims_model.requests import Request
from claims_model.scenario import Rule, Scenario
from claims_model.target import FinalList, Mark, Object, State, Word

Others: TypeAlias = "tuple[tuple[int, State], ...]"
Bars: TypeAlias = Callable[[int, State, int, State], bool]


class RunPrograms:
    """The programs of a run; each takes the number of the run first."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario

    def others(self, run: int) -> Generator[Request, Any, Others]:
        """List the claims of the others, and read each state that is not known from before."""
        listed = yield send.ListClaims(run)
        states: list[tuple[int, State]] = []
        for other, state in enumerate(listed):
            if state == send.UNREAD:
                state = yield send.GetState(other)
            if state is not None:
                states.append((other, state))
        return tuple(states)

    def barred(
        self, run: int, own: State, others: Others, bars: Bars
    ) -> Generator[Request, Any, bool | None]:
        """Return whether a claim bars the way; None if one has ended before its keys were read."""
        for other, state in others:
            if not bars(run, own, other, state):
                continue
            # Its keys are those of the list of what it holds, or of those that it wants.
            keys = send.HasList(state.final) if state.held else send.HasWanted(other)
            if (yield keys):
                return True
            if self.scenario.keeps(Rule.LIST_AGAIN) and (yield send.GetState(other)) != state:
                return None
            if state.held and self.scenario.keeps(Rule.LIST_AGAIN):
                return True  # Its undo is about to end.
        return False

    # Asking

    def ask(self, run: int) -> Program:
        if not self.scenario.keeps(Rule.ASK_FIRST):
            return Next("join", (run,))
        yield send.PutWanted(run)
        return Next("join", (run,))

    def join(self, run: int) -> Program:
        """Find out the epoch."""
        epoch = yield send.GetEpoch()
        if epoch is None:
            others: Others = ()
            if self.scenario.keeps(Rule.ADOPT):
                others = yield from self.others(run)
            epoch = yield send.CreateEpoch(run, others[0][1].epoch if others else None)
        if epoch is None:
            return Next("join", (run,))
        return Next("announce", (run, epoch))

    def announce(self, run: int, epoch: int) -> Program:
        asking = State(Word.ASKING, epoch)
        if self.scenario.keeps(Rule.ASK_FIRST):
            yield send.PutState(run, asking)
        others = yield from self.others(run)
        if self.scenario.keeps(Rule.SAME_EPOCH):
            settled = {state.epoch for _, state in others if state.word is not Word.ASKING}
            different = {state.epoch for _, state in others} - {epoch}
            if settled - {epoch}:
                return Next("announce", (run, min(settled)))
            if settled and different:
                return Next("withdraw", (run, epoch))
            if different:
                return Next("announce", (run, min(different)))
        barred = yield from self.barred(run, asking, others, self.scenario.bars_run)
        if barred is None:
            return Next("announce", (run, epoch))
        return Next("withdraw" if barred else "begin", (run, epoch))

    def begin(self, run: int, epoch: int) -> Program:
        state = State(Word.WORKING, epoch)
        yield send.PutState(run, state)
        if not self.scenario.keeps(Rule.ASK_FIRST):
            yield send.PutWanted(run)
        return Next("work", (run, state, 0, ()))

    # Leaving

    def withdraw(self, run: int, epoch: int) -> Program:
        """Refuse: nothing but the claim was made."""
        yield send.DeleteState(run)
        if self.scenario.keeps(Rule.LEAVE):
            return Next("leave", (run, Status.NEW))
        yield send.DeleteWanted(run)
        return Status.NEW

    def leave(self, run: int, status: Status) -> Program:
        """Do what is left once a claim has no state; so does whoever finds that it has none."""
        yield send.DeleteWanted(run)
        if (yield send.IsAlone()) and not (yield send.GetKept()):
            yield send.DeleteEpoch()
        return status

    # Working

    def work(self, run: int, state: State, key: int, held: FinalList) -> Program:
        if key == len(self.scenario.keys):
            return Next("refer", (run, state, held))
        wanted = self.scenario.wants[run][key]
        if wanted is None:
            return Next("work", (run, state, key + 1, held))
        digest = yield send.ReadSource(run, wanted, self.scenario.otherwise[run])
        return Next("place", (run, state, key, held, digest))

    def place(self, run: int, state: State, key: int, held: FinalList, digest: int) -> Program:
        """Put one object, unless an equal one is there or nobody asked to overwrite."""
        again = Next("place", (run, state, key, held, digest))
        done = Next("work", (run, state, key + 1, (*held, (key, digest))))
        new = Object(digest, Mark(state.epoch, run))
        overwrite = self.scenario.overwrites[run]
        found = yield send.Look(run, key, digest)
        if found is not None and found.digest == digest:
            return done
        own = found is not None and found.mark == new.mark and self.scenario.keeps(Rule.OWN_MARK)
        if found is None:
            if overwrite and self.scenario.keeps(Rule.STALE_ASIDE):
                yield send.DeleteAside(run, key)
        elif not own:
            if not overwrite:
                return Next("work", (run, state, key + 1, held))
            found = yield send.SetAside(run, key, digest)
            if found is None:
                return again
        placed = yield send.Place(run, key, found, new, overwrite or own)
        return done if placed else again

    # Holding

    def refer(self, run: int, state: State, held: FinalList) -> Program:
        """Store the final list, unless an equal one is there."""
        earlier = frozenset[FinalList]()
        if self.scenario.keeps(Rule.EARLIER_LISTS):
            earlier = state.lists - {held, ()}
        state = state._replace(final=held, earlier=earlier)
        if not held and self.scenario.keeps(Rule.NO_EMPTY_LIST):
            return Next("hold", (run, state))
        if self.scenario.keeps(Rule.REFER_FIRST):
            yield send.PutState(run, state)
        if not (yield send.HasList(held)):
            yield send.PutList(held)
        return Next("hold", (run, state))

    def hold(self, run: int, state: State) -> Program:
        yield send.PutState(run, state._replace(word=Word.HOLDS, held=True))
        yield send.DeleteWanted(run)
        return Status.COMPLETED

    def resume(self, run: int) -> Program:
        state: State | None = yield send.GetState(run)
        if state is None:
            # Without `list` there may have been a claim that somebody removed.
            return Next("join", (run,)) if (yield send.HasWanted(run)) else Status.INTERRUPTED
        if state.wants_undo or state.word is Word.UNDOING:
            return Status.UNDOING
        if state.word is Word.HOLDS:
            return Status.COMPLETED
        if state.word is Word.WORKING:
            return Next("work", (run, state, 0, ()))
        return Next("announce", (run, state.epoch))

    # Pruning

    def prune(self, run: int) -> Program:
        state: State | None = yield send.GetState(run)
        if state is None:
            return Next("leave", (run, Status.PRUNED))
        if state.word is Word.HOLDS and not (yield send.Prune(run, state)):
            return Status.COMPLETED
        if not self.scenario.keeps(Rule.MERGE_FIRST):
            yield send.DeleteState(run)
        return Next("merge", (run, state.final))

    def merge(self, run: int, final: FinalList) -> Program:
        if not final:
            yield send.DeleteState(run)
            return Next("leave", (run, Status.PRUNED))
        kept = yield send.GetKept()
        found = kept if self.scenario.keeps(Rule.SWAP_KEPT) else None
        if not (yield send.SwapKept(found, kept | {final})):
            return Next("merge", (run, final))
        for key in self.scenario.keys:
            yield send.DeleteAside(run, key)
        yield send.DeleteState(run)
        return Next("leave", (run, Status.PRUNED))
