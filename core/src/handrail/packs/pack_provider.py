"""PackProvider: supplies an action with packs and settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.origin import Origin
from handrail.packs.catalog import Catalog, InstalledExecutors
from handrail.packs.configuration import Configuration, Flags, Selection
from handrail.packs.serializers import InstalledSerializers

if TYPE_CHECKING:
    from handrail.errors import PackError
    from handrail.packs.loader import LoadedPack, Observer
    from handrail.packs.pack_settings import PackSecrets
    from handrail.plan.rules import PlanRules, RequiredStep


class PackProvider:
    """Supplies an action with its packs and its settings.

    There are three: for the installed packs, for packs passed as an argument, and for an undo. What
    is here is right for packs without a project.
    """

    plans_undo: bool = False
    """Whether its plans are made for an undo, which may do without what steps need to run."""

    configuration = Configuration("", Flags(), ())
    """What the project says."""

    catalog = Catalog(())
    """The names that the packs offer."""

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude; recorded in the journal of a run."""
        return self.configuration.selection

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the packs."""
        return InstalledSerializers(tuple)

    @property
    def strict_results(self) -> bool:
        """Whether a step fails if the journal cannot store its result."""
        return self.configuration.strict_results

    @property
    def executor(self) -> str | None:
        """The URL of the executor for items that the settings name, or None."""
        return self.configuration.executor

    @property
    def executors(self) -> InstalledExecutors:
        """The executors of the packs, with the one that the settings name as the default."""
        raise NotImplementedError

    def option(self, name: str) -> Any:
        """Return what packs add to a command, by its entry point; None where packs are given.

        Raises:
            NotFoundError: No pack that is on has it.
            PackError: It cannot be imported.
        """
        return None

    def contributors(self) -> Sequence[LoadedPack]:
        """Return all enabled packs that have hooks, loaded."""
        raise NotImplementedError

    def observers(self, keep: Callable[..., str] | None = None) -> list[Observer]:
        """Return the packs' observers of runs.

        Args:
            keep: Keeps a text beside the run; None if nothing can be kept.
        """
        return [pack.observer(keep) for pack in self.contributors() if pack.implements("observe")]

    def performing(self, *, given: bool = False) -> Sequence[LoadedPack]:
        """Return the packs that may run parts of a run elsewhere.

        Args:
            given: Whether to leave out those that are installed, if the action was given others.
        """
        return [pack for pack in self.contributors() if pack.implements("perform")]

    def secrets(self) -> list[PackSecrets]:
        """Return the secrets among the settings of the packs."""
        return [pack.secrets for pack in self.contributors()]

    def rules(self) -> PlanRules:
        """Return the rules of the project for plans; raise if a required pack is missing."""
        return self.configuration.plan_rules(self)

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return ways out for a plan that lacks a required step."""
        return ()

    def loads(self, step: str) -> bool:
        """Return whether a step or wrapper that the project names is loaded, or left out."""
        return True

    def origin_of(self, module: str) -> Origin:
        """Return the origin of a module: the distribution that owns it, if any."""
        return Origin(module=module)

    @property
    def off(self) -> Mapping[str, str]:
        """The reason for each installed pack that is off, by its id."""
        return {}

    def for_undo(self, needed: Collection[str]) -> PackProvider:
        """Return a provider for an undo, which can exclude broken packs that are not needed.

        Args:
            needed: Ids of the packs whose steps or layers are to be undone.
        """
        return self

    @property
    def left_out(self) -> Mapping[str, str]:
        """The reason why each pack that an undo does without is excluded, by pack id."""
        return {}

    def leave_out(self, pack: str, error: PackError) -> bool:
        """Exclude a pack from an undo and return True; if it is needed, return False."""
        return False
