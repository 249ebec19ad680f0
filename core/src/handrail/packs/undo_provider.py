"""The provider for an undo: only packs whose steps were started must be usable."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.errors import LocalCodeError, PackError, SettingsError, add_ways_out
from handrail.frozen import replace
from handrail.packs.failures import joined, problems_of
from handrail.packs.pack_provider import PackProvider
from handrail.packs.project_edits import edits_of, parts_of

if TYPE_CHECKING:
    from handrail.errors import Problem
    from handrail.origin import Origin
    from handrail.packs.choices import Selection
    from handrail.packs.executors import InstalledExecutors
    from handrail.packs.installed import InstalledPacks
    from handrail.packs.loader import LoadedPack
    from handrail.packs.project_edits import Part
    from handrail.packs.serializers import InstalledSerializers
    from handrail.plan.edits import EditSet
    from handrail.settings.changes import Changes, Insert
    from handrail.settings.values import Settings

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
        self._needed = frozenset(needed)
        self._loaded: tuple[LoadedPack, ...] | None = None
        self._left_out: dict[str, str] = {}

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """The edits that each pack may make to steps of other packs."""
        return self._packs.grants

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
    def settings(self) -> Settings:
        """The settings that apply."""
        return self._packs.settings

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the packs."""
        return self._packs.serializers

    @property
    def strict_results(self) -> bool:
        """Whether a step fails if the journal cannot store its result."""
        return self._packs.strict_results

    @property
    def executors(self) -> InstalledExecutors:
        """The executors of the packs."""
        return self._packs.executors

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude."""
        return self._packs.selection

    def for_undo(self, needed: Collection[str]) -> UndoPacks:
        """Return the same packs for another undo."""
        return UndoPacks(self._packs, needed)

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, Sequence[Problem]]:
        """Return the project's edits to an action, without steps of excluded packs.

        Raises:
            PackError: A step is from a broken pack, and one of that pack's steps was started.
        """
        changes = [self._usable(each) for each in self._packs.changes(lineage)]
        edits, problems = edits_of(changes, self._packs.catalog)
        # The step may be one of an excluded pack.
        edits.limitings = [replace(each, missing_ok=True) for each in edits.limitings]
        return edits, problems

    def workflow_steps(self, name: str) -> tuple[Sequence[tuple[Part, Origin]], Sequence[Problem]]:
        """Return the steps and groups of a workflow, without steps of excluded packs.

        Raises:
            PackError: A step is from a broken pack, and one of that pack's steps was started.
        """
        steps = self._packs.settings.workflows[name].steps
        return parts_of(self._loading(steps), self._packs.catalog)

    def _usable(self, changes: Changes) -> Changes:
        return replace(
            changes,
            inserts=self._loading(changes.inserts),
            wraps=tuple(each for each in changes.wraps if self._loads(each.use)),
        )

    def _loading(self, inserts: Iterable[Insert]) -> tuple[Insert, ...]:
        """Return those whose steps can be loaded; of a group the lanes that can."""
        found: list[Insert] = []
        for each in inserts:
            lanes = tuple(usable for lane in each.lanes if (usable := self._loading(lane)))
            if lanes if each.lanes else self._loads(each.step):
                found.append(replace(each, lanes=lanes))
        return tuple(found)

    def _loads(self, name: str) -> bool:
        """Return False, and exclude the pack, if a step of a broken pack is not needed."""
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
            pass  # An unknown step is reported as a problem of the plan.
        return True

    def origin_of(self, module: str) -> Origin:
        """Return the installed pack that owns the module; otherwise the module alone."""
        return self._packs.origin_of(module)
