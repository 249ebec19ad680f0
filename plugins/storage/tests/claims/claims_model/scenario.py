"""What a few runs are to do beside each other, and which rules they keep."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from claims_model.target import Object, State, Target, Word


class Rule(StrEnum):
    """Rules that a scenario can drop, to show what each is for."""

    ASK_FIRST = "a run announces itself before it looks who is there"
    REFUSE_RUN = "a run refuses beside another one that works with different digests or undoes"
    REFUSE_UNDO = "a rollback refuses beside a run that shares keys and works or undoes"
    STILL_RELIES = "what wants to be undone counts as relying until it is undone"
    WANT_UNDO = "a rollback announces itself before it looks who is there"
    RELIANCE = "what another run relies on stays"
    CHAIN = "what was replaced is followed along the marks to the first that should stay"
    OWN_MARK = "an object of one's own is no conflict, and is not copied aside"
    LIST_AGAIN = "where a claim that may be in the way has ended meanwhile, all are listed again"
    STALE_ASIDE = "a copy aside is deleted where the key is found empty"
    ANCHOR = "the epoch is deleted between a claim's state and its list"
    LEAVE = "a refused run looks after the epoch as a rollback does"
    ADOPT = "where there is no epoch, that of another claim is taken"
    SAME_EPOCH = "a run takes the epoch of the claims that it lists, and asks again"
    REFER_FIRST = "the state refers to a final list before that is written"
    EARLIER_LISTS = "the state refers to the final lists of earlier attempts too"
    NO_EMPTY_LIST = "an empty final list is not stored"
    KEEP_LISTS = "a final list stays while another claim refers to it"
    KEEP_LISTS_OF_KEPT = "a final list stays while `kept` refers to it"
    LIST_LAST = "a final list is deleted only when all keys are done"
    MISSING_LIST = "a final list that is missing while undoing says that all keys are done"
    KEPT_LAST = "`kept` is read after all states"
    SWAP_KEPT = "`kept` is replaced only if it is still what was read"
    MERGE_FIRST = "a pruned run is in `kept` before its claim is deleted"


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A few runs, and where they begin.

    Attributes:
        wants: The digest that each run wants under each key; None: it does not want the key.
        overwrites: Which runs overwrite.
        unknown: Which runs learn their digests only while they work.
        otherwise: Digests that a run may find instead: its source has changed when it goes on.
        objects: What lies there before.
        foreign: How often somebody else puts or deletes an object.
        kills: How often a process is killed; None: at every step, without end.
        prunes: Which completed runs are pruned.
        conditional: The target has conditional requests.
        dropped: Rules that are not kept.
    """

    wants: tuple[tuple[int | None, ...], ...]
    overwrites: tuple[bool, ...] = (True, True, True)
    unknown: tuple[bool, ...] = (False, False, False)
    otherwise: tuple[int | None, ...] = (None, None, None)
    objects: tuple[Object | None, ...] = (None,)
    foreign: int = 0
    kills: int | None = None
    prunes: frozenset[int] = frozenset()
    conditional: bool = True
    dropped: frozenset[Rule] = frozenset()

    @property
    def runs(self) -> range:
        return range(len(self.wants))

    @property
    def keys(self) -> range:
        return range(len(self.objects))

    def keeps(self, rule: Rule) -> bool:
        return rule not in self.dropped

    def start(self) -> Target:
        """Return the target before any run."""
        count = len(self.runs)
        return Target(
            objects=self.objects,
            asides=((None,) * len(self.keys),) * count,
            wanted=(False,) * count,
            states=(None,) * count,
        )

    def shared(self, run: int, other: int) -> list[int]:
        """Return the keys that both runs want."""
        pairs = zip(self.wants[run], self.wants[other], strict=True)
        return [key for key, pair in enumerate(pairs) if None not in pair]

    def keys_of(self, run: int, state: State) -> list[int]:
        """Return the keys of a run: those under which it holds something, or that it wants."""
        if state.held:
            return [key for key, _ in state.final]
        return [key for key in self.keys if self.wants[run][key] is not None]

    def shares(self, run: int, own: State, other: int, state: State) -> bool:
        """Whether a run has a key of another claim."""
        return not {*self.keys_of(run, own)}.isdisjoint(self.keys_of(other, state))

    def differ(self, run: int, other: int) -> bool:
        """Whether two runs may want different contents under a key; what is unknown differs."""
        shared = self.shared(run, other)
        unknown = self.unknown[run] or self.unknown[other]
        wants, others = self.wants[run], self.wants[other]
        return any(unknown or wants[key] != others[key] for key in shared)

    def bars_run(self, run: int, own: State, other: int, state: State) -> bool:
        """Whether the claim of `other` makes a run refuse."""
        if not self.shares(run, own, other, state):
            return False
        if state.wants_undo or state.word is Word.UNDOING:
            return True
        if not self.keeps(Rule.REFUSE_RUN):
            return False
        return state.word in (Word.ASKING, Word.WORKING) and self.differ(run, other)

    def bars_undo(self, run: int, own: State, other: int, state: State) -> bool:
        """Whether the claim of `other` makes a rollback refuse."""
        if not self.shares(run, own, other, state) or not self.keeps(Rule.REFUSE_UNDO):
            return False
        return state.wants_undo or state.word in (Word.ASKING, Word.WORKING, Word.UNDOING)
