"""The installed packs as an undo needs them: only those whose steps began have to be there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.errors import LocalCodeError, PackError, SettingsError, add_ways_out
from handrail.frozen import replace
from handrail.packs.failures import joined, problems_of
from handrail.packs.given import observer

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.lock.model import LockUse
    from handrail.origin import Origin
    from handrail.packs.given import Observer
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.loaded import LoadedPack
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.settings.changes import Changes
    from handrail.settings.requirements import RequiredStep
    from handrail.settings.selection import Selection

DRIFT = "or undo the rest, and count these steps as not undone:  --accept-drift"


class UndoingPacks:
    """Packs for a plan of which only the steps that began are undone.

    Nothing is required of it, no lock is held against it, and a pack that is broken is left out
    unless one of its steps began.

    Args:
        packs: The installed packs.
        needed: Ids of the packs whose steps or layers began.

    Attributes:
        left_out: What is wrong with each pack that is left out, by its id.
    """

    def __init__(self, packs: InstalledPacks, needed: Collection[str]) -> None:
        self._packs = packs
        self._needed = frozenset(needed)
        self._loaded: tuple[LoadedPack, ...] | None = None
        self.left_out: dict[str, str] = {}

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """What each pack may do to the steps of others."""
        return self._packs.grants

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return every pack that is used, has hooks and can be loaded, but for those left out.

        Raises:
            PackError: One is broken, and its steps began.
        """
        if self._loaded is None:
            self._loaded, failed = self._packs.load_each()
            missed: list[PackError | SettingsError] = []
            for record, error in failed:
                if not self.leave_out(record.id, error):
                    missed.append(error)
            if missed:
                error = joined(missed)
                add_ways_out(error, DRIFT)
                raise error
        return tuple(pack for pack in self._loaded if pack.id not in self.left_out)

    def leave_out(self, pack: str, error: PackError | SettingsError | LocalCodeError) -> bool:
        """Leave a pack out from now on; return False, and do nothing, if its steps began."""
        if pack in self._needed or pack in self.left_out:
            return False
        self.left_out[pack] = problems_of(error)[0].message
        return True

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables leave out."""
        return self._packs.selection

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Return `plan`: the lock does not count for an undo."""
        return plan

    def for_undo(self, needed: Collection[str]) -> UndoingPacks:
        """Return the same packs for another undo."""
        return UndoingPacks(self._packs, needed)

    def observers(self) -> list[Observer]:
        """Return one callable for each pack that observes runs."""
        return [observer(pack) for pack in self.contributors() if pack.implements("observe")]

    def required(self) -> tuple[RequiredStep, ...]:
        """Return nothing: an undo does only what is required of it."""
        return ()

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, Sequence[Problem]]:
        """Return what the project changes about an action, but for steps of packs left out.

        Raises:
            PackError: A step is from a pack that is broken, and its steps began.
        """
        from handrail.packs.project import edits_of  # noqa: PLC0415 - for plans only

        changes = [self._usable(each) for each in self._packs.changes(lineage)]
        return edits_of(changes, self._packs.catalog)

    def _usable(self, changes: Changes) -> Changes:
        return replace(
            changes,
            inserts=tuple(each for each in changes.inserts if self._loads(each.step)),
            wraps=tuple(each for each in changes.wraps if self._loads(each.use)),
        )

    def _loads(self, name: str) -> bool:
        """Whether what the project names is there, or is missed for another reason."""
        catalog = self._packs.catalog
        offers = catalog.offers("steps")
        owners = {record.id for record, entry in offers if entry.name == name.rpartition(":")[2]}
        try:
            catalog.load("steps", name)
        except (PackError, LocalCodeError) as error:
            if owners & self._needed:
                raise
            for owner in owners:
                self.leave_out(owner, error)
            return False
        except LookupError:
            pass  # There is no such step: that is a problem of the plan.
        return True

    def origin_of(self, module: str) -> Origin:
        """Return the installed pack that owns a dotted `module`, else just the module."""
        return self._packs.origin_of(module)
