"""PackProvider: supplies an action with packs, the lock and settings."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from handrail.errors import PackError, Problem
from handrail.origin import Origin
from handrail.packs.explicit import explicit_packs
from handrail.plan.order import Contributor

if TYPE_CHECKING:
    from handrail.lock.model import LockUse
    from handrail.packs.explicit import Observer
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep
    from handrail.settings.selection import Selection


class PackProvider(Protocol):
    """Supplies an action with its packs, its lock and its settings.

    There are three: for the installed packs, for packs passed as an argument, and for an undo.
    """

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """The edits that each pack may make to steps of other packs."""
        ...

    @property
    def selection(self) -> Selection:
        """The packs that flags and variables exclude; recorded in the journal of a run."""
        ...

    def contributors(self) -> Sequence[Contributor]:
        """Return all enabled packs that have hooks, loaded."""
        ...

    def observers(self) -> Sequence[Observer]:
        """Return the run observers of the packs."""
        ...

    def required(self) -> Sequence[RequiredStep]:
        """Return the steps that every plan must have; raise if a required pack is missing."""
        ...

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return ways out for a plan that lacks a required step."""
        ...

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, Sequence[Problem]]:
        """Return the project's edits to an action, and the problems found in them."""
        ...

    def origin_of(self, module: str) -> Origin:
        """Return the origin of a module: the distribution that owns it, if any."""
        ...

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Check `plan` against the lock; return a copy with `locked` set.

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
        ...

    def for_undo(self, needed: Collection[str]) -> UndoProvider:
        """Return a provider for an undo, which can exclude broken packs that are not needed.

        Args:
            needed: Ids of the packs whose steps or layers are to be undone.
        """
        ...


class UndoProvider(PackProvider, Protocol):
    """A provider for an undo, which can exclude broken packs that it does not need."""

    @property
    def left_out(self) -> Mapping[str, str]:
        """The reason why each excluded pack was excluded, by pack id."""
        ...

    def leave_out(self, pack: str, error: PackError) -> bool:
        """Exclude a pack from now on and return True; if it is needed, return False."""
        ...


Packs = PackProvider | Sequence[object] | None


def provider_of(packs: Packs) -> PackProvider:
    """Return `packs` if it is a provider, or a provider for the given or the installed packs.

    Raises:
        PackError: `packs` is not a sequence, or one of its modules has no hooks.
    """
    given = cast("object", packs)
    if hasattr(given, "contributors"):
        return cast("PackProvider", given)
    if given is None:
        # Imported here: not needed by callers who pass packs.
        from handrail.packs.installed import installed_packs  # noqa: PLC0415

        return installed_packs()
    if isinstance(given, str | bytes) or not isinstance(given, Sequence):
        raise PackError(
            f"packs takes a sequence of hook modules, not {given!r}",
            ways_out=("packs=(my_hooks,) for some, packs=() for none",),
        )
    listed = list(cast("Sequence[object]", given))
    provider = explicit_packs(listed)
    for each, pack in zip(listed, provider.contributors(), strict=True):
        if not pack.hooks and not pack.implements("pack_info"):
            raise PackError(
                f"{getattr(each, '__name__', repr(each))} in packs has no hooks",
                ways_out=("give the module with the functions that are marked with @hookimpl",),
            )
    return provider
