"""Reads and writes the claims of a target."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from handrail.frozen import from_json, frozen
from handrail_storage.backend.contents import Content
from handrail_storage.backend.disk import FOLDER
from handrail_storage.backend.small import Small, SmallFiles
from handrail_storage.claims.cache import Cache
from handrail_storage.claims.lists import COPY, HeldList, Lines, WantedList, digest_of
from handrail_storage.claims.records import EPOCH, ClaimState, Entry, new_name
from handrail_storage.containment import PLAIN
from handrail_storage.errors import StorageError

AT_A_TIME = 32  # Small files that are read.
_EPOCH, _KEPT = "claims/epoch", "kept"
_STATE = re.compile(rf"claims/(?P<run>{PLAIN})/state")


class DamagedError(StorageError):
    """The state of a claim cannot be read."""


class ListMissingError(StorageError):
    """A list that a claim names is not there."""


class EndedError(Exception):
    """A claim has ended since it was listed, so the listing says of others what is not so."""


@frozen
class Listing:
    """All claims of a target at one moment.

    Attributes:
        entries: The claims, the oldest first.
        kept: Identifies the lists of runs that were pruned, each with the groups of these; see
            `Claimant`.
        epoch: The epoch; None if there is none.
    """

    entries: Sequence[Entry]
    kept: Mapping[str, Sequence[str]]
    epoch: str | None

    def others(self, run: str) -> list[ClaimState]:
        """Return the states of all claims but that of one run."""
        return [each.state for each in self.entries if each.state.run != run]


class Ledger:
    """The files of the claims of one target.

    Args:
        files: The small files of the target.
        url: The target, as people write it.
        cache: Keeps what was read, as far as it cannot have changed.
    """

    def __init__(self, files: SmallFiles, url: str, cache: Cache) -> None:
        self._files = files
        self._cache = cache
        self._known: dict[str, Entry] = {}  # By run; a listing need not read them again.
        self.url = url

    # Epochs

    def epoch(self) -> str | None:
        """Return the epoch; None if there is none.

        Raises:
            StorageError: The storage failed or refused, or the file is damaged.
        """
        found = self._files.get(_EPOCH)
        if found is None:
            return None
        try:
            epoch = from_json(dict[str, str], json.loads(found.content)).get("epoch", "")
        except (ValueError, TypeError):
            epoch = ""
        if not re.fullmatch(EPOCH, epoch):
            raise self._damaged(_EPOCH)
        return epoch

    def found_epoch(self) -> str:
        """Return the epoch, which is made if there is none.

        That it is the one of the runs that have begun has to be checked in a later listing.

        Raises:
            StorageError: The storage failed or refused.
        """
        while True:
            epoch = self.epoch()
            if epoch is not None:
                return epoch
            self.put_epoch(new_name())

    def put_epoch(self, epoch: str) -> bool:
        """Make an epoch; return False if there is another one."""
        return self._files.create(_EPOCH, json.dumps({"epoch": epoch}).encode())

    def remove_epoch_if_last(self) -> None:
        """Delete the epoch if there is no claim any more.

        A run that is asking meanwhile puts it back, or the next one takes that of its claim.
        """
        names = {name for name, _ in self._files.names("claims/")}
        # Without it, a run that was interrupted may have left a part of it, which has no name yet.
        if names <= {_EPOCH} and self._files.get(_KEPT) is None:
            self._files.remove(_EPOCH)

    # States

    def entry(self, run: str) -> Entry | None:
        """Return the claim of a run, or None."""
        found = self._files.get(_state_of(run))
        return None if found is None else self._met(self._parsed(run, found))

    def put(self, state: ClaimState) -> Entry:
        """Write the state of a new claim."""
        version = self._files.put(_state_of(state.run), state.to_json(), spare=True)
        return self._met(Entry(state=state, version=version))

    def swap(self, entry: Entry, state: ClaimState) -> Entry | None:
        """Replace the state of a claim; None if somebody else has replaced it."""
        version = self._files.swap(_state_of(state.run), state.to_json(), entry.version)
        return None if version is None else self._met(Entry(state=state, version=version))

    def _met(self, entry: Entry) -> Entry:
        self._known[entry.state.run] = entry
        return entry

    def remove(self, entry: Entry) -> bool:
        """Delete the state of a claim, then the list of its keys.

        Returns:
            False if somebody else has replaced the state; then nothing was deleted.
        """
        run = entry.state.run
        if not self._files.remove(_state_of(run), entry.version):
            return False
        self._files.remove(_wanted_of(run))
        return True

    def remove_wanted(self, run: str) -> None:
        """Delete the list of the keys of a run that has no state."""
        self._files.remove(_wanted_of(run))

    def remove_rest(self, run: str) -> None:
        """Delete what a killed process may have left of a claim that has no state."""
        self._files.remove_all([_state_of(run), _wanted_of(run)])
        self.remove_epoch_if_last()

    def runs(self) -> dict[str, str | None]:
        """Return the ids of all runs with a claim, which are not read, with versions if known.

        Raises:
            StorageError: The storage failed or refused.
        """
        names = self._files.names("claims/")
        states = ((_STATE.fullmatch(name), version) for name, version in names)
        return {found["run"]: version for found, version in states if found is not None}

    def listing(self, *, kept: bool = True, damaged: list[StorageError] | None = None) -> Listing:
        """Read all claims.

        Args:
            kept: Whether to read the claims of pruned runs too, after all others.
            damaged: Receives an error for each claim that is damaged.

        Raises:
            StorageError: The storage failed or refused, or a claim is damaged.
        """
        runs = self.runs()
        known = {**self._cache.states(self.url), **self._known}

        def read(run: str) -> Entry | None:
            before = known.get(run)
            if before is not None and before.version == runs[run]:
                return before
            return self._read(run, damaged)

        with ThreadPoolExecutor(min(AT_A_TIME, len(runs) or 1)) as pool:
            entries = [entry for entry in pool.map(read, runs) if entry is not None]
        if all(runs.values()):
            self._cache.keep_states(self.url, [each for each in entries if each.state.relies])
        return Listing(
            entries=sorted(entries, key=lambda each: (each.state.since, each.state.run)),
            kept=self.kept()[0] if kept else {},
            epoch=self.epoch(),
        )

    def _read(self, run: str, damaged: list[StorageError] | None) -> Entry | None:
        try:
            return self.entry(run)
        except DamagedError as error:
            if damaged is None:
                raise
            damaged.append(error)
            return None

    def _parsed(self, run: str, found: Small) -> Entry:
        try:
            state = ClaimState.from_json(found.content, run)
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedError(
                f"{FOLDER}/{_state_of(run)} at {self.url} cannot be read: {error}",
                ways_out=(
                    "install a newer handrail-storage, if that run has one",
                    COPY,
                ),
            ) from error
        return Entry(state=state, version=found.version)

    # Lists

    def put_wanted(self, run: str, content: Content) -> None:
        """Write the list of the keys of a run."""
        self._files.put(_wanted_of(run), content)

    def wanted(self, state: ClaimState) -> WantedList:
        """Return the list of the keys that a run wants.

        Raises:
            ListMissingError: The list is missing.
            StorageError: The list is damaged, or the storage failed or refused.
        """
        name = _wanted_of(state.run)
        return WantedList.unpacked(self._content(name, state.wanted), self._full(name))

    def keys(self, state: ClaimState) -> Lines:
        """Return the list of the keys of a run: that it wants, or under which it holds something.

        Raises:
            ListMissingError: The list is missing. In the undo of a run that has held something, all
                its keys are done then.
            StorageError: The list is damaged, or the storage failed or refused.
        """
        if not state.known:
            return self.wanted(state)
        return HeldList.of(()) if state.held is None else self.held(state.held)

    def check_listed(self, state: ClaimState) -> None:
        """Check that a claim whose list is missing is as it was listed.

        Raises:
            EndedError: It has ended or changed since.
            StorageError: The storage failed or refused.
        """
        entry = self.entry(state.run)
        if entry is None or entry.state != state:
            raise EndedError

    def put_held(self, digest: str, content: Content) -> None:
        """Write a list of held objects."""
        self._files.put(_held_of(digest), content)
        self._cache.keep(digest, content)

    def held(self, digest: str) -> HeldList:
        """Return a list of held objects.

        Raises:
            ListMissingError: The list is missing.
            StorageError: The list is damaged, or the storage failed or refused.
        """
        name = _held_of(digest)
        return HeldList.unpacked(self._content(name, digest), self._full(name))

    def held_of(self, state: ClaimState) -> HeldList:
        """Return the list of what another run relies on; an empty one if it was undone meanwhile.

        Raises:
            StorageError: The list is missing or damaged, or the storage failed or refused.
        """
        assert state.held is not None
        try:
            return self.held(state.held)
        except ListMissingError:
            entry = self.entry(state.run)
            if entry is not None and entry.state.relies:
                raise
        return HeldList.of(())

    def remove_held(self, digests: Iterable[str]) -> None:
        """Delete lists of held objects."""
        self._files.remove_all([*map(_held_of, digests)])

    def _content(self, name: str, digest: str) -> Content:
        """Return the content of a list, whose digest is checked."""
        known = self._cache.read(digest)
        if known is not None:
            return known
        found = self._files.content(name)
        if found is None:
            raise ListMissingError(
                f"{self._full(name)} is missing, so it is not known what that run holds",
                ways_out=(COPY,),
            )
        try:
            if digest_of(found) == digest:
                self._cache.keep(digest, found)
                return found
            why = "is not the one that its claim names"
        except ValueError as error:
            why = f"is damaged: {error}"
        raise StorageError(f"{self._full(name)} {why}", ways_out=(COPY,))

    def _damaged(self, name: str) -> StorageError:
        return StorageError(f"{self._full(name)} is damaged", ways_out=(COPY,))

    def _full(self, name: str) -> str:
        return f"{FOLDER}/{name} at {self.url}"

    # Claims of pruned runs

    def kept(self) -> tuple[dict[str, list[str]], str | None]:
        """Return what identifies the lists of pruned runs, and the version of that file.

        Each list has the groups of its runs; see `Claimant`.
        """
        found = self._files.get(_KEPT)
        if found is None:
            return {}, None
        try:
            lists = from_json(dict[str, list[str]], json.loads(found.content)["lists"])
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(_KEPT) from error
        return lists, found.version

    def add_kept(self, digest: str, group: str) -> None:
        """Add the list of a run to those of pruned runs."""
        while True:
            lists, version = self.kept()
            groups = lists.setdefault(digest, [])
            if group in groups:
                return
            groups.append(group)
            content = json.dumps({"schema": 1, "lists": lists}).encode()
            if version is None and self._files.create(_KEPT, content):
                return
            if version is not None and self._files.swap(_KEPT, content, version):
                return


def _state_of(run: str) -> str:
    return f"claims/{run}/state"


def _wanted_of(run: str) -> str:
    return f"claims/{run}/list"


def _held_of(digest: str) -> str:
    return f"lists/{digest}"
