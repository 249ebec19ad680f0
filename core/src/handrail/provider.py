"""Where an action gets packs, lock and settings: from the installed project, or as given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from handrail.errors import PackError, Problem
from handrail.origin import Origin
from handrail.packs.explicit import given as given_packs
from handrail.plan.order import Contributor

if TYPE_CHECKING:
    from handrail.lock.model import LockUse
    from handrail.orchestrator import Observer
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep
    from handrail.settings.selection import Selection


class PackProvider(Protocol):
    """Where an action gets its packs, its lock and its settings.

    There is one for the installed packs, one for packs that are given, and one for an undo.
    """

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """What each pack may do to the steps of others."""
        ...

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables leave out, for the journal of a run."""
        ...

    def contributors(self) -> Sequence[Contributor]:
        """Return every enabled pack that has hooks, loaded."""
        ...

    def observers(self) -> Sequence[Observer]:
        """Return the packs' observers of runs."""
        ...

    def required(self) -> Sequence[RequiredStep]:
        """Return the steps that no plan may do without; raise when a required pack is missing."""
        ...

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return how to get a required step into a plan that lacks it."""
        ...

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, Sequence[Problem]]:
        """Return what the project changes about an action, and what is wrong with that."""
        ...

    def origin_of(self, module: str) -> Origin:
        """Return the distribution that owns a module."""
        ...

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Return a plan that is about to be run, with whether it is locked.

        Args:
            plan: The plan, or a part of it.
            action: The class of the action.
            whole: Makes the whole plan.
            use: How the lock counts; as for a program unless given.

        Raises:
            PlanDriftedError: The plan is not in the lock as it is, nor is it a part of one.
            LockError: The lock cannot be read, or is missing or left aside where a setting or a
                policy wants every run locked.
        """
        ...

    def for_undo(self, needed: Collection[str]) -> UndoProvider:
        """Return a provider that demands as little as an undo needs.

        Args:
            needed: Ids of the packs whose steps or layers have to be undone.
        """
        ...


class UndoProvider(PackProvider, Protocol):
    """A provider for a plan of which only the steps that began are undone."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """What is wrong with each pack that is left out, by its id."""
        ...

    def leave_out(self, pack: str, error: PackError) -> bool:
        """Leave a pack out from now on; return False, and do nothing, if it is needed."""
        ...


Packs = PackProvider | Sequence[object] | None


def provider_of(packs: Packs) -> PackProvider:
    """Return the provider that `packs` is or stands for.

    Raises:
        PackError: It is none, and holds something that has no hooks.
    """
    given = cast("object", packs)
    if hasattr(given, "contributors"):
        return cast("PackProvider", given)
    # What reads the installed ones is not for those who give some.
    if given is None:
        from handrail.packs.installed import installed_packs  # noqa: PLC0415

        return installed_packs()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise PackError(
            f"packs takes a sequence of hook modules, not {given!r}",
            ways_out=("packs=(my_hooks,) for some, packs=() for none",),
        )
    listed = list(cast("Sequence[object]", given))
    provider = given_packs(listed)
    for each, pack in zip(listed, provider.contributors(), strict=True):
        if not pack.hooks and not pack.implements("pack_info"):
            raise PackError(
                f"{getattr(each, '__name__', repr(each))} in packs has no hooks",
                ways_out=("give the module with the functions that are marked with @hookimpl",),
            )
    return provider
