"""Undoing: deletes what a run has made, as far as nobody else relies on it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import field
from functools import cached_property
from itertools import groupby

from handrail.frozen import record, replace
from handrail_storage.claims.asides import Asides
from handrail_storage.claims.claim import OwnClaim
from handrail_storage.claims.errors import ClaimError
from handrail_storage.claims.keys import Keys
from handrail_storage.claims.ledger import AT_A_TIME, Ledger, Listing
from handrail_storage.claims.lists import NOTHING, Held, HeldList
from handrail_storage.claims.records import Claimant, ClaimState
from handrail_storage.claims.reliance import Reliance
from handrail_storage.claims.survey import Goal, Made, Survey, Verdict, is_nothing
from handrail_storage.errors import StorageError, first_of
from handrail_storage.store import Store
from handrail_storage.stored import Stored
from handrail_storage.texts import count_text

_LOOKS = 20  # Attempts at a key under which something else appears each time.


@record
class ClaimUndone:
    """The result of an undo, or what it would be.

    Attributes:
        deleted: Objects that were deleted.
        size: Their bytes.
        restored: Objects in whose place what was there before is again.
        foreign: Keys of the run under which there is something that none of our runs has made.
        stays: Objects that stay, by the run that relies on them.
    """

    deleted: int = 0
    size: int = 0
    restored: int = 0
    foreign: int = 0
    stays: Counter[Claimant] = field(default_factory=Counter[Claimant])

    def summary(self, own: Claimant, noun: str = "object", size: str = "") -> Iterator[str]:
        """Yield what was deleted, put back and left, for people.

        Args:
            own: The run that is undone.
            noun: The name of an object in the pack.
            size: Follows what was deleted, such as ` (12 MB)`.
        """
        if self.deleted:
            yield f"{count_text(self.deleted, noun)} deleted{size}"
        if self.restored:
            yield f"{self.restored:,} put back"
        yield from self._staying(own)
        if self.foreign:
            yield f"{self.foreign:,} of others left alone"

    def _staying(self, own: Claimant) -> Iterator[str]:
        for claimant, count in self.stays.most_common():
            if claimant.run and claimant.name == own.name:
                continue
            # Runs of two journals on one machine may have the same number.
            alike = str(claimant) == str(own)
            verb, them = ("stays", "it") if count == 1 else ("stay", "them")
            details = claimant.details if alike else ""
            yield f"{count:,} {verb}: {claimant}{details} relies on {them}"

    def count(self, survey: Survey, verdicts: Sequence[Verdict]) -> None:
        """Count verdicts that are carried out."""
        # Of thousands in a row it is the same run, whose hash takes longer than all else.
        for stays, alike in groupby(each.stays for each in verdicts):
            if stays is not None:
                self.stays[stays] += sum(1 for _ in alike)
        for each in verdicts:
            if each.act == "delete":
                self.deleted += 1
                self.size += max(each.found.size, 0)
            elif each.act == "restore":
                self.restored += 1
            elif each.stays is None and survey.is_foreign(each):
                self.foreign += 1


class Undoing:
    """The undo of one run that has begun, from `Claims.undo`.

    Args:
        store: The target.
        own: The state of the claim, which is `undoing`.
        keys: The keys that the run wanted.
        listing: All claims, read when the run was about to be undone.
    """

    def __init__(self, store: Store, own: OwnClaim, keys: Keys, listing: Listing) -> None:
        self._store = store
        self._own = own
        self._keys = keys
        self._listing = listing
        self._refused: list[StorageError] = []
        self._tell: Callable[[int], None] | None = None

    @property
    def claimant(self) -> Claimant:
        """The run that is undone."""
        return self._own.entry.state.claimant

    @property
    def keys(self) -> Keys:
        """The keys that the run wanted."""
        return self._keys

    @property
    def address(self) -> str:
        """The address of the target."""
        return self._store.address

    @property
    def may_be_registered(self) -> bool:
        """Whether what is registered elsewhere may depend on it, also if it registered nothing.

        What another run has registered passes on to one that holds the same; and where the run has
        replaced something, and what it has put there stays, that is not what is registered.
        """
        return bool(self.claimant.register) and (
            self._own.entry.state.known or bool(self._asides.keys(self.claimant.run))
        )

    def in_place(self) -> Iterator[tuple[str, str]]:
        """Yield each key where this run has replaced an object, and what it has put there stays.

        Another run relies on the same content, which yet another one had replaced before.

        Returns:
            The keys, each with the SHA-256 of what stays. Ask before `run`.
        """
        replaced = self._asides.keys(self.claimant.run)
        if not replaced:
            return
        survey = self._survey()
        for page in survey.goals():
            goals = [goal for goal in page if goal[0] in replaced and not is_nothing(goal[1])]
            for each in survey.verdicts(goals, closely=True) if goals else ():
                if each.stays is not None:
                    assert isinstance(each.found, Stored)  # Each was looked at closely.
                    yield each.found.key, self._store.digest(each.found)

    @cached_property
    def _asides(self) -> Asides:
        return Asides(self._store, self._own.entry.state.epoch)

    def _survey(self, made: Made = None) -> Survey:
        ledger, state = self._own.ledger, self._own.entry.state
        return Survey(self._store, ledger, state, self._keys, self._listing, self._asides, made)

    def passing_on(self) -> Iterator[tuple[str, str]]:
        """Yield what passes on to other runs; see `passing_on`. Call it before `run`."""
        return passing_on(self._own.ledger, self._own.entry.state, self._keys, self._listing)

    def run(
        self,
        *,
        made: Made = None,
        late: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> ClaimUndone:
        """Undo everything under the keys of the run, and delete its claim.

        Safe to repeat: after a kill, `Claims.undo` leads here again. A key at which the storage
        refuses does not keep it from the others.

        Args:
            made: What the run is known to have put, by key or as a list.
            late: Whether a killed process may have left requests in flight, for which to wait.
            progress: Called with the number of keys that are done, and of all.

        Raises:
            ClaimLostError: The claim is somebody else's.
            StorageError: The storage failed, or refused at some keys; the claim stays, so the run
                can be undone again.
        """
        done, survey = ClaimUndone(), self._survey(made)
        waits = late and self._store.lag > 0
        absent: dict[int, array[int]] = {}  # Of each page their places: there may be millions.
        count = told = 0

        def tell(more: int) -> None:
            nonlocal told
            told = min(told + more, count + len(page))  # Some are looked at again.
            progress(told, max(told, len(self._keys)))

        self._tell = tell
        for number, page in enumerate(survey.goals()):
            left = self._undo_as_far_as_allowed(page, survey, done)
            if left and waits:
                absent[number] = array("H", [n for n, (key, _) in enumerate(page) if key in left])
            tell(len(page))
            count += len(page)
        self._tell = None
        refused = first_of(self._refused)
        if refused is not None:
            raise refused
        if absent:
            self._own.clock.sleep(self._store.lag)
            foreign = done.foreign
            for number, page in enumerate(survey.goals()):
                if number in absent:
                    self._undo([page[n] for n in absent[number]], survey, done)
            done.foreign = foreign
        self._end()
        return done

    def _undo_as_far_as_allowed(
        self, goals: list[Goal], survey: Survey, done: ClaimUndone
    ) -> set[str]:
        """Undo a page of keys, in halves where the storage refuses some; see `_undo`."""
        try:
            return self._undo(goals, survey, done)
        except ClaimError:
            raise
        except StorageError as error:
            if error.passing:
                raise
            if len(goals) == 1:
                self._refused.append(error)
                return set()
        half = len(goals) // 2
        parts = goals[:half], goals[half:]
        return set[str]().union(*(self._undo_as_far_as_allowed(p, survey, done) for p in parts))

    def _undo(self, goals: list[Goal], survey: Survey, done: ClaimUndone) -> set[str]:
        """Undo a page of keys; return those under which there was nothing."""
        self._own.touch()
        absent: set[str] = set()
        for number in range(_LOOKS):
            verdicts = survey.verdicts(goals, closely=number > 0)
            there = {each.found.key for each in verdicts}
            absent.update(key for key, _ in goals if key not in there)
            changed = self._act(verdicts) | survey.pass_down(verdicts)
            verdicts = [each for each in verdicts if each.found.key not in changed]
            done.count(survey, verdicts)
            settled = [key for key, _ in goals if key not in changed]
            needless = survey.needless(settled, verdicts)
            if needless:
                self._store.small_files.remove_all(needless)
            goals = [goal for goal in goals if goal[0] in changed]
            if not goals:
                return absent
        raise StorageError(
            f"{goals[0][0]}: somebody else writes there all the time (at {self._store.url})",
            ways_out=("undo the run once nobody else writes there",),
        )

    def _act(self, verdicts: Sequence[Verdict]) -> set[str]:
        """Delete and restore; return the keys under which something else is by now."""
        deleted = [each.found for each in verdicts if each.act == "delete"]
        changed = self._store.delete_found(deleted, self._tell) if deleted else set[str]()
        restored = [each for each in verdicts if each.act == "restore"]
        with ThreadPoolExecutor(1 if self._store.local else AT_A_TIME) as pool:
            return changed.union(*pool.map(self._restore, restored))

    def _restore(self, verdict: Verdict) -> set[str]:
        there, key = verdict.found, verdict.found.key
        found = None if there.size == NOTHING else there
        return set() if self._store.put_over(verdict.copy, key, found) else {key}

    def _end(self) -> None:
        """Delete the claim, and before it what only its run needs."""
        state, ledger = self._own.entry.state, self._own.ledger
        in_use = {*self._listing.kept}.union(
            *(each.lists for each in self._listing.others(state.run))
        )
        ledger.remove_held(sorted(state.lists - in_use))
        self._own.end()
        ledger.remove_epoch_if_last()


def undo_claimed(
    undoing: Undoing | None,
    store: Store,
    run: str,
    *,
    claimed: bool,
    made: Made,
    killed: bool,
    leave: Callable[[Iterable[str]], None],
    torn: Iterable[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    noun: str = "object",
    nothing: str = "nothing had been stored",
) -> str:
    """Delete what a run has made, as far as no other relies on it, and put back what was there.

    Safe to repeat. A run without a claim deletes nothing.

    Args:
        undoing: The undo of its claim; None if it has none.
        store: The target.
        run: The run.
        claimed: Whether the run has got a claim.
        made: What it has stored by its own records, by key or as a list; None if they are gone.
        killed: Whether a killed process may have left requests in flight, or incomplete objects.
        leave: Removes the empty folders of a run, and of these keys.
        torn: Keys under which it may have left them; None for all.
        progress: Called with the number of keys that are done, and of all.
        noun: The name of an object in the pack.
        nothing: What to say if there was nothing to undo.

    Returns:
        A summary in one line.

    Raises:
        ClaimLostError: The claim is somebody else's.
        StorageError: The storage failed or refused; the claim stays, so it can be undone again.
    """
    if undoing is None:
        leave(())  # Of an undo that was killed after it had deleted its claim.
        gone = f"the run has no claim at {store.url}, so nothing there was deleted"
        return gone if claimed else nothing
    # In a folder, an interrupt may come between the creation of a file and its removal. Where a
    # folder leads out of the target by now, the undo says so.
    if store.local:
        with suppress(StorageError):
            store.abort_unfinished(undoing.keys, run)
    elif killed:
        store.abort_unfinished(undoing.keys if torn is None else torn, run)
    done = undoing.run(made=made, late=killed, progress=progress)
    leave(undoing.keys.folders)
    if made is not None and (made.is_empty if isinstance(made, HeldList) else not made):
        done.foreign = 0  # Nothing was put, so nobody has taken the place of it.
    return ", ".join(done.summary(undoing.claimant, noun)) or nothing


def passing_on(
    ledger: Ledger, state: ClaimState, keys: Keys, listing: Listing
) -> Iterator[tuple[str, str]]:
    """Yield each key of a run that another one relies on with the same register, and that run.

    Args:
        ledger: The claims.
        state: The claim of the run.
        keys: Its keys.
        listing: All claims.

    Raises:
        StorageError: A list is missing or damaged, or the storage failed or refused.
    """
    register = state.claimant.register
    entries = [e for e in listing.entries if e.state.claimant.register == register]
    if not register or not state.known or all(e.state.run == state.run for e in entries):
        return
    alone = replace(listing, entries=entries, kept={})
    reliance = Reliance(ledger, alone, state.run, keys, state.held)
    for rows in keys.lines.rows():
        reliance.turn_to([row[0] for row in rows])
        sure = reliance.surely(rows)
        for row in rows:
            # Where nobody has recorded a digest, nothing tells that it is the same.
            claimant = sure.get(row[0]) or reliance.on(Held.of(row), str)
            if claimant is not None:
                yield row[0], claimant.name
