"""PackProvider: supplies an action with packs, the lock and settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from handrail.origin import Origin
from handrail.packs.choices import Selection
from handrail.packs.serializers import InstalledSerializers
from handrail.plan.edits import EditSet

if TYPE_CHECKING:
    from handrail.errors import PackError, Problem
    from handrail.lock.model import LockUse
    from handrail.packs.executors import InstalledExecutors
    from handrail.packs.loader import LoadedPack, Observer
    from handrail.packs.pack_settings import PackSecrets
    from handrail.packs.project_edits import Part
    from handrail.plan.plan import Plan
    from handrail.plan.required import RequiredStep


class PackProvider:
    """Supplies an action with its packs, its lock and its settings.

    There are three: for the installed packs, for packs passed as an argument, and for an undo. What
    is here is right for packs without a project.
    """

    plans_undo: bool = False
    """Whether its plans are made for an undo, which may do without what steps need to run."""

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """The edits that each pack may make to steps of other packs."""
        return {}

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude; recorded in the journal of a run."""
        return Selection()

    @property
    def serializers(self) -> InstalledSerializers:
        """The serializers of the packs."""
        return InstalledSerializers(tuple)

    @property
    def strict_results(self) -> bool:
        """Whether a step fails if the journal cannot store its result."""
        return False

    @property
    def executor(self) -> str | None:
        """The URL of the executor for items that the settings name, or None."""
        return None

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

    def required(self) -> Sequence[RequiredStep]:
        """Return the steps that every plan must have; raise if a required pack is missing."""
        return ()

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return ways out for a plan that lacks a required step."""
        return ()

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, Sequence[Problem]]:
        """Return the project's edits to an action, and the problems found in them."""
        return EditSet(owner="project"), ()

    def workflow_steps(self, name: str) -> tuple[Sequence[tuple[Part, Origin]], Sequence[Problem]]:
        """Return the steps and groups of a workflow of the project, with the lines that name them.

        And the problems found in them.
        """
        return (), ()

    def origin_of(self, module: str) -> Origin:
        """Return the origin of a module: the distribution that owns it, if any."""
        return Origin(module=module)

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Check `plan` against the lock; return a copy with `locked` set, or it if there is none.

        Args:
            plan: The plan to run, or a part of it.
            action: The class of the action.
            whole: Returns the whole plan, of which `plan` may be a part.
            use: How to apply the lock; by default, as for a program without flags.

        Raises:
            PlanDriftedError: The plan differs from the locked one and is not a part of it.
            LockError: The lock cannot be read; or a setting or policy requires a lock, and it is
                missing or ignored.
        """
        return plan

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
