"""The provider for packs passed as an argument, such as `packs=(my_hooks,)` in a test."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from handrail.origin import Origin
from handrail.settings.names import normalised
from handrail.settings.selection import Selection

if TYPE_CHECKING:
    from handrail.errors import HandrailError, Problem
    from handrail.events import Event
    from handrail.lock.model import LockUse
    from handrail.packs.loader import LoadedPack
    from handrail.plan.edits import EditSet
    from handrail.plan.plan import Plan
    from handrail.settings.requirements import RequiredStep

Observer = Callable[["Event"], None]


class ExplicitPacks:
    """Provides packs passed as an argument; installed packs and the project are ignored.

    Attributes:
        grants: The edits that each pack may make to steps of other packs.
        selection: Always empty.
        left_out: Always empty: an undo excludes no pack.
    """

    def __init__(self, packs: Sequence[LoadedPack], grants: Mapping[str, frozenset[str]]) -> None:
        self._packs = tuple(packs)
        self.grants = grants
        self.selection = Selection()
        self.left_out: Mapping[str, str] = {}

    def contributors(self) -> tuple[LoadedPack, ...]:
        """Return the packs."""
        return self._packs

    def observers(self) -> list[Observer]:
        """Return the packs' observers."""
        return [observer(pack) for pack in self._packs if pack.implements("observe")]

    def required(self) -> tuple[RequiredStep, ...]:
        """Return nothing: requirements of installed packs do not apply."""
        return ()

    def ways_to(self, step: RequiredStep) -> tuple[str, ...]:
        """Return nothing."""
        return ()

    def project_edits(self, lineage: Sequence[str]) -> tuple[EditSet, tuple[Problem, ...]]:
        """Return no edits: the project is ignored."""
        from handrail.plan.edits import EditSet  # noqa: PLC0415 - not for listing

        return EditSet(owner="project"), ()

    def check_lock(
        self, plan: Plan, action: type, whole: Callable[[], Plan], use: LockUse | None = None
    ) -> Plan:
        """Return `plan` unchanged: the project, and with it the lock, is ignored."""
        return plan

    def for_undo(self, needed: Collection[str]) -> ExplicitPacks:
        """Return self: the packs were passed for the undo."""
        return self

    def leave_out(self, pack: str, error: HandrailError) -> bool:
        """Return False: no pack can be excluded."""
        return False

    def origin_of(self, module: str) -> Origin:
        """Return the pack whose hooks `module` has; otherwise the module alone."""
        for pack in self._packs:
            if pack.origin.module and pack.origin.module == module:
                return pack.origin
        return Origin(module=module)


def observer(pack: LoadedPack) -> Observer:
    """Return an observer that calls the pack's hook `observe`, named after the pack."""

    def observe(event: Event) -> None:
        pack.call("observe", event=event)

    observe.__qualname__ = f"observe of {pack.origin}"
    return observe


def explicit_packs(
    packs: Iterable[object], *, grants: Mapping[str, Iterable[str]] | None = None
) -> ExplicitPacks:
    """Return a provider of exactly these packs.

    Args:
        packs: Modules or objects with hooks, or loaded packs.
        grants: The edits that each may make to steps of other packs, as in the settings.

    Raises:
        PackError: A hook is not valid.
    """
    from handrail.packs.loader import LoadedPack, load_inline  # noqa: PLC0415 - slow to import

    loaded = [each if isinstance(each, LoadedPack) else load_inline(each) for each in packs]
    granted = {normalised(pack): frozenset(each) for pack, each in (grants or {}).items()}
    return ExplicitPacks(loaded, granted)
