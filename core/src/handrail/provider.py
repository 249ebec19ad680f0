"""Where an action finds the packs that shape it: the installed ones, or some that were given."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

from handrail.errors import PackError, Problem
from handrail.origin import Origin
from handrail.packs.given import given as given_packs
from handrail.plan.order import Contributor

if TYPE_CHECKING:
    from handrail.orchestrator import Observer
    from handrail.packs.installed import InstalledPacks
    from handrail.plan.edits import EditSet
    from handrail.settings.requirements import RequiredStep


class PackProvider(Protocol):
    """Where an action finds the packs that shape it."""

    @property
    def grants(self) -> Mapping[str, frozenset[str]]:
        """What each pack may do to the steps of others."""
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
        from handrail.packs.installed import installed  # noqa: PLC0415

        return installed()
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


def installed_packs(provider: object) -> InstalledPacks | None:
    """Return `provider` if it is the packs that are installed, and not some that were given."""
    # Who has made such an object has imported its class; nobody else pays for that here.
    if "handrail.packs.installed" not in sys.modules:
        return None
    from handrail.packs.installed import InstalledPacks  # noqa: PLC0415

    return provider if isinstance(provider, InstalledPacks) else None
