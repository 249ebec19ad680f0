"""The provider for an undo: only packs whose steps were started must be usable."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from handrail.errors import LocalCodeError, PackError, SettingsError, add_ways_out
from handrail.frozen import replace
from handrail.packs.failures import joined, problems_of
from handrail.packs.pack_provider import PackProvider

if TYPE_CHECKING:
    from handrail.origin import Origin
    from handrail.packs.executors import InstalledExecutors
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.loader import LoadedPack
    from handrail.packs.serializers import InstalledSerializers
    from handrail.plan.required import PlanRules

DRIFT = "or undo the rest, and count these steps as not undone:  --accept-drift"


class UndoPacks(PackProvider):
    """Provides packs for a plan of which only the started steps are undone.

    No steps are required, the lock is not checked, and a broken pack is excluded unless one of its
    steps was started. Items are undone by the executor that has worked on them.

    Args:
        packs: The installed packs.
        needed: Ids of the packs whose steps or layers were started.
    """

    plans_undo = True

    def __init__(self, packs: InstalledPacks, needed: Collection[str]) -> None:
        self._packs = packs
        self.configuration, self.catalog = packs.configuration, packs.catalog
        self._needed = frozenset(needed)
        self._loaded: tuple[LoadedPack, ...] | None = None
        self._left_out: dict[str, str] = {}

    def rules(self) -> PlanRules:
        """Return the changes that are granted; nothing is required."""
        return replace(self.configuration.plan_rules(self._packs), required=())

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return all used packs that have hooks and are not excluded, loaded.

        Raises:
            PackError: A pack is broken, and one of its steps was started.
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

    @property
    def left_out(self) -> Mapping[str, str]:
        """The reason why each excluded pack was excluded, by pack id."""
        return self._left_out

    def leave_out(self, pack: str, error: PackError | SettingsError | LocalCodeError) -> bool:
        """Exclude a pack from now on and return True; if it is needed, return False."""
        if pack in self._needed or pack in self.left_out:
            return False
        self._left_out[pack] = problems_of(error)[0].message
        return True

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the packs."""
        return self._packs.serializers

    @property
    def off(self) -> Mapping[str, str]:
        """The reason for each installed pack that is off, by its id."""
        return self._packs.off

    @property
    def executor(self) -> str | None:
        """None: an undo asks the executor that has worked on items, if there are any."""
        return None

    @property
    def executors(self) -> InstalledExecutors:
        """The executors of the packs."""
        return self._packs.executors

    def for_undo(self, needed: Collection[str]) -> UndoPacks:
        """Return the same packs for another undo."""
        return UndoPacks(self._packs, needed)

    def loads(self, step: str) -> bool:
        """Return False, and exclude the pack, if a step of a broken pack is not needed."""
        offers = self.catalog.offers("steps")
        owners = {record.id for record, entry in offers if entry.name == step.rpartition(":")[2]}
        try:
            self.catalog.load("steps", step)
        except (PackError, LocalCodeError) as error:
            if owners & self._needed:
                raise
            for owner in owners:
                self.leave_out(owner, error)
            return False
        except LookupError:
            pass  # An unknown step is reported as a problem of the plan.
        return True

    def origin_of(self, module: str) -> Origin:
        """Return the installed pack that owns the module; otherwise the module alone."""
        return self._packs.origin_of(module)
