"""The objects that runs have set aside, and the order in which they lay under a key."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from handrail.frozen import replace
from handrail_storage.backend.disk import FOLDER
from handrail_storage.claims.records import Mark, parse_mark
from handrail_storage.store import Store
from handrail_storage.stored import Stored


class Asides:
    """What the runs of an epoch have set aside at a target.

    Each copy has the mark of the object that it copies, so the marks lead from what is under a key
    to what its run has replaced, and so on.

    Args:
        store: The target.
        epoch: The epoch; copies of others are not looked at.
    """

    def __init__(self, store: Store, epoch: str) -> None:
        self._store = store
        self._epoch = epoch
        self._runs: dict[str, list[str]] = {}
        self._looked_at: dict[str, Stored | None] = {}
        root = f"aside/{epoch}/"
        for name, _ in store.small_files.names(root):
            run, _, key = name.removeprefix(root).partition("/")
            self._runs.setdefault(key, []).append(run)

    def runs(self, key: str) -> list[str]:
        """Return the runs that have set something aside under a key."""
        return self._runs.get(key, [])

    def keys(self, run: str) -> set[str]:
        """Return the keys under which a run has set something aside."""
        return {key for key, runs in self._runs.items() if run in runs}

    def name(self, run: str, key: str) -> str:
        """Return the name of what a run has set aside under a key."""
        return f"{FOLDER}/aside/{self._epoch}/{run}/{key}"

    def mark(self, text: str | None) -> Mark | None:
        """Return a mark of this epoch; None for all others."""
        mark = parse_mark(text)
        return mark if mark is not None and mark.epoch == self._epoch else None

    def before(self, found: Stored, stays: Callable[[Stored, str], bool]) -> str | None:
        """Return the name of the copy that has to take the place of an object.

        That is the last one before it which nobody of ours has made, or which is relied on.

        Args:
            found: The object, of one of our runs.
            stays: Returns whether a copy is relied on; called with its name, too.
        """
        for run, copy in self._chain(found):
            name = self.name(run, found.key)
            if self.mark(copy.mark) is None or stays(copy, name):
                return name
        return None

    def back(self, found: Stored) -> dict[str, Stored]:
        """Return the runs whose copies lead back from an object, each with its copy, in order."""
        return dict(self._chain(found))

    def unreachable(self, key: str, tops: Iterable[Stored]) -> list[str]:
        """Return the runs whose copies under a key do not lead back from any of these objects."""
        reached = set[str]().union(*map(self.back, tops))
        return [run for run in self.runs(key) if run not in reached]

    def _chain(self, found: Stored) -> Iterable[tuple[str, Stored]]:
        if not self.runs(found.key):
            return
        mark = self.mark(found.mark)
        seen: set[str] = set()
        while mark is not None and mark.run not in seen and mark.run in self.runs(found.key):
            seen.add(mark.run)
            copy = self.copy(mark.run, found.key)
            if copy is None:
                return
            yield mark.run, copy
            mark = self.mark(copy.mark)

    def copy_at(self, name: str) -> Stored | None:
        """Return a copy by its name, under the key that it was copied from."""
        return self._looked_at.get(name)

    def look_at(self, run: str, keys: Iterable[str]) -> None:
        """Look at the copies of a run under many keys at once, as far as there are any."""
        names = {self.name(run, key): key for key in keys if run in self.runs(key)}
        for name, found in self._store.stats([*names]).items():
            self._looked_at[name] = replace(found, key=names[name])

    def pass_down(self, run: str, key: str, below: str) -> bool:
        """Keep the copy of a run as one of another run; return whether that had none."""
        if not self._store.put_over(self.name(run, key), self.name(below, key), None):
            return False
        self._runs[key].append(below)
        self._looked_at[self.name(below, key)] = self.copy(run, key)
        return True

    def copy(self, run: str, key: str) -> Stored | None:
        """Return the copy of a run under a key, under the key that it was copied from."""
        if run not in self.runs(key):
            return None
        name = self.name(run, key)
        if name not in self._looked_at:
            found = self._store.stat(name)
            self._looked_at[name] = None if found is None else replace(found, key=key)
        return self._looked_at[name]
